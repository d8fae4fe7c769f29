package cossistant

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"

	"parley/functions/cossistant/shape"
	"parley/shared/api"
	"parley/shared/parley"
)

type pagination struct {
	Page       int64 `json:"page"`
	Limit      int64 `json:"limit"`
	Total      int64 `json:"total"`
	TotalPages int64 `json:"totalPages"`
	HasMore    bool  `json:"hasMore"`
}

// defaultList is how many conversations a page of the list has.
const defaultList = 6

func (f function) conversations(r *http.Request, c parley.Caller, _ *parley.Project) (any, error) {
	return f.list(r, c, c)
}

// list answers with conversations of a visitor as a viewer is shown them: the visitor,
// or staff.
func (f function) list(r *http.Request, c, viewer parley.Caller) (any, error) {
	page, err := api.Number(r, "page")
	if err != nil {
		return nil, err
	}
	limit, err := api.Number(r, "limit")
	if err != nil {
		return nil, err
	}
	page, limit = max(page, 1), cmp.Or(limit, defaultList)
	if limit > parley.MaxPage || page > parley.MaxRecent {
		return nil, api.InvalidField("limit", "limit is 1 to 100, and page at most 100")
	}
	query := r.URL.Query()
	sessions, err := f.API.Store.Recent(r.Context(), c)
	if err != nil {
		return nil, err
	}
	sessions = slices.DeleteFunc(sessions, func(s *parley.Session) bool {
		resolved := s.State == parley.StateResolved
		return s.Archived || query.Get("status") == "closed" && !resolved || query.Get("status") == "open" && shape.Status(s) != "open"
	})
	slices.SortStableFunc(sessions, func(a, b *parley.Session) int {
		order := cmp.Compare(b.Updated(), a.Updated())
		if query.Get("orderBy") == "createdAt" {
			order = cmp.Compare(b.Created, a.Created)
		}
		if query.Get("order") == "asc" {
			order = -order
		}
		return order
	})
	total := int64(len(sessions))
	from, to := min((page-1)*limit, total), min(page*limit, total)
	glimpses, err := f.API.Store.Glimpses(r.Context(), viewer, sessions[from:to])
	if err != nil {
		return nil, err
	}
	v, list := f.view(r, viewer), []shape.Conversation{}
	for i, s := range sessions[from:to] {
		list = append(list, v.Conversation(s, glimpses[i]))
	}
	return struct {
		Conversations []shape.Conversation `json:"conversations"`
		Pagination    pagination           `json:"pagination"`
	}{list, pagination{page, limit, total, (total + limit - 1) / limit, to < total}}, nil
}

func (f function) conversation(r *http.Request, c parley.Caller, _ *parley.Project) (any, error) {
	s, err := f.API.Store.Session(r.Context(), c, sessionOf(r))
	if err != nil {
		return nil, err
	}
	out, err := f.now(r, c, s)
	return map[string]shape.Conversation{"conversation": out}, err
}

func sessionOf(r *http.Request) parley.SessionID { return parley.SessionID(r.PathValue("session")) }

// now is a session as a list would show it.
func (f function) now(r *http.Request, c parley.Caller, s *parley.Session) (shape.Conversation, error) {
	glimpses, err := f.API.Store.Glimpses(r.Context(), c, []*parley.Session{s})
	if err != nil {
		return shape.Conversation{}, err
	}
	return f.view(r, c).Conversation(s, glimpses[0]), nil
}

// greetingCursor begins the cursor of the page that has nothing left but what the
// visitor's page had shown first; after it stands how many of those it has had.
const greetingCursor = "greeting"

// timeline returns the newest items, oldest first, or those before a cursor. What the
// page had shown before the first message counts as items, and comes with a page of its
// own where the page with that message has no room.
func (f function) timeline(r *http.Request, c parley.Caller, _ *parley.Project) (any, error) {
	limit, err := api.Number(r, "limit")
	if err != nil || limit > parley.MaxPage || r.URL.Query().Has("limit") && limit == 0 {
		return nil, api.InvalidField("limit", "limit is 1 to 100")
	}
	v, cursor := f.view(r, c), r.URL.Query().Get("cursor")
	ask := parley.PageRequest{Limit: int(cmp.Or(limit, 50)), Cursor: cursor, Shown: v.Shown}
	onlyGreeting := cursor == greetingCursor
	if onlyGreeting {
		ask.Limit, ask.Cursor = 1, parley.CursorBefore(2)
	}
	s, entries, next, err := f.API.Store.Transcript(r.Context(), c, sessionOf(r), ask)
	if err != nil {
		return nil, err
	}
	items := []shape.Item{}
	for i, e := range entries {
		if len(e.Greeting) > 0 && (onlyGreeting || len(e.Greeting)+len(entries)-i <= ask.Limit) {
			items = append(items, v.Greeting(s, e)...)
		} else if len(e.Greeting) > 0 {
			next = greetingCursor
		}
		if !onlyGreeting {
			items = append(items, *v.Item(s, e))
		}
	}
	if onlyGreeting {
		next = ""
	}
	return struct {
		Items       []shape.Item `json:"items"`
		NextCursor  *string      `json:"nextCursor"`
		HasNextPage bool         `json:"hasNextPage"`
	}{items, api.OrNull(next), next != ""}, nil
}

func (f function) seen(r *http.Request, c parley.Caller, _ *parley.Project) (any, error) {
	s, err := f.API.Store.Session(r.Context(), c, sessionOf(r))
	if err != nil {
		return nil, err
	}
	marks, err := f.API.Store.Marks(r.Context(), c, s.ID)
	return map[string][]shape.Seen{"seenData": f.view(r, c).Seen(s, marks)}, err
}

