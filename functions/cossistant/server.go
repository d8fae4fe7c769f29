package cossistant

import (
	"cmp"
	"crypto/rand"
	"maps"
	"net/http"
	"strings"

	"parley/functions/cossistant/shape"
	"parley/shared/api"
	"parley/shared/parley"
)

// This file is what a team's server calls, with a private key in Authorization. What
// it does is what the operator API does.

// actorHeader names the person of the team who acts, for a key that is nobody's.
const actorHeader = "X-Actor-User-Id"

// server are the routes that are for servers alone. Those that pages have too stand
// with them, see either.
func (f function) server() []api.Route {
	routes := []api.Route{
		{Pattern: "GET " + base + "/conversations/inbox", Handle: f.inbox},
		{Pattern: "POST " + base + "/conversations/{session}/read", Handle: f.read},
		{Pattern: "GET " + base + "/visitors/{visitor}", Handle: f.visitor},
		{Pattern: "POST " + base + "/contacts", Handle: f.putContact},
		{Pattern: "GET " + base + "/contacts/{contact}", Handle: f.contact},
		{Pattern: "PATCH " + base + "/contacts/{contact}", Handle: f.patchContact},
		{Pattern: "PATCH " + base + "/contacts/{contact}/metadata", Handle: f.patchContact},
		{Pattern: "DELETE " + base + "/contacts/{contact}", Handle: f.eraseContact},
	}
	for path, do := range f.acts() {
		routes = append(routes, api.Route{Pattern: "POST " + base + "/conversations/{session}/" + path, Handle: f.acting(do)})
	}
	return routes
}

// either serves a path that pages call with a public key and servers with a private
// one, which goes before the public key.
func either(page, server api.HandlerFunc) api.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		if api.Bearer(r.Header) != "" {
			return server(w, r)
		}
		return page(w, r)
	}
}

func (f function) staff(r *http.Request, scope parley.Scope) (api.Staff, error) {
	return f.API.StaffNaming(r, scope, parley.OperatorID(r.Header.Get(actorHeader)))
}

// actor is staff where somebody has to act.
func (f function) actor(r *http.Request) (api.Staff, error) {
	s, err := f.staff(r, parley.ScopeReply)
	if err == nil && s.Operator == nil {
		err = api.InvalidField(actorHeader, actorHeader+" names the member of the team who acts")
	}
	return s, err
}

// act is something that a person of the team does with a conversation.
type act func(r *http.Request, s api.Staff) error

func (f function) acts() map[string]act {
	store := f.API.Store
	reopen := func(r *http.Request, s api.Staff) error {
		return store.Reopen(r.Context(), s.Caller, sessionOf(r), s.Author())
	}
	return map[string]act{
		"resolve": func(r *http.Request, s api.Staff) error {
			return store.Resolve(r.Context(), s.Caller, sessionOf(r), s.Author())
		},
		"reopen":   reopen,
		"not-spam": reopen,
		"spam": func(r *http.Request, s api.Staff) error {
			return store.MarkSpam(r.Context(), s.Caller, sessionOf(r), s.Author())
		},
		"archive": func(r *http.Request, s api.Staff) error {
			return store.Archive(r.Context(), s.Caller, sessionOf(r), true)
		},
		"unarchive": func(r *http.Request, s api.Staff) error {
			return store.Archive(r.Context(), s.Caller, sessionOf(r), false)
		},
		"join-escalation": func(r *http.Request, s api.Staff) error {
			return store.TakeOver(r.Context(), s.Caller, sessionOf(r), s.Author())
		},
		"ai/resume": func(r *http.Request, s api.Staff) error {
			return store.HandBack(r.Context(), s.Caller, sessionOf(r), s.Author())
		},
	}
}

func (f function) acting(do act) api.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		s, err := f.actor(r)
		if err != nil {
			return err
		}
		if err := do(r, s); err != nil {
			return err
		}
		return f.record(w, r, s)
	}
}

