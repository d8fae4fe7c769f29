package shape

import (
	"time"

	"parley/shared/api"
	"parley/shared/parley"
	"parley/shared/socket"
)

// SocketAPI is the name of the socket API that pages with Cossistant's widget connect
// to.
const SocketAPI = "cossistant"

// Speaker says what happens in sessions to the pages of their visitors. It is a
// live.KeyedSpeaker.
type Speaker struct {
	// File returns the permanent address of an attachment. Nil is for functions that
	// tell of no messages.
	File func(parley.ProjectID, parley.Attachment) string
}

// base is what every payload has. Clients drop events of another website, and those
// of another visitor.
type base struct {
	OrganizationID parley.ProjectID  `json:"organizationId"`
	WebsiteID      parley.ProjectID  `json:"websiteId"`
	VisitorID      parley.VisitorID  `json:"visitorId"`
	UserID         *string           `json:"userId"`
	ConversationID *parley.SessionID `json:"conversationId,omitempty"`
}

func baseOf(to parley.VisitorID, s *parley.Session) base {
	return base{OrganizationID: s.Project, WebsiteID: s.Project, VisitorID: to, ConversationID: &s.ID}
}

func event(kind string, payload any) []byte {
	return []byte(api.Encode(struct {
		Type    string `json:"type"`
		Payload any    `json:"payload"`
	}{kind, payload}))
}

// ErrorFrame tells a client of what went wrong. It shows the message to whoever
// listens for errors, and keeps the connection.
func ErrorFrame(code, message string) []byte {
	return []byte(api.Encode(struct {
		Error   string `json:"error"`
		Message string `json:"message"`
	}{code, message}))
}

func (p Speaker) view(to parley.VisitorID, s *parley.Session) View {
	return View{Project: s.Project, Visitor: to, File: func(a parley.Attachment) string { return p.File(s.Project, a) }}
}

// API is the name of the socket API.
func (Speaker) API() string { return SocketAPI }

// Shown reports whether visitors are told of an entry.
func (Speaker) Shown(e parley.Entry) bool { return View{Visitor: "any"}.Shown(e) }

// Welcome is the first frame of a connection.
func (Speaker) Welcome(c parley.Connection, now time.Time) []byte {
	return event("CONNECTION_ESTABLISHED", struct {
		base
		ConnectionID string `json:"connectionId"`
		Timestamp    int64  `json:"timestamp"`
	}{base{OrganizationID: c.Project, WebsiteID: c.Project, VisitorID: c.Caller.Visitor}, c.ID, now.UnixMilli()})
}

// Refusal is what a connection is told that was let in only for that.
func (Speaker) Refusal(code, text string) []byte { return ErrorFrame(code, text) }

// Entries says entries, each with what the page had shown before it.
func (p Speaker) Entries(to parley.VisitorID, s *parley.Session, entries []parley.Entry) (frames [][]byte) {
	v := p.view(to, s)
	for _, e := range entries {
		item := v.Item(s, e)
		if item == nil {
			continue
		}
		for _, shown := range append(v.Greeting(s, e), *item) {
			frames = append(frames, fitting(shown, func(i *Item) []byte {
				return event("timelineItemCreated", struct {
					base
					Item *Item `json:"item"`
				}{baseOf(to, s), i})
			}))
		}
	}
	return frames
}

// Begun says that there is a conversation, with its newest message. Clients keep no
// conversation that they only hear items of.
func (p Speaker) Begun(to parley.VisitorID, s *parley.Session, last *parley.Entry) []byte {
	c := p.view(to, s).Conversation(s, parley.Glimpse{Last: last})
	frame := func(i *Item) []byte {
		c.LastTimelineItem = i
		return event("conversationCreated", struct {
			base
			Conversation Conversation `json:"conversation"`
		}{baseOf(to, s), c})
	}
	if c.LastTimelineItem == nil {
		return frame(nil)
	}
	return fitting(*c.LastTimelineItem, frame)
}

// keptNameBytes is how much is left of the name of a file that makes a frame too long.
const keptNameBytes = 100

