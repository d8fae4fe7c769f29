// Package operator serves the people who answer, and the project's own server,
// with a private key: inbox, replies, takeovers, figures, settings.
//
// Tested by shared/api/apitest, and its Commands by docs, which tells people to
// run them.
package operator

import (
	"context"
	"net/http"
	"time"

	"parley/shared/api"
	"parley/shared/parley"
	"parley/shared/run"
)

// Config is what the function needs; API and Runs are required. The API's
// store needs a bucket.
type Config struct {
	API *api.API
	// Runs shows replies being written.
	Runs *run.Dispatcher
	// Hold, Poll and Now are as in api.Updates.
	Hold, Poll time.Duration
	Now        func() time.Time
	// Heartbeat is how long a stream may be silent; zero means 10 s.
	Heartbeat time.Duration
	// CheckURL returns what is wrong with the address of a webhook, as
	// outbound.Client.CheckURL does. With nil an address is first checked on
	// delivery.
	CheckURL func(url string) error
	// Typing tells the visitor, where their page is connected, and the rest of the team
	// that an operator types, or has stopped; nil tells nobody, and pages that ask learn
	// of it all the same.
	Typing func(ctx context.Context, s *parley.Session, by parley.Author, typing bool)
	// Seen tells the visitor's page that an operator has seen a session, as live.Live.Seen
	// does; nil tells nobody.
	Seen func(ctx context.Context, c parley.Caller, id parley.SessionID, m parley.Mark)
	// Socket is where a console's socket is: an address of wss, or a path of the
	// console's own host; "" where there is none. Behind a distribution it is SocketPath.
	Socket string
	// Dismiss ends the sockets of a key by its id, or of an operator, after that was
	// removed; nil where there are none.
	Dismiss func(ctx context.Context, p parley.ProjectID, key string, operator parley.OperatorID) error
	// Console serves /console and the paths under it; nil serves nothing there.
	Console http.Handler
}

