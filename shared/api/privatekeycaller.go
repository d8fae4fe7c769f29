package api

import (
	"errors"
	"net/http"
	"strings"

	"parley/shared/parley"
)

// OperatorHeader names the operator who acts, in a request with a key of the
// project's server.
const OperatorHeader = "Parley-Operator"

// testPrivatePrefix begins the private keys that also work from pages on a
// developer's machine.
const testPrivatePrefix = "sk_test_"

// PrivateKey returns the private key that the customer's server sends as its
// bearer token. The error is unknown_key, or origin_refused for a page of another
// site.
func (a *API) PrivateKey(r *http.Request) (parley.PrivateKey, error) {
	secret := Bearer(r.Header)
	k, err := a.Store.PrivateKeyOf(r.Context(), secret)
	if err != nil {
		return k, err
	}
	logLineOf(r).project = k.Project
	if !a.ownPage(r, secret) {
		return parley.PrivateKey{}, errForeignPage()
	}
	return k, nil
}

// Staff is who makes a request with a private key.
type Staff struct {
	Caller  parley.Caller
	Project *parley.Project
	Key     parley.PrivateKey
	// Operator is the person who acts; nil where a server names nobody.
	Operator *parley.Operator
}

// Author is the author of what the request stores: the operator, or the project
// where a server names nobody.
func (s Staff) Author() parley.Author {
	if s.Operator != nil {
		return s.Operator.Author()
	}
	return parley.Author{Kind: parley.AuthorHuman, Name: s.Project.Name}
}

// Staff returns who makes the request, with a private key that has the scope.
// The error is unknown_key, origin_refused, scope_missing or operator_unknown.
func (a *API) Staff(r *http.Request, scope parley.Scope) (Staff, error) {
	return a.StaffNaming(r, scope, parley.OperatorID(r.Header.Get(OperatorHeader)))
}

// StaffNaming is Staff for a dialect in which a server names the operator who acts in
// another place; "" names nobody.
func (a *API) StaffNaming(r *http.Request, scope parley.Scope, named parley.OperatorID) (Staff, error) {
	key, err := a.PrivateKey(r)
	if err != nil {
		return Staff{}, err
	}
	p, err := a.Store.Project(r.Context(), key.Project)
	if err != nil {
		return Staff{}, err
	}
	if !key.May(scope) {
		return Staff{}, Denied("scope_missing", "the key does not have the scope "+string(scope))
	}
	s := Staff{Project: p, Key: key, Caller: parley.Caller{Project: p.ID, Operator: key.Operator, Server: key.Operator == "", Address: Address(r)}}
	if named != "" && key.Operator != "" && named != key.Operator {
		return Staff{}, errOperatorUnknown()
	}
	if named != "" {
		s.Caller.Operator = named
	}
	if s.Caller.Operator == "" {
		return s, nil
	}
	o, err := a.Store.Operator(r.Context(), p.ID, s.Caller.Operator)
	if errors.Is(err, parley.ErrNotFound) {
		return Staff{}, errOperatorUnknown()
	}
	s.Operator = &o
	return s, err
}

func errForeignPage() error {
	return Denied("origin_refused", "a private key is not for pages of other sites: it belongs on your server, and everybody "+
		"who opens this page can read it; revoke it and make a new one")
}

func errOperatorUnknown() error {
	return Denied("operator_unknown", "the key does not act for this operator, or there is none of this id")
}

// ownPage reports whether the request does not come from a page of another site,
// for such a page must not use a private key. A browser names the page's origin.
// Behind a distribution a function does not know its own origin; then
// Sec-Fetch-Site is believed, which a page cannot set (Fetch Metadata Request
// Headers, section 2.3).
func (a *API) ownPage(r *http.Request, secret string) bool {
	origin := r.Header.Get("Origin")
	switch {
	case origin == "", r.Header.Get("Sec-Fetch-Site") == "same-origin":
		return true
	case strings.HasPrefix(secret, testPrivatePrefix) && local(origin):
		return true
	}
	here, ok := parseOrigin(base(r))
	from, known := parseOrigin(origin)
	return ok && known && here == from
}
