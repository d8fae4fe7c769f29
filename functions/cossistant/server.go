package cossistant

import (
	"cmp"
	"context"
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
	reader, manager, actor := f.staff(parley.ScopeRead), f.staff(parley.ScopeManage), api.Team(f.actor)
	routes := []api.Route{
		{Pattern: "GET " + base + "/conversations/inbox", Handle: reader.Answer(f.inbox)},
		{Pattern: "POST " + base + "/conversations/{session}/read", Handle: actor.Answer(f.read)},
		{Pattern: "GET " + base + "/visitors/{visitor}", Handle: reader.Answer(f.visitor)},
		{Pattern: "POST " + base + "/contacts", Handle: manager.Answer(f.putContact)},
		{Pattern: "GET " + base + "/contacts/{contact}", Handle: reader.Answer(f.contact)},
		{Pattern: "PATCH " + base + "/contacts/{contact}", Handle: manager.Answer(f.patchContact)},
		{Pattern: "PATCH " + base + "/contacts/{contact}/metadata", Handle: manager.Answer(f.patchContact)},
		{Pattern: "DELETE " + base + "/contacts/{contact}", Handle: manager.Handle(f.eraseContact)},
	}
	for path, do := range f.acts() {
		routes = append(routes, api.Route{Pattern: "POST " + base + "/conversations/{session}/" + path,
			Handle: actor.Answer(func(r *http.Request, s api.Staff) (any, error) {
				if err := do(r.Context(), s.Caller, sessionOf(r), s.Author()); err != nil {
					return nil, err
				}
				return f.record(r, s)
			})})
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

// staff says who of the team makes a request, with a key that has the scope.
func (f function) staff(scope parley.Scope) api.Team {
	return func(r *http.Request) (api.Staff, error) {
		return f.API.StaffNaming(r, scope, parley.OperatorID(r.Header.Get(actorHeader)))
	}
}

// actor is staff where somebody has to act.
func (f function) actor(r *http.Request) (api.Staff, error) {
	s, err := f.staff(parley.ScopeReply)(r)
	if err == nil && s.Operator == nil {
		err = api.InvalidField(actorHeader, actorHeader+" names the member of the team who acts")
	}
	return s, err
}

// viewer is who reads what a visitor's page and the team's server are shown alike.
func (f function) viewer(r *http.Request) (parley.Caller, *parley.Project, error) {
	if api.Bearer(r.Header) == "" {
		return f.caller(r)
	}
	s, err := f.staff(parley.ScopeRead)(r)
	return s.Caller, s.Project, err
}

// act is something that a person of the team does with a conversation.
type act func(ctx context.Context, c parley.Caller, id parley.SessionID, by parley.Author) error

// acts are all of them by their paths.
func (f function) acts() map[string]act {
	store := f.API.Store
	archive := func(archived bool) act {
		return func(ctx context.Context, c parley.Caller, id parley.SessionID, _ parley.Author) error {
			return store.Archive(ctx, c, id, archived)
		}
	}
	return map[string]act{
		"resolve":         store.Resolve,
		"reopen":          store.Reopen,
		"not-spam":        store.Reopen,
		"spam":            store.MarkSpam,
		"archive":         archive(true),
		"unarchive":       archive(false),
		"join-escalation": store.TakeOver,
		"ai/resume":       store.HandBack,
	}
}

// record answers with the conversation as it is now.
func (f function) record(r *http.Request, s api.Staff) (any, error) {
	session, err := f.API.Store.Session(r.Context(), s.Caller, sessionOf(r))
	if err != nil {
		return nil, err
	}
	out, err := f.now(r, s.Caller, session)
	if err != nil {
		return nil, err
	}
	return map[string]shape.Record{"conversation": shape.RecordOf(session, out)}, nil
}

// read says that the person who acts has seen everything.
func (f function) read(r *http.Request, s api.Staff) (any, error) {
	session, err := f.API.Store.Session(r.Context(), s.Caller, sessionOf(r))
	if err != nil {
		return nil, err
	}
	if _, err := f.API.Store.MoveMark(r.Context(), s.Caller, session.ID, parley.MarkSeen, session.Seq); err != nil {
		return nil, err
	}
	return f.record(r, s)
}

// serverList is the list of one visitor's conversations.
func (f function) serverList(r *http.Request, s api.Staff) (any, error) {
	visitor := parley.VisitorID(r.URL.Query().Get("visitorId"))
	c, err := f.API.Store.BareCaller(r.Context(), parley.Caller{Project: s.Project.ID, Channel: parley.ChannelCossistant}, visitor)
	if err != nil {
		return nil, err
	}
	return f.list(r, c, s.Caller)
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

func (f function) inbox(r *http.Request, s api.Staff) (any, error) {
	limit, err := api.Number(r, "limit")
	if err != nil {
		return nil, err
	}
	q := r.URL.Query()
	in, known := states[q.Get("status")]
	if !known {
		return nil, api.InvalidField("status", "status is open, resolved or spam")
	}
	found, cursor, err := f.API.Store.Inbox(r.Context(), s.Caller, parley.InboxRequest{States: in, Operator: parley.OperatorID(q.Get("assignedToUserId")),
		PageRequest: parley.PageRequest{Limit: int(min(cmp.Or(limit, 50), parley.MaxPage)), Cursor: q.Get("cursor")}})
	if err != nil {
		return nil, err
	}
	sessions := make([]*parley.Session, len(found))
	for i, item := range found {
		sessions[i] = item.Session
	}
	owners, err := f.API.Store.Owners(r.Context(), s.Caller, sessions)
	if err != nil {
		return nil, err
	}
	glimpses, err := f.API.Store.Glimpses(r.Context(), s.Caller, sessions)
	if err != nil {
		return nil, err
	}
	v, items := f.view(r, s.Caller), []inboxItem{}
	for i, session := range sessions {
		out := v.Conversation(session, glimpses[i])
		item := inboxItem{Record: shape.RecordOf(session, out), Visitor: shape.VisitorOf(s.Project.ID, owners[i]), LastMessageTimelineItem: out.LastTimelineItem}
		if session.Last != nil {
			item.LastMessageAt = api.TimeOrNull(session.Last.At)
		}
		items = append(items, item)
	}
	return struct {
		Items      []inboxItem `json:"items"`
		NextCursor *string     `json:"nextCursor"`
	}{items, api.OrNull(cursor)}, nil
}

// serverMessage stores what a person of the team writes to the visitor or, where it is
// private, to the team.
func (f function) serverMessage(r *http.Request, s api.Staff) (any, error) {
	var in struct {
		ConversationID parley.SessionID `json:"conversationId"`
		Item           item             `json:"item"`
	}
	if err := api.DecodeUpTo(r, maxSendBytes, &in); err != nil {
		return nil, err
	}
	switch m := in.Item; {
	case m.Type != "" && m.Type != "message":
		return nil, api.InvalidField("type", "a server sends messages")
	case m.AIAgentID != "" || m.VisitorID != "" || m.UserID == "":
		return nil, api.InvalidField("userId", "a server writes as a member of the team, whom userId names")
	case m.UserID != string(s.Operator.ID):
		return nil, &parley.Error{Kind: parley.ErrDenied, Code: "operator_unknown", Text: "userId is another member than " + actorHeader}
	case m.Visibility != "" && m.Visibility != "public" && m.Visibility != "private":
		return nil, api.InvalidField("visibility", "visibility is public or private")
	}
	reply := parley.ReplyRequest{ID: cmp.Or(in.Item.ID, parley.EntryID(rand.Text())), Session: in.ConversationID, Content: in.Item.text(),
		Internal: in.Item.Visibility == "private"}
	for _, a := range in.Item.files() {
		id, err := f.fileOf(s.Project, a.URL)
		if err != nil {
			return nil, err
		}
		reply.Attachments = append(reply.Attachments, id)
	}
	got, err := f.API.Store.Reply(r.Context(), s.Caller, s.Author(), reply)
	if err != nil {
		return nil, err
	}
	if !reply.Internal { // who writes has read; else the mark only lags
		if _, err := f.API.Store.MoveMark(r.Context(), s.Caller, reply.Session, parley.MarkSeen, got.Message.Seq); err != nil {
			f.API.Log.WarnContext(r.Context(), "mark as seen", "error", err.Error())
		}
	}
	return map[string]*shape.Item{"item": f.view(r, s.Caller).Item(got.Session, got.Message)}, nil
}

// visitor tells what is known of a visitor, blocked or not.
func (f function) visitor(r *http.Request, s api.Staff) (any, error) {
	c := parley.Caller{Project: s.Project.ID, Channel: parley.ChannelCossistant, Bare: true, Visitor: parley.VisitorID(r.PathValue("visitor"))}
	return f.whole(r, c, s.Project)
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

type contactOut struct {
	Contact shape.Contact `json:"contact"`
}

// vouch links a visitor to the contact for whom the server vouches.
func (f function) vouch(r *http.Request, s api.Staff) (any, error) {
	var in struct {
		person
		VisitorID parley.VisitorID `json:"visitorId"`
	}
	if err := api.Decode(r, &in); err != nil {
		return nil, err
	}
	c, err := f.API.Store.BareCaller(r.Context(), parley.Caller{Project: s.Project.ID, Channel: parley.ChannelCossistant}, in.VisitorID)
	if err != nil {
		return nil, err
	}
	known, err := f.API.Store.Prove(r.Context(), c, in.identity())
	return struct {
		Contact   shape.Contact    `json:"contact"`
		VisitorID parley.VisitorID `json:"visitorId"`
	}{shape.VouchedContact(s.Project.ID, known), in.VisitorID}, err
}

func (f function) putContact(r *http.Request, s api.Staff) (any, error) {
	var in person
	if err := api.Decode(r, &in); err != nil {
		return nil, err
	}
	known, made, err := f.API.Store.Vouch(r.Context(), s.Caller, in.identity())
	out := contactOut{shape.VouchedContact(s.Project.ID, known)}
	if made {
		return api.Created{Value: out}, err
	}
	return out, err
}

func contactOf(r *http.Request) parley.ContactID { return parley.ContactID(r.PathValue("contact")) }

func (f function) contact(r *http.Request, s api.Staff) (any, error) {
	known, err := f.API.Store.VouchedContact(r.Context(), s.Caller, contactOf(r))
	return contactOut{shape.VouchedContact(s.Project.ID, known)}, err
}

// patchContact changes what is said of a contact; metadata is merged by key, and a null
// takes a key away.
func (f function) patchContact(r *http.Request, s api.Staff) (any, error) {
	var in person
	if err := api.Decode(r, &in); err != nil {
		return nil, err
	}
	var refused error
	known, err := f.API.Store.ChangeVouched(r.Context(), s.Caller, contactOf(r), func(was parley.Contact) parley.Identity {
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
		err = refused
	}
	return contactOut{shape.VouchedContact(s.Project.ID, known)}, err
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

func (f function) eraseContact(w http.ResponseWriter, r *http.Request, s api.Staff) error {
	if err := f.API.Store.EraseContact(r.Context(), s.Caller, contactOf(r)); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
