// Package history shows visitors their sessions and erases them.
//
// Tested by shared/api/apitest.
package history

import (
	"errors"
	"net/http"

	"parley/shared/api"
	"parley/shared/parley"
)

// Config is what the function needs; API is required, and its store needs a
// bucket to erase attachments.
type Config struct {
	API *api.API
}

// New returns the function's handler.
func New(c Config) (http.Handler, error) {
	if c.API == nil {
		return nil, errors.New("history: API is required")
	}
	f := function{c}
	return c.API.Handler(
		api.Route{Pattern: "GET /history", Handle: f.list},
		api.Route{Pattern: "GET /history/{session}", Handle: f.transcript},
		api.Route{Pattern: "DELETE /history/{session}", Handle: f.erase},
	), nil
}

type function struct{ Config }

// next is the cursor of the page that follows, null at the end.
func next(cursor string) *string {
	if cursor == "" {
		return nil
	}
	return &cursor
}

type sessions struct {
	Sessions []api.Session `json:"sessions"`
	Next     *string       `json:"next"`
}

func (f function) list(w http.ResponseWriter, r *http.Request) error {
	caller, _, err := f.API.Caller(r)
	if err != nil {
		return err
	}
	page, err := api.Page(r)
	if err != nil {
		return err
	}
	list, cursor, err := f.API.Store.Sessions(r.Context(), caller, page)
	if err != nil {
		return err
	}
	out := sessions{Sessions: make([]api.Session, len(list)), Next: next(cursor)}
	for i, s := range list {
		out.Sessions[i] = api.NewSession(s)
	}
	return api.JSON(w, http.StatusOK, out)
}

type transcript struct {
	Session api.Session `json:"session"`
	Entries []api.Entry `json:"entries"`
	Next    *string     `json:"next"`
	Ticket  string      `json:"ticket"`
}

func (f function) transcript(w http.ResponseWriter, r *http.Request) error {
	caller, project, err := f.API.Caller(r)
	if err != nil {
		return err
	}
	page, err := api.Page(r)
	if err != nil {
		return err
	}
	session, entries, cursor, err := f.API.Store.Transcript(r.Context(), caller, parley.SessionID(r.PathValue("session")), page)
	if err != nil {
		return err
	}
	ticket, err := f.API.Ticket(r, project, caller, session.ID)
	if err != nil {
		return err
	}
	return api.JSON(w, http.StatusOK, transcript{api.NewSession(session), f.API.Entries(r, project.ID, entries), next(cursor), ticket})
}

type erased struct {
	Erased bool `json:"erased"`
}

func (f function) erase(w http.ResponseWriter, r *http.Request) error {
	caller, _, err := f.API.Caller(r)
	if err != nil {
		return err
	}
	if err := f.API.Store.Erase(r.Context(), caller, parley.SessionID(r.PathValue("session"))); err != nil {
		return err
	}
	return api.JSON(w, http.StatusOK, erased{true})
}
