package chat

import (
	"net/http"

	"parley/shared/api"
	"parley/shared/parley"
)

// typing tells the team that the visitor types. Nothing is stored.
func (f function) typing(w http.ResponseWriter, r *http.Request) error {
	caller, _, err := f.API.Caller(r)
	if err != nil {
		return err
	}
	in, err := api.DecodeTyping(r)
	if err != nil {
		return err
	}
	id := parley.SessionID(r.PathValue("session"))
	api.About(r, id, "")
	session, err := f.API.Store.Session(r.Context(), caller, id)
	if err != nil {
		return err
	}
	if f.Typing != nil {
		f.Typing(r.Context(), session, caller.Author(), in.Typing)
	}
	return api.JSON(w, http.StatusOK, in)
}
