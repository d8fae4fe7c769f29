// Package shape says sessions, entries and visitors in the words of Cossistant's
// widget, for answers and for what is pushed to pages alike. It reads nothing.
package shape

import (
	"strings"

	"parley/shared/api"
	"parley/shared/parley"
)

// View is who looks.
type View struct {
	// Project is website and organization in one.
	Project parley.ProjectID
	// Visitor looks, and is shown every visitor of its sessions as itself, for its
	// client drops what is another's. "" is a person of the project, or its server, who
	// is shown whose it is, and internal entries too.
	Visitor parley.VisitorID
	// File returns the permanent address of an attachment.
	File func(parley.Attachment) string
}

func (v View) staff() bool { return v.Visitor == "" }

// visitor is the visitor of a session as it is shown.
func (v View) visitor(s *parley.Session) parley.VisitorID {
	if v.staff() {
		return s.Owner.Visitor
	}
	return v.Visitor
}

// Conversation is a session. Clients replace theirs by it, so it is always whole.
type Conversation struct {
	ID                   parley.SessionID  `json:"id"`
	OrganizationID       parley.ProjectID  `json:"organizationId"`
	WebsiteID            parley.ProjectID  `json:"websiteId"`
	VisitorID            parley.VisitorID  `json:"visitorId"`
	Status               string            `json:"status"`
	Channel              string            `json:"channel"`
	Title                string            `json:"title,omitempty"`
	VisitorTitle         *string           `json:"visitorTitle"`
	VisitorTitleLanguage *string           `json:"visitorTitleLanguage"`
	VisitorLanguage      *string           `json:"visitorLanguage"`
	Metadata             map[string]string `json:"metadata"`
	VisitorRating        *int              `json:"visitorRating"`
	VisitorRatingAt      *api.Time         `json:"visitorRatingAt"`
	VisitorLastSeenAt    *api.Time         `json:"visitorLastSeenAt"`
	LastTimelineItem     *Item             `json:"lastTimelineItem"`
	CreatedAt            api.Time          `json:"createdAt"`
	UpdatedAt            api.Time          `json:"updatedAt"`
	DeletedAt            *api.Time         `json:"deletedAt"`
}

// Record is a session as the team's server sees it.
type Record struct {
	Conversation
	Priority            string             `json:"priority"`
	Sentiment           *string            `json:"sentiment"`
	TitleSource         *string            `json:"titleSource"`
	StartedAt           api.Time           `json:"startedAt"`
	ResolvedAt          *api.Time          `json:"resolvedAt"`
	ResolvedByUserID    *parley.OperatorID `json:"resolvedByUserId"`
	ResolvedByAIAgentID *parley.AgentID    `json:"resolvedByAiAgentId"`
	EscalatedAt         *api.Time          `json:"escalatedAt"`
	EscalationReason    *string            `json:"escalationReason"`
	FirstResponseAt     *api.Time          `json:"firstResponseAt"`
	AIPausedUntil       *api.Time          `json:"aiPausedUntil"`
	AssignedToUserID    *parley.OperatorID `json:"assignedToUserId"`
}

// RecordOf adds to a conversation what only the team is told. Of what Parley does not
// keep, such as a priority, it has what the protocol begins with.
func RecordOf(s *parley.Session, c Conversation) Record {
	out := Record{Conversation: c, Priority: "normal", StartedAt: api.Time(s.Created), EscalatedAt: api.TimeOrNull(s.WaitingSince)}
	if s.State == parley.StateResolved {
		out.ResolvedAt = api.TimeOrNull(s.Updated())
	}
	if s.Holder == parley.HolderHuman {
		out.AssignedToUserID = api.OrNull(s.Operator)
	}
	return out
}

// Status is where a session stands. One that is closed is open here: the visitor's
// next message continues it.
func Status(s *parley.Session) string {
	switch s.State {
	case parley.StateResolved, parley.StateSpam:
		return string(s.State)
	}
	return "open"
}

// Conversation shows a session with what a list shows besides.
func (v View) Conversation(s *parley.Session, g parley.Glimpse) Conversation {
	out := Conversation{ID: s.ID, OrganizationID: v.Project, WebsiteID: v.Project, VisitorID: v.visitor(s), Status: Status(s),
		Channel: "widget", Title: s.Title, VisitorLastSeenAt: api.TimeOrNull(seenAt(s, g.Seen)), CreatedAt: api.Time(s.Created), UpdatedAt: api.Time(s.Updated())}
	if s.Score > 0 {
		out.VisitorRating = &s.Score
	}
	if s.Archived {
		out.DeletedAt = api.TimeOrNull(s.Updated())
	}
	if g.Last != nil {
		out.LastTimelineItem = v.Item(s, *g.Last)
	}
	return out
}

