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
	p, err := f.API.Store.ProjectByKey(r.Context(), key)
	if err != nil {
		return nil, err
	}
	api.AboutProject(r, p.ID)
	origin := r.Header.Get("Origin")
	// No page of another site calls without an origin: only one of the site that
	// serves the API does, or no browser. Both may.
	if origin == "" || allowed(origin, p.Origins) || api.Developing(origin, key) {
		return p, f.API.Store.TakeCall(p, parley.Caller{Project: p.ID, Address: api.Address(r)})
	}
	return nil, &parley.Error{Kind: parley.ErrDenied, Code: "origin_refused", Text: "the project does not allow this origin"}
}

// uuid is the shape of ids that the widget makes by itself.
var uuid = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// caller returns who asks about a session: whoever knows its id. Where visitors
// have to be signed in, it must not be one that could be guessed.
func (f function) caller(r *http.Request, key string, id parley.SessionID) (parley.Caller, *parley.Project, error) {
	p, err := f.project(r, key)
	if err != nil {
		return parley.Caller{}, nil, err
	}
	if id == "" {
		return parley.Caller{}, nil, api.InvalidField("sessionId", "sessionId is required")
	}
	if err := parley.CheckID("sessionId", string(id)); err != nil {
		return parley.Caller{}, nil, api.InvalidField("sessionId", "sessionId cannot be used")
	}
	if p.TokenRequired && !uuid.MatchString(string(id)) {
		return parley.Caller{}, nil, api.InvalidField("sessionId", "sessionId has to be a UUID")
	}
	api.About(r, id, "")
	c := parley.Caller{Project: p.ID, Visitor: f.API.Store.CapabilityVisitor(p.ID, id), Capability: true,
		Channel: parley.ChannelHissuno, Address: api.Address(r)}
	return c, p, f.API.Store.TakeCall(p, c)
}

// queried is caller for a request whose query says what it is about.
func (f function) queried(r *http.Request) (parley.Caller, *parley.Project, parley.SessionID, error) {
	id := parley.SessionID(r.URL.Query().Get("sessionId"))
	c, p, err := f.caller(r, r.URL.Query().Get("projectId"), id)
	return c, p, id, err
}

// user verifies the token of a message, and names its contact in the caller. A
// nil User without an error means that there is none and needs none. Who is signed
// for under an id that cannot be told from others is no contact: where visitors need
// not be signed in, they write as if they were not.
func (f function) user(r *http.Request, p *parley.Project, text string, c *parley.Caller) (*token.User, error) {
	switch {
	case text == "" && !p.TokenRequired:
		return nil, nil
	case len(p.SigningKeys) == 0:
		return nil, denied("signing_key_missing", "Project secret key is required")
	case text == "":
		return nil, denied("widget_token_missing", "Widget token is required")
	}
	u, err := f.API.Keys.ReadUser(p, text)
	switch {
	case errors.Is(err, token.ErrExpired):
		return nil, denied("widget_token_expired", "Token expired")
	case errors.Is(err, token.ErrTooLong):
		return nil, denied("widget_token_too_long", "Token is valid for too long")
	case errors.Is(err, token.ErrNoUser):
		return nil, denied("widget_token_unnamed", "Token missing required userId field")
	case err != nil:
		return nil, denied("widget_token_invalid", "Invalid token")
	}
	if !exact(u.ID) {
		f.API.Log.LogAttrs(r.Context(), slog.LevelWarn, "signed userId not usable", slog.String("project", string(p.ID)))
		if p.TokenRequired {
			return nil, denied("widget_token_unusable", "Token userId cannot be used")
		}
		return &u, nil
	}
	identity := parley.Identity{External: u.ID, Email: u.Metadata.Of("email"), Name: u.Metadata.Of("name"), Metadata: u.Metadata.Metadata()}
	contact, err := f.API.Store.Proven(r.Context(), *c, identity.Keepable())
	if err != nil {
		return nil, err
	}
	c.Contact = contact.ID
	return &u, nil
}

// exact reports whether a user's id can be kept as it is. One that is cut, or has
// U+FFFD for what was no text, might be another user's too.
func exact(id string) bool {
	return parley.CheckID("userId", id) == nil && !strings.ContainsRune(id, utf8.RuneError)
}

func denied(code, text string) error {
	return &parley.Error{Kind: parley.ErrDenied, Code: code, Text: text}
}
