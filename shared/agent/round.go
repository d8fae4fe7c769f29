package agent

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
)

// run asks the model, carries out the calls it makes, and asks again with their
// outcomes, until the model has answered.
func (t *transfer) run(ctx context.Context) error {
	for {
		calls, err := t.round(ctx)
		if err != nil || len(calls) == 0 {
			return err
		}
		if t.prompt.Closing {
			return fmt.Errorf("%w: more than %d rounds", ErrLoop, MaxRounds)
		}
		if err := t.useTools(ctx, calls); err != nil {
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
		if err := t.filter.Write(roundSeparator); err != nil {
			return err
		}
	}
}

// roundSeparator stands between what a model says before and after a call. The
// Filter drops it where one of them is empty.
const roundSeparator = "\n\n"

// round streams one answer of the model until the provider ends it. It returns
// the calls that the model makes; none means that the reply is complete.
func (t *transfer) round(ctx context.Context) ([]*partialCall, error) {
	t.beginRound()
	t.deadline.arm(cmp.Or(t.relay.FirstToken, DefaultFirstToken), "first token")
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
		if err := t.accept(event); err != nil {
			return nil, err
		}
		if event.End {
			return t.finishRound(stream, event)
		}
	}
}

// beginRound resets what is counted for each round.
func (t *transfer) beginRound() {
	t.roundText, t.tokens, t.calls, t.reported, t.counted = bytes.Buffer{}, 0, nil, nil, false
}

// accept emits an event's text and collects its calls. The deadline is off
// meanwhile: a slow reader is not the provider's fault.
func (t *transfer) accept(event Event) error {
	if event.Usage != nil {
		t.reported = event.Usage
	}
	if event.Text == "" && !event.Thinking && len(event.Calls) == 0 {
		return nil
	}
	t.deadline.disarm()
	defer t.deadline.arm(cmp.Or(t.relay.BetweenTokens, DefaultBetweenTokens), "further token")
	t.begun = true
	for _, d := range event.Calls {
		t.calls = addDelta(t.calls, d)
		t.received += len(d.Name) + len(d.Arguments)
		t.tokens += textTokens(d.Name) + textTokens(d.Arguments)
	}
	t.received += len(event.Text)
	t.tokens += textTokens(event.Text)
	switch {
	case t.received > t.maxBytes:
		return fmt.Errorf("%w: over %d bytes of text for %d tokens", ErrProvider, t.maxBytes, t.conversation.MaxTokens)
	case len(t.calls) > maxRoundCalls:
		return fmt.Errorf("%w: over %d calls at once", ErrProvider, maxRoundCalls)
	case len(t.calls) > 0 && len(t.prompt.Tools) == 0:
		return fmt.Errorf("%w: a call of a tool, of which there is none", ErrProvider)
	}
	t.roundText.WriteString(event.Text)
	return t.filter.Write(event.Text)
}

// finishRound counts a round that the provider has declared complete.
func (t *transfer) finishRound(stream Stream, event Event) ([]*partialCall, error) {
	t.deadline.disarm()
	t.truncated = event.Truncated
	calls := t.calls
	if event.Truncated {
		calls = nil // the last one may be cut off, and no tokens are left to answer with its outcome
	}
	if event.Calling && len(calls) == 0 {
		return nil, fmt.Errorf("%w: it ended the reply for a call that it did not make", ErrProvider)
	}
	calls, err := t.heed(calls)
	if err != nil {
		return nil, err
	}
	if len(calls) == 0 {
		if err := t.complete(); err != nil {
			return nil, err
		}
	}
	t.deadline.arm(usageWait, "usage")
	for t.reported == nil {
		event, err := stream.Next()
		if err != nil {
			break
		}
		t.reported = event.Usage
	}
	t.deadline.disarm()
	t.usage = t.usage.plus(t.roundUsage())
	t.rounds, t.counted = t.rounds+1, true
	return calls, nil
}

// heed notes what calls of control tools ask for. It returns no calls where all
// of them are such: the reply is over then, and nobody waits for an outcome.
func (t *transfer) heed(calls []*partialCall) ([]*partialCall, error) {
	others := false
	for _, c := range calls {
		if IsControl(c.name) {
			t.control.control(c)
		} else {
			others = true
		}
	}
	switch {
	case !others:
		return nil, nil
	case len(t.conversation.Tools) == 0:
		return nil, fmt.Errorf("%w: a call of a tool, of which there is none", ErrProvider)
	}
	return calls, nil
}

// complete emits what the filter still holds. From here on the reply counts as
// complete: an error of the stream cannot make it fail any more.
func (t *transfer) complete() error {
	if err := t.filter.Close(); err != nil {
		return err
	}
	if result := t.result(); t.text.Len() == 0 && len(t.carriedOut) == 0 && !result.controls() {
		return fmt.Errorf("%w: empty reply", ErrProvider)
	}
	return nil
}

// roundUsage is what the current round costs: as the provider reported it, or
// else an estimate.
func (t *transfer) roundUsage() Usage {
	if t.reported != nil {
		return *t.reported
	}
	return Usage{Input: t.prompt.tokens(), Output: t.tokens, Estimated: true}
}

// useTools has the calls of a round carried out, one after the other, and adds
// them to the prompt.
func (t *transfer) useTools(ctx context.Context, calls []*partialCall) error {
	round := Round{Text: withoutMarks(t.roundText.String())}
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
		switch {
		case IsControl(c.Tool):
			c.Outcome = Outcome{Text: "It will happen when your reply ends. Do not call it again."}
		case problem != "":
			c.Outcome = refused("Not carried out: %s.", problem)
		default:
			if c.Outcome, t.callerErr = t.conversation.Use(ctx, c); t.callerErr != nil {
				return t.callerErr
			}
			t.carriedOut = append(t.carriedOut, c)
		}
		c.Text = t.clipOutcome(withoutMarks(c.Text))
		if !toolName().MatchString(c.Tool) {
			c.Tool = "unknown"
		}
		round.Calls = append(round.Calls, c)
	}
	t.prompt.Rounds = append(t.prompt.Rounds, round)
	return nil
}

var emptyObject = []byte("{}")

// objection says why a call is not carried out, "" if it is. A repeated call is
// not: the first may have been an order or a payment.
func (t *transfer) objection(c Call) string {
	switch {
	case !slices.ContainsFunc(t.prompt.Tools, func(known Tool) bool { return known.Name == c.Tool }):
		return "there is no tool of this name"
	case len(t.carriedOut) >= MaxCalls || len(t.prompt.Rounds) >= MaxRounds:
		return "there were too many calls; answer with what you have"
	case slices.ContainsFunc(t.carriedOut, func(made Call) bool { return made.Tool == c.Tool && bytes.Equal(made.Arguments, c.Arguments) }):
		return "you have made this very call before, see its result"
	}
	return ""
}

// clipOutcome cuts an outcome to what is left of maxOutcomeBytes.
func (t *transfer) clipOutcome(text string) string {
	left := maxOutcomeBytes - t.outcomeBytes
	if t.outcomeBytes += len(text); len(text) <= left {
		return text
	}
	return clip(text, max(left, 0)) + " … (the rest is left out)"
}
