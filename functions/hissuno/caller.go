package hissuno

import (
	"errors"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"unicode/utf8"

	"parley/shared/api"
	"parley/shared/parley"
	"parley/shared/token"
)

// project returns the project that a request names by its public key, and checks
// where the request is from.
func (f function) project(r *http.Request, key string) (*parley.Project, error) {
	if key == "" {
		return nil, api.InvalidField("projectId", "projectId is required")
	}
	return f.API.ProjectBy(r, key, checkOrigin)
}

// checkOrigin is the api.OriginRule of the dialect. No page of another site calls
// without an origin: only one of the site that serves the API does, or no browser.
// Both may.
func checkOrigin(r *http.Request, p *parley.Project, key string) error {
	if origin := r.Header.Get("Origin"); origin == "" || allowed(origin, p.Origins) || api.Developing(origin, key) {
		return nil
	}
	return api.Denied("origin_refused", "the project does not allow this origin")
}

// uuid is the shape of ids that the widget makes by itself.
var uuid = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// pageFor returns the page that asks about a session: its caller is whoever knows the
// session's id. Where visitors have to be signed in, it must not be one that could be
// guessed.
func (f function) pageFor(r *http.Request, key string, id parley.SessionID) (page, error) {
	p, err := f.project(r, key)
	switch {
	case err != nil:
		return page{}, err
	case id == "":
		return page{}, api.InvalidField("sessionId", "sessionId is required")
	case parley.CheckID("sessionId", string(id)) != nil:
		return page{}, api.InvalidField("sessionId", "sessionId cannot be used")
	case p.TokenRequired && !uuid.MatchString(string(id)):
		return page{}, api.InvalidField("sessionId", "sessionId has to be a UUID")
	}
	api.About(r, id, "")
	c := parley.Caller{Project: p.ID, Visitor: f.API.Store.CapabilityVisitor(p.ID, id), Capability: true,
		Channel: parley.ChannelHissuno, Address: api.Address(r)}
	return page{function: f, caller: c, project: p, id: id}, f.API.Store.TakeCall(p, c)
}

// queried is pageFor for a request whose query says what it is about.
func (f function) queried(r *http.Request) (page, error) {
	query := r.URL.Query()
	return f.pageFor(r, query.Get("projectId"), parley.SessionID(query.Get("sessionId")))
}

// told is pageFor for a request whose body says what it is about.
func (f function) told(r *http.Request) (page, error) {
	var in struct {
		ProjectID string           `json:"projectId"`
		SessionID parley.SessionID `json:"sessionId"`
	}
	if err := api.DecodeAny(r, &in); err != nil {
		return page{}, err
	}
	return f.pageFor(r, in.ProjectID, in.SessionID)
}

// user verifies the token of a message, and names its contact in the caller. A
// nil User without an error means that there is none and needs none. Who is signed
// for under an id that cannot be told from others is no contact: where visitors need
// not be signed in, they write as if they were not.
func (p *page) user(r *http.Request, text string) (*token.User, error) {
	switch {
	case text == "" && !p.project.TokenRequired:
		return nil, nil
	case len(p.project.SigningKeys) == 0:
		return nil, api.Denied("signing_key_missing", "Project secret key is required")
	case text == "":
		return nil, api.Denied("widget_token_missing", "Widget token is required")
	}
	u, err := p.API.Keys.ReadUser(p.project, text)
	switch {
	case errors.Is(err, token.ErrExpired):
		return nil, api.Denied("widget_token_expired", "Token expired")
	case errors.Is(err, token.ErrTooLong):
		return nil, api.Denied("widget_token_too_long", "Token is valid for too long")
	case errors.Is(err, token.ErrNoUser):
		return nil, api.Denied("widget_token_unnamed", "Token missing required userId field")
	case err != nil:
		return nil, api.Denied("widget_token_invalid", "Invalid token")
	}
	if !exact(u.ID) {
		p.API.Log.LogAttrs(r.Context(), slog.LevelWarn, "signed userId not usable", slog.String("project", string(p.project.ID)))
		if p.project.TokenRequired {
			return nil, api.Denied("widget_token_unusable", "Token userId cannot be used")
		}
		return &u, nil
	}
	identity := parley.Identity{External: u.ID, Email: u.Metadata.Of("email"), Name: u.Metadata.Of("name"), Metadata: u.Metadata.Metadata()}
	contact, err := p.API.Store.Proven(r.Context(), p.caller, identity.Keepable())
	if err != nil {
		return nil, err
	}
	p.caller.Contact = contact.ID
	return &u, nil
}

// exact reports whether a user's id can be kept as it is. One that is cut, or has
// U+FFFD for what was no text, might be another user's too.
func exact(id string) bool {
	return parley.CheckID("userId", id) == nil && !strings.ContainsRune(id, utf8.RuneError)
}
