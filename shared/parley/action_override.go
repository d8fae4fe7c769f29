package parley

import (
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// MaxOverridesBytes is the longest JSON of the overrides that one message or one
// contact brings. Our choice: some tokens and ids.
const MaxOverridesBytes = 4 << 10

// Overrides are values for an action's requests that somebody else than the
// project brings: the customer's server for a contact, or the visitor's browser
// with a message. They change values that the action declares, and no others.
type Overrides struct {
	Headers map[string]string          `json:"headers,omitempty"`
	Query   map[string]string          `json:"query,omitempty"`
	Path    map[string]string          `json:"path,omitempty"`
	Body    map[string]json.RawMessage `json:"body,omitempty"`
}

// Empty reports whether there are none.
func (o Overrides) Empty() bool { return len(o.Headers)+len(o.Query)+len(o.Path)+len(o.Body) == 0 }

// Of returns what is brought for a declared value.
func (o Overrides) Of(v ActionValue) (value json.RawMessage, ok bool) {
	switch v.In {
	case InHeader:
		for name, text := range o.Headers {
			if strings.EqualFold(name, v.Name) {
				return quoted(text), true
			}
		}
		return nil, false
	case InBody:
		value, ok = o.Body[v.Name]
		return value, ok
	}
	text, ok := map[ActionPlace]map[string]string{InQuery: o.Query, InPath: o.Path}[v.In][v.Name]
	return quoted(text), ok
}

func quoted(text string) json.RawMessage {
	b, _ := json.Marshal(text) // strings always encode
	return b
}

// check returns a too_large or invalid_field error unless all can be sent.
func (o Overrides) check(field string) error {
	text, err := encode(o)
	if err != nil {
		return invalid(field, "%s holds a value that is no JSON", field)
	}
	if len(text) > MaxOverridesBytes {
		return tooLarge(field, MaxOverridesBytes)
	}
	for in, values := range map[ActionPlace]map[string]string{InHeader: o.Headers, InQuery: o.Query, InPath: o.Path} {
		for name, value := range values {
			if problem := CheckActionValue(in, quoted(value)); problem != "" || !utf8.ValidString(value) || len(name) > MaxActionNameBytes {
				return invalid(field, "%s holds a value that cannot be sent", field)
			}
		}
	}
	for name, value := range o.Body {
		if CheckActionValue(InBody, value) != "" || len(name) > MaxActionNameBytes {
			return invalid(field, "%s holds a value that cannot be sent", field)
		}
	}
	return nil
}

// opened keeps what some action of the project leaves to browsers.
func (p *Project) opened(o Overrides) Overrides {
	var kept Overrides
	for _, a := range p.Actions {
		for _, v := range a.Values {
			value, ok := o.Of(v)
			if !ok || !v.Open {
				continue
			}
			text, _ := Plain(value)
			switch v.In {
			case InHeader:
				put(&kept.Headers, v.Name, text)
			case InQuery:
				put(&kept.Query, v.Name, text)
			case InPath:
				put(&kept.Path, v.Name, text)
			case InBody:
				put(&kept.Body, v.Name, value)
			}
		}
	}
	return kept
}

func put[V any](into *map[string]V, name string, value V) {
	if *into == nil {
		*into = map[string]V{}
	}
	(*into)[name] = value
}
