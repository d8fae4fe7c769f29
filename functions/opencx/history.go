package opencx

import (
	"context"
	"encoding/json"
	"net/http"

	"parley/shared/api"
	"parley/shared/parley"
)

// maxHistoryBytes is how much of a session's stored entries one answer holds,
// the newest of them. Our choice, equal for every host: with everything that the
// protocol adds, the answer stays below the 6 MB of a buffered answer (AWS
// Lambda quotas).
const maxHistoryBytes = 1 << 20

// row is one message or event of a session. Clients know a row by its id, and
// ignore changes of one that they already have.
type row struct {
	PublicID    parley.EntryID `json:"publicId"`
	Type        string         `json:"type"`
	Content     content        `json:"content"`
	Sender      sender         `json:"sender"`
	SentAt      api.Time       `json:"sentAt"`
	ActionCalls []actionCall   `json:"actionCalls,omitempty"`
	Attachments []attachment   `json:"attachments,omitempty"`
	System      system         `json:"systemMessagePayload"`
}

type content struct {
	Text *string `json:"text"`
}

type sender struct {
	Kind   string  `json:"kind"`
	Name   *string `json:"name"`
	Avatar *string `json:"avatar"`
}

// system says what an event means; clients drop the type none.
type system struct {
	Type    string          `json:"type"`
	Payload json.RawMessage `json:"payload,omitempty"`
}

// attachment is a file, with the values that the client itself sent for it.
type attachment struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Size int64  `json:"size"` // bytes
	Type string `json:"type"`
	URL  string `json:"url"`
}

// The kinds of sender.
const (
	fromUser   = "user"
	fromAgent  = "agent"
	fromAI     = "ai"
	fromSystem = "system"
)

var none = system{Type: "none"}

// beginning stands for the messages that are missing from a very long session.
// Clients drop it.
func beginning(whole parley.FullTranscript) row {
	return row{PublicID: parley.EntryID(whole.Session.ID) + "-earlier", Type: "workflow_note", Content: content{new("Earlier messages are not shown.")},
		Sender: sender{Kind: fromSystem}, SentAt: api.Time(whole.Session.Created), System: none}
}

// greetingRows are what the client's page itself showed before a message: clients
// know them again by their ids. No two rows have the same time.
func greetingRows(e parley.Entry) []row {
	var rows []row
	for i, said := range e.Greeting {
		rows = append(rows, row{PublicID: said.ID, Type: "message", Content: content{new(neutral(said.Text))}, Sender: sender{Kind: fromAI},
			SentAt: api.Time(e.At - int64(len(e.Greeting)-i)), System: none})
	}
	return rows
}

// view renders one session for the client of a request.
type view struct {
	function
	r       *http.Request
	session *parley.Session
}

// row returns what a visitor gets of an entry, false if that is nothing. It depends
// on the entry and on what basis holds alone, since clients get it again and again.
func (v view) row(e parley.Entry) (row, bool) {
	out := row{PublicID: e.ID, SentAt: api.Time(e.At), System: none}
	switch {
	case e.Erased:
		return row{}, false
	case e.IsMessage():
		v.message(&out, e)
		return out, true
	}
	return out, v.event(&out, e)
}

// message fills in a message. Parley's own sentences are attributed to the
// agent, because clients do not show messages of the system.
func (v view) message(out *row, e parley.Entry) {
	text := e.Text
	out.Type = "message"
	switch e.Author.Kind {
	case parley.AuthorUser:
		out.Sender = sender{Kind: fromUser}
	case parley.AuthorHuman:
		text = neutral(text)
		out.Type, out.Sender = "agent_message", sender{fromAgent, api.OrNull(e.Author.Name), api.OrNull(e.Author.Picture)}
	default:
		text = v.said(v.r.Context(), v.session, e)
		out.Sender = sender{fromAI, api.OrNull(e.Author.Name), api.OrNull(e.Author.Picture)}
	}
	out.Content.Text = &text
	for _, p := range e.Parts {
		switch {
		case p.Attachment != nil:
			out.Attachments = append(out.Attachments, v.attachment(p.Attachment))
		case p.Action != nil:
			out.ActionCalls = append(out.ActionCalls, newActionCall(p.Action))
		}
	}
}

