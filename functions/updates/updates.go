// Package updates returns what has changed in a session after a given number:
// its entries and its state.
package updates

import (
	"errors"
	"net/http"

	"parley/shared/api"
	"parley/shared/parley"
)

// New returns the function's handler, of which u says how it waits. Entry, State and
// Typing are set here.
func New(u api.Updates) http.Handler {
	u.Entry = func(r *http.Request, p parley.ProjectID, e parley.Entry) any { return u.API.Entry(r, p, e) }
	u.State = func(s *parley.Session) any { return api.NewSession(s) }
	u.Typing = true
	f := function{api.NewUpdates(u)}
	return u.Handler(api.Route{Pattern: "GET /updates/{session}", Handle: f.updates})
}

type function struct{ *api.Updates }

func (f function) updates(w http.ResponseWriter, r *http.Request) error {
	id := parley.SessionID(r.PathValue("session"))
	caller, _, err := f.Reader(r, id)
	if errors.Is(err, api.ErrTicketOver) {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	if err != nil {
		return err
	}
	return f.Serve(w, r, caller, id)
}
