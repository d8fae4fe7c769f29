package api

import (
	"net/http"

	"parley/shared/parley"
)

// ContactOf is CallerOf for a dialect whose tokens stand for people: the bearer
// token is one that Keyring.Contact made.
func (a *API) ContactOf(r *http.Request, key string) (parley.Caller, *parley.Project, error) {
	p, err := a.ProjectOf(r, key)
	if err != nil {
		return parley.Caller{}, nil, err
	}
	text := bearer(r)
	if text == "" {
		return parley.Caller{}, nil, Denied("token_missing", "this call needs a contact token")
	}
	c, err := a.Keys.ReadContact(p, text)
	if err != nil {
		return parley.Caller{}, nil, refusal("token", err)
	}
	c.Address = Address(r)
	return c, p, a.Store.TakeCall(p, c)
}

// PrivateKey returns the private key that the customer's server sends as its
// bearer token. The error is unknown_key, or origin_refused for a page of another
// site.
func (a *API) PrivateKey(r *http.Request) (parley.PrivateKey, error) {
	secret := bearer(r)
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
