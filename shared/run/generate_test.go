package run_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"parley/shared/agent"
	"parley/shared/agent/agenttest"
	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/run"
	"parley/shared/table"
)

// failing is a table of which transactions fail for a while.
type failing struct {
	table.Table
	from, until time.Time
	err         error
}

func (f failing) Write(ctx context.Context, actions ...table.Action) error {
	if now := time.Now(); len(actions) > 1 && !now.Before(f.from) && now.Before(f.until) {
		return f.err
	}
	return f.Table.Write(ctx, actions...)
}

// TestEndOutlivesAnOutage: a reply that is written while the table takes no end of it is
// stored as soon as it does, and where that takes too long, what was said by then is.
func TestEndOutlivesAnOutage(t *testing.T) {
	for name, test := range map[string]struct {
		outage time.Duration
		err    error
		status parley.RunStatus
	}{
		"short":                {5 * time.Second, table.ErrNotDone, parley.StatusDone},
		"short, nobody knows":  {5 * time.Second, table.ErrUnknown, parley.StatusDone},
		"longer than anything": {time.Minute, table.ErrNotDone, parley.StatusIncomplete},
	} {
		t.Run(name, func(t *testing.T) {
			onStageOfBolt(t, func(s stage) {
				began := time.Now()
				outage := failing{s.table, began.Add(9500 * time.Millisecond), began.Add(9500*time.Millisecond + test.outage), test.err}
				_, e := s.process(outage)
				got := s.askVia(e, question(slowly, ""))
				if got.err != nil || got.end == nil || got.end.Status != test.status || got.end.Entry.Text != got.text || !strings.HasPrefix(answer(slowly), got.text) {
					s.Fatalf("told %q, %+v, %v", got.text, got.end, got.err)
				}
				if over := time.Since(outage.until); over < 0 || over > parley.Lease+time.Second {
					s.Errorf("it ends %v after the outage", over)
				}
				if (got.text == answer(slowly)) != (test.status == parley.StatusDone) {
					s.Errorf("%s: told %q", got.end.Status, got.text)
				}
				s.calls(slowly)
				s.quiet(got.sent.Session.ID)
			})
		})
	}
}

// TestTextOutlivesAnOutage: nor does a log that takes no entry for a moment cost more than
// that moment.
func TestTextOutlivesAnOutage(t *testing.T) {
	onStageOfBolt(t, func(s stage) {
		began := time.Now()
		_, e := s.process(closed{s.table, began.Add(900 * time.Millisecond), began.Add(1700 * time.Millisecond)})
		s.wants("the sender", s.askVia(e, question(slowly, "")), answer(slowly), parley.StatusDone)
		if took := time.Since(began); took > 11*time.Second {
			s.Errorf("it took %v", took)
		}
		s.calls(slowly)
	})
}

// uncounted is a table that takes no budget's counts.
type uncounted struct{ table.Table }

func (u uncounted) Write(ctx context.Context, actions ...table.Action) error {
	if len(actions) == 1 && strings.Contains(actions[0].Key.PK, "/count/") {
		return table.ErrNotDone
	}
	return u.Table.Write(ctx, actions...)
}

// TestNoTokensSetAside: where nobody knows whether a budget is spent the visitor reads an
// apology, and the model is not asked.
func TestNoTokensSetAside(t *testing.T) {
	onStageOfBolt(t, func(s stage) {
		p, err := s.store.Project(s.Context(), parleytest.Project)
		if err != nil {
			t.Fatal(err)
		}
		_, e := s.process(uncounted{s.table})
		if got := s.askVia(e, question(plainly, "")); got.err != nil || got.end.Status != parley.StatusFailed || got.text != p.Say(parley.TextApology, "") {
			t.Errorf("told %q, %+v, %v", got.text, got.end, got.err)
		}
		s.calls()
	})
}

