package run_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"parley/shared/agent"
	"parley/shared/agent/agenttest"
	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/run"
	"parley/shared/table"
	"parley/shared/table/fault"
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

// TestRunIsLeftToResponder: a reader leaves a run to the responder that was asked for it,
// and takes it when none has come for a moment; one who has little time left asks again.
func TestRunIsLeftToResponder(t *testing.T) {
	for name, test := range map[string]struct {
		comes    time.Duration // the responder; 0 is never
		deadline time.Duration // of the reader; 0 is none
		began    time.Duration // 0 is not by the reader
		asked    bool
	}{
		"it comes":          {300 * time.Millisecond, 0, 0, false},
		"it does not":       {0, 0, 500 * time.Millisecond, false},
		"enough time":       {0, 31 * time.Second, 500 * time.Millisecond, false},
		"hardly enough":     {0, 30*time.Second + time.Millisecond, 500 * time.Millisecond, false},
		"not enough":        {0, 30 * time.Second, 0, true},
		"too little by far": {0, 10 * time.Second, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			onStageOfBolt(t, func(s stage) {
				ref := s.neverAsked(question(plainly, ""))
				sent := time.Now()
				var began time.Duration // by the reader
				var asked []parley.RunRef
				config := s.engine.Config
				config.Respond = func(_ context.Context, ref parley.RunRef) error {
					asked = append(asked, ref)
					return nil
				}
				config.Agent = func(*parley.Project, parley.AgentSettings) (agent.Agent, error) {
					began = time.Since(sent)
					return s.script, nil
				}
				reader, err := run.New(config)
				if err != nil {
					t.Fatal(err)
				}
				if test.comes > 0 {
					time.AfterFunc(test.comes, func() {
						if err := s.engine.Respond(context.Background(), ref); err != nil {
							s.Error(err)
						}
					})
				}
				ctx := s.Context()
				if test.deadline > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, test.deadline)
					defer cancel()
				}
				err = reader.Stream(ctx, ref, 0, nil, func(run.Event) error { return nil })
				if test.asked != (err == context.DeadlineExceeded) || err != nil && !test.asked {
					s.Errorf("Stream = %v", err)
				}
				// It polls: the first that finds a silence of PollMax.
				if late := began - test.began; (began == 0) != (test.began == 0) || late < 0 || late > reader.PollMax {
					s.Errorf("the reader began after %v, want %v", began, test.began)
				}
				if len(asked) > 0 != test.asked || test.asked && asked[0] != ref {
					s.Errorf("the reader asked for %v", asked)
				}
				time.Sleep(time.Minute) // the responder has to settle what it spent
			})
		})
	}
}

// TestResponderWhoCannotWait: a responder whose time is up while it leaves a run to a
// reader, or that cannot read the log, says so and has taken nothing.
func TestResponderWhoCannotWait(t *testing.T) {
	onStageOfBolt(t, func(s stage) {
		send := func(id parley.EntryID) parley.RunRef {
			return parleytest.Send(s, s.store, s.visitor, parley.SendRequest{ID: id, Channel: parley.ChannelHissuno, Content: string(id), Leave: time.Second}).Ref
		}
		ref := send("late")
		ctx, cancel := context.WithTimeout(s.Context(), 500*time.Millisecond)
		defer cancel()
		if err := s.engine.Respond(ctx, ref); err != context.DeadlineExceeded {
			s.Errorf("Respond = %v, want %v", err, context.DeadlineExceeded)
		}
		refs := []parley.RunRef{ref}
		for call := 1; call <= 2; call++ { // at its coming, and when it has waited
			refs = append(refs, send(parley.EntryID(fmt.Sprint("unreadable ", call))))
			p := fault.NewNetwork(fault.NetworkConfig{Table: s.table}).Process(fault.Config{Plan: map[int]fault.Kind{call: fault.Unreadable}})
			_, e := s.process(p)
			if err := e.Respond(s.Context(), refs[call]); !errors.Is(err, parley.ErrUnavailable) {
				s.Errorf("Respond that cannot read at call %d = %v", call, err)
			}
		}
		s.calls()
		for _, ref := range refs {
			log, err := s.store.ReadLog(s.Context(), ref, 0, true)
			if err != nil || len(log) != 1 {
				s.Errorf("the log of %s is %+v, %v", ref.Run, log, err)
			}
		}
	})
}

// TestLosersGiveBack: of two responders who are asked for a run at once one generates
// it, and the other keeps none of the tokens that it has set aside.
func TestLosersGiveBack(t *testing.T) {
	onStageOfBolt(t, func(s stage) {
		const each = 4000 // what a run sets aside
		p := busySettings()
		p.Budgets.ProjectTokens = 3 * each
		parleytest.Put(s, s.store, p)
		s.script = agenttest.New(agenttest.Always(agenttest.Step{Delta: "a reply"}, agenttest.Step{Result: &agent.Result{Usage: agent.Usage{Input: each}}}))
		_, e := s.process(distant{s.table})
		for _, id := range []parley.EntryID{"first", "second"} {
			q := question(string(id), "")
			q.Claim = false
			ref := parleytest.Send(s, s.store, s.visitor, q).Ref
			var both sync.WaitGroup
			for range 2 {
				both.Go(func() {
					if err := e.Respond(s.Context(), ref); err != nil {
						s.Errorf("respond to %s: %v", id, err)
					}
				})
			}
			both.Wait()
		}
		if got := s.askVia(e, question("third", "")); got.err != nil || got.end.Status != parley.StatusDone {
			s.Errorf("the third of three: %+v, %v", got.end, got.err)
		}
		s.calls("first", "second", "third")
	})
}

// TestRefusedMessageGivesBack: a message that gets no reply keeps none of the tokens that
// were set aside for one.
func TestRefusedMessageGivesBack(t *testing.T) {
	onStageOfBolt(t, func(s stage) {
		p := busySettings()
		p.Budgets.ProjectTokens = 2 * 4000 // what two runs set aside
		parleytest.Put(s, s.store, p)
		first, claim, err := s.engine.Send(s.Context(), s.visitor, question(slowly, ""))
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if got := s.ask(asking("refused", first.Session.ID, parley.BusyRefuse)); parley.Code(got.err) != "busy" {
				t.Errorf("a refused message is told %+v, %v", got.end, got.err)
			}
		}
		s.wants("another", s.ask(question(plainly, "")), answer(plainly), parley.StatusDone)
		if err := s.engine.Stream(s.Context(), first.Ref, 0, claim, func(run.Event) error { return nil }); err != nil {
			t.Error(err)
		}
	})
}

// TestSpentForResponders: what is spent is spent for a run that a responder takes, too.
func TestSpentForResponders(t *testing.T) {
	onStageOfBolt(t, func(s stage) {
		p := busySettings()
		p.Budgets.ProjectTokens = 1
		parleytest.Put(s, s.store, p)
		ref := s.neverAsked(question(plainly, ""))
		if err := s.engine.Respond(s.Context(), ref); err != nil {
			s.Fatal(err)
		}
		out, err := s.store.Outcome(s.Context(), ref, 1)
		if err != nil || out.Status != parley.StatusFailed || !strings.Contains(out.Text, "limit") {
			s.Errorf("the outcome is %+v, %v", out, err)
		}
		s.calls()
	})
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
