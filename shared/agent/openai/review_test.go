package openai_test

import (
	"errors"
	"slices"
	"testing"

	"parley/shared/agent"
)

// TestReview: one call, by the wire of replies.
func TestReview(t *testing.T) {
	s := serve(t, func(w *wire) {
		w.text(`{"summary":"Wanted `, `a refund.","outcome":"unresolved",`, `"sentiment":"negative","tags":["refund"]}`)
		w.finish("stop")
		w.usage(300, 40)
		w.done()
	}, func(w *wire) { w.text("no"); w.finish("length"); w.usage(300, 500); w.done() }, throttled)
	a := newAgent(t, s, nil)
	transcript := agent.Transcript{Turns: []agent.Turn{{Role: agent.Visitor, Text: "Refund?"}}, Model: "large"}
	r, err := a.Review(t.Context(), transcript)
	if err != nil || r.Summary != "Wanted a refund." || r.Outcome != agent.Unresolved || r.Sentiment != agent.Negative ||
		!slices.Equal(r.Tags, []string{"refund"}) || r.Usage != (agent.Usage{Input: 300, Output: 40}) {
		t.Errorf("Review = %+v, %v", r, err)
	}
	sent := s.requests[0]
	if len(sent.Messages) != 2 || sent.Model != "large" || sent.MaxTokens != agent.ReviewTokens || sent.Tools != nil {
		t.Errorf("the request is %+v", sent)
	}
	if r, err := a.Review(t.Context(), transcript); !errors.Is(err, agent.ErrProvider) || r.Usage.Output != 500 || s.calls() != 2 {
		t.Errorf("an answer that is none: %+v, %v after %d calls", r, err, s.calls())
	}
	if _, err := a.Review(t.Context(), transcript); !errors.Is(err, agent.ErrThrottled) {
		t.Errorf("without capacity: %v", err)
	}
}
