package api

import (
	"net/http"
	"net/url"
	"strings"

	"parley/shared/parley"
)

// Whether an origin may call is decided on the request, when the project is
// known, and not by the browser: a preflight carries no key. So every origin
// may ask and may read the answer, be it a refusal, and no answer holds
// anything that a browser sent by itself: there are no cookies.

// preflightLife is how long a browser may remember the answer to a preflight:
// a day, the longest that any of them does (Firefox; Chromium caps it at 2 h).
const preflightLife = "86400"

// exposed are the response headers that a page may read besides the usual ones.
const exposed = "Allow, Retry-After, " + RequestIDHeader

// readable lets the page that asks read the answer.
func readable(w http.ResponseWriter, r *http.Request) {
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

// testPrefix is how keys begin that also work from a developer's machine.
const testPrefix = "pk_test_"

// checkOrigin returns an origin_refused error unless the request's origin may
// use the key. A request without an origin is no page's of another site, but
// one of the site that serves the API, or no browser's: both may.
func checkOrigin(r *http.Request, p *parley.Project, key string) error {
	origin := r.Header.Get("Origin")
	if origin == "" || listed(origin, p.Origins) || Developing(origin, key) {
		return nil
	}
	return &parley.Error{Kind: parley.ErrDenied, Code: "origin_refused", Text: "the project does not allow this origin"}
}

func listed(origin string, list []string) bool {
	for _, entry := range list {
		if allows(entry, origin) {
			return true
		}
	}
	return false
}

// allows reports whether an entry of a project's list covers an origin. An
// entry is "*", or a host with what else is to be compared: a scheme before it,
// a port after it. Without a scheme both of the web's will do, without a port
// only the scheme's own. "*." before the host covers it and all below it.
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

// site is an origin in parts, folded as hosts and schemes are compared.
type site struct{ scheme, host, port string }

// parseOrigin takes an origin apart; ok is false for what is none, such as
// "null", which pages without one send.
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

// Developing reports whether a page on the machine of whoever develops calls
// with a key for that: then no list of origins is asked.
func Developing(origin, key string) bool { return strings.HasPrefix(key, testPrefix) && local(origin) }

// local reports whether an origin is on the machine of whoever develops.
func local(origin string) bool {
	s, ok := parseOrigin(origin)
	return ok && (s.scheme == "http" || s.scheme == "https") &&
		(s.host == "localhost" || s.host == "127.0.0.1" || s.host == "::1")
}