// New returns the function's handler.
func New(c Config) http.Handler {
	if c.API == nil || c.Runs == nil {
		panic("operator: API and Runs are required")
	}
	if c.Heartbeat == 0 {
		c.Heartbeat = 10 * time.Second
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	f := function{Config: c}
	f.follow = api.NewUpdates(api.Updates{API: c.API, Hold: c.Hold, Poll: c.Poll, Heartbeat: c.Heartbeat, Now: c.Now,
		Entry: func(r *http.Request, p parley.ProjectID, e parley.Entry) any { return f.entry(r, p, e) },
		State: func(s *parley.Session) any { return api.NewStaffSession(s) }})
	handler := c.API.Handler(f.routes()...)
	if c.Console == nil {
		return handler
	}
	mux := http.NewServeMux()
	mux.Handle("/", handler)
	mux.Handle("/console", c.Console)
	mux.Handle("/console/", c.Console)
	return mux
}

type function struct {
	Config
	follow *api.Updates
}

// routes returns all calls, each for who has the scope that it needs.
func (f function) routes() []api.Route {
	reader, replier, manager := f.staff(parley.ScopeRead), f.staff(parley.ScopeReply), f.staff(parley.ScopeManage)
	return []api.Route{
		{Pattern: "GET /operator/me", Handle: reader.Answer(f.me)},
		{Pattern: "POST /operator/ticket", Handle: reader.Answer(f.ticket)},
		{Pattern: "GET /operator/inbox", Handle: reader.Answer(f.inbox)},
		{Pattern: "GET /operator/sessions", Handle: reader.Answer(f.byNumber)},
		{Pattern: "GET /operator/sessions/{session}", Handle: reader.Answer(f.read)},
		{Pattern: "GET /operator/sessions/{session}/updates", Handle: reader.Handle(f.updates)},
		{Pattern: "GET /operator/sessions/{session}/runs/{run}", Handle: reader.Handle(f.watch)},
		{Pattern: "PUT /operator/sessions/{session}/seen", Handle: reader.Answer(f.seen)},
		{Pattern: "POST /operator/sessions/{session}/reply", Handle: replier.Answer(f.reply)},
		{Pattern: "POST /operator/sessions/{session}/note", Handle: replier.Answer(f.note)},
		{Pattern: "PUT /operator/sessions/{session}/holder", Handle: replier.Answer(f.holder)},
		{Pattern: "PUT /operator/sessions/{session}/state", Handle: replier.Answer(f.state)},
		{Pattern: "PUT /operator/sessions/{session}/archived", Handle: replier.Answer(f.archived)},
		{Pattern: "PUT /operator/sessions/{session}/attributes", Handle: replier.Answer(f.attributes)},
		{Pattern: "PUT /operator/sessions/{session}/typing", Handle: replier.Answer(f.typing)},
		{Pattern: "PUT /operator/visitors/{visitor}/blocked", Handle: replier.Answer(f.blockVisitor)},
		{Pattern: "PUT /operator/contacts/{contact}/blocked", Handle: replier.Answer(f.blockContact)},
		{Pattern: "POST /operator/uploads", Handle: replier.Answer(f.grant)},
		{Pattern: "POST /operator/uploads/{id}/complete", Handle: replier.Answer(f.complete)},
		{Pattern: "GET /operator/figures", Handle: reader.Answer(f.figures)},
		{Pattern: "GET /operator/ratings", Handle: reader.Answer(f.ratings)},
		{Pattern: "GET /operator/operators", Handle: reader.Answer(f.operators)},
		{Pattern: "PUT /operator/operators/{operator}", Handle: manager.Answer(f.putOperator)},
		{Pattern: "DELETE /operator/operators/{operator}", Handle: manager.Answer(f.removeOperator)},
		{Pattern: "DELETE /operator/visitors/{visitor}", Handle: manager.Answer(f.eraseVisitor)},
		{Pattern: "DELETE /operator/contacts/{contact}", Handle: manager.Answer(f.eraseContact)},
		{Pattern: "GET /operator/project", Handle: manager.Answer(f.project)},
		{Pattern: "PUT /operator/project", Handle: manager.Answer(f.putProject)},
		{Pattern: "POST /operator/project/public-keys", Handle: manager.Answer(f.addPublicKey)},
		{Pattern: "DELETE /operator/project/public-keys/{key}", Handle: manager.Answer(f.removePublicKey)},
		{Pattern: "POST /operator/project/signing-keys", Handle: manager.Answer(f.addSigningKey)},
		{Pattern: "DELETE /operator/project/signing-keys/{kid}", Handle: manager.Answer(f.removeSigningKey)},
		{Pattern: "DELETE /operator/project/tokens", Handle: manager.Answer(f.voidTokens)},
		{Pattern: "GET /operator/project/private-keys", Handle: manager.Answer(f.privateKeys)},
		{Pattern: "POST /operator/project/private-keys", Handle: manager.Answer(f.addPrivateKey)},
		{Pattern: "DELETE /operator/project/private-keys/{key}", Handle: manager.Answer(f.removePrivateKey)},
		{Pattern: "GET /operator/project/hooks", Handle: manager.Answer(f.hooks)},
		{Pattern: "POST /operator/project/hooks", Handle: manager.Answer(f.addHook)},
		{Pattern: "PUT /operator/project/hooks/{hook}", Handle: manager.Answer(f.putHook)},
		{Pattern: "DELETE /operator/project/hooks/{hook}", Handle: manager.Answer(f.removeHook)},
		{Pattern: "POST /operator/project/hooks/{hook}/keys", Handle: manager.Answer(f.addHookKey)},
		{Pattern: "DELETE /operator/project/hooks/{hook}/keys/{key}", Handle: manager.Answer(f.removeHookKey)},
		{Pattern: "GET /operator/project/hooks/{hook}/failed", Handle: manager.Answer(f.failedHooks)},
		{Pattern: "POST /operator/project/hooks/{hook}/replay", Handle: manager.Handle(f.replayHook)},
	}
}

// staff says who makes a request, with a private key that has the scope.
func (f function) staff(scope parley.Scope) api.Team {
	return func(r *http.Request) (api.Staff, error) { return f.API.Staff(r, scope) }
}

func sessionOf(r *http.Request) parley.SessionID { return parley.SessionID(r.PathValue("session")) }
