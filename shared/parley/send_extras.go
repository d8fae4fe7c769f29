package parley

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"time"
	"unicode/utf8"

	"parley/shared/table"
)

// MaxPromptBytes is the longest prompt that a page sends along with a message.
// Our choice.
const MaxPromptBytes = 4000

// MaxContextBytes is the longest JSON object that a page sends along with a
// message for the agent. Our choice: agents are told of 4,000 bytes at most.
const MaxContextBytes = 16 << 10

// extrasLife is how long what came along with a message is kept for the run
// that answers it. Our choice: longer than any run waits for its turn.
const extrasLife = time.Hour

// Extras come along with a message for whoever generates its answer, and are no
// part of the conversation.
type Extras struct {
	// Overrides are the browser's values for actions; Send keeps those that the
	// project's actions leave open.
	Overrides Overrides `json:"overrides,omitzero"`
	// Prompt is what the page tells the agent beside the visitor's words. It is a
	// hint of the browser's, like these.
	Prompt string `json:"prompt,omitempty"`
	// Context is what the page wants the agent to know: a JSON object, or nil.
	Context json.RawMessage `json:"context,omitempty"`
}

// Empty reports whether nothing came along.
func (x Extras) Empty() bool { return x.Overrides.Empty() && x.Prompt == "" && x.Context == nil }

func (x Extras) check() error {
	if exceeds(x.Prompt, MaxPromptBytes) {
		return tooLarge("prompt", MaxPromptBytes)
	}
	if !utf8.ValidString(x.Prompt) {
		return invalid("prompt", "prompt is not UTF-8")
	}
	return cmp.Or(checkAnyObject("context", x.Context, MaxContextBytes), x.Overrides.check("overrides"))
}

func (x Extras) item(p ProjectID, r RunID, now time.Time) (table.Item, error) {
	return record(extrasKey(p, r), "extras", x, table.Item{table.ExpiresAt: now.Add(extrasLife).Unix()})
}

// Extras returns what came along with the message that a run answers, and with
// the retry where it is one. Zero if there was nothing, or it has expired.
func (s *Store) Extras(ctx context.Context, ref RunRef, of EntryID) (Extras, error) {
	keys := []table.Key{extrasKey(ref.Project, ref.Run)}
	if RunID(of) != ref.Run {
		keys = append(keys, extrasKey(ref.Project, RunID(of)))
	}
	items, err := s.table.Get(ctx, true, keys...)
	if err != nil {
		return Extras{}, unavailable(err)
	}
	var x Extras
	for _, item := range slices.Backward(items) { // the retry's own win
		if err := decode(item, "extras", &x); err != nil {
			return Extras{}, err
		}
	}
	return x, nil
}