// seenAt is when a mark was moved, and never before what it says was seen: of two
// things in one millisecond the second has a later time than the clock.
func seenAt(s *parley.Session, m parley.Mark) int64 {
	if m.Upto >= s.Seq && m.At > 0 {
		return max(m.At, s.At)
	}
	return m.At
}

// Item is an entry.
type Item struct {
	ID             parley.EntryID    `json:"id"`
	ConversationID parley.SessionID  `json:"conversationId"`
	OrganizationID parley.ProjectID  `json:"organizationId"`
	Visibility     string            `json:"visibility"`
	Type           string            `json:"type"`
	Text           *string           `json:"text"`
	Tool           *string           `json:"tool"`
	Parts          []any             `json:"parts"`
	UserID         *string           `json:"userId"`
	AIAgentID      *string           `json:"aiAgentId"`
	VisitorID      *parley.VisitorID `json:"visitorId"`
	CreatedAt      api.Time          `json:"createdAt"`
	DeletedAt      *api.Time         `json:"deletedAt"`
}

type textPart struct {
	Type string `json:"type"`
	Text string `json:"text"`
}

type filePart struct {
	Type      string `json:"type"`
	URL       string `json:"url"`
	MediaType string `json:"mediaType"`
	Filename  string `json:"filename"`
	Size      int64  `json:"size"`
}

type sourcePart struct {
	Type     string `json:"type"`
	SourceID string `json:"sourceId"`
	URL      string `json:"url"`
	Title    string `json:"title,omitempty"`
}

type eventPart struct {
	Type            string  `json:"type"`
	EventType       string  `json:"eventType"`
	ActorUserID     *string `json:"actorUserId"`
	ActorAIAgentID  *string `json:"actorAiAgentId"`
	TargetUserID    *string `json:"targetUserId"`
	TargetAIAgentID *string `json:"targetAiAgentId"`
	Message         *string `json:"message"`
}

// events are the events of which visitors are told in the timeline. Other changes
// show in the conversation, or are the team's business.
var events = map[parley.Event]string{
	parley.EventJoined:     "participant_joined",
	parley.EventTakenOver:  "participant_joined",
	parley.EventIdentified: "visitor_identified",
	parley.EventHandedOver: "participant_requested",
}

// teamEvents are those of which only the team is told.
var teamEvents = map[parley.Event]string{
	parley.EventResolved: "resolved", parley.EventReopened: "reopened", parley.EventClosed: "status_changed",
	parley.EventSpam: "status_changed", parley.EventHandedBack: "ai_resumed",
}

// Shown reports whether the viewer has an entry in the timeline.
func (v View) Shown(e parley.Entry) bool {
	switch {
	case e.Erased:
		return false
	case e.IsMessage():
		return v.staff() || !e.Internal
	case e.Event == parley.EventTakenOver && (!e.Joins || e.Author.ID == ""):
		return false // whoever takes over has joined before, or has no name
	case events[e.Event] != "":
		return v.staff() || !e.Internal
	}
	return v.staff() && teamEvents[e.Event] != ""
}

// Item shows an entry; nil if it is not shown.
func (v View) Item(s *parley.Session, e parley.Entry) *Item {
	if !v.Shown(e) {
		return nil
	}
	out := Item{ID: e.ID, ConversationID: s.ID, OrganizationID: v.Project, Visibility: "public", Type: "message", Parts: []any{}, CreatedAt: api.Time(e.At)}
	if e.Internal || events[e.Event] == "" && !e.IsMessage() {
		out.Visibility = "private"
	}
	if !e.IsMessage() {
		v.event(&out, s, e)
		return &out
	}
	v.by(&out, s, e.Author)
	out.Text = &e.Text
	if e.Text != "" {
		out.Parts = append(out.Parts, textPart{"text", e.Text})
	}
	for _, p := range e.Parts {
		switch {
		case p.Attachment != nil:
			out.Parts = append(out.Parts, v.file(*p.Attachment))
		case p.Source != nil:
			out.Parts = append(out.Parts, sourcePart{"source-url", p.Source.URL, p.Source.URL, p.Source.Title})
		}
	}
	return &out
}

