// Package identify tells a page what it needs to draw itself, and visitors who
// they are.
//
// Tested by shared/api/apitest.
package identify

import (
	"net/http"

	"parley/shared/api"
	"parley/shared/parley"
)

// New returns the function's handler.
func New(a *api.API) http.Handler {
	f := function{a}
	return a.Handler(
		api.Route{Pattern: "GET /config", Handle: api.Answer(f.config)},
		api.Route{Pattern: "POST /identify", Handle: api.Visitor(a.Newcomer).Answer(f.identify)},
		api.Route{Pattern: "GET /identify/challenge", Handle: api.Visitor(a.Stranger).Answer(f.challenge)},
		api.Route{Pattern: "POST /identify/link", Handle: api.Answer(f.link)},
		api.Route{Pattern: "GET /openapi.yaml", Handle: api.ServeOpenAPI},
	)
}

type function struct{ *api.API }

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

func (f function) identify(r *http.Request, caller parley.Caller, project *parley.Project) (any, error) {
	var in struct {
		Identity string `json:"identity"`
		Name     string `json:"name"`
		Email    string `json:"email"`
		Language string `json:"language"`
		Altcha   string `json:"altcha"`
	}
	if err := api.Decode(r, &in); err != nil {
		return nil, err
	}
	ask := parley.IdentifyRequest{Caller: caller, Name: in.Name, Email: in.Email, Language: in.Language,
		Solution: solution(in.Altcha)}
	if in.Identity != "" {
		who, err := f.Identity(project, in.Identity)
		if err != nil {
			return nil, err
		}
		ask.Identity = &who
	}
	who, err := f.Store.Identify(r.Context(), ask)
	if err != nil {
		return nil, err
	}
	text, expires, err := f.Keys.Visitor(project, who.Visitor, who.First)
	if err != nil {
		return nil, err
	}
	out := identified{Token: text, ExpiresAt: api.TimeOf(expires), Visitor: visitor{who.Visitor.ID}}
	if c := who.Contact; c != nil {
		out.Contact = &contact{c.ID, c.External, c.Name, c.Email, c.Picture}
	}
	return out, nil
}
