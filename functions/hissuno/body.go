package hissuno

import (
	"bytes"
	"encoding/json"
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
	d := json.NewDecoder(bytes.NewReader(data))
	if first, err := d.Token(); err != nil || first != json.Delim('[') {
		return json.Unmarshal(data, new([]struct{})) // which says what it is instead, unless it is null
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
