// Package schema implements the part of JSON Schema that describes the arguments
// of a call: types, properties, lists, choices and bounds. A schema with any
// other keyword is refused, so that nobody relies on a rule that is not checked.
// There are no references and no patterns: a check never needs the network, and
// no value can make it slow.
package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Limits of a schema. Our choices: what a model can be expected to fill in.
const (
	// MaxDepth is how deep objects and lists may be nested.
	MaxDepth = 5
	// MaxProperties is how many properties one object has.
	MaxProperties = 50
	// MaxChoices is how many values enum lists.
	MaxChoices = 100
)

// Schema describes a JSON value. The names are those of JSON Schema 2020-12.
type Schema struct {
	// Types are the types that the value may have; empty means any.
	Types Types `json:"type,omitempty"`
	// Title, Description, Default, Format and Examples are shown to a model or a
	// person, and not checked.
	Title       string            `json:"title,omitempty"`
	Description string            `json:"description,omitempty"`
	Default     json.RawMessage   `json:"default,omitempty"`
	Format      string            `json:"format,omitempty"`
	Examples    []json.RawMessage `json:"examples,omitempty"`

	Properties map[string]*Schema `json:"properties,omitempty"`
	Required   []string           `json:"required,omitempty"`
	// AdditionalProperties allows properties that are not among Properties. Unlike
	// in JSON Schema, leaving it out means false if there are Properties: what
	// nobody has described is not passed on to a host.
	AdditionalProperties *bool             `json:"additionalProperties,omitempty"`
	Items                *Schema           `json:"items,omitempty"`
	Enum                 []json.RawMessage `json:"enum,omitempty"`
	Minimum              *float64          `json:"minimum,omitempty"`
	Maximum              *float64          `json:"maximum,omitempty"`
	MinLength            *int              `json:"minLength,omitempty"` // code points
	MaxLength            *int              `json:"maxLength,omitempty"`
	MinItems             *int              `json:"minItems,omitempty"`
	MaxItems             *int              `json:"maxItems,omitempty"`
}

// Types is one type or a list of them.
type Types []string

// UnmarshalJSON implements json.Unmarshaler.
func (t *Types) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		*t = Types{one}
		return nil
	}
	var many []string
	if json.Unmarshal(text, &many) != nil || len(many) == 0 {
		return errors.New("type is a name or a list of names")
	}
	*t = many
	return nil
}

// MarshalJSON implements json.Marshaler.
func (t Types) MarshalJSON() ([]byte, error) {
	if len(t) == 1 {
		return json.Marshal(t[0])
	}
	return json.Marshal([]string(t))
}

var typeNames = []string{"object", "array", "string", "number", "integer", "boolean", "null"}

// Parse reads the schema of an object. The error tells its author what is wrong.
func Parse(text json.RawMessage) (*Schema, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	s := new(Schema)
	if err := decoder.Decode(s); err != nil {
		return nil, errors.New(explain(err))
	}
	if decoder.More() {
		return nil, errors.New("it goes on after its end")
	}
	if len(s.Types) != 1 || s.Types[0] != "object" {
		return nil, errors.New(`its type is not "object"`)
	}
	return s, s.check("", 1)
}

// explain turns an error of encoding/json into one for the author of a schema.
func explain(err error) string {
	var mistyped *json.UnmarshalTypeError
	if name, unknown := strings.CutPrefix(err.Error(), "json: unknown field "); unknown {
		return "it uses " + name + ", which is not among the keywords that are checked"
	}
	if errors.As(err, &mistyped) && mistyped.Field != "" {
		return mistyped.Field + " has a value of the wrong kind"
	}
	return "it is not a JSON object of keywords"
}

func (s *Schema) check(at string, depth int) error {
	where := "it"
	if at != "" {
		where = at
	}
	switch {
	case depth > MaxDepth:
		return fmt.Errorf("%s is nested deeper than %d", where, MaxDepth)
	case len(s.Properties) > MaxProperties:
		return fmt.Errorf("%s has more than %d properties", where, MaxProperties)
	case len(s.Enum) > MaxChoices:
		return fmt.Errorf("%s lists more than %d values", where, MaxChoices)
	}
	for _, t := range s.Types {
		if !slices.Contains(typeNames, t) {
			return fmt.Errorf("%s has the type %q, which there is not", where, t)
		}
	}
	for _, name := range s.Required {
		if s.Properties[name] == nil {
			return fmt.Errorf("%s requires %q, which it does not describe", where, name)
		}
	}
	for name, p := range s.Properties {
		if p == nil {
			return fmt.Errorf("%s has no schema", join(at, name))
		}
		if err := p.check(join(at, name), depth+1); err != nil {
			return err
		}
	}
	if s.Items != nil {
		return s.Items.check(at+"[]", depth+1)
	}
	return nil
}

func join(at, name string) string {
	if at == "" {
		return name
	}
	return at + "." + name
}
