package cossistant

import (
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"parley/shared/api"
	"parley/shared/parley"
)

// testPrefix begins the keys that also work on a developer's machine.
const testPrefix = "pk_test_"

// CheckOrigin returns an origin_refused error unless the request comes from a page
// that may use the key. By the rule of the protocol the host alone decides, and a page
// has to name itself: in Origin or, in a request to its own site, in Referer. Keys that
// are not for tests need https and no machine of one's own.
func CheckOrigin(r *http.Request, p *parley.Project, key string) error {
	from, ok := origin(r)
	if !ok {
		return errOrigin()
	}
	if strings.HasPrefix(key, testPrefix) && api.Developing(from.Scheme+"://"+from.Host, key) {
		return nil
	}
	if !strings.HasPrefix(key, testPrefix) && (from.Scheme != "https" || private(from.Hostname())) {
		return errOrigin()
	}
	for _, entry := range p.Origins {
		if covers(entry, strings.ToLower(from.Hostname())) {
			return nil
		}
	}
	return errOrigin()
}

func errOrigin() error {
	return &parley.Error{Kind: parley.ErrDenied, Code: "origin_refused", Text: "the project does not allow this origin"}
}

// origin is where the page is that makes a request.
func origin(r *http.Request) (*url.URL, bool) {
	text := r.Header.Get("Origin")
	if text == "" {
		text = r.Header.Get("Referer")
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
		return nil, false
	}
	return u, true
}

// private reports whether a host is reached from its own machine or network alone.
func private(host string) bool {
	a, err := netip.ParseAddr(host)
	if err != nil {
		host = strings.ToLower(host)
		return host == "localhost" || strings.HasSuffix(host, ".localhost")
	}
	return a.IsLoopback() || a.IsPrivate() || a.IsLinkLocalUnicast() || a.IsUnspecified()
}

// covers reports whether an entry of a project's list is for a host, in small letters.
func covers(entry, host string) bool {
	if entry == "*" {
		return true
	}
	if _, rest, found := strings.Cut(entry, "://"); found {
		entry = rest
	}
	name, below := strings.CutPrefix(entry, "*.")
	u, err := url.Parse("//" + strings.ToLower(name))
	if err != nil || u.Hostname() == "" {
		return false
	}
	return host == u.Hostname() || below && strings.HasSuffix(host, "."+u.Hostname())
}
