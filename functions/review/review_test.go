package review_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"parley/functions/feed"
	"parley/functions/internal/functiontest"
	"parley/functions/review"
	"parley/shared/agent"
	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/table"
	"parley/shared/table/fault"
	"parley/shared/table/meter"
)

// critic is an agent whose reviews are scripted.
type critic struct {
	mu     sync.Mutex
	calls  int
	heard  agent.Transcript
	fails  error
	before func()
}

func (c *critic) Reply(context.Context, agent.Conversation, func(string) error) (agent.Result, error) {
	return agent.Result{}, errors.New("nobody asked for a reply")
}

func (c *critic) Review(_ context.Context, t agent.Transcript) (agent.Review, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls++
	c.heard = t
	if c.before != nil {
		c.before()
	}
	r := agent.Review{Summary: t.Turns[0].Text, Outcome: agent.Unresolved, Sentiment: agent.Negative, Tags: t.Tags,
		Usage: agent.Usage{Input: 100, Output: 20}}
	return r, c.fails
}

// rig is a store, a critic, and a clock of virtual time that sweeps.
type rig struct {
	*testing.T
	*functiontest.Kit
	who     *critic
	caller  parley.Caller
	handler review.Handler
}

func on(t *testing.T, change func(*parley.Project), test func(r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		k := functiontest.New(t, parley.Config{ProjectLife: -1})
		p := parleytest.Settings()
		if change != nil {
			change(&p)
		}
		parleytest.Put(t, k.Store, p)
		r := &rig{T: t, Kit: k, who: &critic{}}
		r.caller = parleytest.Visitor(t, k.Store)
		r.handler = r.over(k.Store)
		r.sweep()
		test(r)
	})
}

func (r *rig) over(store *parley.Store) review.Handler {
	r.Helper()
	h := review.New(review.Config{Store: store, Log: slog.New(slog.DiscardHandler),
		Agent: func(*parley.Project, parley.AgentSettings) (agent.Agent, error) { return r.who, nil }})
	return h
}

func (r *rig) sweep() {
	r.Helper()
	_, err := r.Store.Sweep(context.Background(), parley.SweepHelp{Revive: func(context.Context, parley.RunRef) error { return nil },
		Wake: func(ctx context.Context, f parley.Following) error {
			return r.handler(ctx, review.Event{Project: f.Project, Session: f.Session})
		}})
	if err != nil {
		r.Fatal(err)
	}
}

func (r *rig) minutes(n int) {
	r.Helper()
	for range n {
		time.Sleep(time.Minute)
		r.sweep()
	}
}

// closed is a session whose page has gone, for good.
func (r *rig) closed(id parley.EntryID) parley.SessionID {
	r.Helper()
	s := parleytest.Turn(r, r.Store, r.caller, id, "")
	r.close(s.ID)
	return s.ID
}

func (r *rig) close(id parley.SessionID) {
	r.Helper()
	if err := r.Store.Close(context.Background(), r.caller, id); err != nil {
		r.Fatal(err)
	}
}

func (r *rig) reviews(id parley.SessionID) []parley.Review {
	r.Helper()
	got, err := r.Store.Reviews(context.Background(), parleytest.Operator(), id)
	if err != nil {
		r.Fatal(err)
	}
	events := 0
	for _, e := range parleytest.Entries(r, r.Store, parleytest.Operator(), id) {
		if e.Event == parley.EventReviewed {
			if events++; !e.Internal {
				r.Error("a visitor is told of the review")
			}
		}
	}
	if events != len(got) {
		r.Errorf("%d reviews, %d events", len(got), events)
	}
	return got
}

