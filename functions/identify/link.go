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
func (f function) link(r *http.Request) (any, error) {
	project, err := f.Project(r)
	if err != nil {
		return nil, err
	}
	var in struct {
		Ticket string `json:"ticket"`
	}
	if err := api.Decode(r, &in); err != nil {
		return nil, err
	}
	session, visitor, err := f.Store.OpenLink(r.Context(), project.ID, in.Ticket)
	if err != nil {
		return nil, err
	}
	text, expires, err := f.Keys.Link(project, visitor, session.ID)
	return opened{Token: text, ExpiresAt: api.TimeOf(expires), Session: session.ID}, err
}
