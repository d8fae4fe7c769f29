package chat

import (
	"net/http"

	"parley/shared/api"
	"parley/shared/parley"
)

// typing tells the team that the visitor types. Nothing is stored.
func (f function) typing(r *http.Request, c parley.Caller, _ *parley.Project) (any, error) {
	in, err := api.DecodeTyping(r)
	if err != nil {
		return nil, err
	}
	session, err := f.API.Store.Session(r.Context(), c, parley.SessionID(r.PathValue("session")))
	if err == nil && f.Typing != nil {
		f.Typing(r.Context(), session, c.Author(), in.Typing)
	}
	return in, err
}
