package run_test

import (
	"context"
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"parley/shared/agent"
	"parley/shared/agent/agenttest"
	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/run"
	"parley/shared/table"
	"parley/shared/table/meter"
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

// distant is a table at the other end of a network, so that calls of one wave overlap.
type distant struct{ table.Table }

const roundTrip = 5 * time.Millisecond

func (d distant) Get(ctx context.Context, consistent bool, keys ...table.Key) ([]table.Item, error) {
	time.Sleep(roundTrip)
	return d.Table.Get(ctx, consistent, keys...)
}

func (d distant) Query(ctx context.Context, q table.Query) (table.Page, error) {
	time.Sleep(roundTrip)
	return d.Table.Query(ctx, q)
}

func (d distant) Write(ctx context.Context, actions ...table.Action) error {
	time.Sleep(roundTrip)
	return d.Table.Write(ctx, actions...)
}

// TestReaderIsSoonAtTheModel: from a reader's coming to the model are three waves of
// table calls: the log, what the reply is written from, and the claim with all else
// beside it.
func TestReaderIsSoonAtTheModel(t *testing.T) {
	for name, change := range map[string]func(*testing.T, *parley.Store, *parley.Caller, *parley.SendRequest){
		"anybody": func(*testing.T, *parley.Store, *parley.Caller, *parley.SendRequest) {},
		"somebody signed in, and the page says more": func(t *testing.T, store *parley.Store, c *parley.Caller, r *parley.SendRequest) {
			*c = parleytest.Contact(t, store, *c, "ann")
			r.Extras.Context = json.RawMessage(`{"cart":"empty"}`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := meter.New(meter.Config{Table: distant{parleytest.Table(t)}})
				store := parleytest.Store(t, parley.Config{Table: m})
				parleytest.Put(t, store, parleytest.Settings())
				waves, asked := 0, agent.Conversation{}
				engine := newEngine(t, store, agenttest.New(func(c agent.Conversation) []agenttest.Step {
					waves, asked = m.Counts().Waves, c
					return agenttest.Say("a reply")
				}))
				caller := parleytest.Visitor(t, store)
				r := parley.SendRequest{ID: "m", Channel: parley.ChannelHissuno, Content: "Hello?", Leave: time.Second}
				change(t, store, &caller, &r)
				sent := parleytest.Send(t, store, caller, r)
				m.Reset()
				if err := engine.Stream(t.Context(), sent.Ref, 0, nil, func(run.Event) error { return nil }); err != nil {
					t.Fatal(err)
				}
				if waves != 3 {
					t.Errorf("%d waves of calls before the model is asked, want 3", waves)
				}
				if asked.Context != string(r.Extras.Context) || asked.Turns[len(asked.Turns)-1].Text != r.Content {
					t.Errorf("the model is asked %+v", asked)
				}
			})
		})
	}
}
