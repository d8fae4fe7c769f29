package api

import (
	"cmp"
	"net/http"
	"net/url"
	"strings"

	"parley/shared/parley"
)

// URLs are the base addresses of the functions, as clients reach them. Paths of
// the API are appended. They may be equal, and have a path themselves.
type URLs struct {
	Identify string `json:"identify"`
	Chat     string `json:"chat"`
	Updates  string `json:"updates"`
	Close    string `json:"close"`
	History  string `json:"history"`
	CSAT     string `json:"csat"`
	Uploads  string `json:"uploads"`
}

// Bases returns the configured bases without a slash at the end; where one is
// missing, the base of the request. For a request that came through a distribution all
// are at the address that the client used, whatever is configured.
func (a *API) Bases(r *http.Request) URLs {
	here, u := base(r), a.URLs
	if a.AtOneAddress(r) {
		u = URLs{}
	}
	for _, s := range []*string{&u.Identify, &u.Chat, &u.Updates, &u.Close, &u.History, &u.CSAT, &u.Uploads} {
		if *s = strings.TrimRight(*s, "/"); *s == "" {
			*s = here
		}
	}
	return u
}

// AtOneAddress reports whether the request came through a distribution, which has all
// functions, pages and sockets at one address.
func (a *API) AtOneAddress(r *http.Request) bool { return a.Through != nil && a.Through(r.Context()) }

// base returns the scheme and host that the client used. The client could forge
// both, but only misleads itself: the result goes into answers to this client,
// which no cache stores.
func base(r *http.Request) string {
	scheme := r.URL.Scheme
	if r.TLS != nil {
		scheme = "https"
	}
	if forwarded := r.Header.Get("X-Forwarded-Proto"); forwarded == "http" || forwarded == "https" {
		scheme = forwarded
	}
	return (&url.URL{Scheme: cmp.Or(scheme, "http"), Host: r.Host}).String()
}

// FileURL returns the permanent address of a file.
func (a *API) FileURL(r *http.Request, project parley.ProjectID, id parley.FileID, name string) string {
	return FileURLAt(a.Bases(r).Uploads, a.Store, project, id, name)
}

// FileURLAt returns the permanent address of a file under a base without a slash
// at its end.
func FileURLAt(base string, s *parley.Store, project parley.ProjectID, id parley.FileID, name string) string {
	return base + "/files/" + string(id) + "/" + s.FileSecret(project, id) + "/" + url.PathEscape(name)
}
