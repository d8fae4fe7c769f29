package operator

import (
	"cmp"
	"context"
	"net/http"
	"strconv"
	"strings"

	"parley/shared/api"
	"parley/shared/parley"
)

type inboxItem struct {
	Session session    `json:"session"`
	Person  person     `json:"person"`
	Page    page       `json:"page"`
	Seen    parley.Seq `json:"seen"`
	Unread  bool       `json:"unread"`
}

type inbox struct {
	Sessions []inboxItem `json:"sessions"`
	Next     *string     `json:"next"`
}

func (f function) inbox(r *http.Request, s api.Staff) (any, error) {
	p, err := api.Page(r)
	if err != nil {
		return nil, err
	}
	q := r.URL.Query()
	state := cmp.Or(parley.State(q.Get("state")), parley.StateOpen)
	items, cursor, err := f.API.Store.Inbox(r.Context(), s.Caller, parley.InboxRequest{States: []parley.State{state},
		Holder: parley.Holder(q.Get("holder")), Operator: parley.OperatorID(q.Get("operator")), PageRequest: p})
	return inbox{inboxItems(items), api.OrNull(cursor)}, err
}

func inboxItems(items []parley.InboxItem) []inboxItem {
	out := make([]inboxItem, len(items))
	for i, item := range items {
		who := item.Person
		out[i] = inboxItem{api.NewStaffSession(item.Session), person{who.Name, who.Email, who.Picture, who.Proven},
			page(item.Page), item.Seen, item.Unread()}
	}
	return out
}

// byNumber takes a number as people write it down, in groups.
func (f function) byNumber(r *http.Request, s api.Staff) (any, error) {
	n, err := strconv.ParseInt(strings.NewReplacer(" ", "", "-", "").Replace(r.URL.Query().Get("number")), 10, 64)
	if err != nil {
		n = 0 // no number of a session's
	}
	items, err := f.API.Store.ByNumber(r.Context(), s.Caller, parley.SessionNumber(n))
	return map[string][]inboxItem{"sessions": inboxItems(items)}, err
}

type detail struct {
	Session session    `json:"session"`
	Visitor *visitor   `json:"visitor"`
	Contact *contact   `json:"contact"`
	About   about      `json:"about"`
	Rating  *rating    `json:"rating"`
	Seen    parley.Seq `json:"seen"`
	// VisitorSeen is how far the visitor has seen it, 0 where its widget does not say.
	VisitorSeen parley.Seq `json:"visitorSeen"`
	Entries     []entry    `json:"entries"`
	Next        *string    `json:"next"`
}

func (f function) read(r *http.Request, s api.Staff) (any, error) {
	p, err := api.Page(r)
	if err != nil {
		return nil, err
	}
	d, err := f.API.Store.ReadSession(r.Context(), s.Caller, sessionOf(r), p)
	if err != nil {
		return nil, err
	}
	out := detail{Session: api.NewStaffSession(d.Session), Visitor: newVisitor(d), About: newAbout(d), Seen: d.Seen, VisitorSeen: d.VisitorSeen,
		Entries: f.entries(r, s.Project.ID, d.Entries), Next: api.OrNull(d.Next)}
	if c := d.Contact; c != nil {
		out.Contact = &contact{c.ID, c.External, c.Name, c.Email, c.Picture, filled(c.Metadata), c.Proven, api.Time(c.Created), c.Blocked}
	}
	if d.Rating != nil {
		out.Rating = &rating{d.Rating.Score, d.Rating.Feedback, api.Time(d.Rating.At)}
	}
	return out, nil
}

func (f function) updates(w http.ResponseWriter, r *http.Request, s api.Staff) error {
	return f.follow.Serve(w, r, s.Caller, sessionOf(r))
}

func (f function) seen(r *http.Request, s api.Staff) (any, error) {
	var in struct {
		Seen *parley.Seq `json:"seen"`
	}
	if err := api.Decode(r, &in); err != nil {
		return nil, err
	}
	if in.Seen == nil || *in.Seen < 0 {
		return nil, api.InvalidField("seen", "seen is the number of an entry")
	}
	mark, err := f.API.Store.MoveMark(r.Context(), s.Caller, sessionOf(r), parley.MarkSeen, *in.Seen)
	if err == nil && f.Seen != nil {
		f.Seen(r.Context(), s.Caller, sessionOf(r), mark)
	}
	return map[string]parley.Seq{"seen": mark.Upto}, err
}

// written is a message as it was stored.
type written struct {
	Session  session `json:"session"`
	Message  entry   `json:"message"`
	Replayed bool    `json:"replayed"`
}

func (f function) reply(r *http.Request, s api.Staff) (any, error) {
	var in struct {
		MessageID   parley.EntryID  `json:"messageId"`
		Content     string          `json:"content"`
		Attachments []parley.FileID `json:"attachments"`
		TakeOver    *bool           `json:"takeOver"`
	}
	if err := api.Decode(r, &in); err != nil {
		return nil, err
	}
	return f.write(r, s, parley.ReplyRequest{ID: in.MessageID, Session: sessionOf(r), Content: in.Content,
		Attachments: in.Attachments, KeepHolder: in.TakeOver != nil && !*in.TakeOver})
}