// TestUnexpectedErrorIsLogged: a reply that cannot be stored for a reason that nobody
// expects is an error in the log, once.
func TestUnexpectedErrorIsLogged(t *testing.T) {
	onStageOfBolt(t, func(s stage) {
		var log bytes.Buffer
		odd := errors.New("odd")
		store := parleytest.Store(t, parley.Config{Table: failing{s.table, time.Now().Add(time.Second), time.Now().Add(time.Hour), odd}})
		e, err := run.New(run.Config{Store: store, Log: slog.New(slog.NewTextHandler(&log, nil)),
			Agent: func(*parley.Project, parley.AgentSettings) (agent.Agent, error) { return counted{s}, nil }})
		if err != nil {
			t.Fatal(err)
		}
		if got := s.askVia(e, question(plainly, "")); !errors.Is(got.err, odd) {
			t.Errorf("told %+v", got)
		}
		if got := log.String(); strings.Count(got, "level=ERROR msg=run ") != 1 || !strings.Contains(got, "odd") {
			t.Errorf("logged %s", got)
		}
		log.Reset()
		if err := e.Respond(s.Context(), s.neverAsked(question("second", ""))); !errors.Is(err, odd) {
			t.Errorf("Respond = %v, want %v", err, odd)
		}
		e.Ask(s.Context(), s.neverAsked(question("third", "")))
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := log.String(); strings.Count(got, "level=ERROR msg=run ") != 2 || strings.Count(got, "level=ERROR msg=respond ") != 1 {
			t.Errorf("logged %s", got)
		}
	})
}

// TestUnexpectedErrorOfAFailureIsLogged: so is one that comes while the failure of a model
// is being stored.
func TestUnexpectedErrorOfAFailureIsLogged(t *testing.T) {
	for name, steps := range map[string][]agenttest.Step{
		"it fails":            {{Delay: 2 * time.Second, Err: agent.ErrProvider}},
		"it says nothing":     {{Delay: 2 * time.Second}},
		"it breaks off":       {{Delta: "half"}, {Delay: 2 * time.Second, Err: agent.ErrCut}},
		"it is not there":     nil,
		"nothing may be said": nil,
	} {
		t.Run(name, func(t *testing.T) {
			onStageOfBolt(t, func(s stage) {
				var log bytes.Buffer
				config := s.engine.Config
				config.Log = slog.New(slog.NewTextHandler(&log, nil))
				config.Store = parleytest.Store(t, parley.Config{Table: failing{s.table, time.Now().Add(time.Second), time.Now().Add(time.Hour), errors.New("odd")}})
				config.Agent = func(*parley.Project, parley.AgentSettings) (agent.Agent, error) {
					if steps == nil {
						return nil, errors.New("no such model")
					}
					return agenttest.New(agenttest.Always(steps...)), nil
				}
				if name == "nothing may be said" {
					p := busySettings()
					p.Budgets.ProjectTokens = 1
					parleytest.Put(s, s.store, p)
				}
				e, err := run.New(config)
				if err != nil {
					t.Fatal(err)
				}
				sent, claim, err := e.Send(s.Context(), s.visitor, question("m", ""))
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Second)
				ctx, cancel := context.WithTimeout(s.Context(), 5*time.Second)
				defer cancel()
				if err := e.Stream(ctx, sent.Ref, 0, claim, func(run.Event) error { return nil }); err != context.DeadlineExceeded {
					t.Errorf("Stream = %v", err)
				}
				if got := log.String(); strings.Count(got, "level=ERROR msg=run ") != 1 || !strings.Contains(got, "odd") {
					t.Errorf("logged %s", got)
				}
			})
		})
	}
}

// TestAnsweredRunIsNoError: nothing is wrong where a run that was asked for is answered.
func TestAnsweredRunIsNoError(t *testing.T) {
	onStageOfBolt(t, func(s stage) {
		var log bytes.Buffer
		config := s.engine.Config
		config.Log, config.Respond = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn})), nil
		config.Agent = func(*parley.Project, parley.AgentSettings) (agent.Agent, error) { return counted{s}, nil }
		e, err := run.New(config)
		if err != nil {
			t.Fatal(err)
		}
		e.Ask(s.Context(), s.neverAsked(question(plainly, "")))
		time.Sleep(time.Minute)
		synctest.Wait()
		if s.calls(plainly); log.Len() > 0 {
			t.Errorf("logged %s", &log)
		}
	})
}

// TestAgentThatCannotBeMade: the visitor reads an apology where there is no agent to ask.
func TestAgentThatCannotBeMade(t *testing.T) {
	onStageOfBolt(t, func(s stage) {
		config := s.engine.Config
		config.Agent = func(*parley.Project, parley.AgentSettings) (agent.Agent, error) {
			return nil, errors.New("no such model")
		}
		e, err := run.New(config)
		if err != nil {
			t.Fatal(err)
		}
		p, err := s.store.Project(s.Context(), parleytest.Project)
		if err != nil {
			t.Fatal(err)
		}
		got := s.askVia(e, question("m", ""))
		if got.err != nil || got.end.Status != parley.StatusFailed || got.text != p.Say(parley.TextApology, "") || got.end.Entry.Reason != "no such model" {
			t.Errorf("told %q, %+v, %v", got.text, got.end, got.err)
		}
	})
}