// record answers with the conversation as it is now.
func (f function) record(w http.ResponseWriter, r *http.Request, s api.Staff) error {
	session, err := f.API.Store.Session(r.Context(), s.Caller, sessionOf(r))
	if err != nil {
		return err
	}
	out, err := f.now(r, s.Caller, session)
	if err != nil {
		return err
	}
	return api.JSON(w, http.StatusOK, map[string]shape.Record{"conversation": shape.RecordOf(session, out)})
}

func (f function) serverConversation(w http.ResponseWriter, r *http.Request) error {
	s, err := f.staff(r, parley.ScopeRead)
	if err != nil {
		return err
	}
	return f.record(w, r, s)
}

func (f function) serverTimeline(w http.ResponseWriter, r *http.Request) error {
	s, err := f.staff(r, parley.ScopeRead)
	if err != nil {
		return err
	}
	return f.timelineOf(w, r, s.Caller)
}

func (f function) serverSeen(w http.ResponseWriter, r *http.Request) error {
	s, err := f.staff(r, parley.ScopeRead)
	if err != nil {
		return err
	}
	return f.seenOf(w, r, s.Caller)
}

// read says that the person who acts has seen everything.
func (f function) read(w http.ResponseWriter, r *http.Request) error {
	s, err := f.actor(r)
	if err != nil {
		return err
	}
	session, err := f.API.Store.Session(r.Context(), s.Caller, sessionOf(r))
	if err != nil {
		return err
	}
	if _, err := f.API.Store.MoveMark(r.Context(), s.Caller, session.ID, parley.MarkSeen, session.Seq); err != nil {
		return err
	}
	return f.record(w, r, s)
}

// serverList is the list of one visitor's conversations.
func (f function) serverList(w http.ResponseWriter, r *http.Request) error {
	s, err := f.staff(r, parley.ScopeRead)
	if err != nil {
		return err
	}
	visitor := parley.VisitorID(r.URL.Query().Get("visitorId"))
	c, err := f.API.Store.BareCaller(r.Context(), parley.Caller{Project: s.Project.ID, Channel: parley.ChannelCossistant}, visitor)
	if err != nil {
		return err
	}
	return f.list(w, r, c, s.Caller)
}

// states are the states of sessions by the protocol's word for them.
var states = map[string][]parley.State{
	"":         {parley.StateOpen, parley.StateClosed, parley.StateResolved, parley.StateSpam},
	"open":     {parley.StateOpen, parley.StateClosed},
	"resolved": {parley.StateResolved},
	"spam":     {parley.StateSpam},
}

// inboxItem is a conversation of the inbox.
type inboxItem struct {
	shape.Record
	Visitor                 shape.Visitor `json:"visitor"`
	LastMessageAt           *api.Time     `json:"lastMessageAt"`
	LastMessageTimelineItem *shape.Item   `json:"lastMessageTimelineItem"`
}

func (f function) inbox(w http.ResponseWriter, r *http.Request) error {
	s, err := f.staff(r, parley.ScopeRead)
	if err != nil {
		return err
	}
	limit, err := api.Number(r, "limit")
	if err != nil {
		return err
	}
	q := r.URL.Query()
	in, known := states[q.Get("status")]
	if !known {
		return api.InvalidField("status", "status is open, resolved or spam")
	}
	found, cursor, err := f.API.Store.Inbox(r.Context(), s.Caller, parley.InboxRequest{States: in, Operator: parley.OperatorID(q.Get("assignedToUserId")),
		PageRequest: parley.PageRequest{Limit: int(min(cmp.Or(limit, 50), parley.MaxPage)), Cursor: q.Get("cursor")}})
	if err != nil {
		return err
	}
	sessions := make([]*parley.Session, len(found))
	for i, item := range found {
		sessions[i] = item.Session
	}
	owners, err := f.API.Store.Owners(r.Context(), s.Caller, sessions)
	if err != nil {
		return err
	}
	glimpses, err := f.API.Store.Glimpses(r.Context(), s.Caller, sessions)
	if err != nil {
		return err
	}
	v, items := f.view(r, s.Caller), []inboxItem{}
	for i, session := range sessions {
		out := v.Conversation(session, glimpses[i])
		item := inboxItem{Record: shape.RecordOf(session, out), Visitor: shape.VisitorOf(s.Project.ID, owners[i]), LastMessageTimelineItem: out.LastTimelineItem}
		if session.Last != nil {
			item.LastMessageAt = shape.TimeOrNull(session.Last.At)
		}
		items = append(items, item)
	}
	return api.JSON(w, http.StatusOK, struct {
		Items      []inboxItem `json:"items"`
		NextCursor *string     `json:"nextCursor"`
	}{items, shape.OrNull(cursor)})
}

