// Package close takes the hint that a page is gone. A page that unloads can
// only call navigator.sendBeacon: no header of its own, no preflight, and
// nobody who reads the answer.
//
// Tested by shared/api/apitest.
package close

import (
	"errors"
	"net/http"

	"parley/shared/api"
	"parley/shared/parley"
)

// Config is what the function needs; API is required.
type Config struct {
	API *api.API
}

// New returns the function's handler.
func New(c Config) (http.Handler, error) {
	if c.API == nil {
		return nil, errors.New("close: API is required")
	}
	f := function{c}
	return c.API.Handler(api.Route{Pattern: "POST /close", Handle: f.close}), nil
}

type function struct{ Config }

type answer struct {
	Closed bool `json:"closed"`
}

// close reads the body by what it holds, whatever it is called, and never asks
// for a header.
func (f function) close(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		Key     string           `json:"key"`
		Token   string           `json:"token"`
		Session parley.SessionID `json:"session"`
	}
	if err := api.DecodeAny(r, &in); err != nil {
		return err
	}
	api.About(r, in.Session, "")
	caller, _, err := f.API.CallerOf(r, in.Key, in.Token)
	if err != nil {
		return err
	}
	if err := f.API.Store.Close(r.Context(), caller, in.Session); err != nil {
		return err
	}
	return api.JSON(w, http.StatusOK, answer{Closed: true})
}
