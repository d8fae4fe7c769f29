package identify

import (
	"net/http"

	"parley/shared/api"
	"parley/shared/parley"
)

// opened is what the link of a mail gives: a token for one session.
type opened struct {
	Token     string           `json:"token"`
	ExpiresAt api.Time         `json:"expiresAt"`
	Session   parley.SessionID `json:"session"`
}

// link uses up the link of a mailed answer. It is a POST with a body, so that
// nothing that follows links, such as a mail scanner, can use it up.
func (f function) link(w http.ResponseWriter, r *http.Request) error {
	project, err := f.API.Project(r)
	if err != nil {
		return err
	}
	var in struct {
		Ticket string `json:"ticket"`
	}
	if err := api.Decode(r, &in); err != nil {
		return err
	}
	session, visitor, err := f.API.Store.OpenLink(r.Context(), project.ID, in.Ticket)
	if err != nil {
		return err
	}
	text, expires, err := f.API.Keys.Link(project, visitor, session.ID)
	if err != nil {
		return err
	}
	return api.JSON(w, http.StatusOK, opened{Token: text, ExpiresAt: api.TimeOf(expires), Session: session.ID})
}
