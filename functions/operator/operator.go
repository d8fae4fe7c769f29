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

// call handles a request with a private key that has the required scope.
type call func(w http.ResponseWriter, r *http.Request, s api.Staff) error

// routes returns all calls, each with the scope that it needs.
func (f function) routes() []api.Route {
	calls := []struct {
		pattern string
		scope   parley.Scope
		call    call
	}{
		{"GET /operator/me", parley.ScopeRead, f.me},
		{"POST /operator/ticket", parley.ScopeRead, f.ticket},
		{"GET /operator/inbox", parley.ScopeRead, f.inbox},
		{"GET /operator/sessions", parley.ScopeRead, f.byNumber},
		{"GET /operator/sessions/{session}", parley.ScopeRead, f.read},
		{"GET /operator/sessions/{session}/updates", parley.ScopeRead, f.updates},
		{"GET /operator/sessions/{session}/runs/{run}", parley.ScopeRead, f.watch},
		{"PUT /operator/sessions/{session}/seen", parley.ScopeRead, f.seen},
		{"POST /operator/sessions/{session}/reply", parley.ScopeReply, f.reply},
		{"POST /operator/sessions/{session}/note", parley.ScopeReply, f.note},
		{"PUT /operator/sessions/{session}/holder", parley.ScopeReply, f.holder},
		{"PUT /operator/sessions/{session}/state", parley.ScopeReply, f.state},
		{"PUT /operator/sessions/{session}/archived", parley.ScopeReply, f.archived},
		{"PUT /operator/sessions/{session}/attributes", parley.ScopeReply, f.attributes},
		{"PUT /operator/sessions/{session}/typing", parley.ScopeReply, f.typing},
		{"PUT /operator/visitors/{visitor}/blocked", parley.ScopeReply, f.blockVisitor},
		{"PUT /operator/contacts/{contact}/blocked", parley.ScopeReply, f.blockContact},
		{"POST /operator/uploads", parley.ScopeReply, f.grant},
		{"POST /operator/uploads/{id}/complete", parley.ScopeReply, f.complete},
		{"GET /operator/figures", parley.ScopeRead, f.figures},
		{"GET /operator/ratings", parley.ScopeRead, f.ratings},
		{"GET /operator/operators", parley.ScopeRead, f.operators},
		{"PUT /operator/operators/{operator}", parley.ScopeManage, f.putOperator},
		{"DELETE /operator/operators/{operator}", parley.ScopeManage, f.removeOperator},
		{"DELETE /operator/visitors/{visitor}", parley.ScopeManage, f.eraseVisitor},
		{"DELETE /operator/contacts/{contact}", parley.ScopeManage, f.eraseContact},
		{"GET /operator/project", parley.ScopeManage, f.project},
		{"PUT /operator/project", parley.ScopeManage, f.putProject},
		{"POST /operator/project/public-keys", parley.ScopeManage, f.addPublicKey},
		{"DELETE /operator/project/public-keys/{key}", parley.ScopeManage, f.removePublicKey},
		{"POST /operator/project/signing-keys", parley.ScopeManage, f.addSigningKey},
		{"DELETE /operator/project/signing-keys/{kid}", parley.ScopeManage, f.removeSigningKey},
		{"DELETE /operator/project/tokens", parley.ScopeManage, f.voidTokens},
		{"GET /operator/project/private-keys", parley.ScopeManage, f.privateKeys},
		{"POST /operator/project/private-keys", parley.ScopeManage, f.addPrivateKey},
		{"DELETE /operator/project/private-keys/{key}", parley.ScopeManage, f.removePrivateKey},
		{"GET /operator/project/hooks", parley.ScopeManage, f.hooks},
		{"POST /operator/project/hooks", parley.ScopeManage, f.addHook},
		{"PUT /operator/project/hooks/{hook}", parley.ScopeManage, f.putHook},
		{"DELETE /operator/project/hooks/{hook}", parley.ScopeManage, f.removeHook},
		{"POST /operator/project/hooks/{hook}/keys", parley.ScopeManage, f.addHookKey},
		{"DELETE /operator/project/hooks/{hook}/keys/{key}", parley.ScopeManage, f.removeHookKey},
		{"GET /operator/project/hooks/{hook}/failed", parley.ScopeManage, f.failedHooks},
		{"POST /operator/project/hooks/{hook}/replay", parley.ScopeManage, f.replayHook},
	}
	routes := make([]api.Route, len(calls))
	for i, c := range calls {
		routes[i] = api.Route{Pattern: c.pattern, Handle: func(w http.ResponseWriter, r *http.Request) error {
			s, err := f.API.Staff(r, c.scope)
			if err != nil {
				return err
			}
			return c.call(w, r, s)
		}}
	}
	return routes
}

// next returns the cursor of the next page, or null at the end.
func next(cursor string) *string {
	if cursor == "" {
		return nil
	}
	return &cursor
}

func sessionOf(r *http.Request) parley.SessionID { return parley.SessionID(r.PathValue("session")) }
