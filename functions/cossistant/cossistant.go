// Package cossistant speaks the REST half of the protocol of Cossistant's widget,
// releases 0.1.2 and 0.2.0: the routes under /cossistant/v1, which pages set as
// apiUrl, and those that a team's server calls with a private key. It only translates;
// the rules are in package parley, and the protocol's words for sessions and visitors in
// package shape.
// Tested by functions/cossistant/cossistanttest.
package cossistant

import (
	"context"
	"net/http"

	"parley/functions/cossistant/shape"
	"parley/shared/api"
	"parley/shared/parley"
	"parley/shared/run"
)

// Config is what the function needs; API and Runs are required, and the API's store
// needs a bucket.
type Config struct {
	API  *api.API
	Runs *run.Dispatcher
	// Typing tells whoever of the team is connected that a visitor types, and what, or
	// has stopped, as live.Live.TypingText does; nil tells nobody.
	Typing func(ctx context.Context, s *parley.Session, by parley.Author, typing bool, text string)
}

// base begins the path of every route.
const base = "/cossistant/v1"

// New returns the function's handler.
func New(c Config) http.Handler {
	if c.API == nil || c.Runs == nil {
		panic("cossistant: API and Runs are required")
	}
	f := function{c}
	visitor, viewer := api.Visitor(f.caller), api.Visitor(f.viewer)
	reader, manager, actor := f.staff(parley.ScopeRead), f.staff(parley.ScopeManage), api.Team(f.actor)
	return c.API.Dialect(refuse, append(f.server(),
		api.Route{Pattern: "GET " + base + "/websites", Handle: api.Visitor(f.stranger).Answer(f.website)},
		api.Route{Pattern: "PATCH " + base + "/visitors/{visitor}", Handle: visitor.Answer(f.patchVisitor)},
		api.Route{Pattern: "POST " + base + "/visitors/{visitor}/activity", Handle: visitor.Answer(f.activity)},
		api.Route{Pattern: "PATCH " + base + "/visitors/{visitor}/metadata", Handle: visitor.Answer(f.patchMetadata)},
		api.Route{Pattern: "POST " + base + "/contacts/identify", Handle: either(visitor.Answer(f.identify), manager.Answer(f.vouch))},
		api.Route{Pattern: "GET " + base + "/conversations", Handle: either(visitor.Answer(f.conversations), reader.Answer(f.serverList))},
		api.Route{Pattern: "POST " + base + "/conversations", Handle: visitor.Answer(f.create)},
		api.Route{Pattern: "GET " + base + "/conversations/{session}", Handle: either(visitor.Answer(f.conversation), reader.Answer(f.record))},
		api.Route{Pattern: "GET " + base + "/conversations/{session}/timeline", Handle: viewer.Answer(f.timeline)},
		api.Route{Pattern: "POST " + base + "/messages", Handle: either(visitor.Answer(f.message), actor.Answer(f.serverMessage))},
		api.Route{Pattern: "GET " + base + "/conversations/{session}/seen", Handle: viewer.Answer(f.seen)},
		api.Route{Pattern: "POST " + base + "/conversations/{session}/seen", Handle: visitor.Answer(f.markSeen)},
		api.Route{Pattern: "POST " + base + "/conversations/{session}/typing", Handle: visitor.Answer(f.typing)},
		api.Route{Pattern: "POST " + base + "/conversations/{session}/rating", Handle: visitor.Answer(f.rate)},
		api.Route{Pattern: "POST " + base + "/feedback", Handle: visitor.Answer(f.feedback)},
		api.Route{Pattern: "POST " + base + "/uploads/sign-url", Handle: visitor.Answer(f.signURL)},
		api.Route{Pattern: "GET " + base + "/support/state", Handle: visitor.Answer(f.supportState)},
		api.Route{Pattern: "PATCH " + base + "/support/onboarding", Handle: visitor.Answer(f.onboarding)},
	)...)
}

type function struct{ Config }

// errorOut is an error in the format of the protocol. It has no code, by which clients
// would not recognise what is not there, except where they know one.
type errorOut struct {
	Error   string `json:"error"`
	Message string `json:"message"`
	Code    string `json:"code,omitempty"`
}

// coded are the errors that clients know by a code.
var coded = map[string]string{
	"session_id_conflict": "CONVERSATION_ID_CONFLICT",
	"message_id_conflict": "TIMELINE_ITEM_ID_CONFLICT",
}

// aboutKeys are the refusals that clients may take for a wrong key, as they take every
// 401 and 403: they then show the page's author how to set it up, and no message.
var aboutKeys = map[string]bool{"unknown_key": true, "origin_refused": true, "blocked": true, "scope_missing": true, "operator_unknown": true}

func refuse(w http.ResponseWriter, _ *http.Request, p api.Problem) {
	if (p.Status == http.StatusForbidden || p.Status == http.StatusUnauthorized) && !aboutKeys[p.Code] {
		w.Header().Del("WWW-Authenticate")
		p.Status = http.StatusConflict
	}
	_ = api.JSON(w, p.Status, errorOut{p.Code, p.Detail, coded[p.Code]})
}

// Headers of the protocol.
const (
	KeyHeader     = "X-Public-Key"
	VisitorHeader = "X-Visitor-Id"
)

// stranger returns who makes a request as far as the public key tells.
func (f function) stranger(r *http.Request) (parley.Caller, *parley.Project, error) {
	p, err := f.API.ProjectBy(r, r.Header.Get(KeyHeader), CheckOrigin)
	if err != nil {
		return parley.Caller{}, nil, err
	}
	return parley.Caller{Project: p.ID, Channel: parley.ChannelCossistant, Address: api.Address(r)}, p, nil
}

// caller returns the visitor who makes a request. Where the path, the query or the
// body name one too, it is the same, or else nobody.
func (f function) caller(r *http.Request) (parley.Caller, *parley.Project, error) {
	c, p, err := f.stranger(r)
	if err != nil {
		return c, nil, err
	}
	id := parley.VisitorID(r.Header.Get(VisitorHeader))
	for _, named := range []string{r.PathValue("visitor"), r.URL.Query().Get("visitorId")} {
		if err := same(id, parley.VisitorID(named)); err != nil {
			return c, nil, err
		}
	}
	if c, err = f.API.Store.BareCaller(r.Context(), c, id); err != nil {
		return c, nil, err
	}
	return c, p, f.API.Store.TakeCall(p, c)
}

// same returns not_found unless a request names the visitor who makes it, or nobody.
func same(visitor, named parley.VisitorID) error {
	if named == "" || named == visitor {
		return nil
	}
	return &parley.Error{Kind: parley.ErrNotFound, Code: "not_found", Text: "visitor not found"}
}

// view is how the caller sees things.
func (f function) view(r *http.Request, c parley.Caller) shape.View {
	return shape.View{Project: c.Project, Visitor: c.Visitor,
		File: func(a parley.Attachment) string { return f.API.FileURL(r, c.Project, a.ID, a.Name) }}
}
