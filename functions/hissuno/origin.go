package hissuno

import (
	"net/url"
	"slices"
	"strings"
)

// allowed reports whether a project's list allows an origin, by the widget's
// own rules, which are not those of the native API: an empty list allows none,
// and schemes are not compared.
func allowed(origin string, list []string) bool {
	return slices.ContainsFunc(list, func(entry string) bool {
		return allows(strings.ToLower(strings.TrimSpace(entry)), strings.ToLower(origin))
	})
}

// allows takes both in lower case.
func allows(entry, origin string) bool {
	switch {
	case entry == "":
		return false
	case entry == "*", entry == origin:
		return true
	}
	from := hostOf(origin)
	if from == "" {
		return false
	}
	domain := entry
	for _, scheme := range []string{"http://", "https://"} {
		domain = strings.TrimPrefix(domain, scheme)
	}
	if domain, below := strings.CutPrefix(domain, "*."); below {
		return domain != "" && (from == domain || strings.HasSuffix(from, "."+domain))
	}
	if !strings.HasPrefix(entry, "http") {
		entry = "https://" + entry
	}
	return from == hostOf(entry)
}

// hostOf is the host of an address with its port, where that is not the
// scheme's own; "" for what has none.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" || u.User != nil {
		return ""
	}
	if port := u.Port(); port == "" || u.Scheme == "http" && port == "80" || u.Scheme == "https" && port == "443" {
		return strings.TrimSuffix(u.Host, ":"+port)
	}
	return u.Host
}