func (f function) note(r *http.Request, s api.Staff) (any, error) {
	var in struct {
		MessageID parley.EntryID `json:"messageId"`
		Content   string         `json:"content"`
	}
	if err := api.Decode(r, &in); err != nil {
		return nil, err
	}
	return f.write(r, s, parley.ReplyRequest{ID: in.MessageID, Session: sessionOf(r), Content: in.Content, Internal: true})
}

func (f function) write(r *http.Request, s api.Staff, m parley.ReplyRequest) (any, error) {
	got, err := f.API.Store.Reply(r.Context(), s.Caller, s.Author(), m)
	if err != nil {
		return nil, err
	}
	return written{api.NewStaffSession(got.Session), f.entry(r, s.Project.ID, got.Message), got.Replayed}, nil
}

// act is something that a person of the team does with a session.
type act func(ctx context.Context, c parley.Caller, id parley.SessionID, by parley.Author) error

func (f function) holder(r *http.Request, s api.Staff) (any, error) {
	var in struct {
		Holder parley.Holder `json:"holder"`
	}
	if err := api.Decode(r, &in); err != nil {
		return nil, err
	}
	do, known := map[parley.Holder]act{parley.HolderHuman: f.API.Store.TakeOver, parley.HolderAI: f.API.Store.HandBack}[in.Holder]
	if !known {
		return nil, api.InvalidField("holder", "holder is human or ai")
	}
	return f.changed(r, s, do(r.Context(), s.Caller, sessionOf(r), s.Author()))
}

func (f function) state(r *http.Request, s api.Staff) (any, error) {
	var in struct {
		State parley.State `json:"state"`
	}
	if err := api.Decode(r, &in); err != nil {
		return nil, err
	}
	store := f.API.Store
	do, known := map[parley.State]act{parley.StateOpen: store.Reopen, parley.StateClosed: store.CloseNow,
		parley.StateResolved: store.Resolve, parley.StateSpam: store.MarkSpam}[in.State]
	if !known {
		return nil, api.InvalidField("state", "state is open, closed, resolved or spam")
	}
	return f.changed(r, s, do(r.Context(), s.Caller, sessionOf(r), s.Author()))
}

func (f function) archived(r *http.Request, s api.Staff) (any, error) {
	var in struct {
		Archived *bool `json:"archived"`
	}
	if err := api.Decode(r, &in); err != nil {
		return nil, err
	}
	if in.Archived == nil {
		return nil, api.InvalidField("archived", "archived is true or false")
	}
	return f.changed(r, s, f.API.Store.Archive(r.Context(), s.Caller, sessionOf(r), *in.Archived))
}

func (f function) attributes(r *http.Request, s api.Staff) (any, error) {
	var in struct {
		Attributes map[string]string `json:"attributes"`
	}
	if err := api.Decode(r, &in); err != nil {
		return nil, err
	}
	if in.Attributes == nil {
		return nil, api.InvalidField("attributes", "attributes is an object of texts")
	}
	return f.changed(r, s, f.API.Store.SetAttributes(r.Context(), s.Caller, sessionOf(r), in.Attributes))
}

// changed answers with the session after a change of it.
func (f function) changed(r *http.Request, s api.Staff, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	now, err := f.API.Store.Session(r.Context(), s.Caller, sessionOf(r))
	if err != nil {
		return nil, err
	}
	return map[string]session{"session": api.NewStaffSession(now)}, nil
}

func (f function) blockVisitor(r *http.Request, s api.Staff) (any, error) {
	return f.block(r, "visitor", func(id string, blocked bool) error {
		return f.API.Store.BlockVisitor(r.Context(), s.Project.ID, parley.VisitorID(id), blocked)
	})
}

func (f function) blockContact(r *http.Request, s api.Staff) (any, error) {
	return f.block(r, "contact", func(id string, blocked bool) error {
		return f.API.Store.BlockContact(r.Context(), s.Project.ID, parley.ContactID(id), blocked)
	})
}

func (f function) eraseVisitor(r *http.Request, s api.Staff) (any, error) {
	return removed{true}, f.API.Store.EraseVisitor(r.Context(), s.Caller, parley.VisitorID(r.PathValue("visitor")))
}

func (f function) eraseContact(r *http.Request, s api.Staff) (any, error) {
	return removed{true}, f.API.Store.EraseContact(r.Context(), s.Caller, parley.ContactID(r.PathValue("contact")))
}

// block blocks the visitor or contact in the path, or lets them in again.
func (f function) block(r *http.Request, what string, do func(id string, blocked bool) error) (any, error) {
	var in struct {
		Blocked *bool `json:"blocked"`
	}
	if err := api.Decode(r, &in); err != nil {
		return nil, err
	}
	if in.Blocked == nil {
		return nil, api.InvalidField("blocked", "blocked is true or false")
	}
	id := r.PathValue(what)
	if parley.CheckID(what, id) != nil {
		return nil, &parley.Error{Kind: parley.ErrNotFound, Code: "not_found", Text: what + " not found"}
	}
	return in, do(id, *in.Blocked)
}
