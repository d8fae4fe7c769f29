package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"unicode/utf8"
)

// Check returns an error unless the value fits the schema: what is wrong and
// where, without repeating anything of the value except property names.
func (s *Schema) Check(value json.RawMessage) error {
	v, ok := decode(value)
	if !ok {
		return errors.New("it is not JSON")
	}
	return s.checkValue("", v)
}

// decode reads a value with its numbers as they are written.
func decode(text json.RawMessage) (v any, ok bool) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	ok = decoder.Decode(&v) == nil && !decoder.More()
	return v, ok
}

func (s *Schema) checkValue(at string, v any) error {
	if len(s.Types) > 0 && !slices.ContainsFunc(s.Types, func(t string) bool { return is(t, v) }) {
		return wrong(at, "is not of the type "+strings.Join(s.Types, " or "))
	}
	if len(s.Enum) > 0 && !s.chosen(v) {
		return wrong(at, "is none of "+s.choices())
	}
	switch v := v.(type) {
	case string:
		return s.length(at, "characters", utf8.RuneCountInString(v), s.MinLength, s.MaxLength)
	case json.Number:
		return s.number(at, v)
	case []any:
		return s.list(at, v)
	case map[string]any:
		return s.object(at, v)
	}
	return nil
}

func is(kind string, v any) bool {
	switch v := v.(type) {
	case nil:
		return kind == "null"
	case bool:
		return kind == "boolean"
	case string:
		return kind == "string"
	case []any:
		return kind == "array"
	case map[string]any:
		return kind == "object"
	case json.Number:
		return kind == "number" || kind == "integer" && isInteger(v)
	}
	return false
}

// maxDigits is the longest number that is converted exactly. A number with a
// large exponent would take megabytes to write out.
const maxDigits = 30

func isInteger(n json.Number) bool {
	r, ok := rational(n)
	return ok && r.IsInt()
}

func rational(n json.Number) (*big.Rat, bool) {
	if len(n) > maxDigits || strings.ContainsAny(n.String(), "eE") {
		f, err := n.Float64()
		if err != nil {
			return nil, false
		}
		r := new(big.Rat)
		return r, r.SetFloat64(f) != nil
	}
	return new(big.Rat).SetString(n.String())
}

func wrong(at, what string) error {
	if at == "" {
		at = "the whole"
	}
	return fmt.Errorf("%s %s", at, what)
}

func (s *Schema) choices() string {
	all := make([]string, len(s.Enum))
	for i, c := range s.Enum {
		all[i] = string(c)
	}
	return strings.Join(all, ", ")
}

// chosen compares what the choices say, for the same text may be written with escapes
// and without.
func (s *Schema) chosen(v any) bool {
	text, err := json.Marshal(v)
	return err == nil && slices.ContainsFunc(s.Enum, func(c json.RawMessage) bool {
		choice, ok := decode(c)
		same, err := json.Marshal(choice)
		return ok && err == nil && bytes.Equal(same, text)
	})
}

func (s *Schema) length(at, unit string, n int, least, most *int) error {
	switch {
	case least != nil && n < *least:
		return wrong(at, fmt.Sprintf("has fewer than %d %s", *least, unit))
	case most != nil && n > *most:
		return wrong(at, fmt.Sprintf("has more than %d %s", *most, unit))
	}
	return nil
}

func (s *Schema) number(at string, n json.Number) error {
	r, ok := rational(n)
	switch {
	case !ok:
		return wrong(at, "is no number that can be told")
	case s.Minimum != nil && r.Cmp(new(big.Rat).SetFloat64(*s.Minimum)) < 0:
		return wrong(at, fmt.Sprintf("is below %v", *s.Minimum))
	case s.Maximum != nil && r.Cmp(new(big.Rat).SetFloat64(*s.Maximum)) > 0:
		return wrong(at, fmt.Sprintf("is above %v", *s.Maximum))
	}
	return nil
}

func (s *Schema) list(at string, v []any) error {
	if err := s.length(at, "items", len(v), s.MinItems, s.MaxItems); err != nil || s.Items == nil {
		return err
	}
	for i, item := range v {
		if err := s.Items.checkValue(fmt.Sprintf("%s[%d]", at, i), item); err != nil {
			return err
		}
	}
	return nil
}

func (s *Schema) object(at string, v map[string]any) error {
	for _, name := range s.Required {
		if _, ok := v[name]; !ok {
			return wrong(join(at, name), "is missing")
		}
	}
	open := s.AdditionalProperties == nil && s.Properties == nil || s.AdditionalProperties != nil && *s.AdditionalProperties
	for _, name := range slices.Sorted(maps.Keys(v)) {
		p := s.Properties[name]
		switch {
		case p != nil:
			if err := p.checkValue(join(at, name), v[name]); err != nil {
				return err
			}
		case !open:
			return wrong(join(at, clip(name)), "is not among the properties")
		}
	}
	return nil
}

// clip shortens a property name that a model invented, for an error message.
func clip(name string) string {
	if len(name) > 64 {
		return strings.ToValidUTF8(name[:64], "") + "…"
	}
	return name
}