// TestReview: a closed tab is reviewed once, however often the bell rings; a
// reload never is.
func TestReview(t *testing.T) {
	on(t, func(p *parley.Project) { p.Reviews.Tags = []string{"bug"} }, func(r *rig) {
		id := r.closed("m")
		if _, err := r.Store.Session(context.Background(), r.caller, id); err != nil { // the page was reloaded
			r.Fatal(err)
		}
		r.minutes(5)
		if r.who.calls != 0 || len(r.reviews(id)) != 0 {
			r.Fatalf("a reload ends in %d reviews", r.who.calls)
		}
		r.close(id)
		r.minutes(1)
		var bells sync.WaitGroup
		for range 4 {
			bells.Go(func() {
				if err := r.handler(context.Background(), review.Event{Project: "demo", Session: id}); err != nil {
					r.Error(err)
				}
			})
		}
		bells.Wait()
		r.minutes(5)
		got := r.reviews(id)
		if len(got) != 1 || r.who.calls != 1 || got[0].Close != 1 || got[0].Summary != "question m" || got[0].Outcome != "unresolved" ||
			got[0].Sentiment != "negative" || len(got[0].Tags) != 1 || got[0].Agent != "guide" || got[0].Quoted || got[0].At == 0 {
			r.Errorf("reviews %+v after %d calls", got, r.who.calls)
		}
		parleytest.Turn(r, r.Store, r.caller, "again", id)
		if err := r.Store.Resolve(context.Background(), r.caller, id, parley.Author{Kind: parley.AuthorUser}); err != nil {
			r.Fatal(err)
		}
		r.minutes(3) // nobody rings: the sweep sees to it
		if got = r.reviews(id); len(got) != 2 || got[0].Close != 2 || got[0].Outcome != "resolved" || r.who.calls != 2 {
			r.Errorf("after a person resolved it: %+v after %d calls", got, r.who.calls)
		}
		if _, err := r.Store.Reviews(context.Background(), r.caller, id); !errors.Is(err, parley.ErrDenied) {
			r.Errorf("a visitor reads reviews: %v", err)
		}
	})
}

// TestVoid: a session that was reopened before its review began gets none for
// that close, and one that is reopened meanwhile keeps it.
func TestVoid(t *testing.T) {
	on(t, nil, func(r *rig) {
		void, late, gone := r.closed("a"), r.closed("b"), r.closed("c")
		r.who.fails = agent.ErrThrottled
		r.minutes(1)
		parleytest.Turn(r, r.Store, r.caller, "back", void)
		if err := r.Store.Erase(context.Background(), r.caller, gone); err != nil {
			r.Fatal(err)
		}
		r.who.fails = nil
		r.who.before = func() {
			r.who.before = nil
			parleytest.Send(r, r.Store, r.caller, parleytest.Say("meanwhile", late, "one more thing"))
		}
		r.minutes(6)
		if n := len(r.reviews(void)); n != 0 {
			r.Errorf("%d reviews of a session that was reopened", n)
		}
		if n := len(r.reviews(late)); n != 1 {
			r.Errorf("%d reviews of one that was reopened meanwhile", n)
		}
		r.close(void)
		r.minutes(3)
		if got := r.reviews(void); len(got) != 1 || got[0].Close != 2 {
			r.Errorf("closed again: %+v", got)
		}
	})
}

// TestFailing: a model that fails is asked again, not for ever, and then quoted.
func TestFailing(t *testing.T) {
	on(t, nil, func(r *rig) {
		r.who.fails = agent.ErrProvider
		id := r.closed("m")
		r.minutes(30)
		got := r.reviews(id)
		if len(got) != 1 || !got[0].Quoted || got[0].Summary != "“question m” – “an answer to m”" || got[0].Outcome != "unknown" || r.who.calls != review.Tries {
			r.Errorf("reviews %+v after %d calls", got, r.who.calls)
		}
	})
}

// TestBudget: where the project's budget is spent no model is asked.
func TestBudget(t *testing.T) {
	on(t, func(p *parley.Project) { p.Budgets.ProjectTokens = 5 }, func(r *rig) {
		id := r.closed("m")
		r.minutes(3)
		if got := r.reviews(id); len(got) != 1 || !got[0].Quoted || r.who.calls != 0 {
			r.Errorf("reviews %+v after %d calls", got, r.who.calls)
		}
	})
}

func TestDisabled(t *testing.T) {
	on(t, func(p *parley.Project) { p.Reviews.Disabled = true }, func(r *rig) {
		id := r.closed("m")
		r.minutes(3)
		if err := r.handler(context.Background(), review.Event{Project: "demo", Session: id}); err != nil {
			r.Error(err)
		}
		if r.who.calls != 0 || len(r.reviews(id)) != 0 {
			r.Errorf("%d calls", r.who.calls)
		}
	})
}

// TestNothingSaid: what nobody said is not judged.
func TestNothingSaid(t *testing.T) {
	on(t, func(p *parley.Project) { p.IdleCloseSeconds = 60 }, func(r *rig) {
		s, err := r.Store.Begin(context.Background(), r.caller, parley.BeginRequest{Channel: parley.ChannelNative})
		if err != nil {
			r.Fatal(err)
		}
		r.minutes(5)
		if got := r.reviews(s.ID); len(got) != 1 || !got[0].Quoted || got[0].Summary != "" || r.who.calls != 0 {
			r.Errorf("reviews %+v after %d calls", got, r.who.calls)
		}
	})
}

