package run_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
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
	"parley/shared/table/fault"
)

// TestDispatcher: without an agent a run is shown, asked for and cancelled, and
// never generated.
func TestDispatcher(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := parleytest.Store(t, parley.Config{})
		parleytest.Put(t, store, parleytest.Settings())
		caller := parleytest.Visitor(t, store)
		engine := newEngine(t, store, agenttest.New(agenttest.Always(agenttest.Step{Delta: "a reply"})))
		asked := make(chan parley.RunRef, 100)
		d, err := run.NewDispatcher(run.Config{Store: store, Log: slog.New(slog.DiscardHandler),
			Respond: func(_ context.Context, ref parley.RunRef) error {
				asked <- ref
				return nil
			}})
		if err != nil {
			t.Fatal(err)
		}
		ask := func(id parley.EntryID, session parley.SessionID) parley.Sent {
			sent, err := store.Send(t.Context(), caller, parley.SendRequest{ID: id, Session: session, Channel: parley.ChannelNative, Content: "Hello?"})
			if err != nil || !sent.Pending {
				t.Fatalf("send = %+v, %v", sent, err)
			}
			return sent
		}
		sent := ask("m1", "")
		go func() {
			if err := engine.Respond(t.Context(), <-asked); err != nil {
				t.Error(err)
			}
		}()
		text := ""
		var end *run.End
		if err := d.Watch(t.Context(), sent.Ref, 0, run.Reader{Every: time.Minute, Beat: func() error { return nil },
			Event: func(e run.Event) error {
				text, end = text+e.Text, e.End
				return nil
			}}); err != nil {
			t.Fatal(err)
		}
		if text != "a reply" || end == nil || end.Status != parley.StatusDone {
			t.Errorf("watched %q, %+v", text, end)
		}
		sent = ask("m2", sent.Session.ID)
		if err := d.Revive(t.Context(), sent.Ref); err != nil || <-asked == (parley.RunRef{}) {
			t.Errorf("revive = %v", err)
		}
		if stopped, err := d.Cancel(t.Context(), caller, sent.Session.ID, ""); err != nil || stopped.Entry == nil {
			t.Errorf("cancel = %+v, %v", stopped, err)
		}
		if _, end, err := d.Wait(t.Context(), sent.Ref, time.Minute, run.Stay{}); err != nil || end == nil || end.Status != parley.StatusCancelled {
			t.Errorf("wait = %+v, %v", end, err)
		}
		if err := engine.Respond(t.Context(), parley.RunRef{Project: "demo", Run: "unknown"}); !errors.Is(err, parley.ErrNotFound) {
			t.Errorf("the response to an unknown run is %v", err)
		}
		if err := d.Revive(t.Context(), parley.RunRef{Project: "demo", Run: "unknown"}); !errors.Is(err, parley.ErrNotFound) {
			t.Errorf("the revival of an unknown run is %v", err)
		}
		if _, err := run.NewDispatcher(run.Config{Store: store}); err == nil {
			t.Error("a dispatcher without a responder was made")
		}
		if _, err := run.New(run.Config{Store: store}); err == nil {
			t.Error("an engine without an agent was made")
		}
	})
}

// TestSendToNoProject: who writes to a project that is not there is told so.
func TestSendToNoProject(t *testing.T) {
	e := newEngine(t, parleytest.Store(t, parley.Config{}), agenttest.New(agenttest.Always()))
	sent, claim, err := e.Send(t.Context(), parley.Caller{Project: "unknown"}, parleytest.Say("m", "", "Hello?"))
	if !errors.Is(err, parley.ErrNotFound) || claim != nil || sent.Session != nil {
		t.Errorf("Send = %+v, %+v, %v", sent, claim, err)
	}
}

// TestSendToNoAgent: so is who asks for an agent that is not there.
func TestSendToNoAgent(t *testing.T) {
	onStageOfBolt(t, func(s stage) {
		q := question(plainly, "")
		q.Agent = "unknown"
		if got := s.ask(q); parley.Code(got.err) != "invalid_field" {
			t.Errorf("told %+v, %v", got, got.err)
		}
	})
}