// TestUnexpectedErrorIsTold: so is whoever comes by a run that has died and cannot end it.
func TestUnexpectedErrorIsTold(t *testing.T) {
	onStageOfBolt(t, func(s stage) {
		odd := errors.New("odd")
		dead := s.dies(question(slowly, ""), 2)
		q := question(plainly, dead.Session)
		q.Claim = false
		queued := parleytest.Send(s, s.store, s.visitor, q).Ref
		time.Sleep(parley.Lease)
		_, e := s.process(failing{s.table, time.Now(), time.Now().Add(time.Hour), odd})
		for name, do := range map[string]func() error{
			"a reader of it":         func() error { return e.Stream(s.Context(), dead, 0, nil, func(run.Event) error { return nil }) },
			"a reader who waits":     func() error { return e.Stream(s.Context(), queued, 0, nil, func(run.Event) error { return nil }) },
			"a responder":            func() error { return e.Respond(s.Context(), dead) },
			"who looks after it":     func() error { return e.Revive(s.Context(), dead) },
			"who reads its session":  func() error { return s.reviveIn(e, dead.Session) },
			"who reads it elsewhere": func() error { _, _, err := e.Wait(s.Context(), dead, time.Minute, run.Stay{}); return err },
		} {
			if err := do(); !errors.Is(err, odd) {
				s.Errorf("%s is told %v, want %v", name, err, odd)
			}
		}
	})
}

func (s stage) reviveIn(e *run.Engine, id parley.SessionID) error {
	session, err := s.store.Session(s.Context(), s.visitor, id)
	if err != nil {
		return err
	}
	_, err = e.ReviveIn(s.Context(), session)
	return err
}

// TestTimeToStore: a model that falls silent is left in time for what it said to be
// stored before the process ends, and no later than a reply may take.
func TestTimeToStore(t *testing.T) {
	for name, test := range map[string]struct{ deadline, maxRun, took time.Duration }{
		"the process's time": {20 * time.Second, 0, 18 * time.Second},
		"the reply's time":   {20 * time.Second, 5 * time.Second, 5 * time.Second},
		"no deadline":        {0, 0, 100 * time.Second},
	} {
		for said, status := range map[string]parley.RunStatus{"Half": parley.StatusIncomplete, "": parley.StatusFailed} {
			t.Run(name+" after "+said, func(t *testing.T) {
				onStageOfBolt(t, func(s stage) {
					s.script = agenttest.New(agenttest.Always(agenttest.Step{Delta: said}, agenttest.Step{Delay: time.Hour}))
					config := s.engine.Config
					config.MaxRun = test.maxRun
					config.Agent = func(*parley.Project, parley.AgentSettings) (agent.Agent, error) { return s.script, nil }
					e, err := run.New(config)
					if err != nil {
						t.Fatal(err)
					}
					ctx := s.Context()
					if test.deadline > 0 {
						var cancel context.CancelFunc
						ctx, cancel = context.WithTimeout(ctx, test.deadline)
						defer cancel()
					}
					began := time.Now()
					text, end, _, err := ask(ctx, e, s.visitor, question("m", ""))
					if took := time.Since(began); err != nil || end == nil || end.Status != status || end.Entry.Text != text || took != test.took {
						t.Errorf("after %v told %q, %+v, %v, want it to end as %s after %v", took, text, end, err, status, test.took)
					}
				})
			})
		}
	}
}

// TestLongEnd: what a model says last may be longer than an entry of the log.
func TestLongEnd(t *testing.T) {
	onStageOfBolt(t, func(s stage) {
		const most = parley.MaxChunkBytes
		for length, want := range map[int][]int{most: {1, most}, most * 3 / 2: {1, most, most / 2}} {
			long, id := strings.Repeat("ü", length/2), fmt.Sprint(length)
			s.script = agenttest.New(agenttest.Always(agenttest.Step{Delta: "A"}, agenttest.Step{Delay: 50 * time.Millisecond, Delta: long}))
			_, e := s.process(s.table)
			got := s.askVia(e, question(id, ""))
			s.wants("the sender", got, "A"+long, parley.StatusDone)
			s.wants("a reader", s.read(got.sent.Ref, 0), "A"+long, parley.StatusDone)
			log, err := s.store.ReadLog(s.Context(), got.sent.Ref, 0, true)
			var lengths []int
			for _, l := range log[1:] {
				lengths = append(lengths, len(l.Text))
			}
			if err != nil || !slices.Equal(lengths, want) {
				t.Errorf("the log has texts of %d bytes, %v, want %d", lengths, err, want)
			}
		}
	})
}