// fitting returns the first frame with an item that may be sent: with all of it,
// without the part that says the text once more, which nobody draws, without sources,
// and with names of files cut.
func fitting(item Item, frame func(*Item) []byte) []byte {
	whole := frame(&item)
	drop := func(keep func(any) bool) {
		parts := []any{}
		for _, p := range item.Parts {
			if keep(p) {
				parts = append(parts, p)
			}
		}
		item.Parts = parts
		whole = frame(&item)
	}
	for _, keep := range []func(any) bool{
		func(p any) bool { _, is := p.(textPart); return !is },
		func(p any) bool { _, is := p.(sourcePart); return !is },
	} {
		if len(whole) > socket.MaxFrame {
			drop(keep)
		}
	}
	if len(whole) > socket.MaxFrame {
		for i, p := range item.Parts {
			if f, is := p.(filePart); is {
				f.Filename = parley.HintText(f.Filename).Kept(keptNameBytes)
				item.Parts[i] = f
			}
		}
		whole = frame(&item)
	}
	return whole
}

// State says where a conversation stands.
func (Speaker) State(to parley.VisitorID, s *parley.Session) []byte {
	type updates struct {
		Status    string    `json:"status"`
		DeletedAt *api.Time `json:"deletedAt"`
	}
	u := updates{Status: Status(s)}
	if s.Archived {
		u.DeletedAt = api.TimeOrNull(s.Updated())
	}
	return event("conversationUpdated", struct {
		base
		AIAgentID *string `json:"aiAgentId"`
		Updates   updates `json:"updates"`
	}{baseOf(to, s), nil, u})
}

// actor names who does something: a person, the AI or the visitor. ok is false for
// who has no name that clients could show.
func actor(b *base, by parley.Author) (kind, id string, ai *string, ok bool) {
	switch {
	case by.Kind == parley.AuthorUser:
		return "visitor", string(b.VisitorID), nil, true
	case by.ID == "":
		return "", "", nil, false
	case by.Kind == parley.AuthorHuman:
		b.UserID = &by.ID
		return "user", by.ID, nil, true
	case by.Kind == parley.AuthorAI:
		return "ai_agent", by.ID, &by.ID, true
	}
	return "", "", nil, false
}

// Typing says that somebody types, or has stopped; nil for who has no name.
func (Speaker) Typing(to parley.VisitorID, s *parley.Session, by parley.Author, on bool) []byte {
	b := baseOf(to, s)
	_, _, ai, ok := actor(&b, by)
	if !ok {
		return nil
	}
	return event("conversationTyping", struct {
		base
		AIAgentID *string `json:"aiAgentId"`
		IsTyping  bool    `json:"isTyping"`
	}{b, ai, on})
}

// Seen says when somebody saw the conversation last; nil for who has no name.
func (Speaker) Seen(to parley.VisitorID, s *parley.Session, by parley.Author, at int64) []byte {
	b := baseOf(to, s)
	kind, id, ai, ok := actor(&b, by)
	if !ok {
		return nil
	}
	return event("conversationSeen", struct {
		base
		ActorType  string   `json:"actorType"`
		ActorID    string   `json:"actorId"`
		AIAgentID  *string  `json:"aiAgentId"`
		LastSeenAt api.Time `json:"lastSeenAt"`
	}{b, kind, id, ai, api.Time(at)})
}

// outcomes are the ends of runs in the words of the protocol.
var outcomes = map[parley.RunStatus]string{
	parley.StatusCancelled: "cancelled", parley.StatusTakenOver: "cancelled", parley.StatusFailed: "error", parley.StatusIncomplete: "error",
}

// Over says that a run has ended; status "" is one that nothing came of.
func (Speaker) Over(to parley.VisitorID, s *parley.Session, run parley.RunID, status parley.RunStatus) []byte {
	outcome := outcomes[status]
	switch {
	case outcome != "":
	case status == "":
		outcome = "skipped"
	default:
		outcome = "success"
	}
	return event("aiAgentProcessingCompleted", struct {
		base
		AIAgentID parley.AgentID `json:"aiAgentId"`
		Run       parley.RunID   `json:"workflowRunId"`
		Status    string         `json:"status"`
		Audience  string         `json:"audience"`
	}{baseOf(to, s), s.Agent, run, outcome, "all"})
}
