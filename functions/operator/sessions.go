package operator

import (
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

func (f function) inbox(w http.ResponseWriter, r *http.Request, s api.Staff) error {
	p, err := api.Page(r)
	if err != nil {
		return err
	}
	q := r.URL.Query()
	items, cursor, err := f.API.Store.Inbox(r.Context(), s.Caller, parley.InboxRequest{State: parley.State(q.Get("state")),
		Holder: parley.Holder(q.Get("holder")), Operator: parley.OperatorID(q.Get("operator")), PageRequest: p})
	if err != nil {
		return err
	}
	return api.JSON(w, http.StatusOK, inbox{inboxItems(items), next(cursor)})
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
func (f function) byNumber(w http.ResponseWriter, r *http.Request, s api.Staff) error {
	n, err := strconv.ParseInt(strings.NewReplacer(" ", "", "-", "").Replace(r.URL.Query().Get("number")), 10, 64)
	if err != nil {
		n = 0 // no number of a session's
	}
	items, err := f.API.Store.ByNumber(r.Context(), s.Caller, parley.SessionNumber(n))
	if err != nil {
		return err
	}
	return api.JSON(w, http.StatusOK, map[string][]inboxItem{"sessions": inboxItems(items)})
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

func (f function) read(w http.ResponseWriter, r *http.Request, s api.Staff) error {
	p, err := api.Page(r)
	if err != nil {
		return err
	}
	d, err := f.API.Store.ReadSession(r.Context(), s.Caller, sessionOf(r), p)
	if err != nil {
		return err
	}
	out := detail{Session: api.NewStaffSession(d.Session), Visitor: newVisitor(d), About: newAbout(d), Seen: d.Seen, VisitorSeen: d.VisitorSeen,
		Entries: f.entries(r, s.Project.ID, d.Entries), Next: next(d.Next)}
	if c := d.Contact; c != nil {
		out.Contact = &contact{c.ID, c.External, c.Name, c.Email, c.Picture, filled(c.Metadata), c.Proven, api.Time(c.Created), c.Blocked}
	}
	if d.Rating != nil {
		out.Rating = &rating{d.Rating.Score, d.Rating.Feedback, api.Time(d.Rating.At)}
	}
	return api.JSON(w, http.StatusOK, out)
}

func (f function) updates(w http.ResponseWriter, r *http.Request, s api.Staff) error {
	return f.follow.Serve(w, r, s.Caller, sessionOf(r))
}

func (f function) seen(w http.ResponseWriter, r *http.Request, s api.Staff) error {
	var in struct {
		Seen *parley.Seq `json:"seen"`
	}
	if err := api.Decode(r, &in); err != nil {
		return err
	}
	if in.Seen == nil || *in.Seen < 0 {
		return api.InvalidField("seen", "seen is the number of an entry")
	}
	mark, err := f.API.Store.MoveMark(r.Context(), s.Caller, sessionOf(r), parley.MarkSeen, *in.Seen)
	if err != nil {
		return err
	}
	if f.Seen != nil {
		f.Seen(r.Context(), s.Caller, sessionOf(r), mark)
	}
	return api.JSON(w, http.StatusOK, map[string]parley.Seq{"seen": mark.Upto})
}

// written is a message as it was stored.
type written struct {
	Session  session `json:"session"`
	Message  entry   `json:"message"`
	Replayed bool    `json:"replayed"`
}

func (f function) reply(w http.ResponseWriter, r *http.Request, s api.Staff) error {
	var in struct {
		MessageID   parley.EntryID  `json:"messageId"`
		Content     string          `json:"content"`
		Attachments []parley.FileID `json:"attachments"`
		TakeOver    *bool           `json:"takeOver"`
	}
	if err := api.Decode(r, &in); err != nil {
		return err
	}
	return f.write(w, r, s, parley.ReplyRequest{ID: in.MessageID, Session: sessionOf(r), Content: in.Content,
		Attachments: in.Attachments, KeepHolder: in.TakeOver != nil && !*in.TakeOver})
}

func (f function) note(w http.ResponseWriter, r *http.Request, s api.Staff) error {
	var in struct {
		MessageID parley.EntryID `json:"messageId"`
		Content   string         `json:"content"`
	}
	if err := api.Decode(r, &in); err != nil {
		return err
	}
	return f.write(w, r, s, parley.ReplyRequest{ID: in.MessageID, Session: sessionOf(r), Content: in.Content, Internal: true})
}

func (f function) write(w http.ResponseWriter, r *http.Request, s api.Staff, m parley.ReplyRequest) error {
	got, err := f.API.Store.Reply(r.Context(), s.Caller, s.Author(), m)
	if err != nil {
		return err
	}
	return api.JSON(w, http.StatusOK, written{api.NewStaffSession(got.Session), f.entry(r, s.Project.ID, got.Message), got.Replayed})
}

func (f function) holder(w http.ResponseWriter, r *http.Request, s api.Staff) error {
	var in struct {
		Holder parley.Holder `json:"holder"`
	}
	if err := api.Decode(r, &in); err != nil {
		return err
	}
	store, err := f.API.Store, error(nil)
	switch in.Holder {
	case parley.HolderHuman:
		err = store.TakeOver(r.Context(), s.Caller, sessionOf(r), s.Author())
	case parley.HolderAI:
		err = store.HandBack(r.Context(), s.Caller, sessionOf(r), s.Author())
	default:
		err = api.InvalidField("holder", "holder is human or ai")
	}
	return f.changed(w, r, s, err)
}

func (f function) state(w http.ResponseWriter, r *http.Request, s api.Staff) error {
	var in struct {
		State parley.State `json:"state"`
	}
	if err := api.Decode(r, &in); err != nil {
		return err
	}
	store, err := f.API.Store, error(nil)
	switch in.State {
	case parley.StateOpen:
		err = store.Reopen(r.Context(), s.Caller, sessionOf(r), s.Author())
	case parley.StateClosed:
		err = store.CloseNow(r.Context(), s.Caller, sessionOf(r), s.Author())
	case parley.StateResolved:
		err = store.Resolve(r.Context(), s.Caller, sessionOf(r), s.Author())
	case parley.StateSpam:
		err = store.MarkSpam(r.Context(), s.Caller, sessionOf(r), s.Author())
	default:
		err = api.InvalidField("state", "state is open, closed, resolved or spam")
	}
	return f.changed(w, r, s, err)
}

func (f function) archived(w http.ResponseWriter, r *http.Request, s api.Staff) error {
	var in struct {
		Archived *bool `json:"archived"`
	}
	if err := api.Decode(r, &in); err != nil {
		return err
	}
	if in.Archived == nil {
		return api.InvalidField("archived", "archived is true or false")
	}
	return f.changed(w, r, s, f.API.Store.Archive(r.Context(), s.Caller, sessionOf(r), *in.Archived))
}

func (f function) attributes(w http.ResponseWriter, r *http.Request, s api.Staff) error {
	var in struct {
		Attributes map[string]string `json:"attributes"`
	}
	if err := api.Decode(r, &in); err != nil {
		return err
	}
	if in.Attributes == nil {
		return api.InvalidField("attributes", "attributes is an object of texts")
	}
	return f.changed(w, r, s, f.API.Store.SetAttributes(r.Context(), s.Caller, sessionOf(r), in.Attributes))
}

// changed answers with the session after a change of it.
func (f function) changed(w http.ResponseWriter, r *http.Request, s api.Staff, err error) error {
	if err != nil {
		return err
	}
	now, err := f.API.Store.Session(r.Context(), s.Caller, sessionOf(r))
	if err != nil {
		return err
	}
	return api.JSON(w, http.StatusOK, map[string]session{"session": api.NewStaffSession(now)})
}

func (f function) blockVisitor(w http.ResponseWriter, r *http.Request, s api.Staff) error {
	return f.block(w, r, "visitor", func(id string, blocked bool) error {
		return f.API.Store.BlockVisitor(r.Context(), s.Project.ID, parley.VisitorID(id), blocked)
	})
}

func (f function) blockContact(w http.ResponseWriter, r *http.Request, s api.Staff) error {
	return f.block(w, r, "contact", func(id string, blocked bool) error {
		return f.API.Store.BlockContact(r.Context(), s.Project.ID, parley.ContactID(id), blocked)
	})
}

func (f function) eraseVisitor(w http.ResponseWriter, r *http.Request, s api.Staff) error {
	return gone(w, f.API.Store.EraseVisitor(r.Context(), s.Caller, parley.VisitorID(r.PathValue("visitor"))))
}

func (f function) eraseContact(w http.ResponseWriter, r *http.Request, s api.Staff) error {
	return gone(w, f.API.Store.EraseContact(r.Context(), s.Caller, parley.ContactID(r.PathValue("contact"))))
}

// block blocks the visitor or contact in the path, or lets them in again.
func (f function) block(w http.ResponseWriter, r *http.Request, what string, do func(id string, blocked bool) error) error {
	var in struct {
		Blocked *bool `json:"blocked"`
	}
	if err := api.Decode(r, &in); err != nil {
		return err
	}
	if in.Blocked == nil {
		return api.InvalidField("blocked", "blocked is true or false")
	}
	id := r.PathValue(what)
	if parley.CheckID(what, id) != nil {
		return &parley.Error{Kind: parley.ErrNotFound, Code: "not_found", Text: what + " not found"}
	}
	if err := do(id, *in.Blocked); err != nil {
		return err
	}
	return api.JSON(w, http.StatusOK, in)
}
