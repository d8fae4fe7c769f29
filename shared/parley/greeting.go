package parley

import "unicode/utf8"

// A greeting is what the visitor's page showed before the first message of a
// session. The page alone says so, and it may say anything: so it is kept with that
// message, as nobody's words, and is no entry. The team and the agent see it, and
// a page that wants its messages back gets them; no other page does, for it has
// shown them itself.

// Said is a message that a page showed by itself.
type Said struct {
	// ID is the page's own, "" if it has none.
	ID   EntryID `json:"id,omitempty"`
	Text string  `json:"text"`
	// By is whose words the page showed it as: an agent's or an operator's of the
	// project by id, the team's or the visitor's own. The zero value says nothing of it.
	By Author `json:"by,omitzero"`
}

// Limits of a greeting. Our choices.
const (
	// MaxGreeting is how many messages it has.
	MaxGreeting = 10
	// MaxGreetingBytes is the longest text of all of them, in bytes of UTF-8; what is
	// longer is cut. It is small, because it is stored in the item of the message.
	MaxGreetingBytes = 4000
)

// ShowsGreeting reports whether the pages of a channel show Project.Greeting
// without saying so. Hissuno's page says what it has shown, and OpenCX's does not
// know of it.
func (c Channel) ShowsGreeting() bool { return c == ChannelNative }

// checkGreeting checks what a page says that it showed before the message own. Pages
// tell messages apart by their ids, so each needs one of its own, if it has any.
func checkGreeting(own EntryID, greeting []Said) error {
	if len(greeting) > MaxGreeting {
		return invalid("greeting", "a page greets with at most %d messages", MaxGreeting)
	}
	ids := map[EntryID]bool{own: true}
	for _, said := range greeting {
		if said.ID != "" {
			if err := CheckID("greeting", string(said.ID)); err != nil {
				return err
			}
			if ids[said.ID] {
				return conflict("message_id_conflict", "two messages of one request have the same id")
			}
			ids[said.ID] = true
		}
		if said.Text == "" || !utf8.ValidString(said.Text) {
			return invalid("greeting", "a message of a greeting has text in UTF-8")
		}
		if exceeds(cut(said.Text, MaxGreetingBytes), MaxGreetingBytes) {
			return tooLarge("greeting", MaxGreetingBytes)
		}
	}
	return nil
}

// greeted returns what of a greeting belongs to the message that is added to a
// session next: nothing once the session has an entry, whatever the page says.
func (s *Session) greeted(greeting []Said) []Said {
	if s.Seq > 0 {
		return nil
	}
	var kept []Said
	room := MaxGreetingBytes
	for _, said := range greeting {
		if len(said.Text) > room {
			if room < len("…") {
				break
			}
			said.Text = cut(said.Text, room-len("…")) + "…"
		}
		kept, room = append(kept, said), room-len(said.Text)
	}
	return kept
}
