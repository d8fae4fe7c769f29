package opencx

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"strings"

	"parley/shared/api"
	"parley/shared/parley"
)

// How often a page polls, in seconds, where its project does not say: the defaults
// of the client.
const (
	sessionsInterval = 60
	sessionInterval  = 10
)

type organisation struct {
	ID   parley.ProjectID `json:"id"`
	Name string           `json:"name"`
}

type mode struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Slug string `json:"slug,omitempty"`
}

// widgetConfig leaves out the agent, because newer clients would speak another
// protocol if there were one.
type widgetConfig struct {
	Org              organisation `json:"org"`
	SessionsInterval int          `json:"sessionsPollingIntervalSeconds"`
	SessionInterval  int          `json:"sessionPollingIntervalSeconds"`
	Modes            []mode       `json:"modes"`
}

func (f function) config(_ *http.Request, _ parley.Caller, p *parley.Project) (any, error) {
	out := widgetConfig{organisation{p.ID, p.Name}, cmp.Or(p.PollListSeconds, sessionsInterval), cmp.Or(p.PollSeconds, sessionInterval), []mode{}}
	for _, m := range p.Modes {
		out.Modes = append(out.Modes, mode{m.ID, m.Name, m.Slug})
	}
	return out, nil
}

// pairs converts what a client says of a person or a session to text: strings as
// they are, numbers and booleans as JSON.
func pairs(field string, in map[string]any) (map[string]string, error) {
	if in == nil {
		return nil, nil
	}
	out := map[string]string{}
	for k, v := range in {
		switch v := v.(type) {
		case nil:
		case string:
			out[k] = v
		case bool:
			out[k] = api.Encode(v)
		case float64:
			out[k] = api.Encode(v + 0) // which makes 0 of -0, as a browser does
		default:
			return nil, api.InvalidField(field, field+" holds strings, numbers and booleans")
		}
	}
	return out, nil
}

// hints returns the pairs that a page says of its visitor or session, cut to
// what can be stored. Refusing too long ones would leave the visitor without a
// chat and without an explanation. The external id is never cut, for it
// identifies.
func hints(field string, in map[string]any) (map[string]string, error) {
	said, err := pairs(field, in)
	if err != nil || len(said) == 0 {
		return said, err
	}
	kept := map[string]string{}
	if external, ok := said[externalKey]; ok {
		kept[externalKey] = external
		delete(said, externalKey)
	}
	for _, name := range slices.Sorted(maps.Keys(said)) {
		if len(name) > parley.MaxMetadataBytes || len(kept) == parley.MaxMetadata {
			continue
		}
		value := said[name]
		if len(value) > parley.MaxMetadataBytes {
			value = strings.ToValidUTF8(value[:parley.MaxMetadataBytes], "") // no half of a character
		}
		kept[name] = value
	}
	return kept, nil
}