// serverMessage stores what a person of the team writes to the visitor or, where it is
// private, to the team.
func (f function) serverMessage(w http.ResponseWriter, r *http.Request) error {
	s, err := f.actor(r)
	if err != nil {
		return err
	}
	var in struct {
		ConversationID parley.SessionID `json:"conversationId"`
		Item           item             `json:"item"`
	}
	if err := api.DecodeUpTo(r, maxSendBytes, &in); err != nil {
		return err
	}
	switch m := in.Item; {
	case m.Type != "" && m.Type != "message":
		return api.InvalidField("type", "a server sends messages")
	case m.AIAgentID != "" || m.VisitorID != "" || m.UserID == "":
		return api.InvalidField("userId", "a server writes as a member of the team, whom userId names")
	case m.UserID != string(s.Operator.ID):
		return &parley.Error{Kind: parley.ErrDenied, Code: "operator_unknown", Text: "userId is another member than " + actorHeader}
	case m.Visibility != "" && m.Visibility != "public" && m.Visibility != "private":
		return api.InvalidField("visibility", "visibility is public or private")
	}
	reply := parley.ReplyRequest{ID: cmp.Or(in.Item.ID, parley.EntryID(rand.Text())), Session: in.ConversationID, Content: in.Item.text(),
		Internal: in.Item.Visibility == "private"}
	for _, a := range in.Item.files() {
		id, err := f.fileOf(s.Project, a.URL)
		if err != nil {
			return err
		}
		reply.Attachments = append(reply.Attachments, id)
	}
	ctx, cancel := lasting(r)
	defer cancel()
	got, err := f.API.Store.Reply(ctx, s.Caller, s.Author(), reply)
	if err != nil {
		return err
	}
	if !reply.Internal { // who writes has read; else the mark only lags
		if _, err := f.API.Store.MoveMark(ctx, s.Caller, reply.Session, parley.MarkSeen, got.Message.Seq); err != nil {
			f.API.Log.WarnContext(ctx, "mark as seen", "error", err.Error())
		}
	}
	return api.JSON(w, http.StatusOK, map[string]*shape.Item{"item": f.view(r, s.Caller).Item(got.Session, got.Message)})
}

// visitor tells what is known of a visitor, blocked or not.
func (f function) visitor(w http.ResponseWriter, r *http.Request) error {
	s, err := f.staff(r, parley.ScopeRead)
	if err != nil {
		return err
	}
	c := parley.Caller{Project: s.Project.ID, Channel: parley.ChannelCossistant, Bare: true, Visitor: parley.VisitorID(r.PathValue("visitor"))}
	return f.whole(w, r, c, s.Project)
}

// person is what a server says of a contact.
type person struct {
	ExternalID string         `json:"externalId"`
	Email      string         `json:"email"`
	Name       string         `json:"name"`
	Image      string         `json:"image"`
	Metadata   parley.Scalars `json:"metadata"`
}

func (in person) identity() parley.Identity {
	return parley.Identity{External: strings.TrimSpace(in.ExternalID), Email: in.Email, Name: in.Name, Picture: in.Image, Metadata: in.Metadata.Texts()}
}

