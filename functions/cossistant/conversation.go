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

func (f function) conversations(w http.ResponseWriter, r *http.Request) error {
	c, _, err := f.caller(r)
	if err != nil {
		return err
	}
	return f.list(w, r, c, c)
}

// list answers with conversations of a visitor as a viewer is shown them: the visitor,
// or staff.
func (f function) list(w http.ResponseWriter, r *http.Request, c, viewer parley.Caller) error {
	page, err := api.Number(r, "page")
	if err != nil {
		return err
	}
	limit, err := api.Number(r, "limit")
	if err != nil {
		return err
	}
	page, limit = max(page, 1), cmp.Or(limit, defaultList)
	if limit > parley.MaxPage || page > parley.MaxRecent {
		return api.InvalidField("limit", "limit is 1 to 100, and page at most 100")
	}
	query := r.URL.Query()
	sessions, err := f.API.Store.Recent(r.Context(), c)
	if err != nil {
		return err
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
		return err
	}
	v, list := f.view(r, viewer), []shape.Conversation{}
	for i, s := range sessions[from:to] {
		list = append(list, v.Conversation(s, glimpses[i]))
	}
	return api.JSON(w, http.StatusOK, struct {
		Conversations []shape.Conversation `json:"conversations"`
		Pagination    pagination           `json:"pagination"`
	}{list, pagination{page, limit, total, (total + limit - 1) / limit, to < total}})
}

func (f function) conversation(w http.ResponseWriter, r *http.Request) error {
	c, _, err := f.caller(r)
	if err != nil {
		return err
	}
	s, err := f.API.Store.Session(r.Context(), c, sessionOf(r))
	if err != nil {
		return err
	}
	out, err := f.now(r, c, s)
	if err != nil {
		return err
	}
	return api.JSON(w, http.StatusOK, map[string]shape.Conversation{"conversation": out})
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
func (f function) timeline(w http.ResponseWriter, r *http.Request) error {
	c, _, err := f.caller(r)
	if err != nil {
		return err
	}
	return f.timelineOf(w, r, c)
}

func (f function) timelineOf(w http.ResponseWriter, r *http.Request, c parley.Caller) error {
	limit, err := api.Number(r, "limit")
	if err != nil || limit > parley.MaxPage || r.URL.Query().Has("limit") && limit == 0 {
		return api.InvalidField("limit", "limit is 1 to 100")
	}
	v, cursor := f.view(r, c), r.URL.Query().Get("cursor")
	ask := parley.PageRequest{Limit: int(cmp.Or(limit, 50)), Cursor: cursor, Shown: v.Shown}
	onlyGreeting := cursor == greetingCursor
	if onlyGreeting {
		ask.Limit, ask.Cursor = 1, parley.CursorBefore(2)
	}
	s, entries, next, err := f.API.Store.Transcript(r.Context(), c, sessionOf(r), ask)
	if err != nil {
		return err
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
	return api.JSON(w, http.StatusOK, struct {
		Items       []shape.Item `json:"items"`
		NextCursor  *string      `json:"nextCursor"`
		HasNextPage bool         `json:"hasNextPage"`
	}{items, shape.OrNull(next), next != ""})
}

func (f function) seen(w http.ResponseWriter, r *http.Request) error {
	c, _, err := f.caller(r)
	if err != nil {
		return err
	}
	return f.seenOf(w, r, c)
}

func (f function) seenOf(w http.ResponseWriter, r *http.Request, c parley.Caller) error {
	s, err := f.API.Store.Session(r.Context(), c, sessionOf(r))
	if err != nil {
		return err
	}
	marks, err := f.API.Store.Marks(r.Context(), c, s.ID)
	if err != nil {
		return err
	}
	return api.JSON(w, http.StatusOK, map[string][]shape.Seen{"seenData": f.view(r, c).Seen(s, marks)})
}

// about reads the body of a call on a session, whose visitorId is the caller's.
func (f function) about(r *http.Request, in any, named *parley.VisitorID) (parley.Caller, *parley.Project, error) {
	c, p, err := f.caller(r)
	if err != nil {
		return c, nil, err
	}
	if err := api.DecodeOptional(r, in); err != nil {
		return c, nil, err
	}
	return c, p, same(c.Visitor, *named)
}

func (f function) markSeen(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		VisitorID parley.VisitorID `json:"visitorId"`
	}
	c, _, err := f.about(r, &in, &in.VisitorID)
	if err != nil {
		return err
	}
	ctx, cancel := lasting(r)
	defer cancel()
	s, err := f.API.Store.Session(ctx, c, sessionOf(r))
	if err != nil {
		return err
	}
	if _, err := f.API.Store.MoveMark(ctx, c, s.ID, parley.MarkSeen, s.Seq); err != nil {
		return err
	}
	glimpses, err := f.API.Store.Glimpses(ctx, c, []*parley.Session{s})
	if err != nil {
		return err
	}
	return api.JSON(w, http.StatusOK, struct {
		ConversationID parley.SessionID `json:"conversationId"`
		LastSeenAt     *api.Time        `json:"lastSeenAt"`
	}{s.ID, f.view(r, c).Conversation(s, glimpses[0]).VisitorLastSeenAt})
}

// maxPreviewBytes is the longest text of a preview that is taken (the protocol's 2,000
// characters, of at most four bytes each).
const maxPreviewBytes = 4 * 2000

// typing tells the team that the visitor types, and what. Nothing is stored.
func (f function) typing(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		IsTyping  *bool            `json:"isTyping"`
		Preview   string           `json:"visitorPreview"`
		VisitorID parley.VisitorID `json:"visitorId"`
	}
	c, _, err := f.about(r, &in, &in.VisitorID)
	if err != nil {
		return err
	}
	if in.IsTyping == nil || len(in.Preview) > maxPreviewBytes {
		return api.InvalidField("isTyping", "isTyping is true or false, and visitorPreview has at most 2000 characters")
	}
	s, err := f.API.Store.Session(r.Context(), c, sessionOf(r))
	if err != nil {
		return err
	}
	if f.Typing != nil {
		f.Typing(r.Context(), s, c.Author(), *in.IsTyping, in.Preview)
	}
	return api.JSON(w, http.StatusOK, struct {
		ConversationID parley.SessionID `json:"conversationId"`
		IsTyping       bool             `json:"isTyping"`
		Preview        *string          `json:"visitorPreview"`
		SentAt         api.Time         `json:"sentAt"`
	}{s.ID, *in.IsTyping, shape.OrNull(in.Preview), api.TimeOf(time.Now())})
}

