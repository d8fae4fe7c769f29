package api

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"parley/shared/parley"
)

// Whether an origin may call is decided with the request itself, when its key
// tells the project; a preflight carries no key. So every origin passes the
// preflight and may read the answer, even a refusal. That is safe because there
// are no cookies: an answer contains nothing that a browser authorised by
// itself.

// preflightLife is how many seconds a browser may remember a preflight: a day,
// the longest that any of them does (Firefox; Chromium 2 h).
const preflightLife = "86400"

// exposed are the response headers that a page may read besides those that it
// always may.
const exposed = "Allow, Retry-After, " + RequestIDHeader

// allowReading lets the page that made the request read the answer.
func allowReading(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Vary", "Origin")
	if origin := r.Header.Get("Origin"); origin != "" {
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Expose-Headers", exposed)
	}
}

// preflight answers a preflight, and reports whether the request was one.
func preflight(w http.ResponseWriter, r *http.Request) bool {
	method := r.Header.Get("Access-Control-Request-Method")
	if r.Method != http.MethodOptions || method == "" || r.Header.Get("Origin") == "" {
		return false
	}
	h := w.Header()
	h.Set("Access-Control-Allow-Methods", method)
	if headers := r.Header.Get("Access-Control-Request-Headers"); headers != "" {
		h.Set("Access-Control-Allow-Headers", headers)
	}
	h.Set("Access-Control-Max-Age", preflightLife)
	w.WriteHeader(http.StatusNoContent)
	return true
}

// testPrefix begins the keys that also work on a developer's machine.
const testPrefix = "pk_test_"

// CheckOrigin returns an origin_refused error unless the origin of a header may
// use any of the keys. A request without an origin comes from the site that serves the
// API, or from no browser, and is allowed.
func CheckOrigin(h http.Header, p *parley.Project, keys ...string) error {
	origin := h.Get("Origin")
	listed := func(entry string) bool { return allows(entry, origin) }
	developing := func(key string) bool { return Developing(origin, key) }
	if origin == "" || slices.ContainsFunc(p.Origins, listed) || slices.ContainsFunc(keys, developing) {
		return nil
	}
	return &parley.Error{Kind: parley.ErrDenied, Code: "origin_refused", Text: "the project does not allow this origin"}
}

// allows reports whether an entry of a project's list covers an origin. An entry
// is "*", or a host, optionally with a scheme before it and a port after it.
// Without a scheme both http and https match; without a port only the scheme's
// default does. "*." before the host covers it and all its subdomains.
func allows(entry, origin string) bool {
	if entry == "*" {
		return true
	}
	from, ok := parseOrigin(origin)
	if !ok {
		return false
	}
	scheme, rest, hasScheme := strings.Cut(entry, "://")
	if !hasScheme {
		scheme, rest = from.scheme, entry
		if scheme != "http" && scheme != "https" {
			return false
		}
	}
	host, below := strings.CutPrefix(rest, "*.")
	to, ok := parseOrigin(scheme + "://" + host)
	if !ok || to.scheme != from.scheme || to.port != from.port {
		return false
	}
	return from.host == to.host || below && strings.HasSuffix(from.host, "."+to.host)
}

// site is an origin in parts, in lower case for comparison.
type site struct{ scheme, host, port string }

// parseOrigin splits an origin. ok is false for anything else, such as the
// "null" that pages without an origin send.
func parseOrigin(text string) (s site, ok bool) {
	u, err := url.Parse(strings.ToLower(text))
	if err != nil || u.Scheme == "" || u.Hostname() == "" || u.User != nil || strings.Trim(u.Path, "/")+u.RawQuery+u.Fragment != "" {
		return site{}, false
	}
	s = site{u.Scheme, u.Hostname(), u.Port()}
	if s.port == "" {
		s.port = map[string]string{"http": "80", "https": "443"}[s.scheme]
	}
	return s, true
}

// Developing reports whether a page on a developer's own machine calls with a
// test key. Then the project's list of origins does not apply.
func Developing(origin, key string) bool { return strings.HasPrefix(key, testPrefix) && local(origin) }

// local reports whether an origin is on the machine of the browser itself.
func local(origin string) bool {
	s, ok := parseOrigin(origin)
	return ok && (s.scheme == "http" || s.scheme == "https") &&
		(s.host == "localhost" || s.host == "127.0.0.1" || s.host == "::1")
}
