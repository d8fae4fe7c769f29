package operator

import (
	"net/http"

	"parley/shared/api"
	"parley/shared/parley"
)

func (f function) grant(r *http.Request, s api.Staff) (any, error) {
	granted, err := f.API.Grant(r, s.Caller)
	return api.Created{Value: granted}, err
}

func (f function) complete(r *http.Request, s api.Staff) (any, error) {
	stored, err := f.API.Store.CompleteUpload(r.Context(), s.Caller, parley.FileID(r.PathValue("id")))
	return map[string]api.File{"file": f.API.File(r, s.Project.ID, stored)}, err
}
