package api

import (
	"cmp"
	"errors"
	"net"
	"net/http"
	"strings"

	"parley/shared/parley"
	"parley/shared/token"
)

// KeyHeader carries the project's public key.
const KeyHeader = "Parley-Key"

// ErrTicketOver is returned for an expired ticket. A stream that was opened with
// it is answered with 204, the status that tells an EventSource to stop
// reconnecting.
var ErrTicketOver error = &parley.Error{Kind: parley.ErrDenied, Code: "token_expired", Text: "the ticket has expired"}

// Project returns the project of the request's key. The error is unknown_key,
// origin_refused or calls_limit.
func (a *API) Project(r *http.Request) (*parley.Project, error) {
	return a.ProjectOf(r, r.Header.Get(KeyHeader))
}

// ProjectOf is Project for a dialect whose clients send the key in another
// place.
func (a *API) ProjectOf(r *http.Request, key string) (*parley.Project, error) {
	return a.ProjectBy(r, key, func(r *http.Request, p *parley.Project, key string) error { return CheckOrigin(r.Header, p, key) })
}

// OriginRule returns an origin_refused error unless the request may use the key of the
// project, by where it comes from.
type OriginRule func(r *http.Request, p *parley.Project, key string) error

// ProjectBy is ProjectOf for a dialect that has a rule of its own for who may use the
// key.
func (a *API) ProjectBy(r *http.Request, key string, rule OriginRule) (*parley.Project, error) {
	p, err := a.Store.ProjectByKey(r.Context(), key)
	if err != nil {
		return nil, err
	}
	logLineOf(r).project = p.ID
	if err := rule(r, p, key); err != nil {
		return p, err
	}
	return p, a.Store.TakeCall(p, parley.Caller{Project: p.ID, Address: Address(r)})
}

// Caller returns who makes the request: the project by its key, the visitor by
// the token. Whether the visitor's own tokens have been revoked the domain checks,
// together with whatever the call does. The error is one of Project's,
// token_missing, token_invalid, token_expired or token_revoked.
func (a *API) Caller(r *http.Request) (parley.Caller, *parley.Project, error) {
	return a.CallerOf(r, r.Header.Get(KeyHeader), Bearer(r.Header))
}

// CallerOf is Caller with a key and a token from another place in the request.
func (a *API) CallerOf(r *http.Request, key, text string) (parley.Caller, *parley.Project, error) {
	return a.bearerOf(r, key, text, "visitor", a.Keys.ReadVisitor)
}

// ContactOf is CallerOf for a dialect whose tokens stand for people: the bearer
// token is one that Keyring.Contact made.
func (a *API) ContactOf(r *http.Request, key string) (parley.Caller, *parley.Project, error) {
	return a.bearerOf(r, key, Bearer(r.Header), "contact", a.Keys.ReadContact)
}

// bearerOf returns who bears a token of a kind, which read takes apart.
func (a *API) bearerOf(r *http.Request, key, text, kind string,
	read func(*parley.Project, string) (parley.Caller, error)) (parley.Caller, *parley.Project, error) {
	p, err := a.ProjectOf(r, key)
	if err != nil {
		return parley.Caller{}, nil, err
	}
	if text == "" {
		return parley.Caller{}, nil, Denied("token_missing", "this call needs a "+kind+" token")
	}
	c, err := read(p, text)
	if err != nil {
		return parley.Caller{}, nil, refusal("token", err)
	}
	c.Address = Address(r)
	return c, p, a.Store.TakeCall(p, c)
}

// Newcomer is Caller for a visitor who may not have a token yet. Without one the
// caller has only a project and an address.
func (a *API) Newcomer(r *http.Request) (parley.Caller, *parley.Project, error) {
	if Bearer(r.Header) != "" {
		return a.Caller(r)
	}
	return a.stranger(r, r.Header.Get(KeyHeader))
}

// Stranger is Newcomer for a call that takes no token, and may have the key in its
// query: nobody writes headers into the address that a solver of challenges asks.
func (a *API) Stranger(r *http.Request) (parley.Caller, *parley.Project, error) {
	return a.stranger(r, cmp.Or(r.Header.Get(KeyHeader), r.URL.Query().Get("key")))
}

