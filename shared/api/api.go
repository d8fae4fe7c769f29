// Package api is what the functions of the native HTTP API share: the way from
// a request to a caller, from an error to a problem document, and from the
// domain's nouns to JSON. OpenAPI describes the whole of it.
package api

import (
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
	// Keys checks the tokens of visitors, and issues them.
	Keys *token.Keyring
	// URLs are the bases under which clients reach the functions; an empty one
	// is the base of the request at hand.
	URLs URLs
	// Log takes one line a request; nil means slog.Default.
	Log *slog.Logger
	// RequestID returns the id that the platform gave a request, "" if it gave
	// none; then, and where this is nil, a random one is made.
	RequestID func(context.Context) string
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
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return &API{c}, nil
}

// HandlerFunc answers a request, or returns an error before it has written
// anything; the error is then sent as a problem document.
type HandlerFunc func(w http.ResponseWriter, r *http.Request) error

// Route is one call of a function: a pattern of http.ServeMux with a method,
// such as "POST /chat/{session}/cancel", and what answers it. Path values named
// session and run are logged as hashes.
type Route struct {
	Pattern string
	Handle  HandlerFunc
}

// Handler serves the routes, with all that every call needs: it recovers from
// panics, logs, answers preflights, and lets every origin read the answer,
// which is a refusal where the project does not list the origin. A path may have
// doubled slashes and one at its end.
func (a *API) Handler(routes ...Route) http.Handler {
	return a.Dialect(func(w http.ResponseWriter, _ *http.Request, p Problem) {
		write(w, p.Status, "application/problem+json", p)
	}, routes...)
}

// Refusal answers a request with an error, in the shape of a dialect. The
// headers that go with the problem are set already.
type Refusal func(w http.ResponseWriter, r *http.Request, p Problem)

// Dialect is Handler for an API that is not the native one: refuse writes every
// error of it.
func (a *API) Dialect(refuse Refusal, routes ...Route) http.Handler {
	mux := http.NewServeMux()
	var methods []string
	for _, route := range routes {
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
		l := &line{request: a.requestID(r.Context()), refuse: refuse}
		r = r.WithContext(context.WithValue(r.Context(), lineKey{}, l))
		defer a.log(w, r, l, time.Now())
		defer a.recover(w, r)
		w.Header().Set(RequestIDHeader, l.request)
		readable(w, r)
		if preflight(w, r) {
			return
		}
		cleanPath(r)
		if _, pattern := mux.Handler(r); pattern == "" {
			a.fail(w, r, unrouted(w, r, mux, methods))
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// cleanPath removes doubled slashes and one at the end, without the redirect
// with which http.ServeMux would answer them.
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

// unrouted says why no route takes a request.
func unrouted(w http.ResponseWriter, r *http.Request, mux *http.ServeMux, methods []string) error {
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

// Lasting is the context of what a request sets going and what is done whether or
// not the client stays to hear of it: until the host's deadline, or for at most
// so long where the host sets none.
func Lasting(r *http.Request, most time.Duration) (context.Context, context.CancelFunc) {
	free := context.WithoutCancel(r.Context())
	if deadline, ok := r.Context().Deadline(); ok {
		return context.WithDeadline(free, deadline)
	}
	return context.WithTimeout(free, most)
}
