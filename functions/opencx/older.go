package opencx

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"parley/shared/api"
	"parley/shared/parley"
)

// This file is the API of releases of January 2025 (createConfig, createChat,
// ApiCaller; 2.4.4 to 2.6.2), whose pages need no contact's token. Where they have
// none, the id of the session that they began is what they hold: a UUID, of which
// nobody guesses 122 random bits.

// consumerHeader comes with every request of these releases and of no later one:
// "email:ann@example.com", "phone:+49…", or ":" of a page that knows neither.
const consumerHeader = "X-Consumer-Id"

// isOlder reports whether a release of the older API makes the request.
func isOlder(r *http.Request) bool { return r.Header.Values(consumerHeader) != nil }

// anybody is caller for the calls of the older API. Without a contact's token it
// returns a caller who holds nothing yet: see holding.
func (f function) anybody(r *http.Request) (parley.Caller, *parley.Project, error) {
	if r.Header.Get("Authorization") != "" || !isOlder(r) {
		return f.caller(r)
	}
	return f.stranger(r)
}

// holding returns the caller as one who holds the id of a session, unless it has a
// token.
func (f function) holding(c parley.Caller, id parley.SessionID) parley.Caller {
	if c.Capability {
		c.Visitor = f.API.Store.CapabilityVisitor(c.Project, id)
	}
	return c
}

// consumer is what a page of the older API says of its visitor with every request,
// for people. Nobody has checked it.
func consumer(r *http.Request) map[string]any {
	claim, value, _ := strings.Cut(r.Header.Get(consumerHeader), ":")
	if value == "" || claim != "email" && claim != "phone" {
		return nil
	}
	return map[string]any{claim: value}
}

// said is consumer with what comes along with a message; nil if that is nothing.
// Refusing values that cannot be kept would only lose the message.
func (m message) said(r *http.Request) map[string]any {
	said := map[string]any{}
	for name, value := range m.User.Data {
		switch value.(type) {
		case string, bool, float64:
			said[name] = value
		}
	}
	maps.Copy(said, consumer(r))
	for name, value := range map[string]string{"email": m.User.Email, "name": m.User.Name, "phone": m.User.Phone} {
		if value != "" {
			said[name] = value
		}
	}
	if len(said) == 0 {
		return nil
	}
	return said
}

// unread returns the lines that a page of the older API may not have. It shows what
// its visitor wrote by itself, under ids of its own, and would show it twice; it
// has no use for events, of which it would show empty answers. What it names is
// its own clock's time of the newest row that it shows; that clock may be wrong,
// and the page drops rows that it has.
func unread(lines []line, since string) []line {
	return slices.DeleteFunc(slices.Clone(lines), func(l line) bool { return l.kind == fromSystem || since != "" && l.kind == fromUser })
}

type me struct {
	AuthenticationStatus status           `json:"authenticationStatus"`
	ContactID            parley.ContactID `json:"contactId"`
	ContactName          string           `json:"contactName"`
}

type status struct {
	Is bool `json:"is"`
}

func (f function) me(r *http.Request) (any, error) {
	if r.Header.Get("Authorization") == "" {
		_, _, err := f.stranger(r)
		return me{}, err
	}
	c, _, err := f.caller(r)
	if err != nil {
		return nil, err
	}
	who, err := f.API.Store.ContactOf(r.Context(), c)
	return me{status{!c.Unproven}, who.ID, who.Name}, err
}

// createMe takes down what a visitor says of themselves. Nobody checks it, so it
// makes no contact: from then on the page sends it along with every request.
func (f function) createMe(r *http.Request, _ parley.Caller, _ *parley.Project) (any, error) {
	var in struct {
		Email string `json:"email"`
		Name  string `json:"name"`
	}
	if err := api.Decode(r, &in); err != nil {
		return nil, err
	}
	if in.Email == "" {
		return nil, api.InvalidField("email", "email is required")
	}
	return me{ContactID: parley.ContactID(in.Email), ContactName: in.Name}, nil
}

func (f function) prelude(_ *http.Request, _ parley.Caller, p *parley.Project) (any, error) {
	return struct {
		InitialQuestions []string `json:"initialQuestions"`
		AIEnabled        bool     `json:"aiEnabled"`
		OfficeHours      struct{} `json:"officeHours"`
		Timezone         *string  `json:"officeHoursTimezone"`
		Organization     string   `json:"organizationName"`
	}{[]string{}, true, struct{}{}, nil, p.Name}, nil
}