// decode reads the body of a call on a session, whose visitorId is the caller's.
func decode(r *http.Request, c parley.Caller, in any, named *parley.VisitorID) error {
	if err := api.DecodeOptional(r, in); err != nil {
		return err
	}
	return same(c.Visitor, *named)
}

func (f function) markSeen(r *http.Request, c parley.Caller, _ *parley.Project) (any, error) {
	var in struct {
		VisitorID parley.VisitorID `json:"visitorId"`
	}
	if err := decode(r, c, &in, &in.VisitorID); err != nil {
		return nil, err
	}
	s, err := f.API.Store.Session(r.Context(), c, sessionOf(r))
	if err != nil {
		return nil, err
	}
	if _, err := f.API.Store.MoveMark(r.Context(), c, s.ID, parley.MarkSeen, s.Seq); err != nil {
		return nil, err
	}
	now, err := f.now(r, c, s)
	return struct {
		ConversationID parley.SessionID `json:"conversationId"`
		LastSeenAt     *api.Time        `json:"lastSeenAt"`
	}{s.ID, now.VisitorLastSeenAt}, err
}

// maxPreviewBytes is the longest text of a preview that is taken (the protocol's 2,000
// characters, of at most four bytes each).
const maxPreviewBytes = 4 * 2000

// typing tells the team that the visitor types, and what. Nothing is stored.
func (f function) typing(r *http.Request, c parley.Caller, _ *parley.Project) (any, error) {
	var in struct {
		IsTyping  *bool            `json:"isTyping"`
		Preview   string           `json:"visitorPreview"`
		VisitorID parley.VisitorID `json:"visitorId"`
	}
	if err := decode(r, c, &in, &in.VisitorID); err != nil {
		return nil, err
	}
	if in.IsTyping == nil || len(in.Preview) > maxPreviewBytes {
		return nil, api.InvalidField("isTyping", "isTyping is true or false, and visitorPreview has at most 2000 characters")
	}
	s, err := f.API.Store.Session(r.Context(), c, sessionOf(r))
	if err != nil {
		return nil, err
	}
	if f.Typing != nil {
		f.Typing(r.Context(), s, c.Author(), *in.IsTyping, in.Preview)
	}
	return struct {
		ConversationID parley.SessionID `json:"conversationId"`
		IsTyping       bool             `json:"isTyping"`
		Preview        *string          `json:"visitorPreview"`
		SentAt         api.Time         `json:"sentAt"`
	}{s.ID, *in.IsTyping, api.OrNull(in.Preview), api.TimeOf(time.Now())}, nil
}

func (f function) rate(r *http.Request, c parley.Caller, _ *parley.Project) (any, error) {
	var in struct {
		Rating    int              `json:"rating"`
		Comment   string           `json:"comment"`
		VisitorID parley.VisitorID `json:"visitorId"`
	}
	if err := decode(r, c, &in, &in.VisitorID); err != nil {
		return nil, err
	}
	s, err := f.API.Store.Session(r.Context(), c, sessionOf(r))
	if err != nil {
		return nil, err
	}
	if s.State != parley.StateResolved {
		return nil, &parley.Error{Kind: parley.ErrConflict, Code: "not_resolved", Text: "a conversation is rated when it is resolved"}
	}
	rating, err := f.API.Store.Rate(r.Context(), c, s.ID, in.Rating, in.Comment)
	return struct {
		ConversationID parley.SessionID `json:"conversationId"`
		Rating         int              `json:"rating"`
		RatedAt        api.Time         `json:"ratedAt"`
	}{s.ID, rating.Score, api.Time(rating.At)}, err
}

type feedbackOut struct {
	ID             string            `json:"id"`
	OrganizationID parley.ProjectID  `json:"organizationId"`
	WebsiteID      parley.ProjectID  `json:"websiteId"`
	ConversationID *parley.SessionID `json:"conversationId"`
	VisitorID      parley.VisitorID  `json:"visitorId"`
	ContactID      *parley.ContactID `json:"contactId"`
	Rating         int               `json:"rating"`
	Topic          *string           `json:"topic"`
	Comment        *string           `json:"comment"`
	Trigger        *string           `json:"trigger"`
	Source         string            `json:"source"`
	CreatedAt      api.Time          `json:"createdAt"`
	UpdatedAt      api.Time          `json:"updatedAt"`
}

func (f function) feedback(r *http.Request, c parley.Caller, p *parley.Project) (any, error) {
	var in struct {
		Rating         int              `json:"rating"`
		Topic          string           `json:"topic"`
		Comment        string           `json:"comment"`
		Trigger        string           `json:"trigger"`
		Source         string           `json:"source"`
		ConversationID parley.SessionID `json:"conversationId"`
		VisitorID      parley.VisitorID `json:"visitorId"`
	}
	if err := decode(r, c, &in, &in.VisitorID); err != nil {
		return nil, err
	}
	given, err := f.API.Store.GiveFeedback(r.Context(), c, parley.Feedback{Session: in.ConversationID, Score: in.Rating, Comment: in.Comment,
		Topic: in.Topic, Trigger: in.Trigger, Source: cmp.Or(strings.TrimSpace(in.Source), "widget")})
	if err != nil {
		return nil, err
	}
	api.About(r, in.ConversationID, "")
	return api.Created{Value: map[string]feedbackOut{"feedback": {ID: given.ID, OrganizationID: p.ID, WebsiteID: p.ID,
		ConversationID: api.OrNull(given.Session), VisitorID: c.Visitor, ContactID: api.OrNull(c.Contact), Rating: given.Score,
		Topic: api.OrNull(given.Topic), Comment: api.OrNull(given.Comment), Trigger: api.OrNull(given.Trigger), Source: given.Source,
		CreatedAt: api.Time(given.At), UpdatedAt: api.Time(given.At)}}}, nil
}
