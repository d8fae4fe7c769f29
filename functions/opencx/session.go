package opencx

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"time"

	"parley/shared/api"
	"parley/shared/parley"
)

// sessionDto is a session in the format of the protocol. It depends on nothing
// but what is stored: if a closed session read differently each time, a client
// would ask again without pause.
type sessionDto struct {
	ID           parley.SessionID     `json:"id"`
	TicketNumber parley.SessionNumber `json:"ticketNumber"`
	Title        *string              `json:"title"`
	CreatedAt    api.Time             `json:"createdAt"`
	UpdatedAt    api.Time             `json:"updatedAt"`
	IsHandedOff  bool                 `json:"isHandedOff"`
	IsOpened     bool                 `json:"isOpened"`
	Assignee     assignee             `json:"assignee"`
	Channel      string               `json:"channel"`
	IsVerified   bool                 `json:"isVerified"`
	LastMessage  *string              `json:"lastMessage"`
	ModeID       *string              `json:"modeId"`
	Checkpoint   json.RawMessage      `json:"latestStateCheckpointPayload"`
	Attributes   map[string]string    `json:"sessionAttributes"`
}

type assignee struct {
	Kind   string  `json:"kind"`
	Name   *string `json:"name"`
	Avatar *string `json:"avatarUrl"`
}

// dto renders a session. Until it is resolved it is shown as open, for the visitor's
// next message continues it; clients have no field for one in others.
func (f function) dto(ctx context.Context, s *parley.Session, about parley.About) (sessionDto, error) {
	out := sessionDto{ID: s.ID, TicketNumber: s.ID.Number(), Title: api.OrNull(neutralLine(s.Title)), CreatedAt: api.Time(s.Created),
		UpdatedAt: api.Time(s.Updated()), IsHandedOff: s.Holder != parley.HolderAI,
		IsOpened: s.State == parley.StateOpen || s.State == parley.StateClosed, Channel: "web", IsVerified: s.Owner.Proven,
		Checkpoint: about.Checkpoint, Attributes: map[string]string{}}
	if m := f.mode(ctx, s); m != nil {
		out.ModeID = &m.ID
	}
	if s.Last != nil {
		out.LastMessage = api.OrNull(neutralLine(s.Last.Text))
	}
	var err error
	out.Assignee, err = f.assignee(ctx, s)
	return out, err
}

// mode returns the mode of a session, or nil if its project no longer has it,
// since pages look it up in their config.
func (f function) mode(ctx context.Context, s *parley.Session) *mode {
	if s.Mode == "" {
		return nil
	}
	p, err := f.API.Store.Project(ctx, s.Project)
	if err != nil {
		return &mode{ID: s.Mode} // known, though not by name
	}
	m, ok := p.Mode(s.Mode)
	if !ok {
		return nil
	}
	return &mode{m.ID, m.Name, m.Slug}
}

// assignee says who answers a session: nobody, while it waits for a human.
func (f function) assignee(ctx context.Context, s *parley.Session) (assignee, error) {
	switch s.Holder {
	case parley.HolderAI:
		return assignee{Kind: "ai"}, nil
	case parley.HolderWaiting:
		return assignee{Kind: "none"}, nil
	}
	out := assignee{Kind: "human"}
	if s.Operator == "" {
		return out, nil
	}
	o, err := f.API.Store.PeekOperator(ctx, s.Project, s.Operator)
	if parley.Code(err) == "not_found" {
		return out, nil
	}
	out.Name, out.Avatar = api.OrNull(o.Name), api.OrNull(o.Picture)
	return out, err
}

// externalKey is the field of the custom data that keeps several devices of one
// contact apart.
const externalKey = "external_id"

// errNoScope is not a 401, for that would tell clients that their token is
// invalid.
func errNoScope() error {
	return api.Denied("external_id_missing", "without a verified contact this call needs an external_id")
}

// toldBySend are the codes of refusals that a client shows when a message meets them,
// and not when a session does: it then drops the message without a word.
var toldBySend = map[string]bool{"rate_limited": true, "budget_spent": true, "blocked": true, "identity_required": true}

// unbegun stands for a session that was refused, so that the client goes on and sends
// its message, to which the refusal is the answer. Nothing of it is stored.
func unbegun(c parley.Caller, id parley.SessionID) *parley.Session {
	now := time.Now().UnixMilli()
	return &parley.Session{ID: id, Project: c.Project, Owner: parley.Owner{Proven: !c.Unproven}, Channel: parley.ChannelOpenCX,
		State: parley.StateOpen, Holder: parley.HolderAI, Created: now, At: now}
}

