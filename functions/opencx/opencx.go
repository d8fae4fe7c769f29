// Package opencx speaks the protocol of OpenCX's widget, release 4.0.57 and
// those near it: the routes under /backend/widget/v2 for its pages, and
// /widget/authenticate-user for the customer's own server. Releases of early 2025
// are in older.go. It only translates; the rules are in package parley.
package opencx

import (
	"cmp"
	"net/http"
	"time"

	"parley/shared/api"
	"parley/shared/run"
)

// Config is what the function needs; API and Runs are required, and the API's
// store needs a bucket.
type Config struct {
	API  *api.API
	Runs *run.Dispatcher
	// Wait is how long the answer to a message waits for the reply; zero means
	// 20 s: below the 30 s of an HTTP API. After that the reply comes by poll.
	Wait time.Duration
}

// PollMin is the run.Config.PollMin for this function, which needs only the end
// of a reply. Our choice: a third of the reads, for an answer that is at most a
// quarter of a second later.
const PollMin = 250 * time.Millisecond

// bases begin the path of every route for pages. Releases before 2.6.1 append the
// short one to their apiUrl, which for OpenCX's own server ends with /backend.
var bases = []string{"/backend/widget/v2", "/widget/v2"}

// New returns the function's handler.
func New(c Config) http.Handler {
	if c.API == nil || c.Runs == nil {
		panic("opencx: API and Runs are required")
	}
	c.Wait = cmp.Or(c.Wait, 20*time.Second)
	f := function{c, newCache(maxRenderedBytes)}
	stranger, anybody, contact := api.Visitor(f.stranger), api.Visitor(f.anybody), api.Visitor(f.caller)
	routes := []api.Route{{Pattern: "POST /widget/authenticate-user", Handle: api.Answer(f.authenticate)}}
	for _, base := range bases {
		routes = append(routes,
			api.Route{Pattern: "GET " + base + "/config", Handle: stranger.Answer(f.config)},
			api.Route{Pattern: "POST " + base + "/contact/create-unverified", Handle: stranger.Answer(f.createUnverified)},
			api.Route{Pattern: "POST " + base + "/create-session", Handle: anybody.Answer(f.createSession)},
			api.Route{Pattern: "GET " + base + "/sessions", Handle: contact.Answer(f.sessions)},
			api.Route{Pattern: "GET " + base + "/session/{session}", Handle: anybody.Answer(f.session)},
			api.Route{Pattern: "GET " + base + "/poll/{session}", Handle: anybody.Handle(f.poll)},
			api.Route{Pattern: "GET " + base + "/session/history/{session}", Handle: anybody.Handle(f.history)},
			api.Route{Pattern: "POST " + base + "/chat/send", Handle: anybody.Handle(f.send)},
			api.Route{Pattern: "POST " + base + "/chat/vote", Handle: anybody.Answer(f.vote)},
			api.Route{Pattern: "POST " + base + "/checkpoint", Handle: contact.Answer(f.checkpoint)},
			api.Route{Pattern: "POST " + base + "/action/execute", Handle: api.Within(api.ChangeTime+run.FormTime, contact.Answer(f.execute))},
			api.Route{Pattern: "POST " + base + "/session/resolve", Handle: contact.Answer(f.resolve)},
			api.Route{Pattern: "POST " + base + "/submit-csat", Handle: contact.Answer(f.rate)},
			api.Route{Pattern: "POST " + base + "/upload", Handle: anybody.Handle(f.upload)},
			api.Route{Pattern: "POST " + base + "/upload/v2", Handle: anybody.Handle(f.upload)},
			api.Route{Pattern: "GET " + base + "/me", Handle: api.Answer(f.me)},
			api.Route{Pattern: "GET " + base + "/prelude", Handle: stranger.Answer(f.prelude)},
			api.Route{Pattern: "POST " + base + "/me/create", Handle: stranger.Answer(f.createMe)},
		)
	}
	return c.API.Dialect(refuse, routes...)
}

type function struct {
	Config
	rendered *cache
}

// errorDto is an error in the format of the protocol.
type errorDto struct {
	StatusCode int    `json:"statusCode"`
	Message    string `json:"message"`
	Error      string `json:"error"`
}

func refuse(w http.ResponseWriter, _ *http.Request, p api.Problem) {
	_ = api.JSON(w, p.Status, errorDto{p.Status, p.Detail, p.Code})
}

// success is the answer of calls that return nothing else, with the reason why
// nothing was done.
type success struct {
	Success bool   `json:"success"`
	Reason  string `json:"reason,omitempty"`
}
