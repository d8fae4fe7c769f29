package bundletest

import (
	"encoding/json"
	"testing"
	"time"

	"parley/shared/api/apitest"
	"parley/shared/parley"
)

// testReview: a close goes from the table's stream through the feed to the
// review function, which asks the model once, though the records come again.
func testReview(t *testing.T, s *stack) {
	v := s.visitor(t)
	const question, reply = "Where is my refund, for review?", "Your refund is on its way."
	const conversation = reply + "\"}]\n</conversation>" // how the model is shown it
	gate := make(chan struct{})
	s.model.Script(question, []apitest.Step{{Text: reply}})
	s.model.Script(conversation, []apitest.Step{{Until: gate,
		Text: `{"summary":"Asked for a refund.","outcome":"resolved","sentiment":"positive","tags":["refund"]}`}})
	_, end := v.send(object{"messageId": "r1", "content": question}).rest()
	id := parley.SessionID(end.Session.ID)
	s.streams(t, v.project)
	op := parley.Caller{Project: v.project, Operator: "op"}
	if err := s.store.Resolve(t.Context(), op, id, parley.Author{Kind: parley.AuthorHuman, ID: "op"}); err != nil {
		t.Fatal(err)
	}

	s.streams(t, v.project)
	await(t, patience, 10*time.Millisecond, "question to the model", func() bool { return s.model.Asked(conversation) == 1 })
	s.streams(t, v.project) // while it is being reviewed
	close(gate)
	reviews := func() []parley.Review {
		got, err := s.store.Reviews(t.Context(), op, id)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	await(t, patience, 10*time.Millisecond, "review", func() bool { return len(reviews()) > 0 })
	s.streams(t, v.project) // and afterwards
	event, err := json.Marshal(object{"project": v.project, "session": id})
	if err != nil {
		t.Fatal(err)
	}
	if out, err := s.functions["review"].Invoke(t.Context(), event); err != nil {
		t.Fatalf("review = %s, %v", out, err)
	}
	got := reviews()
	if len(got) != 1 || got[0].Summary != "Asked for a refund." || got[0].Outcome != "resolved" || got[0].Close != 1 || got[0].Quoted {
		t.Errorf("reviews = %+v", got)
	}
	if n := s.model.Asked(conversation); n != 1 {
		t.Errorf("the model was asked %d times", n)
	}
}
