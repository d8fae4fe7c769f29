package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// Default deadlines, our choice: a visitor who sees nothing for longer gives up,
// and a function waits no longer than it must for a provider that hangs.
const (
	DefaultFirstToken    = 20 * time.Second
	DefaultBetweenTokens = 15 * time.Second
)

// usageWait is how long a reply that is complete may take to say what it cost.
const usageWait = 2 * time.Second

// maxTokenBytes is more than any provider's token holds on average. A reply
// beyond MaxTokens such tokens comes from a provider that ignores the cap.
const maxTokenBytes = 32

// Event is what a model's stream brought.
type Event struct {
	// Text is to be passed on.
	Text string
	// Thinking says that the event is a token that nobody is to see. An event
	// with neither is no token and moves no deadline.
	Thinking bool
	// Calls are pieces of calls that the model makes.
	Calls []CallDelta
	// End says that the provider declared the answer complete, Truncated that
	// the output limit ended it, Calling that it waits for what its calls bring.
	End, Truncated, Calling bool
	// Usage, where not nil, is what the call cost. It may come after End.
	Usage *Usage
}

// Stream is a model's open reply.
type Stream interface {
	// Next waits for the next event. It returns io.EOF when the stream is over,
	// and otherwise an error that wraps one of this package. It must return
	// soon after the context it was opened with is cancelled.
	Next() (Event, error)
	// Close frees the connection.
	Close() error
}

// Relay carries one model's replies to visitors: it has what all providers
// share, so that each of them only opens and translates a stream. It is safe for
// concurrent use if its functions are.
type Relay struct {
	// Open sends a prompt. It may retry; it returns when the stream is open or
	// an error that wraps one of this package. Required.
	Open func(ctx context.Context, p Prompt) (Stream, error)
	// Ground finds passages of help articles for a visitor's question, best
	// first; nil is none.
	Ground func(query string) []Passage
	// FirstToken is the longest time from the question to the first token, the
	// tries of Open included; BetweenTokens from one to the next. Zero is the default.
	FirstToken, BetweenTokens time.Duration
}

// Reply is Agent.Reply over Open. A reply that is complete but empty, without
// a marker either, is ErrProvider.
func (r *Relay) Reply(ctx context.Context, c Conversation, emit func(string) error) (Result, error) {
	if len(c.Turns) == 0 || c.MaxTokens <= 0 {
		return Result{}, fmt.Errorf("%w: asked with %d turns for %d tokens", ErrProvider, len(c.Turns), c.MaxTokens)
	}
	var passages []Passage
	if r.Ground != nil {
		passages = r.Ground(groundQuery(c.Turns))
	}
	result, _, err := r.transfer(ctx, c, NewPrompt(c, passages), passages, emit)
	return result, err
}

// transfer asks a model and passes on what it answers, which it also returns
// whole.
func (r *Relay) transfer(ctx context.Context, c Conversation, p Prompt, passages []Passage, emit func(string) error) (Result, string, error) {
	streamCtx, watch := newWatch(ctx)
	defer watch.close()
	t := &transfer{relay: r, watch: watch, conversation: c, maxBytes: c.MaxTokens * maxTokenBytes, prompt: p, passages: passages}
	t.filter = NewFilter(func(delta string) error {
		t.text.WriteString(delta)
		t.refused = emit(delta)
		return t.refused
	})
	err := t.run(streamCtx)
	switch {
	case err == nil:
		return t.result(), t.text.String(), nil
	case t.refused != nil:
		err = t.refused
	case ctx.Err() != nil:
		err = ctx.Err()
	case errors.Is(context.Cause(streamCtx), ErrTimeout):
		err = context.Cause(streamCtx)
	case errors.Is(err, ErrThrottled) && t.begun:
		err = fmt.Errorf("%w: throttled in mid-stream", ErrProvider)
	}
	return t.partial(), "", err
}

// transfer is one reply on its way.
type transfer struct {
	relay        *Relay
	watch        *watch
	conversation Conversation
	prompt       Prompt
	passages     []Passage
	maxBytes     int

	filter    *Filter
	text      strings.Builder // what was emitted
	received  int             // bytes of text and calls that came, markers included
	begun     bool            // a token came
	refused   error           // what emit or Use returned
	truncated bool
	rounds    int    // that are over
	usage     Usage  // of these
	made      []Call // that were carried out
	heard     int    // bytes of outcomes that the model was told

	// Of the round under way:
	told    bytes.Buffer // its text as it came
	tokens  int          // an estimate of its output
	calls   []*asked
	cost    *Usage // as the provider says
	settled bool   // its cost is in usage
}

// partial is what is known of a reply that failed: nothing, if that was in its
// first round.
func (t *transfer) partial() Result {
	if t.rounds == 0 {
		return Result{}
	}
	usage := t.usage
	if !t.settled {
		usage = usage.plus(t.spent())
	}
	return Result{Usage: usage, Calls: t.made}
}

func (t *transfer) result() Result {
	result := t.filter.Result()
	result.Truncated = t.truncated
	result.Sources = linked(t.text.String(), t.passages)
	result.Usage, result.Calls = t.usage, t.made
	return result
}

// linked are the passages that the reply links to, best first.
func linked(text string, passages []Passage) []Source {
	var sources []Source
	for _, p := range passages {
		if p.URL != "" && strings.Contains(text, "]("+p.URL+")") {
			sources = append(sources, p.Source)
		}
	}
	return sources
}

// shortQuestion is fewer words than a question that stands on its own mostly has.
const shortQuestion = 5

// groundQuery is what the visitor asks: the last message, and for one that is
// too short to stand alone ("and on a phone?") the visitor's message before it.
func groundQuery(turns []Turn) string {
	var query string
	for i := len(turns) - 1; i >= 0; i-- {
		if turns[i].Role != Visitor {
			continue
		}
		if query != "" {
			return turns[i].Text + "\n" + query
		}
		query = turns[i].Text
		if len(strings.Fields(query)) >= shortQuestion {
			break
		}
	}
	return query
}

// DefaultAttempts is how often a request is sent at most: a visitor waits, so a
// second try is all that the first-token deadline has room for.
const DefaultAttempts = 2

// firstPause is the longest wait before a second try.
const firstPause = 400 * time.Millisecond

// Backoff is how long to wait after a failed try, the first being 1: a random
// time, at least half of the longest, which doubles from try to try up to 6.4 s.
func Backoff(try int) time.Duration {
	longest := firstPause << min(max(try-1, 0), 4)
	return longest/2 + rand.N(longest/2)
}

// maxReason is the longest text of a provider in an error, in bytes.
const maxReason = 300

// Fail wraps kind, one of the errors of this package, with what a provider
// said: on one line and cut to 300 bytes. Errors are logged: reason must hold no
// secret and nothing that a visitor wrote.
func Fail(kind error, reason string) error {
	reason = strings.Join(strings.Fields(strings.ToValidUTF8(reason, "?")), " ")
	if len(reason) > maxReason {
		reason = clip(reason, maxReason) + "…"
	}
	return fmt.Errorf("%w: %s", kind, reason)
}

func orDefault(d, fallback time.Duration) time.Duration {
	if d == 0 {
		return fallback
	}
	return d
}
