package run_test

import (
	"testing"
	"testing/synctest"
	"time"

	"parley/shared/agent"
	"parley/shared/agent/agenttest"
	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/run"
)

// TestRunIsLeftToReader: a responder leaves a run to the reader who is expected,
// and takes it when none came in time.
func TestRunIsLeftToReader(t *testing.T) {
	for _, test := range []struct {
		name    string
		readers int
	}{{"a reader comes", 1}, {"nobody comes", 0}} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := parleytest.Store(t, parley.Config{})
				parleytest.Put(t, store, parleytest.Settings())
				began := map[string]time.Time{}
				engine := func(name string) *run.Engine {
					return newEngine(t, store, agenttest.New(func(agent.Conversation) []agenttest.Step {
						began[name] = time.Now()
						return agenttest.Evenly("a reply", 2, time.Second)
					}))
				}
				responder, reader := engine("responder"), engine("reader")
				asked := time.Now()
				sent, _, err := responder.Send(t.Context(), parleytest.Visitor(t, store),
					parley.SendRequest{ID: "m", Channel: parley.ChannelHissuno, Content: "Hello?", Leave: time.Second})
				if err != nil || !sent.Pending {
					t.Fatalf("send = %+v, %v", sent, err)
				}
				done := make(chan error, 1)
				go func() { done <- responder.Respond(t.Context(), sent.Ref) }()
				for range test.readers {
					time.Sleep(300 * time.Millisecond)
					if err := reader.Stream(t.Context(), sent.Ref, 0, nil, func(run.Event) error { return nil }); err != nil {
						t.Fatal(err)
					}
				}
				if err := <-done; err != nil {
					t.Fatal(err)
				}
				who, waited := "responder", time.Second
				if test.readers > 0 {
					who, waited = "reader", 300*time.Millisecond
				}
				if at, ok := began[who]; !ok || len(began) != 1 || at.Sub(asked) < waited || at.Sub(asked) > waited+100*time.Millisecond {
					t.Errorf("asked at %v, model asked: %v", asked, began)
				}
				if session, err := store.Session(t.Context(), parleytest.Operator(), sent.Session.ID); err != nil || session.Run != nil || session.Messages != 2 {
					t.Errorf("session = %+v, %v", session, err)
				}
			})
		})
	}
}