// said is the text of a message that no person wrote. Clients cannot mark a reply
// of which not all is there, so a sentence says so.
func (f function) said(ctx context.Context, s *parley.Session, e parley.Entry) string {
	switch {
	case e.Status == parley.StatusIncomplete:
		return neutral(ended(e.Text) + f.sentence(ctx, s, parley.TextIncomplete))
	case e.Truncated:
		return neutral(ended(e.Text) + f.sentence(ctx, s, parley.TextCut))
	}
	return neutral(e.Text)
}

// sentence is one of Parley's own, as the session's project words it.
func (f function) sentence(ctx context.Context, s *parley.Session, key string) string {
	p, err := f.API.Store.Project(ctx, s.Project)
	if err != nil {
		p = new(parley.Project) // which words nothing
	}
	return p.Say(key, s.Language)
}

func (v view) attachment(a *parley.Attachment) attachment {
	out := attachment{string(a.ID), a.Name, a.Size, a.Type, v.API.FileURL(v.r, v.session.Project, a.ID, a.Name)}
	if a.Ref != nil {
		out.ID, out.Name, out.Size, out.Type = a.Ref.ID, a.Ref.Name, a.Ref.Size, a.Ref.Type
	}
	return out
}

// event fills in an event, and returns false if a visitor should not see it.
// While the AI holds the session, a client lets its visitor write again only
// after a row that it keeps; so wherever a message may have remained unanswered
// there must be a row.
func (v view) event(out *row, e parley.Entry) bool {
	out.Sender = sender{Kind: fromSystem}
	switch e.Event {
	case parley.EventRatingAsked:
		if v.session.State != parley.StateResolved {
			return false // a client that asks lets its visitor do nothing else
		}
		out.Type, out.System = "csat_requested", system{Type: "csat_requested"}
	case parley.EventRated:
		out.Type, out.System = "csat_submitted", system{"csat_submitted", rated(e.Data)}
	case parley.EventCheckpoint:
		out.Type, out.System = "state_checkpoint", system{"state_checkpoint", e.Data}
	case parley.EventNoReply:
		if e.Status == parley.StatusTakenOver {
			return false // the session is not the AI's any more
		}
		v.ownSentence(out, parley.TextApology)
	case parley.EventHandedBack:
		v.ownSentence(out, parley.TextHandedBack)
	case parley.EventHandedOver:
		out.Type = "handoff"
	case parley.EventTakenOver:
		out.Type = "agent_took_session_from_ai"
	case parley.EventJoined:
		out.Type = "agent_joined"
	case parley.EventResolved:
		out.Type = "closed_resolved_by_contact"
		if e.Author.Kind != parley.AuthorUser {
			out.Type = "closed_resolved_by_agent"
		}
	case parley.EventClosed:
		out.Type = "closed_resolved_by_system"
	default:
		return false
	}
	return true
}

// ownSentence turns the row into a sentence of Parley's own.
func (v view) ownSentence(out *row, key string) {
	out.Type, out.Sender = "message", sender{Kind: fromAI}
	out.Content.Text = new(neutral(v.sentence(v.r.Context(), v.session, key)))
}

// rated returns the payload of a rating, which must be an object whatever is
// stored.
func rated(data json.RawMessage) json.RawMessage {
	var given parley.GivenRating
	if err := json.Unmarshal(data, &given); err != nil {
		return json.RawMessage("{}")
	}
	return json.RawMessage(api.Encode(struct {
		Score    int     `json:"score"`
		Feedback *string `json:"feedback"`
	}{given.Score, api.OrNull(given.Feedback)}))
}