// TestDefaults: what Config says of its zero values.
func TestDefaults(t *testing.T) {
	e := newEngine(t, parleytest.Store(t, parley.Config{}), agenttest.New(agenttest.Always()))
	ms := time.Millisecond
	for name, test := range map[string]struct{ got, want time.Duration }{
		"Flush of the first text": {e.Flush(0), 200 * ms}, "Flush within a second": {e.Flush(time.Second - 1), 200 * ms}, "Flush later": {e.Flush(time.Second), 400 * ms},
		"Beat": {e.Beat, 2000 * ms}, "Lease": {e.Lease, parley.Lease}, "PollMin": {e.PollMin, 100 * ms}, "PollMax": {e.PollMax, 500 * ms}, "MaxRun": {e.MaxRun, 100_000 * ms},
	} {
		if test.got != test.want {
			t.Errorf("%s is %v, want %v", name, test.got, test.want)
		}
	}
	own, err := run.NewDispatcher(run.Config{Store: e.Store, Respond: e.Config.Respond, Flush: func(time.Duration) time.Duration { return 1 },
		Beat: 2, Lease: 3, PollMin: 4, PollMax: 5, MaxRun: 6})
	if err != nil || own.Flush(0) != 1 || own.Beat != 2 || own.Lease != 3 || own.PollMin != 4 || own.PollMax != 5 || own.MaxRun != 6 {
		t.Errorf("what is set becomes %+v, %v", own, err)
	}
}

// TestCancelAsksForTheNext: whoever cancels a run asks for the one whose turn it then is.
func TestCancelAsksForTheNext(t *testing.T) {
	for name, cancel := range map[string]func(*run.Dispatcher, context.Context, parley.Caller, parley.SessionID) (parley.Stopped, error){
		"one": func(d *run.Dispatcher, ctx context.Context, c parley.Caller, id parley.SessionID) (parley.Stopped, error) {
			return d.Cancel(ctx, c, id, slowly)
		},
		"the active one": (*run.Dispatcher).CancelActive,
	} {
		t.Run(name, func(t *testing.T) {
			onStageOfBolt(t, func(s stage) {
				first := s.neverAsked(question(slowly, ""))
				q := question(plainly, first.Session)
				q.Claim = false
				next := parleytest.Send(s, s.store, s.visitor, q).Ref
				var asked []parley.RunRef
				d, err := run.NewDispatcher(run.Config{Store: s.store, Respond: func(_ context.Context, ref parley.RunRef) error {
					asked = append(asked, ref)
					return nil
				}})
				if err != nil {
					t.Fatal(err)
				}
				if stopped, err := cancel(d, s.Context(), s.visitor, first.Session); err != nil || stopped.Entry == nil || stopped.Entry.Run != first.Run {
					t.Errorf("cancel = %+v, %v", stopped, err)
				}
				if _, err := cancel(d, s.Context(), s.visitor, "unknown"); !errors.Is(err, parley.ErrNotFound) {
					t.Errorf("cancel of an unknown session = %v", err)
				}
				if len(asked) != 1 || asked[0] != next {
					t.Errorf("asked for %v, want %v", asked, next)
				}
			})
		})
	}
}

// TestReviveIn: who reads sessions has a run revived that was silent for a lease, and only
// such a one.
func TestReviveIn(t *testing.T) {
	onStageOfBolt(t, func(s stage) {
		var asked []parley.RunRef
		config := s.engine.Config
		config.Respond = func(_ context.Context, ref parley.RunRef) error {
			asked = append(asked, ref)
			return nil
		}
		d, err := run.NewDispatcher(config)
		if err != nil {
			t.Fatal(err)
		}
		revive := func(what string, ref parley.RunRef, want bool) {
			t.Helper()
			asked = nil
			session, err := s.store.Session(s.Context(), s.visitor, ref.Session)
			if err != nil {
				t.Fatal(err)
			}
			if revived, err := d.ReviveIn(s.Context(), session); err != nil || revived != want || len(asked) > 0 != want || want && asked[0] != ref {
				t.Errorf("%s: ReviveIn = %v, %v, and asked for %v", what, revived, err, asked)
			}
		}
		over := s.ask(question(plainly, "")).sent.Ref
		revive("it is over", over, false)
		ref := s.dies(question(slowly, over.Session), 0)
		revive("it began just now", ref, false)
		time.Sleep(parley.Lease)
		revive("it is silent", ref, true)
		sent, _, err := s.engine.Send(s.Context(), s.visitor, question("sent and left", ""))
		if err != nil {
			t.Fatal(err)
		}
		for _, test := range []struct {
			after time.Duration
			want  bool
		}{{parley.Lease - time.Millisecond, false}, {time.Millisecond, true}} {
			asked = nil
			time.Sleep(test.after)
			if err := d.Revive(s.Context(), sent.Ref); err != nil || len(asked) > 0 != test.want {
				t.Errorf("Revive = %v after %v more, and asked for %v", err, test.after, asked)
			}
		}
	})
}

