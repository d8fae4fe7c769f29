package bedrock_test

import (
	"errors"
	"slices"
	"testing"

	"parley/shared/agent"
)

// TestReview: one call, by the wire of replies.
func TestReview(t *testing.T) {
	s := serve(t, func(w *wire) {
		w.start()
		w.text(`{"summary":"Wanted `, `a refund.","outcome":"unresolved",`, `"sentiment":"negative","tags":["refund"]}`)
		w.stop("end_turn")
		w.usage(300, 40)
	}, func(w *wire) { w.start(); w.text(`{"summary":`) })
	a := newAgent(t, s, nil)
	transcript := agent.Transcript{Turns: []agent.Turn{{Role: agent.Visitor, Text: "Refund?"}}, Model: "large"}
	r, err := a.Review(t.Context(), transcript)
	if err != nil || r.Summary != "Wanted a refund." || r.Outcome != agent.Unresolved || r.Sentiment != agent.Negative ||
		!slices.Equal(r.Tags, []string{"refund"}) || r.Usage.Output != 40 {
		t.Errorf("Review = %+v, %v", r, err)
	}
	sent := s.requests[0]
	if len(sent.Messages) != 1 || sent.Model != "large" || sent.InferenceConfig.MaxTokens != agent.ReviewTokens || sent.ToolConfig != nil {
		t.Errorf("the request is %+v", sent)
	}
	if _, err := a.Review(t.Context(), transcript); !errors.Is(err, agent.ErrCut) {
		t.Errorf("a stream that was cut: %v", err)
	}
}
