package agent

import (
	"bytes"
	"context"
	"fmt"
	"io"
)

// run asks the model, has its calls carried out and asks again, until it has
// answered.
func (t *transfer) run(ctx context.Context) error {
	for {
		calls, err := t.round(ctx)
		if err != nil || len(calls) == 0 {
			return err
		}
		if t.prompt.Closing {
			return fmt.Errorf("%w: more than %d rounds", ErrLoop, MaxRounds)
		}
		if err := t.use(ctx, calls); err != nil {
			return err
		}
		if t.usage.Output >= t.conversation.MaxTokens {
			t.truncated = true
			return t.complete()
		}
		t.prompt.MaxTokens = t.conversation.MaxTokens - t.usage.Output
		if most := t.conversation.MaxSpend; most > 0 && t.usage.Input+t.usage.Output+t.prompt.tokens() > most {
			return fmt.Errorf("%w: the next round would cost more than the %d tokens set aside", ErrLoop, most)
		}
		t.prompt.Closing = len(t.prompt.Rounds) == MaxRounds
		if err := t.filter.Write(between); err != nil {
			return err
		}
	}
}

// between parts what a model says before and after a call; a Filter lets it go
// only if something stands on either side of it.
const between = "\n\n"

// round opens a stream and passes it on until the provider ends it. It returns
// the calls that the model makes; none means that the reply is complete.
func (t *transfer) round(ctx context.Context) ([]*asked, error) {
	t.begin()
	t.watch.arm(orDefault(t.relay.FirstToken, DefaultFirstToken), "first token")
	stream, err := t.relay.Open(ctx, t.prompt)
	if err != nil {
		return nil, err
	}
	defer stream.Close()
	for {
		event, err := stream.Next()
		if err == io.EOF {
			return nil, ErrCut
		}
		if err != nil {
			return nil, err
		}
		if err := t.take(event); err != nil {
			return nil, err
		}
		if event.End {
			return t.ended(stream, event)
		}
	}
}

// begin makes room for what the next round brings.
func (t *transfer) begin() {
	t.told, t.tokens, t.calls, t.cost, t.settled = bytes.Buffer{}, 0, nil, nil, false
}

// take passes an event's text on and collects its calls. The clock stands still
// while emit works.
func (t *transfer) take(event Event) error {
	if event.Usage != nil {
		t.cost = event.Usage
	}
	if event.Text == "" && !event.Thinking && len(event.Calls) == 0 {
		return nil
	}
	t.watch.disarm()
	defer t.watch.arm(orDefault(t.relay.BetweenTokens, DefaultBetweenTokens), "further token")
	t.begun = true
	for _, d := range event.Calls {
		t.calls = collect(t.calls, d)
		t.received += len(d.Name) + len(d.Arguments)
		t.tokens += textTokens(d.Name) + textTokens(d.Arguments)
	}
	t.received += len(event.Text)
	t.tokens += textTokens(event.Text)
	switch {
	case t.received > t.maxBytes:
		return fmt.Errorf("%w: over %d bytes of text for %d tokens", ErrProvider, t.maxBytes, t.conversation.MaxTokens)
	case len(t.calls) > maxAsked:
		return fmt.Errorf("%w: over %d calls at once", ErrProvider, maxAsked)
	case len(t.calls) > 0 && len(t.prompt.Tools) == 0:
		return fmt.Errorf("%w: a call of a tool, of which there is none", ErrProvider)
	}
	t.told.WriteString(event.Text)
	return t.filter.Write(event.Text)
}

// ended settles a round that the provider has declared over.
func (t *transfer) ended(stream Stream, event Event) ([]*asked, error) {
	t.watch.disarm()
	t.truncated = event.Truncated
	calls := t.calls
	if event.Truncated {
		calls = nil // the last one may be cut, and there is no room for an answer
	}
	if event.Calling && len(calls) == 0 {
		return nil, fmt.Errorf("%w: it ended the reply for a call that it did not make", ErrProvider)
	}
	if len(calls) == 0 {
		if err := t.complete(); err != nil {
			return nil, err
		}
	}
	t.watch.arm(usageWait, "usage")
	for t.cost == nil {
		event, err := stream.Next()
		if err != nil {
			break
		}
		t.cost = event.Usage
	}
	t.watch.disarm()
	t.usage = t.usage.plus(t.spent())
	t.rounds, t.settled = t.rounds+1, true
	return calls, nil
}

// complete lets go what the filter held. The reply is complete: whatever
// happens to the stream now cannot make it fail.
func (t *transfer) complete() error {
	if err := t.filter.Close(); err != nil {
		return err
	}
	marked := t.filter.Result()
	if t.text.Len() == 0 && len(t.made) == 0 && !marked.Handover && !marked.Goodbye && !marked.LikelyResolved {
		return fmt.Errorf("%w: empty reply", ErrProvider)
	}
	return nil
}

// spent is what the round under way costs.
func (t *transfer) spent() Usage {
	if t.cost != nil {
		return *t.cost
	}
	return Usage{Input: t.prompt.tokens(), Output: t.tokens, Estimated: true}
}

// use has the calls of a round carried out, one after the other, and adds them
// to the prompt.
func (t *transfer) use(ctx context.Context, calls []*asked) error {
	round := Round{Text: t.told.String()}
	seen := map[string]bool{}
	for _, a := range calls {
		c := Call{ID: a.id, Tool: a.name, Arguments: emptyObject}
		if c.ID == "" || seen[c.ID] {
			c.ID = fmt.Sprintf("call_%d_%d", len(t.prompt.Rounds)+1, len(round.Calls)+1)
		}
		seen[c.ID] = true
		arguments, problem := a.object()
		if problem == "" {
			c.Arguments = arguments
			problem = t.objection(c)
		}
		if problem != "" {
			c.Outcome = refused("Not carried out: %s.", problem)
		} else {
			if c.Outcome, t.refused = t.conversation.Use(ctx, c); t.refused != nil {
				return t.refused
			}
			t.made = append(t.made, c)
		}
		c.Text = t.bounded(c.Text)
		if !toolName().MatchString(c.Tool) {
			c.Tool = "unknown"
		}
		round.Calls = append(round.Calls, c)
	}
	t.prompt.Rounds = append(t.prompt.Rounds, round)
	return nil
}

var emptyObject = []byte("{}")

// objection says why a call is not carried out, "" if it is. The same call
// again would only do again what it did, which may be an order or a payment.
func (t *transfer) objection(c Call) string {
	known := false
	for _, tool := range t.prompt.Tools {
		known = known || tool.Name == c.Tool
	}
	switch {
	case !known:
		return "there is no tool of this name"
	case len(t.made) >= MaxCalls || len(t.prompt.Rounds) >= MaxRounds:
		return "there were too many calls; answer with what you have"
	}
	for _, m := range t.made {
		if m.Tool == c.Tool && bytes.Equal(m.Arguments, c.Arguments) {
			return "you have made this very call before, see its result"
		}
	}
	return ""
}

// bounded cuts what a model is told to what is left for all outcomes.
func (t *transfer) bounded(text string) string {
	left := maxTold - t.heard
	if t.heard += len(text); len(text) <= left {
		return text
	}
	return clip(text, max(left, 0)) + " … (the rest is left out)"
}
