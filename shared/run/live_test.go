package run_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/shared/agent"
	"parley/shared/agent/agenttest"
	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/run"
)

// page is a run.Live that notes what it is told, and when. Each call takes it so long.
type page struct {
	long  time.Duration
	began time.Time
	told  []string
	ended func() bool // of the session's run
	t     *testing.T
}

func (p *page) note(what string) {
	p.told = append(p.told, fmt.Sprint(time.Since(p.began), " ", what))
	time.Sleep(p.long)
}

func (p *page) Begin(context.Context)               { p.note("begin") }
func (p *page) Text(_ context.Context, text string) { p.note(text) }
func (p *page) End(context.Context) {
	if !p.ended() {
		p.t.Error("the end is said before it is stored")
	}
	p.note("end")
}

// onPage has a responder write a run of these steps to a page. stop is done after 2.3 s.
func onPage(t *testing.T, long time.Duration, steps []agenttest.Step, stop func(s stage, ref parley.RunRef), want ...string) {
	t.Helper()
	onStageOfBolt(t, func(s stage) {
		ref := s.neverAsked(question("m", ""))
		told := &page{long: long, began: time.Now(), t: s.T, ended: func() bool {
			session, err := s.store.Session(context.Background(), s.visitor, ref.Session)
			return err == nil && session.Run == nil
		}}
		config := s.engine.Config
		config.Agent = func(*parley.Project, parley.AgentSettings) (agent.Agent, error) {
			return agenttest.New(agenttest.Always(steps...)), nil
		}
		config.Live = func(of parley.RunRef, session *parley.Session) run.Live {
			if of != ref || session == nil || session.ID != ref.Session {
				s.Errorf("asked for the page of %+v, %+v", of, session)
			}
			return told
		}
		e, err := run.New(config)
		if err != nil {
			s.Fatal(err)
		}
		if stop != nil {
			time.AfterFunc(2300*time.Millisecond, func() { stop(s, ref) })
		}
		if err := e.Respond(s.Context(), ref); err != nil {
			s.Errorf("Respond = %v", err)
		}
		if !slices.Equal(told.told, want) {
			s.Errorf("the page is told %q, want %q", told.told, want)
		}
		s.quiet(ref.Session)
	})
}

// TestLive: a page is told of a run that begins, of each text when it is durable, and of
// the end; what comes while it is being told comes with the next call.
func TestLive(t *testing.T) {
	const second = time.Second
	steps := []agenttest.Step{{Delta: "One"}, {Delay: second, Delta: ", two"}, {Delay: second, Delta: ", three"}, {Delay: second, Delta: "."}, {Delay: second}}
	t.Run("at once", func(t *testing.T) {
		onPage(t, 0, steps, nil, "0s begin", "0s One", "1s , two", "2s , three", "3s .", "4s end")
	})
	t.Run("slowly", func(t *testing.T) {
		onPage(t, 1400*time.Millisecond, steps, nil, "0s begin", "1.4s One, two", "2.8s , three", "4.2s end")
	})
	t.Run("cancelled", func(t *testing.T) {
		onPage(t, 0, steps, func(s stage, ref parley.RunRef) { s.cancel(ref.Session, "") }, "0s begin", "0s One", "1s , two", "2s , three", "3s end")
	})
	t.Run("taken over in its process", func(t *testing.T) {
		onPage(t, 0, steps, func(s stage, ref parley.RunRef) {
			if err := s.store.TakeOver(context.Background(), parleytest.Operator(), ref.Session, parley.Author{Kind: parley.AuthorHuman, ID: "op"}); err != nil {
				s.Error(err)
			}
		}, "0s begin", "0s One", "1s , two", "2s , three", "2.3s end")
	})
}

// TestLiveEndsWithItsProcess: a page is told no end where the process stops before the
// run has one; who follows sees to it.
func TestLiveEndsWithItsProcess(t *testing.T) {
	onStageOfBolt(t, func(s stage) {
		ref := s.neverAsked(question(slowly, ""))
		told := &page{began: time.Now(), t: s.T, ended: func() bool { return false }}
		config := s.engine.Config
		config.Live = func(parley.RunRef, *parley.Session) run.Live { return told }
		e, err := run.New(config)
		if err != nil {
			s.Fatal(err)
		}
		ctx, cancel := context.WithCancel(s.Context())
		time.AfterFunc(2500*time.Millisecond, cancel)
		if err := e.Respond(ctx, ref); !errors.Is(err, context.Canceled) {
			s.Errorf("Respond = %v", err)
		}
		if took := time.Since(told.began); took < 10*time.Second {
			s.Errorf("the responder returned after %v, before its run ended", took)
		}
		if len(told.told) != 3 || !strings.HasSuffix(told.told[0], "begin") {
			s.Errorf("the page is told %q", told.told)
		}
		s.quiet(ref.Session)
	})
}

// TestLiveIsToldNoWrongEnd: nor is it where the end cannot be stored, and whoever asked for
// the run is told why.
func TestLiveIsToldNoWrongEnd(t *testing.T) {
	onStageOfBolt(t, func(s stage) {
		odd := errors.New("odd")
		ref := s.neverAsked(question(plainly, ""))
		told := &page{began: time.Now(), t: s.T, ended: func() bool { return false }}
		config := s.engine.Config
		config.Store = parleytest.Store(t, parley.Config{Table: failing{s.table, time.Now(), time.Now().Add(time.Hour), odd}})
		config.Live = func(parley.RunRef, *parley.Session) run.Live { return told }
		e, err := run.New(config)
		if err != nil {
			s.Fatal(err)
		}
		if err := e.Respond(s.Context(), ref); !errors.Is(err, odd) || len(told.told) < 2 {
			s.Errorf("Respond = %v, want %v, and the page is told %q", err, odd, told.told)
		}
	})
}

// TestNoLive: a run of whose session no page is told is generated all the same.
func TestNoLive(t *testing.T) {
	onStageOfBolt(t, func(s stage) {
		config := s.engine.Config
		config.Live = func(parley.RunRef, *parley.Session) run.Live { return nil }
		e, err := run.New(config)
		if err != nil {
			s.Fatal(err)
		}
		ref := s.neverAsked(question(plainly, ""))
		if err := e.Respond(s.Context(), ref); err != nil {
			s.Error(err)
		}
		s.wants("a reader", s.read(ref, 0), answer(plainly), parley.StatusDone)
		s.calls(plainly)
	})
}
