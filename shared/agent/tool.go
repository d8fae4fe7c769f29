package agent

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"sync"
	"unicode/utf8"
)

// Limits on the tool calls of one reply. Our choices: the visitor waits for all
// of them, and every round pays for the whole conversation again.
const (
	// MaxRounds is how many times a model may call tools before it must answer.
	MaxRounds = 5
	// MaxCalls is how many calls are carried out for one reply.
	MaxCalls = 8
	// MaxArgumentBytes is the longest JSON of a call's arguments, in bytes.
	MaxArgumentBytes = 4 << 10
	// maxOutcomeBytes is how much of all outcomes a model is shown in one reply,
	// in bytes; longer ones are cut off.
	maxOutcomeBytes = 32 << 10
	// maxRoundCalls is how many calls one round may hold. A provider that sends
	// more is broken.
	maxRoundCalls = 32
)

// Tool is something that a model may ask to have done.
type Tool struct {
	// Name is 1 to 64 letters, digits, "_" and "-": what every provider takes.
	Name        string
	Description string
	// Parameters is a JSON Schema of an object.
	Parameters json.RawMessage
}

// Call is one use of a Tool.
type Call struct {
	// ID is given by the provider, unique in the reply.
	ID   string
	Tool string
	// Arguments is a JSON object of at most MaxArgumentBytes. It is not yet
	// checked against the tool's Parameters.
	Arguments json.RawMessage
	// Outcome is what came of it.
	Outcome
}

// Outcome is what a model is told of a call.
type Outcome struct {
	// Text is JSON, or a sentence.
	Text string
	// Failed says that the call did not do what was asked.
	Failed bool
}

// toolName matches the names that OpenAI and Bedrock accept. A model may have
// invented another, and sending that back would fail the request.
var toolName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`) })

func refused(format string, args ...any) Outcome {
	return Outcome{Text: fmt.Sprintf(format, args...), Failed: true}
}

// Round is one answer of a model that called tools: its text, and its calls with
// their outcomes. A call that was rejected has {} as Arguments, since the real
// ones may not be JSON.
type Round struct {
	Text  string
	Calls []Call
}

// CallDelta is a piece of a call in a model's stream.
type CallDelta struct {
	// Index tells the calls of one round apart. Negative where the provider
	// gives none: then a new ID or name begins another call.
	Index int
	// ID and Name come with the first piece, Arguments piece by piece.
	ID, Name, Arguments string
}

// partialCall is a call whose pieces are still arriving.
type partialCall struct {
	index     int
	id, name  string
	arguments []byte
}

// addDelta adds a piece to the calls of a round. Some servers give all calls of
// a round the same index, or none; there a new id begins a new call.
func addDelta(calls []*partialCall, d CallDelta) []*partialCall {
	for i := len(calls) - 1; i >= 0; i-- {
		c := calls[i]
		same := d.Index >= 0 && c.index == d.Index || d.Index < 0 && i == len(calls)-1
		if !same {
			continue
		}
		if d.ID != "" && c.id != "" && d.ID != c.id || d.Index < 0 && d.ID == "" && d.Name != "" {
			break
		}
		c.add(d)
		return calls
	}
	c := &partialCall{index: d.Index}
	c.add(d)
	return append(calls, c)
}

func (a *partialCall) add(d CallDelta) {
	a.id, a.name = cmp.Or(a.id, d.ID), cmp.Or(a.name, d.Name)
	a.arguments = append(a.arguments, d.Arguments...)
}

// object returns a call's arguments as a JSON object, or what is wrong with
// them. No arguments at all are an empty object.
func (a *partialCall) object() (json.RawMessage, string) {
	text := bytes.TrimSpace(a.arguments)
	switch {
	case len(text) == 0:
		return json.RawMessage("{}"), ""
	case len(text) > MaxArgumentBytes:
		return nil, fmt.Sprintf("the arguments are longer than %d bytes", MaxArgumentBytes)
	case text[0] != '{' || !json.Valid(text) || !utf8.Valid(text):
		return nil, "the arguments are no JSON object"
	}
	return text, ""
}
