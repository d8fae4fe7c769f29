// Package uploads grants uploads, checks what was uploaded, and redirects from
// the permanent address of a file to where it can be downloaded.
//
// Tested by shared/api/apitest.
package uploads

import (
	"net/http"

	"parley/shared/api"
	"parley/shared/parley"
)

// New returns the function's handler.
func New(a *api.API) http.Handler {
	f, visitor := function{a}, api.Visitor(a.Caller)
	return a.Handler(
		api.Route{Pattern: "POST /uploads", Handle: visitor.Answer(f.grant)},
		api.Route{Pattern: "POST /uploads/{id}/complete", Handle: visitor.Answer(f.complete)},
		api.Route{Pattern: "GET /files/{id}/{secret}/{name}", Handle: f.download},
	)
}

type function struct{ *api.API }

func (f function) grant(r *http.Request, c parley.Caller, _ *parley.Project) (any, error) {
	granted, err := f.Grant(r, c)
	return api.Created{Value: granted}, err
}

type completed struct {
	File api.File `json:"file"`
}

func (f function) complete(r *http.Request, c parley.Caller, _ *parley.Project) (any, error) {
	stored, err := f.Store.CompleteUpload(r.Context(), c, parley.FileID(r.PathValue("id")))
	return completed{f.File(r, c.Project, stored)}, err
}

// download redirects to a short-lived link. The name in the address is for
// people and not checked.
func (f function) download(w http.ResponseWriter, r *http.Request) error {
	link, err := f.Store.FileLink(r.Context(), parley.FileID(r.PathValue("id")), r.PathValue("secret"))
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
