package operator

import (
	"net/http"

	"parley/shared/api"
	"parley/shared/parley"
)

func (f function) grant(w http.ResponseWriter, r *http.Request, s api.Staff) error {
	granted, err := f.API.Grant(r, s.Caller)
	if err != nil {
		return err
	}
	return api.JSON(w, http.StatusCreated, granted)
}

func (f function) complete(w http.ResponseWriter, r *http.Request, s api.Staff) error {
	stored, err := f.API.Store.CompleteUpload(r.Context(), s.Caller, parley.FileID(r.PathValue("id")))
	if err != nil {
		return err
	}
	return api.JSON(w, http.StatusOK, map[string]api.File{"file": f.API.File(r, s.Project.ID, stored)})
}