// TestReaderLeavesTheRunToWhoeverWasAsked: who reads a run that is reserved and cannot
// generate it asks for nobody before it has waited for a moment.
func TestReaderLeavesTheRunToWhoeverWasAsked(t *testing.T) {
	onStageOfBolt(t, func(s stage) {
		q := question(plainly, "")
		q.Claim, q.Leave = false, time.Second
		ref := parleytest.Send(s, s.store, s.visitor, q).Ref
		asked := 0
		d, err := run.NewDispatcher(run.Config{Store: s.store, Respond: func(context.Context, parley.RunRef) error {
			asked++
			return nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		for _, test := range []struct {
			long time.Duration
			want int
		}{{300 * time.Millisecond, 0}, {500 * time.Millisecond, 1}} {
			if text, end, err := d.Wait(s.Context(), ref, test.long, run.Stay{}); err != nil || end != nil || text != "" || asked != test.want {
				t.Errorf("Wait = %q, %+v, %v, and asked %d times, want %d", text, end, err, asked, test.want)
			}
		}
	})
}

// TestReaderAsksOnceALease: whoever waits for a run that has died asks for it again only
// when whoever was asked has had the time of a lease.
func TestReaderAsksOnceALease(t *testing.T) {
	onStageOfBolt(t, func(s stage) {
		ref := s.dies(question(plainly, ""), 0)
		began := time.Now()
		var asked []time.Duration
		d, err := run.NewDispatcher(run.Config{Store: s.store, Respond: func(context.Context, parley.RunRef) error {
			asked = append(asked, time.Since(began))
			return nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		if _, end, err := d.Wait(s.Context(), ref, parley.Lease*5/2, run.Stay{}); err != nil || end != nil || len(asked) != 2 || asked[1]-asked[0] < parley.Lease {
			t.Errorf("Wait = %+v, %v, and asked after %v", end, err, asked)
		}
	})
}

// TestReadersOfADeadRun: of those who find a run that nobody generates one generates it, or
// ends it, and all of them are told what came of it.
func TestReadersOfADeadRun(t *testing.T) {
	onStageOfBolt(t, func(s stage) {
		begun, asked := s.dies(question(slowly, ""), 2), s.neverAsked(question(plainly, ""))
		time.Sleep(parley.Lease)
		for ref, status := range map[parley.RunRef]parley.RunStatus{begun: parley.StatusIncomplete, asked: parley.StatusDone} {
			var all sync.WaitGroup
			for range 3 {
				_, e := s.process(distant{s.table})
				all.Go(func() {
					var got told
					got.err = e.Stream(s.Context(), ref, 0, nil, func(ev run.Event) error {
						got.text, got.end = got.text+ev.Text, ev.End
						return nil
					})
					s.wants("a reader", got, got.text, status)
				})
			}
			all.Wait()
			s.quiet(ref.Session)
		}
		s.calls(slowly, plainly)
	})
}

// TestReplyOfWhichRunnersDie: where every runner dies as soon as it asks the model, the
// model is not asked for ever, and the visitor is told in the end.
func TestReplyOfWhichRunnersDie(t *testing.T) {
	onStageOfBolt(t, func(s stage) {
		p, err := s.store.Project(s.Context(), parleytest.Project)
		if err != nil {
			s.Fatal(err)
		}
		ref, asked := s.neverAsked(question(plainly, "")), 0
		for range run.MaxClaims + 2 {
			process := fault.NewNetwork(fault.NetworkConfig{Table: s.table}).Process(fault.Config{})
			config := s.engine.Config
			config.Store = parleytest.Store(s, parley.Config{Table: process, Now: s.clock})
			config.Agent = func(*parley.Project, parley.AgentSettings) (agent.Agent, error) {
				asked++
				process.Crash()
				return counted{s}, nil
			}
			e, err := run.New(config)
			if err != nil {
				s.Fatal(err)
			}
			if err := e.Respond(s.Context(), ref); err != nil && !errors.Is(err, fault.ErrCrashed) {
				s.Error(err)
			}
			time.Sleep(parley.Lease)
		}
		if asked != run.MaxClaims {
			s.Errorf("%d runners asked a model, want %d", asked, run.MaxClaims)
		}
		s.wants("a reader", s.read(ref, 0), p.Say(parley.TextApology, ""), parley.StatusFailed)
		s.quiet(ref.Session)
	})
}

// TestAskIsLogged: a responder that cannot be reached is an entry of the log, and where
// there is no run nobody is asked.
func TestAskIsLogged(t *testing.T) {
	var log bytes.Buffer
	var asked []parley.RunRef
	var fails error
	d, err := run.NewDispatcher(run.Config{Store: parleytest.Store(t, parley.Config{}), Log: slog.New(slog.NewTextHandler(&log, nil)),
		Respond: func(_ context.Context, ref parley.RunRef) error {
			asked = append(asked, ref)
			return fails
		}})
	if err != nil {
		t.Fatal(err)
	}
	ref := parley.RunRef{Project: "demo", Session: "s", Run: "r"}
	d.Ask(t.Context(), parley.RunRef{Project: "demo"})
	d.Ask(t.Context(), ref)
	if len(asked) != 1 || asked[0] != ref || log.Len() > 0 {
		t.Errorf("asked for %v, logged %s", asked, &log)
	}
	fails = errors.New("throttled")
	d.Ask(t.Context(), ref)
	if len(asked) != 2 || !strings.Contains(log.String(), "responder not reached") || !strings.Contains(log.String(), "throttled") {
		t.Errorf("asked for %v, logged %s", asked, &log)
	}
}

var errGone = errors.New("gone")

// TestReaderLeaves: the error of a reader is what its relay ends with.
func TestReaderLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := parleytest.Store(t, parley.Config{})
		parleytest.Put(t, store, parleytest.Settings())
		engine := newEngine(t, store, agenttest.New(agenttest.Always(agenttest.Evenly("a long reply", 4, time.Second)...)))
		caller := parleytest.Visitor(t, store)
		sent, claim, err := engine.Send(t.Context(), caller, parley.SendRequest{ID: "m", Channel: parley.ChannelNative, Content: "Hello?", Claim: true})
		if err != nil {
			t.Fatal(err)
		}
		err = engine.Relay(t.Context(), sent.Ref, 0, claim, run.Reader{Every: time.Minute, Beat: func() error { return nil },
			Event: func(run.Event) error { return errGone }})
		if err != errGone {
			t.Errorf("relay = %v, want %v", err, errGone)
		}
		session, err := store.Session(t.Context(), caller, sent.Session.ID)
		if err != nil || session.Run != nil || session.Last.Text != "a long reply" {
			t.Errorf("session = %+v, %v", session, err)
		}
		err = engine.Watch(t.Context(), sent.Ref, 0, run.Reader{Every: time.Minute, Beat: func() error { return nil },
			Event: func(run.Event) error { return errGone }})
		if err != errGone {
			t.Errorf("watch = %v, want %v", err, errGone)
		}
	})
}

// TestReaderLeavesAtAnyPiece: nor is a reader told more who leaves in the middle of a flush.
func TestReaderLeavesAtAnyPiece(t *testing.T) {
	onStageOfBolt(t, func(s stage) {
		s.script = agenttest.New(agenttest.Always(agenttest.Evenly(strings.Repeat("word ", 10), 40, 2*time.Second)...))
		_, e := s.process(s.table)
		for n := 1; n <= 8; n++ {
			sent, claim, err := e.Send(s.Context(), s.visitor, question(fmt.Sprint(plainly, " ", n), ""))
			if err != nil {
				t.Fatal(err)
			}
			told := 0
			err = e.Relay(s.Context(), sent.Ref, 0, claim, run.Reader{Every: time.Minute, Beat: func() error { return nil }, Event: func(run.Event) error {
				if told++; told >= n {
					return errGone
				}
				return nil
			}})
			if err != errGone || told != n {
				t.Errorf("a reader who leaves at event %d is told %d, Relay = %v", n, told, err)
			}
		}
	})
}