func (f function) rate(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		Rating    int              `json:"rating"`
		Comment   string           `json:"comment"`
		VisitorID parley.VisitorID `json:"visitorId"`
	}
	c, _, err := f.about(r, &in, &in.VisitorID)
	if err != nil {
		return err
	}
	ctx, cancel := lasting(r)
	defer cancel()
	s, err := f.API.Store.Session(ctx, c, sessionOf(r))
	if err != nil {
		return err
	}
	if s.State != parley.StateResolved {
		return &parley.Error{Kind: parley.ErrConflict, Code: "not_resolved", Text: "a conversation is rated when it is resolved"}
	}
	rating, err := f.API.Store.Rate(ctx, c, s.ID, in.Rating, in.Comment)
	if err != nil {
		return err
	}
	return api.JSON(w, http.StatusOK, struct {
		ConversationID parley.SessionID `json:"conversationId"`
		Rating         int              `json:"rating"`
		RatedAt        api.Time         `json:"ratedAt"`
	}{s.ID, rating.Score, api.Time(rating.At)})
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

func (f function) feedback(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		Rating         int              `json:"rating"`
		Topic          string           `json:"topic"`
		Comment        string           `json:"comment"`
		Trigger        string           `json:"trigger"`
		Source         string           `json:"source"`
		ConversationID parley.SessionID `json:"conversationId"`
		VisitorID      parley.VisitorID `json:"visitorId"`
	}
	c, p, err := f.about(r, &in, &in.VisitorID)
	if err != nil {
		return err
	}
	ctx, cancel := lasting(r)
	defer cancel()
	given, err := f.API.Store.GiveFeedback(ctx, c, parley.Feedback{Session: in.ConversationID, Score: in.Rating, Comment: in.Comment,
		Topic: in.Topic, Trigger: in.Trigger, Source: cmp.Or(strings.TrimSpace(in.Source), "widget")})
	if err != nil {
		return err
	}
	api.About(r, in.ConversationID, "")
	return api.JSON(w, http.StatusCreated, map[string]feedbackOut{"feedback": {ID: given.ID, OrganizationID: p.ID, WebsiteID: p.ID,
		ConversationID: shape.OrNull(given.Session), VisitorID: c.Visitor, ContactID: shape.OrNull(c.Contact), Rating: given.Score,
		Topic: shape.OrNull(given.Topic), Comment: shape.OrNull(given.Comment), Trigger: shape.OrNull(given.Trigger), Source: given.Source,
		CreatedAt: api.Time(given.At), UpdatedAt: api.Time(given.At)}})
}