// TestGreeting: a review knows what the visitor answered, as the page's words.
func TestGreeting(t *testing.T) {
	on(t, nil, func(r *rig) {
		sent, err := r.Store.Send(context.Background(), r.caller, parley.SendRequest{ID: "m", Content: "1",
			Greeting: []parley.Said{{Text: "Would you like (1) a refund or (2) an exchange?"}}})
		if err != nil {
			r.Fatal(err)
		}
		if _, err := r.Store.Cancel(context.Background(), r.caller, sent.Session.ID, ""); err != nil {
			r.Fatal(err)
		}
		r.close(sent.Session.ID)
		r.minutes(5)
		turns := r.who.heard.Turns
		if len(turns) != 2 || turns[0].Role != agent.Shown || turns[0].Text != "Would you like (1) a refund or (2) an exchange?" || turns[1].Role != agent.Visitor {
			r.Errorf("reviewed %+v", turns)
		}
	})
}

// TestDeath lets the function die before and after every call to the table: the
// review is stored once, and the model asked at most once more.
func TestDeath(t *testing.T) {
	for _, kind := range []fault.Kind{fault.CrashBefore, fault.CrashAfter} {
		for call, more := 1, true; more; call++ {
			on(t, nil, func(r *rig) {
				id := r.closed("m")
				whole := r.handler
				r.handler = func(context.Context, review.Event) error { return nil }
				time.Sleep(31 * time.Second)
				r.sweep() // the close sticks
				network := fault.NewNetwork(fault.NetworkConfig{Table: r.Table})
				p := network.Process(fault.Config{Plan: map[int]fault.Kind{call: kind}})
				r.over(parleytest.Store(r, parley.Config{Table: p, ProjectLife: -1}))(context.Background(), review.Event{Project: "demo", Session: id})
				more = p.Calls() >= call
				r.handler = whole
				r.minutes(5)
				if got := r.reviews(id); len(got) != 1 || r.who.calls > 2 {
					r.Errorf("%d reviews after %d calls", len(got), r.who.calls)
				}
			})
			if t.Failed() {
				t.Fatalf("after a crash of kind %d at call %d", kind, call)
			}
		}
	}
}

// TestBell rings once a close, and not for what else happens.
func TestBell(t *testing.T) {
	on(t, nil, func(r *rig) {
		id := r.closed("m")
		r.handler = func(context.Context, review.Event) error { return nil }
		r.minutes(2)
		var rung []review.Event
		h := feed.New(feed.Config{Bells: []feed.Bell{review.Bell(func(_ context.Context, e review.Event) error {
			rung = append(rung, e)
			return nil
		})}})
		changes, err := r.Table.Changes(context.Background(), 0, 1000)
		if err != nil {
			r.Fatal(err)
		}
		for _, c := range changes { // one by one
			h(context.Background(), []feed.Record{{ID: "1", Change: table.Change(c.Change)}})
		}
		if len(rung) != 1 || rung[0] != (review.Event{Project: "demo", Session: id}) {
			r.Errorf("rung for %+v", rung)
		}
	})
}

func TestNew(t *testing.T) {
	functiontest.Lacking(t, func() { review.New(review.Config{}) })
	on(t, nil, func(r *rig) {
		if err := r.handler(context.Background(), review.Event{}); err == nil || !strings.Contains(err.Error(), "names no session") {
			r.Errorf("an empty event: %v", err)
		}
	})
}

// TestUnits pins what docs/cost.md says that a review writes.
func TestUnits(t *testing.T) {
	on(t, func(p *parley.Project) { p.Reviews.Tags = []string{"bug"} }, func(r *rig) {
		id := r.closed("m")
		r.handler = func(context.Context, review.Event) error { return nil }
		time.Sleep(31 * time.Second)
		r.sweep()
		m := meter.New(meter.Config{Table: r.Table})
		h := r.over(parleytest.Store(r, parley.Config{Table: m, ProjectLife: -1}))
		if err := h(context.Background(), review.Event{Project: "demo", Session: id}); err != nil {
			r.Fatal(err)
		}
		if got := m.Counts().WriteUnits(); got != 13 || len(r.reviews(id)) != 1 {
			r.Errorf("a review writes %d units", got)
		}
	})
}
