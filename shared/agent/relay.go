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
// and a function pays for every second it waits for a provider that hangs.
const (
	DefaultFirstToken    = 20 * time.Second
	DefaultBetweenTokens = 15 * time.Second
)

// usageWait is how long to wait, after a complete reply, for the provider to
// report its usage.
const usageWait = 2 * time.Second

// maxTokenBytes is more than a token of any provider has on average. A reply
// longer than MaxTokens times this comes from a provider that ignores the cap.
const maxTokenBytes = 32

// Event is one event of a model's stream.
type Event struct {
	// Text is for the visitor.
	Text string
	// Thinking says that the model produced a token that nobody is to see. An
	// event with neither text nor thinking is no token, and does not reset the
	// deadline.
	Thinking bool
	// Calls are pieces of calls that the model makes.
	Calls []CallDelta
	// End says that the provider declared the answer complete; Truncated, that the
	// output limit ended it; Calling, that the model waits for the outcomes of its
	// calls.
	End, Truncated, Calling bool
	// Usage, if not nil, is what the request cost. It may come after End.
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

// Relay passes the replies of one model on to visitors. It contains what all
// providers have in common, so that each provider's package only opens and
// translates a stream. It is safe for concurrent use if its functions are.
type Relay struct {
	// Open sends a prompt, and may retry. It returns when the stream is open, or
	// an error that wraps one of this package. Required.
	Open func(ctx context.Context, p Prompt) (Stream, error)
	// Ground finds passages of help articles for a visitor's question, best first,
	// with links to where the persona's articles are; nil means none.
	Ground func(query, articles string) []Passage
	// FirstToken is the longest time from the question to the first token,
	// including retries of Open; BetweenTokens is that from one token to the next.
	// Zero means the default.
	FirstToken, BetweenTokens time.Duration
}

var (
	_ Agent    = (*Relay)(nil)
	_ Reviewer = (*Relay)(nil)
)

// Reply implements Agent.Reply with Open. A complete reply that has neither text
// nor asks for anything to happen is an ErrProvider.
func (r *Relay) Reply(ctx context.Context, c Conversation, emit func(string) error) (Result, error) {
	if len(c.Turns) == 0 || c.MaxTokens <= 0 {
		return Result{}, fmt.Errorf("%w: asked with %d turns for %d tokens", ErrProvider, len(c.Turns), c.MaxTokens)
	}
	var passages []Passage
	if r.Ground != nil {
		passages = r.Ground(groundQuery(c.Turns), c.Persona.Articles)
	}
	result, _, err := r.transfer(ctx, c, NewPrompt(c, passages), passages, emit)
	return result, err
}

// transfer asks a model, emits its answer as it comes, and also returns it as a
// whole.
func (r *Relay) transfer(ctx context.Context, c Conversation, p Prompt, passages []Passage, emit func(string) error) (Result, string, error) {
	streamCtx, deadline := newDeadline(ctx)
	defer deadline.close()
	t := &transfer{relay: r, deadline: deadline, conversation: c, maxBytes: c.MaxTokens * maxTokenBytes, prompt: p, passages: passages}
	t.filter = NewFilter(p.Markers, func(delta string) error {
		t.text.WriteString(delta)
		t.callerErr = emit(delta)
		return t.callerErr
	})
	err := t.run(streamCtx)
	switch {
	case err == nil:
		return t.result(), t.text.String(), nil
	case t.callerErr != nil:
		err = t.callerErr
	case ctx.Err() != nil:
		err = ctx.Err()
	case errors.Is(context.Cause(streamCtx), ErrTimeout):
		err = context.Cause(streamCtx)
	case errors.Is(err, ErrThrottled) && t.begun:
		err = fmt.Errorf("%w: throttled in mid-stream", ErrProvider)
	}
	return t.partial(), "", err
}

// transfer is a reply while it is being streamed.
type transfer struct {
	relay        *Relay
	deadline     *deadline
	conversation Conversation
	prompt       Prompt
	passages     []Passage
	maxBytes     int

	filter       *Filter
	text         strings.Builder // what was emitted
	received     int             // bytes of text and calls from the provider, markers included
	control      Result          // what calls of control tools ask for
	begun        bool            // a token came
	callerErr    error           // what emit or Use returned
	truncated    bool
	rounds       int   // complete ones
	usage        Usage // of the complete rounds
	carriedOut   []Call
	outcomeBytes int // of all outcomes shown to the model

	// Of the current round:
	roundText bytes.Buffer // its text, markers included
	tokens    int          // an estimate of its output
	calls     []*partialCall
	reported  *Usage // by the provider
	counted   bool   // its tokens are in usage
}

// partial is what is known of a reply that failed. In the first round that is
// nothing: Usage is then estimated by the engine, which knows what was emitted.
func (t *transfer) partial() Result {
	if t.rounds == 0 {
		return Result{}
	}
	usage := t.usage
	if !t.counted {
		usage = usage.plus(t.roundUsage())
	}
	return Result{Usage: usage, Calls: t.carriedOut}
}

func (t *transfer) result() Result {
	result := t.control
	if t.prompt.Markers {
		result = t.filter.Result()
	}
	result.Truncated = t.truncated
	result.Sources = linked(t.text.String(), t.passages)
	result.Usage, result.Calls = t.usage, t.carriedOut
	return result
}

// linked returns the passages that the reply links to, best first.
func linked(text string, passages []Passage) []Source {
	var sources []Source
	for _, p := range passages {
		if p.URL != "" && strings.Contains(text, "]("+p.URL+")") {
			sources = append(sources, p.Source)
		}
	}
	return sources
}

// shortQuestion is how many words a question needs to be understood without the
// message before it.
const shortQuestion = 5

// groundQuery is the question to search the articles for: the visitor's last
// message, preceded by the one before if it is too short to stand alone ("and on
// a phone?").
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

// DefaultAttempts is how often a request is sent at most. A visitor is waiting:
// the first-token deadline leaves time for one retry.
const DefaultAttempts = 2

// firstPause is the longest wait before the first retry.
const firstPause = 400 * time.Millisecond

// Backoff is how long to wait after the given attempt, counted from 1. It is
// random, between half of a maximum and all of it; the maximum doubles each
// time, up to 6.4 s.
func Backoff(try int) time.Duration {
	longest := firstPause << min(max(try-1, 0), 4)
	return longest/2 + rand.N(longest/2)
}

// maxReason is the longest part of a provider's message in an error, in bytes.
const maxReason = 300

// Fail wraps kind, one of the errors of this package, with a provider's message
// on one line, cut to maxReason. Errors are logged, so reason must contain no
// secret and nothing that a visitor wrote.
func Fail(kind error, reason string) error {
	reason = strings.Join(strings.Fields(strings.ToValidUTF8(reason, "?")), " ")
	if len(reason) > maxReason {
		reason = clip(reason, maxReason) + "…"
	}
	return fmt.Errorf("%w: %s", kind, reason)
}