// vouch links a visitor to the contact for whom the server vouches.
func (f function) vouch(w http.ResponseWriter, r *http.Request) error {
	s, err := f.staff(r, parley.ScopeManage)
	if err != nil {
		return err
	}
	var in struct {
		person
		VisitorID parley.VisitorID `json:"visitorId"`
	}
	if err := api.Decode(r, &in); err != nil {
		return err
	}
	ctx, cancel := lasting(r)
	defer cancel()
	c, err := f.API.Store.BareCaller(ctx, parley.Caller{Project: s.Project.ID, Channel: parley.ChannelCossistant}, in.VisitorID)
	if err != nil {
		return err
	}
	known, err := f.API.Store.Prove(ctx, c, in.identity())
	if err != nil {
		return err
	}
	return api.JSON(w, http.StatusOK, struct {
		Contact   shape.Contact    `json:"contact"`
		VisitorID parley.VisitorID `json:"visitorId"`
	}{shape.VouchedContact(s.Project.ID, known), in.VisitorID})
}

// vouching is who says what of a contact.
func (f function) vouching(r *http.Request) (s api.Staff, in person, err error) {
	if s, err = f.staff(r, parley.ScopeManage); err == nil {
		err = api.Decode(r, &in)
	}
	return s, in, err
}

func (f function) putContact(w http.ResponseWriter, r *http.Request) error {
	s, in, err := f.vouching(r)
	if err != nil {
		return err
	}
	ctx, cancel := lasting(r)
	defer cancel()
	known, made, err := f.API.Store.Vouch(ctx, s.Caller, in.identity())
	if err != nil {
		return err
	}
	status := http.StatusOK
	if made {
		status = http.StatusCreated
	}
	return api.JSON(w, status, map[string]shape.Contact{"contact": shape.VouchedContact(s.Project.ID, known)})
}

func contactOf(r *http.Request) parley.ContactID { return parley.ContactID(r.PathValue("contact")) }

func (f function) contact(w http.ResponseWriter, r *http.Request) error {
	s, err := f.staff(r, parley.ScopeRead)
	if err != nil {
		return err
	}
	known, err := f.API.Store.VouchedContact(r.Context(), s.Caller, contactOf(r))
	if err != nil {
		return err
	}
	return api.JSON(w, http.StatusOK, map[string]shape.Contact{"contact": shape.VouchedContact(s.Project.ID, known)})
}

// patchContact changes what is said of a contact; metadata is merged by key, and a null
// takes a key away.
func (f function) patchContact(w http.ResponseWriter, r *http.Request) error {
	s, in, err := f.vouching(r)
	if err != nil {
		return err
	}
	ctx, cancel := lasting(r)
	defer cancel()
	var refused error
	known, err := f.API.Store.ChangeVouched(ctx, s.Caller, contactOf(r), func(was parley.Contact) parley.Identity {
		i := in.identity()
		refused = nil
		if i.External != "" && i.External != was.External || was.External == "" && i.Email != "" && i.Email != was.Email {
			refused = errKnownBy
			return parley.Identity{}
		}
		i.Metadata = merged(was.Metadata, in.Metadata)
		return i
	})
	if refused != nil {
		return refused
	}
	if err != nil {
		return err
	}
	return api.JSON(w, http.StatusOK, map[string]shape.Contact{"contact": shape.VouchedContact(s.Project.ID, known)})
}

var errKnownBy = api.InvalidField("externalId", "a contact stays known by what it was made with: its externalId or, without one, its e-mail")

// merged is metadata with what is said anew of it.
func merged(was map[string]string, said parley.Scalars) map[string]string {
	out := map[string]string{}
	maps.Copy(out, was)
	maps.Copy(out, said.Texts())
	for k, v := range said {
		if string(v) == "null" {
			delete(out, k)
		}
	}
	return out
}

func (f function) eraseContact(w http.ResponseWriter, r *http.Request) error {
	s, err := f.staff(r, parley.ScopeManage)
	if err != nil {
		return err
	}
	if err := f.API.Store.EraseContact(r.Context(), s.Caller, contactOf(r)); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