func (f function) createSession(r *http.Request, c parley.Caller, _ *parley.Project) (any, error) {
	var in struct {
		CustomData map[string]any `json:"customData"`
	}
	if err := api.DecodeOptional(r, &in); err != nil {
		return nil, err
	}
	id := parley.SessionID(parley.NewUUID())
	if c.Capability {
		c, in.CustomData = f.holding(c, id), consumer(r)
	}
	data, err := hints("customData", in.CustomData)
	if err != nil {
		return nil, err
	}
	c.External = data[externalKey]
	if c.Unproven && c.External == "" {
		return nil, errNoScope()
	}
	session, err := f.API.Store.Begin(r.Context(), c, parley.BeginRequest{ID: id, Channel: parley.ChannelOpenCX, Metadata: data})
	if toldBySend[parley.Code(err)] {
		session, err = unbegun(c, id), nil
	}
	if err != nil {
		return nil, err
	}
	api.About(r, session.ID, "")
	out, err := f.dto(r.Context(), session, parley.About{Metadata: data})
	return api.Created{Value: out}, err
}

type page struct {
	Items []sessionDto `json:"items"`
	Next  *string      `json:"next"`
}

// sessions lists sessions. Clients send the cursor of the next page under one of
// two names.
func (f function) sessions(r *http.Request, c parley.Caller, _ *parley.Project) (any, error) {
	query := r.URL.Query()
	where, err := filters(query.Get("filters"))
	if err != nil {
		return nil, err
	}
	if c.Unproven && where.External == "" {
		return nil, errNoScope()
	}
	ask := parley.PageRequest{Cursor: cmp.Or(query.Get("cursor"), query.Get("offset"))}
	list, next, err := f.API.Store.SessionsMatching(r.Context(), c, ask, where)
	if err != nil {
		return nil, err
	}
	abouts, err := f.API.Store.Abouts(r.Context(), list)
	if err != nil {
		return nil, err
	}
	out := page{Items: []sessionDto{}, Next: api.OrNull(next)}
	for i, session := range list {
		dto, err := f.dto(r.Context(), session, abouts[i])
		if err != nil {
			return nil, err
		}
		out.Items = append(out.Items, dto)
	}
	return out, nil
}

func filters(text string) (parley.SessionFilter, error) {
	wrong := api.InvalidField("filters", "filters is a JSON object of strings")
	var in map[string]any
	if text == "" || json.Unmarshal([]byte(text), &in) != nil || in == nil {
		return parley.SessionFilter{}, wrong
	}
	said, err := hints("filters", in)
	if err != nil {
		return parley.SessionFilter{}, wrong
	}
	external := said[externalKey]
	delete(said, externalKey)
	return parley.SessionFilter{External: external, Metadata: said}, nil
}

// session returns the session without its rows.
func (f function) session(r *http.Request, c parley.Caller, _ *parley.Project) (any, error) {
	id := parley.SessionID(r.PathValue("session"))
	return f.now(r, f.holding(c, id), id)
}

// now is a session as it stands.
func (f function) now(r *http.Request, c parley.Caller, id parley.SessionID) (sessionDto, error) {
	whole, err := f.API.Store.FullTranscript(r.Context(), c, id, 0)
	if err == nil && f.revives(r, whole.Session) {
		whole, err = f.API.Store.FullTranscript(r.Context(), c, id, 0)
	}
	if err != nil {
		return sessionDto{}, err
	}
	return f.dto(r.Context(), whole.Session, whole.About)
}

// revives sees to a run whose runner died, and reports whether it changed the session:
// a client that polls is the only reader its run has, and lets nobody write until
// that has ended.
func (f function) revives(r *http.Request, session *parley.Session) bool {
	ctx, cancel := api.Lasting(r, api.ChangeTime)
	defer cancel()
	revived, err := f.Runs.ReviveIn(ctx, session)
	f.logUnread(r, "revive a run", err)
	return revived && err == nil
}

func (f function) resolve(r *http.Request, c parley.Caller, _ *parley.Project) (any, error) {
	var in struct {
		SessionID parley.SessionID `json:"session_id"`
	}
	if err := api.Decode(r, &in); err != nil {
		return nil, err
	}
	api.About(r, in.SessionID, "")
	if err := f.API.Store.Resolve(r.Context(), c, in.SessionID, c.Author()); err != nil {
		return nil, err
	}
	return f.now(r, c, in.SessionID)
}
