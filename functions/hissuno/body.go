package hissuno

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"

	"parley/shared/parley"
)

// transcript is what is kept of the one that comes with every message, however long
// it is: the last message of the visitor, and what the page had greeted with.
// History is the server's own.
type transcript struct {
	many int             // messages
	asks bool            // one of them is the visitor's
	last json.RawMessage // its content, nil if it has none
	// greeting is what the page showed before the visitor's first message. The
	// visitor did not write it, so what is wrong with it is passed over.
	greeting []parley.Said
}

// UnmarshalJSON implements json.Unmarshaler.
func (t *transcript) UnmarshalJSON(data []byte) error {
	*t = transcript{}
	d, err := inside(data, '[', reflect.TypeFor[transcript]())
	if err != nil || d == nil {
		return err
	}
	var m struct {
		Role    string          `json:"role"`
		Content json.RawMessage `json:"content"`
	}
	for d.More() {
		m.Role, m.Content = "", m.Content[:0]
		if err := d.Decode(&m); err != nil {
			return err
		}
		t.many++
		switch {
		case m.Role == "user":
			t.asks, t.last, m.Content = true, m.Content, t.last
		case m.Role == "assistant" && !t.asks && len(t.greeting) < parley.MaxGreeting:
			t.greet(m.Content)
		}
	}
	return nil
}

func (t *transcript) greet(content json.RawMessage) {
	var text string
	if json.Unmarshal(content, &text) != nil {
		return
	}
	if text = strings.TrimSpace(text); text != "" {
		t.greeting = append(t.greeting, parley.Said{Text: text})
	}
}

// inside returns a decoder of what is in a list or an object, which data is valid
// JSON of; nil of null.
func inside(data []byte, begin json.Delim, into reflect.Type) (*json.Decoder, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	switch first, err := d.Token(); {
	case err != nil, first == nil:
		return nil, err
	case first == begin:
		return d, nil
	}
	return nil, &json.UnmarshalTypeError{Value: kindOf(data), Type: into}
}

// kindOf names a value as package json does.
func kindOf(data []byte) string {
	switch bytes.TrimSpace(data)[0] {
	case '[':
		return "array"
	case '{':
		return "object"
	case '"':
		return "string"
	case 't', 'f':
		return "bool"
	}
	return "number"
}