// TestDeltasMayCutLetters: a letter of which a delta has the first bytes waits for the rest
// of it, and is durable and shown as a whole.
func TestDeltasMayCutLetters(t *testing.T) {
	onStageOfBolt(t, func(s stage) {
		for n, letter := range []string{"ü", "\u2014", "\u0800", "\U0001F600", "\U00010000"} {
			for at := 1; at < len(letter); at++ {
				s.script = agenttest.New(agenttest.Always(agenttest.Step{Delta: "a" + letter[:at]}, agenttest.Step{Delay: time.Second, Delta: letter[at:] + "b"}))
				_, e := s.process(s.table)
				id := fmt.Sprint(n, ".", at)
				var texts []string
				sent, claim, err := e.Send(s.Context(), s.visitor, question(id, ""))
				if err != nil {
					t.Fatal(err)
				}
				if err := e.Stream(s.Context(), sent.Ref, 0, claim, func(ev run.Event) error {
					texts = append(texts, ev.Text)
					return nil
				}); err != nil || !slices.Equal(texts, []string{"a", letter + "b", ""}) {
					t.Errorf("%q in %d and %d bytes comes as %q, %v", letter, at, len(letter)-at, texts, err)
				}
				s.wants("a reader", s.read(sent.Ref, 0), "a"+letter+"b", parley.StatusDone)
			}
		}
	})
}

// breaking is a model that breaks off after it has said how its reply ends.
type breaking struct{}

func (breaking) Reply(_ context.Context, _ agent.Conversation, emit func(string) error) (agent.Result, error) {
	return agent.Result{Handover: true, Reason: "It is about money.", Goodbye: true, LikelyResolved: true}, errors.Join(emit("half"), agent.ErrCut)
}

// TestBrokenReplyEndsNothing: what such a model said of the end does not count.
func TestBrokenReplyEndsNothing(t *testing.T) {
	onStageOfBolt(t, func(s stage) {
		got := s.askVia(newEngine(t, s.store, breaking{}), question("m", ""))
		s.wants("the sender", got, "half", parley.StatusIncomplete)
		if session := got.end.Session; session.Holder != parley.HolderAI || session.State != parley.StateOpen || got.end.Entry.LikelyResolved {
			t.Errorf("the session is %+v after %+v", session, got.end.Entry)
		}
	})
}

// TestSentencesForSilentEnds: where a model says how its reply ends and nothing else, the
// visitor reads a sentence of the project's.
func TestSentencesForSilentEnds(t *testing.T) {
	for name, test := range map[string]struct {
		step agenttest.Step
		key  string
	}{
		"handover":           {agenttest.Step{Result: &agent.Result{Handover: true}}, parley.TextHandingOver},
		"handover by a call": {calling("call_us", `{}`), parley.TextHandingOver},
		"goodbye":            {agenttest.Step{Result: &agent.Result{Goodbye: true}}, parley.TextGoodbye},
		"solved":             {agenttest.Step{Result: &agent.Result{LikelyResolved: true}}, parley.TextSolved},
		"more than one":      {agenttest.Step{Result: &agent.Result{Goodbye: true, LikelyResolved: true}}, parley.TextGoodbye},
	} {
		t.Run(name, func(t *testing.T) {
			inShop(t, func(s *shop) {
				s.says["m"] = []agenttest.Step{test.step}
				p, err := s.store.Project(s.Context(), parleytest.Project)
				if err != nil {
					t.Fatal(err)
				}
				want := p.Say(test.key, "")
				got := s.ask(s.engine, question("m", ""))
				if got.err != nil || got.text != want || want == "" || got.end.Status != parley.StatusDone || got.end.Entry.Text != want || got.end.Entry.Author.Kind != parley.AuthorAI {
					t.Errorf("told %q, %+v, %v, want %q", got.text, got.end, got.err, want)
				}
			})
		})
	}
}
