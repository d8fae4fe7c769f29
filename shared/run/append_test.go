package run_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"parley/shared/agent/agenttest"
	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/run"
	"parley/shared/table/fault"
)

// TestUncertainWrites: a runner that does not learn whether a write was done
// tries the very same one again. Whichever write that is, the reader gets the
// whole reply from this runner, without the silence after which others would
// count it as dead.
func TestUncertainWrites(t *testing.T) {
	for kind, name := range map[fault.Kind]string{fault.Throttle: "throttled", fault.Conflict: "in conflict",
		fault.Lost: "not done, nobody knows", fault.Unanswered: "done, nobody knows"} {
		t.Run(name, func(t *testing.T) {
			for call, more := 1, true; more && !t.Failed(); call++ {
				synctest.Test(t, func(t *testing.T) {
					tbl := parleytest.Table(t)
					store := parleytest.Store(t, parley.Config{Table: tbl})
					parleytest.Put(t, store, parleytest.Settings())
					caller := parleytest.Visitor(t, store)
					p := fault.NewNetwork(fault.NetworkConfig{Table: tbl}).Process(fault.Config{Plan: map[int]fault.Kind{call: kind}})
					script := agenttest.New(agenttest.Always(agenttest.Evenly("a reply of some words", 5, 2*time.Second)...))
					e := newEngine(t, parleytest.Store(t, parley.Config{Table: p}), script)
					began := time.Now()
					text, end, _, err := ask(context.Background(), e, caller, parleytest.Say("m", "", "Hello?"))
					took := time.Since(began)
					if err != nil || text != "a reply of some words" || end == nil || end.Status != parley.StatusDone || end.Entry.Text != text {
						t.Errorf("the reply is %q, %+v, %v", text, end, err)
					}
					if took > 4*time.Second || script.Calls() != 1 {
						t.Errorf("it took %v and %d calls of the model", took, script.Calls())
					}
					if more = p.Calls() >= call; t.Failed() {
						t.Logf("with the fault at call %d", call)
					}
				})
			}
		})
	}
}

// TestDeadRunsNext: whoever ends a run whose runner died asks for the run whose
// turn it then is. Its sender has left, and nobody else knows of it before the
// sweep does.
func TestDeadRunsNext(t *testing.T) {
	ends := map[string]func(*run.Engine, *run.Dispatcher, parley.RunRef) error{
		"revived": func(_ *run.Engine, d *run.Dispatcher, ref parley.RunRef) error {
			return d.Revive(context.Background(), ref)
		},
		"responded": func(e *run.Engine, _ *run.Dispatcher, ref parley.RunRef) error {
			return e.Respond(context.Background(), ref)
		},
		"read": func(_ *run.Engine, d *run.Dispatcher, ref parley.RunRef) error {
			text, end, err := d.Wait(context.Background(), ref, time.Minute, run.Stay{})
			if end == nil || end.Status != parley.StatusIncomplete {
				return fmt.Errorf("the reader got %q, %+v, %w", text, end, err)
			}
			return err
		},
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			onStageOfBolt(t, func(s stage) {
				ref := s.dies(question(slowly, ""), 2)
				q := question("waiting", ref.Session)
				q.Claim = false // its sender does not stay to generate it
				waiting, _, err := s.engine.Send(context.Background(), s.visitor, q)
				if err != nil || waiting.Pending {
					s.Fatalf("Send = %+v, %v", waiting, err)
				}
				time.Sleep(parley.Lease)
				var asked []parley.RunRef
				config := s.engine.Config
				config.Respond = func(_ context.Context, ref parley.RunRef) error {
					asked = append(asked, ref)
					return nil
				}
				e, err := run.New(config)
				if err != nil {
					s.Fatal(err)
				}
				if err := end(e, e.Dispatcher, ref); err != nil {
					s.Error(err)
				}
				if len(asked) != 1 || asked[0] != waiting.Ref {
					s.Errorf("asked for %v, want %v", asked, waiting.Ref)
				}
				if err := s.engine.Respond(context.Background(), waiting.Ref); err != nil {
					s.Error(err)
				}
				s.quiet(ref.Session)
			})
		})
	}
}

// onStageOfBolt plays test on the embedded table, where the table is not what is tested.
func onStageOfBolt(t *testing.T, test func(s stage)) {
	parleytest.OnBolt(t, func(t *testing.T, tbl *parleytest.Listed) { test(newStage(t, tbl)) })
}