// Greeting shows what the page had shown before a session's first message: with the
// ids that the page gave, each a moment before the next.
func (v View) Greeting(s *parley.Session, e parley.Entry) []Item {
	var out []Item
	for i, said := range e.Greeting {
		item := Item{ID: said.ID, ConversationID: s.ID, OrganizationID: v.Project, Visibility: "public", Type: "message", Text: &said.Text,
			Parts: []any{textPart{"text", said.Text}}, CreatedAt: api.Time(e.At - int64(len(e.Greeting)-i))}
		v.by(&item, s, said.By)
		out = append(out, item)
	}
	return out
}

// by names the sender: one of three, or none for the team.
func (v View) by(out *Item, s *parley.Session, a parley.Author) {
	switch a.Kind {
	case parley.AuthorUser:
		visitor := v.visitor(s)
		out.VisitorID = &visitor
	case parley.AuthorAI:
		out.AIAgentID = api.OrNull(a.ID)
	case parley.AuthorHuman:
		out.UserID = api.OrNull(a.ID)
	}
}

func (v View) file(a parley.Attachment) filePart {
	part := filePart{"file", v.File(a), a.Type, a.Name, a.Size}
	if strings.HasPrefix(a.Type, "image/") {
		part.Type = "image"
	}
	if a.Ref != nil && a.Ref.Name != "" {
		part.Filename = a.Ref.Name
	}
	return part
}

func (v View) event(out *Item, s *parley.Session, e parley.Entry) {
	part := eventPart{Type: "event", EventType: events[e.Event]}
	if part.EventType == "" {
		part.EventType = teamEvents[e.Event]
	}
	v.by(out, s, e.Author)
	part.ActorUserID, part.ActorAIAgentID = out.UserID, out.AIAgentID
	switch e.Event {
	case parley.EventJoined, parley.EventTakenOver:
		part.TargetUserID = out.UserID
	case parley.EventHandedOver:
		agent := string(s.Agent)
		out.AIAgentID, part.ActorAIAgentID = api.OrNull(agent), api.OrNull(agent)
	}
	out.Type, out.Parts = "event", []any{part}
}

// Seen is how far somebody has seen a session.
type Seen struct {
	ID             string            `json:"id"`
	ConversationID parley.SessionID  `json:"conversationId"`
	UserID         *string           `json:"userId"`
	VisitorID      *parley.VisitorID `json:"visitorId"`
	AIAgentID      *string           `json:"aiAgentId"`
	LastSeenAt     api.Time          `json:"lastSeenAt"`
	CreatedAt      api.Time          `json:"createdAt"`
	UpdatedAt      api.Time          `json:"updatedAt"`
	DeletedAt      *api.Time         `json:"deletedAt"`
}

// Seen shows how far everybody has seen a session: one row for the visitor and for
// each person, and one for the agent, which has read what it answered.
func (v View) Seen(s *parley.Session, marks []parley.Mark) []Seen {
	times := map[parley.Author]int64{}
	var order []parley.Author
	saw := func(by parley.Author, at int64) {
		if _, known := times[by]; !known {
			order = append(order, by)
		}
		times[by] = max(times[by], at)
	}
	for _, m := range marks {
		switch {
		case m.Kind != parley.MarkSeen:
		case m.By.Kind == parley.AuthorUser:
			saw(parley.Author{Kind: parley.AuthorUser, ID: string(v.visitor(s))}, seenAt(s, m))
		case m.By.Kind == parley.AuthorHuman && m.By.ID != "":
			saw(parley.Author{Kind: parley.AuthorHuman, ID: m.By.ID}, seenAt(s, m))
		}
	}
	switch last := s.Last; {
	case last == nil:
	case last.Kind == parley.AuthorAI:
		saw(parley.Author{Kind: parley.AuthorAI, ID: string(s.Agent)}, last.At)
	case last.Kind == parley.AuthorHuman && s.Operator != "": // who writes has read
		saw(parley.Author{Kind: parley.AuthorHuman, ID: string(s.Operator)}, last.At)
	}
	out := []Seen{}
	for _, by := range order {
		at := api.Time(times[by])
		row := Seen{ID: string(s.ID) + "-" + string(by.Kind) + "-" + by.ID, ConversationID: s.ID, LastSeenAt: at, CreatedAt: at, UpdatedAt: at}
		switch by.Kind {
		case parley.AuthorUser:
			visitor := v.visitor(s)
			row.VisitorID = &visitor
		case parley.AuthorAI:
			row.AIAgentID = &by.ID
		default:
			row.UserID = &by.ID
		}
		out = append(out, row)
	}
	return out
}
