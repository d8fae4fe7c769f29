package operator

import (
	"net/http"

	"parley/shared/api"
	"parley/shared/parley"
)

// ticket returns what opens the socket of a console, once.
func (f function) ticket(w http.ResponseWriter, r *http.Request, s api.Staff) error {
	if f.Socket == "" {
		return &parley.Error{Kind: parley.ErrNotFound, Code: "not_found", Text: "there is no socket"}
	}
	text, ends, err := f.API.Store.NewConsoleTicket(r.Context(), s.Caller, s.Key)
	if err != nil {
		return err
	}
	return api.JSON(w, http.StatusCreated, map[string]any{"ticket": text, "expiresAt": api.TimeOf(ends), "socket": f.Socket})
}
