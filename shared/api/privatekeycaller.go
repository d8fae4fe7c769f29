package api

import (
	"errors"
	"net/http"
	"strings"

	"parley/shared/parley"
)

// OperatorHeader names, beside a key of the project's server, the operator who
// acts.
const OperatorHeader = "Parley-Operator"

// testPrivatePrefix is how private keys begin that also work from pages on a
// developer's machine.
const testPrivatePrefix = "sk_test_"

// Staff is who makes a call with a private key.
type Staff struct {
	Caller  parley.Caller
	Project *parley.Project
	Key     parley.PrivateKey
	// Operator is the person who acts; nil for a server that names nobody.
	Operator *parley.Operator
}

// Author is who writes what the call stores: the operator as they are now, or
// the project where a server names nobody.
func (s Staff) Author() parley.Author {
	if s.Operator != nil {
		return s.Operator.Author()
	}
	return parley.Author{Kind: parley.AuthorHuman, Name: s.Project.Name}
}

// Staff returns who makes the request with a private key that has the scope.
// The error is unknown_key, origin_refused, scope_missing or operator_unknown.
func (a *API) Staff(r *http.Request, scope parley.Scope) (Staff, error) {
	secret := bearer(r)
	key, err := a.Store.PrivateKeyOf(r.Context(), secret)
	if err != nil {
		return Staff{}, err
	}
	p, err := a.Store.Project(r.Context(), key.Project)
	if err != nil {
		return Staff{}, err
	}
	lineOf(r).project = p.ID
	if !a.ownPage(r, secret) {
		return Staff{}, denied("origin_refused", "private keys are not for pages of other sites")
	}
	if !key.May(scope) {
		return Staff{}, denied("scope_missing", "the key does not have the scope "+string(scope))
	}
	s := Staff{Project: p, Key: key, Caller: parley.Caller{Project: p.ID, Operator: key.Operator, Server: key.Operator == "", Address: address(r)}}
	named := parley.OperatorID(r.Header.Get(OperatorHeader))
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

func errOperatorUnknown() error {
	return denied("operator_unknown", "the key does not act for this operator, or there is none of this id")
}

// ownPage reports whether no page of another site makes the request: a browser
// that shows one names its origin. Behind a distribution a function does not
// know its own; then the browser's word counts that both are the same, which a
// page cannot put there (Fetch Metadata Request Headers, section 2.3).
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
