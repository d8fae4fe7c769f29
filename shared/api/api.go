// Package api is what the functions of the native HTTP API share: authenticating
// callers, turning errors into problem documents and the domain's types into
// JSON. OpenAPI describes the whole API.
package api

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"parley/shared/parley"
	"parley/shared/token"
)

// Config is what an API needs. Store and Keys are required.
type Config struct {
	Store *parley.Store
	// Keys issues and checks the tokens of visitors.
	Keys *token.Keyring
	// URLs are the bases under which clients reach the functions. Where one is
	// empty, the base of the current request is used.
	URLs URLs
	// Log takes one line a request; nil means slog.Default.
	Log *slog.Logger
	// RequestID returns the id that the platform gave a request, or "". Then, and
	// with a nil RequestID, a random id is used.
	RequestID func(context.Context) string
	// Through reports whether a request came through a distribution, whose host is then
	// the request's; nil means that none does.
	Through func(context.Context) bool
	// Routed is told the pattern of every route that a handler is made for; nil tells
	// nobody. By it a test compares what is served with where requests are sent.
	Routed func(pattern string)
}

// API makes handlers. It is safe for concurrent use.
type API struct {
	Config
}

// New returns an API.
func New(c Config) (*API, error) {
	if c.Store == nil || c.Keys == nil {
		return nil, errors.New("api: Store and Keys are required")
	}
	c.Log = cmp.Or(c.Log, slog.Default())
	return &API{c}, nil
}

// HandlerFunc answers a request. If it returns an error it must not have written
// anything, for the error is then sent as a problem document.
type HandlerFunc func(w http.ResponseWriter, r *http.Request) error

// Route is one endpoint of a function: a pattern of http.ServeMux with a method,
// such as "POST /chat/{session}/cancel", and its handler. Path values named
// session and run are logged as hashes.
type Route struct {
	Pattern string
	Handle  HandlerFunc
}

// Handler serves the routes, with what every endpoint needs: it recovers from
// panics, logs requests, and answers preflights. Every origin may read every
// answer; for an origin that the project does not list, that answer is a
// refusal. A path may contain doubled slashes and end with one.
func (a *API) Handler(routes ...Route) http.Handler {
	return a.Dialect(func(w http.ResponseWriter, _ *http.Request, p Problem) {
		write(w, p.Status, "application/problem+json", p)
	}, routes...)
}

// Refusal writes an error in the format of a dialect. The headers that belong to
// the problem are already set.
type Refusal func(w http.ResponseWriter, r *http.Request, p Problem)

// Dialect is Handler for an API other than the native one: refuse writes all of
// its errors.
func (a *API) Dialect(refuse Refusal, routes ...Route) http.Handler {
	mux := http.NewServeMux()
	var methods []string
	for _, route := range routes {
		if a.Routed != nil {
			a.Routed(route.Pattern)
		}
		mux.HandleFunc(route.Pattern, func(w http.ResponseWriter, r *http.Request) {
			if err := route.Handle(w, r); err != nil {
				a.fail(w, r, err)
			}
		})
		method, _, _ := strings.Cut(route.Pattern, " ")
		methods = append(methods, method)
	}
	slices.Sort(methods)
	methods = slices.Compact(methods)
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w := &response{ResponseWriter: rw}
		l := &logLine{request: a.requestID(r.Context()), refuse: refuse}
		r = r.WithContext(context.WithValue(r.Context(), logLineKey{}, l))
		defer a.log(w, r, l, time.Now())
		defer a.recover(w, r)
		w.Header().Set(RequestIDHeader, l.request)
		allowReading(w, r)
		if preflight(w, r) {
			return
		}
		cleanPath(r)
		if _, pattern := mux.Handler(r); pattern == "" {
			a.fail(w, r, noRoute(w, r, mux, methods))
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// cleanPath removes doubled slashes and one at the end, without the redirect of
// http.ServeMux, after which a client may send a GET instead of a POST.
func cleanPath(r *http.Request) {
	escaped := path.Clean("/" + r.URL.EscapedPath())
	plain, err := url.PathUnescape(escaped)
	if err != nil {
		return // an EscapedPath can be unescaped; the mux takes it as it is
	}
	u := *r.URL
	u.Path, u.RawPath = plain, escaped
	r.URL = &u
}

// noRoute says why no route matches a request: the address is unknown, or it
// takes other methods.
func noRoute(w http.ResponseWriter, r *http.Request, mux *http.ServeMux, methods []string) error {
	var allowed []string
	for _, method := range methods {
		try := *r
		try.Method = method
		if _, pattern := mux.Handler(&try); pattern != "" {
			allowed = append(allowed, method)
		}
	}
	if len(allowed) == 0 {
		return &parley.Error{Kind: parley.ErrNotFound, Code: "not_found", Text: "there is no such address"}
	}
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	return &parley.Error{Kind: parley.ErrInvalid, Code: "method_not_allowed", Text: "this address takes " + strings.Join(allowed, ", ")}
}

// Lasting returns a context for work that must be finished whether or not the
// client stays: it ends with the host's deadline, or after most if the host sets
// none.
func Lasting(r *http.Request, most time.Duration) (context.Context, context.CancelFunc) {
	free := context.WithoutCancel(r.Context())
	if deadline, ok := r.Context().Deadline(); ok {
		return context.WithDeadline(free, deadline)
	}
	return context.WithTimeout(free, most)
}
