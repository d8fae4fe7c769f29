// Package identify tells a page what it needs to draw itself, and visitors who
// they are.
//
// Tested by shared/api/apitest.
package identify

import (
	"errors"
	"net/http"

	"parley/shared/api"
	"parley/shared/parley"
)

// Config is what the function needs; API is required.
type Config struct {
	API *api.API
}

// New returns the function's handler.
func New(c Config) (http.Handler, error) {
	if c.API == nil {
		return nil, errors.New("identify: API is required")
	}
	f := function{c}
	return c.API.Handler(
		api.Route{Pattern: "GET /config", Handle: f.config},
		api.Route{Pattern: "POST /identify", Handle: f.identify},
		api.Route{Pattern: "GET /identify/challenge", Handle: f.challenge},
		api.Route{Pattern: "POST /identify/link", Handle: f.link},
		api.Route{Pattern: "GET /openapi.yaml", Handle: api.ServeOpenAPI},
	), nil
}

type function struct{ Config }

type visitor struct {
	ID parley.VisitorID `json:"id"`
}

type contact struct {
	ID         parley.ContactID `json:"id"`
	ExternalID string           `json:"externalId,omitempty"`
	Name       string           `json:"name,omitempty"`
	Email      string           `json:"email,omitempty"`
	Picture    string           `json:"picture,omitempty"`
}

type identified struct {
	Token     string   `json:"token"`
	ExpiresAt api.Time `json:"expiresAt"`
	Visitor   visitor  `json:"visitor"`
	Contact   *contact `json:"contact,omitempty"`
}

func (f function) identify(w http.ResponseWriter, r *http.Request) error {
	caller, project, err := f.API.Newcomer(r)
	if err != nil {
		return err
	}
	var in struct {
		Identity string `json:"identity"`
		Name     string `json:"name"`
		Email    string `json:"email"`
		Language string `json:"language"`
		Altcha   string `json:"altcha"`
	}
	if err := api.Decode(r, &in); err != nil {
		return err
	}
	ask := parley.IdentifyRequest{Caller: caller, Name: in.Name, Email: in.Email, Language: in.Language,
		Solution: solution(in.Altcha)}
	if in.Identity != "" {
		who, err := f.API.Identity(project, in.Identity)
		if err != nil {
			return err
		}
		ask.Identity = &who
	}
	who, err := f.API.Store.Identify(r.Context(), ask)
	if err != nil {
		return err
	}
	text, expires, err := f.API.Keys.Visitor(project, who.Visitor, who.First)
	if err != nil {
		return err
	}
	out := identified{Token: text, ExpiresAt: api.TimeOf(expires), Visitor: visitor{who.Visitor.ID}}
	if c := who.Contact; c != nil {
		out.Contact = &contact{c.ID, c.External, c.Name, c.Email, c.Picture}
	}
	return api.JSON(w, http.StatusOK, out)
}