func (a *API) stranger(r *http.Request, key string) (parley.Caller, *parley.Project, error) {
	p, err := a.ProjectOf(r, key)
	if err != nil {
		return parley.Caller{}, nil, err
	}
	return parley.Caller{Project: p.ID, Address: Address(r)}, p, nil
}

// Reader returns who reads a session: by key and token, or by a ticket in the
// query where the client cannot set headers, as EventSource cannot. The error is
// one of Caller's, ErrTicketOver, or not_found for a session that the ticket is
// not for.
func (a *API) Reader(r *http.Request, session parley.SessionID) (parley.Caller, *parley.Project, error) {
	text := r.URL.Query().Get("ticket")
	if text == "" || Bearer(r.Header) != "" {
		return a.Caller(r)
	}
	t, err := a.Keys.ReadTicket(text)
	if errors.Is(err, token.ErrExpired) {
		return parley.Caller{}, nil, ErrTicketOver
	}
	if err != nil {
		return parley.Caller{}, nil, refusal("token", err)
	}
	p, err := a.ProjectOf(r, t.Key)
	if err != nil {
		return parley.Caller{}, nil, err
	}
	if p.ID != t.Caller.Project {
		return parley.Caller{}, nil, refusal("token", token.ErrInvalid)
	}
	if t.Issued < p.TokenGeneration {
		return parley.Caller{}, nil, refusal("token", token.ErrRevoked)
	}
	if t.Session != session {
		return parley.Caller{}, nil, &parley.Error{Kind: parley.ErrNotFound, Code: "not_found", Text: "session not found"}
	}
	t.Caller.Address = Address(r)
	return t.Caller, p, a.Store.TakeCall(p, t.Caller)
}

// Ticket returns a ticket for the session, bound to the key of the request. p is the
// project as the caller was admitted to it: the ticket stands no longer than the
// caller's token, even where tokens were made void a moment ago.
func (a *API) Ticket(r *http.Request, p *parley.Project, c parley.Caller, session parley.SessionID) (string, error) {
	c.Address = ""
	return a.Keys.Ticket(token.Ticket{Key: r.Header.Get(KeyHeader), Caller: c, Session: session, Issued: p.TokenGeneration})
}

// Identity returns what the project's backend has signed about a person. The
// error is identity_invalid, identity_expired or identity_too_long.
func (a *API) Identity(p *parley.Project, text string) (parley.Identity, error) {
	i, err := a.Keys.ReadIdentity(p, text)
	return i, refusal("identity", err)
}

// Pass is Identity for one that a chat hub's client shows.
func (a *API) Pass(p *parley.Project, text string) (token.Pass, error) {
	if text == "" {
		return token.Pass{}, Denied("token_missing", "this call needs an identity that the project's backend has signed")
	}
	pass, err := a.Keys.ReadPass(p, text)
	return pass, refusal("identity", err)
}

// refusal is the error for a token that the keyring did not accept; nil if it did.
func refusal(what string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, token.ErrExpired):
		return Denied(what+"_expired", "the "+what+" has expired")
	case errors.Is(err, token.ErrRevoked):
		return Denied(what+"_revoked", "the "+what+" is no longer valid")
	case errors.Is(err, token.ErrTooLong):
		return Denied(what+"_too_long", "the "+what+" is valid for longer than the project allows from when it was issued")
	}
	return Denied(what+"_invalid", "the "+what+" is malformed, or not signed for this project")
}

// Denied is the error of a call that is not for who makes it.
func Denied(code, text string) error {
	return &parley.Error{Kind: parley.ErrDenied, Code: code, Text: text}
}

// Bearer returns the token of the Authorization header, "" if there is none
// (RFC 6750, section 2.1; the scheme's name is folded, RFC 9110, section 11.1).
func Bearer(h http.Header) string {
	scheme, text, _ := strings.Cut(h.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(text)
}

// Address is the network address of a request's client, without its port.
func Address(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
