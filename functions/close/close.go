// Package close takes the hint that a page is gone. A page that unloads can
// only call navigator.sendBeacon: no header of its own, no preflight, and
// nobody who reads the answer.
//
// Tested by shared/api/apitest.
package close

import (
	"net/http"

	"parley/shared/api"
	"parley/shared/parley"
)

// New returns the function's handler.
func New(a *api.API) http.Handler {
	f := function{a}
	return a.Handler(api.Route{Pattern: "POST /close", Handle: api.Answer(f.close)})
}

type function struct{ *api.API }

type answer struct {
	Closed bool `json:"closed"`
}

// close reads the body by what it holds, whatever it is called, and never asks
// for a header.
func (f function) close(r *http.Request) (any, error) {
	var in struct {
		Key     string           `json:"key"`
		Token   string           `json:"token"`
		Session parley.SessionID `json:"session"`
	}
	if err := api.DecodeAny(r, &in); err != nil {
		return nil, err
	}
	api.About(r, in.Session, "")
	caller, _, err := f.CallerOf(r, in.Key, in.Token)
	if err != nil {
		return nil, err
	}
	return answer{Closed: true}, f.Store.Close(r.Context(), caller, in.Session)
}
