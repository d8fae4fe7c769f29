// Package uploads grants uploads, checks what was uploaded, and redirects from
// the permanent address of a file to where it can be downloaded.
//
// Tested by shared/api/apitest.
package uploads

import (
	"errors"
	"net/http"

	"parley/shared/api"
	"parley/shared/parley"
)

// Config is what the function needs; API is required, and its store needs a bucket.
type Config struct {
	API *api.API
}

// New returns the function's handler.
func New(c Config) (http.Handler, error) {
	if c.API == nil {
		return nil, errors.New("uploads: API is required")
	}
	f := function{c}
	return c.API.Handler(
		api.Route{Pattern: "POST /uploads", Handle: f.grant},
		api.Route{Pattern: "POST /uploads/{id}/complete", Handle: f.complete},
		api.Route{Pattern: "GET /files/{id}/{secret}/{name}", Handle: f.download},
	), nil
}

type function struct{ Config }

func (f function) grant(w http.ResponseWriter, r *http.Request) error {
	caller, _, err := f.API.Caller(r)
	if err != nil {
		return err
	}
	granted, err := f.API.Grant(r, caller)
	if err != nil {
		return err
	}
	return api.JSON(w, http.StatusCreated, granted)
}

type completed struct {
	File api.File `json:"file"`
}

func (f function) complete(w http.ResponseWriter, r *http.Request) error {
	caller, _, err := f.API.Caller(r)
	if err != nil {
		return err
	}
	stored, err := f.API.Store.CompleteUpload(r.Context(), caller, parley.FileID(r.PathValue("id")))
	if err != nil {
		return err
	}
	return api.JSON(w, http.StatusOK, completed{f.API.File(r, caller.Project, stored)})
}

// download redirects to a short-lived link. The name in the address is for
// people and not checked.
func (f function) download(w http.ResponseWriter, r *http.Request) error {
	link, err := f.API.Store.FileLink(r.Context(), parley.FileID(r.PathValue("id")), r.PathValue("secret"))
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Location", link)
	h.Set("Cache-Control", "private, max-age=60")
	h.Set("Referrer-Policy", "no-referrer")
	w.WriteHeader(http.StatusFound)
	return nil
}
