// Package history shows visitors their sessions and erases them.
//
// Tested by shared/api/apitest.
package history

import (
	"net/http"

	"parley/shared/api"
	"parley/shared/parley"
)

// New returns the function's handler.
func New(a *api.API) http.Handler {
	f, visitor := function{a}, api.Visitor(a.Caller)
	return a.Handler(
		api.Route{Pattern: "GET /history", Handle: visitor.Answer(f.list)},
		api.Route{Pattern: "GET /history/{session}", Handle: visitor.Answer(f.transcript)},
		api.Route{Pattern: "DELETE /history/{session}", Handle: visitor.Answer(f.erase)},
	)
}

type function struct{ *api.API }

type sessions struct {
	Sessions []api.Session `json:"sessions"`
	Next     *string       `json:"next"`
}

func (f function) list(r *http.Request, c parley.Caller, _ *parley.Project) (any, error) {
	page, err := api.Page(r)
	if err != nil {
		return nil, err
	}
	list, next, err := f.Store.Sessions(r.Context(), c, page)
	out := sessions{Sessions: make([]api.Session, len(list)), Next: api.OrNull(next)}
	for i, s := range list {
		out.Sessions[i] = api.NewSession(s)
	}
	return out, err
}

type transcript struct {
	Session api.Session `json:"session"`
	Entries []api.Entry `json:"entries"`
	Next    *string     `json:"next"`
	Ticket  string      `json:"ticket"`
}

func (f function) transcript(r *http.Request, c parley.Caller, p *parley.Project) (any, error) {
	page, err := api.Page(r)
	if err != nil {
		return nil, err
	}
	session, entries, next, err := f.Store.Transcript(r.Context(), c, parley.SessionID(r.PathValue("session")), page)
	if err != nil {
		return nil, err
	}
	ticket, err := f.Ticket(r, p, c, session.ID)
	return transcript{api.NewSession(session), f.Entries(r, p.ID, entries), api.OrNull(next), ticket}, err
}

type erased struct {
	Erased bool `json:"erased"`
}

func (f function) erase(r *http.Request, c parley.Caller, _ *parley.Project) (any, error) {
	return erased{true}, f.Store.Erase(r.Context(), c, parley.SessionID(r.PathValue("session")))
}
