package parley

import (
	"bytes"
	"encoding/json"
)

// A hint is what a page or a token says beside what matters, such as a customer's
// plan. Whoever set the widget up may have put anything there, and it is the visitor
// who would suffer for it: so a hint is kept as text as far as it can be kept, and
// never refuses a message.

// HintText is a hint by itself. From JSON it takes any value: what is no string is
// kept as it was written.
type HintText string

// UnmarshalJSON is json.Unmarshaler. It has no error for JSON.
func (t *HintText) UnmarshalJSON(data []byte) error {
	text, _, err := hintOf(data)
	*t = HintText(text)
	return err
}

// Kept returns what can be kept of the hint in at most max bytes.
func (t HintText) Kept(max int) string { return fit(string(t), max) }

// Hints are hints by name, in the order in which they were said; nil where nothing
// was said. From JSON they take any value: what is no object says nothing.
type Hints []Hint

// maxHints is how many are read, so that no page fills the memory: more than are
// kept, for some have the same name.
const maxHints = 4 * MaxMetadata

// Hint is one of Hints.
type Hint struct{ Name, Text string }

// UnmarshalJSON is json.Unmarshaler. It has no error for JSON.
func (h *Hints) UnmarshalJSON(data []byte) error {
	*h = nil
	d := json.NewDecoder(bytes.NewReader(data))
	if opening, err := d.Token(); err != nil || opening != json.Delim('{') {
		return err
	}
	*h = Hints{}
	for len(*h) < maxHints && d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return err
		}
		text, said, err := hintOf(value)
		if err != nil {
			return err
		}
		if said {
			*h = append(*h, Hint{name.(string), text}) // a name is always a string
		}
	}
	return nil
}

// hintOf returns a value of JSON as text; said is false of null.
func hintOf(data []byte) (text string, said bool, err error) {
	data = bytes.TrimSpace(data)
	switch data[0] {
	case 'n':
		return "", false, nil
	case '"':
		err := json.Unmarshal(data, &text)
		return text, true, err
	}
	var compact bytes.Buffer
	err = json.Compact(&compact, data)
	return compact.String(), true, err
}

// Of returns the hint with a name, whole; "" if there is none.
func (h Hints) Of(name string) string {
	for _, hint := range h {
		if hint.Name == name {
			return hint.Text
		}
	}
	return ""
}

// Metadata returns what can be kept of the hints: the first MaxMetadata, with names
// and texts cut to MaxMetadataBytes. Of those with the same name it is the first.
func (h Hints) Metadata() map[string]string {
	if h == nil {
		return nil
	}
	kept := map[string]string{}
	for _, hint := range h {
		name := fit(hint.Name, MaxMetadataBytes)
		if _, twice := kept[name]; twice || len(kept) == MaxMetadata {
			continue
		}
		kept[name] = fit(hint.Text, MaxMetadataBytes)
	}
	return kept
}
