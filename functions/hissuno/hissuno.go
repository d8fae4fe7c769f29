// Package hissuno is the dialect of the Hissuno widget: what that widget asks
// for, in the words that it knows. The id of a session is all that it can show,
// so that is the credential; what a page has received it never says, so that is
// seen from what it asks next (page.go).
package hissuno

import (
	"cmp"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"parley/shared/api"
	"parley/shared/run"
)

// Config is what the function needs; API and Engine are required.
type Config struct {
	API    *api.API
	Engine *run.Engine
	// Hold is how long a request for updates may wait for what comes next. Zero,
	// right for Lambda, where waiting costs money, answers with what there is.
	Hold time.Duration
	// Poll is how often a held request looks; zero means 500 ms.
	Poll time.Duration
	// Heartbeat is how long a stream may be silent; zero means 10 s: below the
	// 30 s after which CloudFront gives an origin up.
	Heartbeat time.Duration
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// mount is where the widget's apiUrl points, without the "/chat" at its end.
const mount = "/hissuno/"

// New returns the function's handler.
func New(c Config) http.Handler {
	if c.API == nil || c.Engine == nil {
		panic("hissuno: API and Engine are required")
	}
	c.Poll, c.Heartbeat = cmp.Or(c.Poll, 500*time.Millisecond), cmp.Or(c.Heartbeat, 10*time.Second)
	if c.Now == nil {
		c.Now = time.Now
	}
	f := function{c}
	handler := c.API.Dialect(refuse,
		api.Route{Pattern: "GET /hissuno/embed", Handle: api.Answer(f.settings)},
		api.Route{Pattern: "GET /hissuno/chat", Handle: api.Answer(f.status)},
		api.Route{Pattern: "POST /hissuno/chat", Handle: f.send},
		api.Route{Pattern: "GET /hissuno/chat/stream", Handle: f.stream},
		api.Route{Pattern: "GET /hissuno/chat/updates", Handle: f.updates},
		api.Route{Pattern: "POST /hissuno/chat/stream/cancel", Handle: api.Answer(f.cancel)},
		api.Route{Pattern: "POST /hissuno/chat/close", Handle: api.Answer(f.close)},
	)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, shortened(r)) })
}

type function struct{ Config }

// ends are what the widget appends to its apiUrl, and what it puts in place of
// its end.
var ends = []string{"chat/stream/cancel", "chat/stream", "chat/updates", "chat/close", "chat", "embed"}

// shortened drops what an apiUrl has between the mount and its end: whoever
// deploys the widget may put there what they like. Doubled slashes go too.
func shortened(r *http.Request) *http.Request {
	clean := path.Clean("/" + r.URL.Path)
	rest, ours := strings.CutPrefix(clean, mount)
	if !ours {
		return r
	}
	at := slices.IndexFunc(ends, func(end string) bool { return rest == end || strings.HasSuffix(rest, "/"+end) })
	if at < 0 {
		return r
	}
	short, address := *r, *r.URL
	address.Path, address.RawPath = mount+ends[at], ""
	short.URL = &address
	return &short
}
