package hooks_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/functions/hooks"
	"parley/functions/internal/functiontest"
	"parley/shared/outbound"
	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/table/meter"
)

// TestOrder: what happens in a session is delivered once, in its order, each
// thing to who wants it.
func TestOrder(t *testing.T) {
	in(t, func(w *world) {
		all, ratings, everything := w.host("all.example"), w.host("ratings.example", parley.HookRated, parley.HookClosed), w.host("staff.example", parley.HookEvents()...)
		id := w.turn("")
		w.ring(id)
		op, human := parleytest.Operator(), parley.Author{Kind: parley.AuthorHuman, ID: "op", Name: "Ola"}
		steps := []func() error{
			func() error { return w.Store.TakeOver(w.Context(), op, id, human) },
			func() error { return w.Store.HandBack(w.Context(), op, id, human) },
			func() error { _, err := w.Store.Rate(w.Context(), w.visitor, id, 4, "fine"); return err },
			func() error { return w.Store.Resolve(w.Context(), w.visitor, id, human) },
		}
		for _, step := range steps {
			if err := step(); err != nil {
				t.Fatal(err)
			}
		}
		w.turn(id)
		w.ring(id)
		if resolved := ratings.got; len(resolved) != 1 || resolved[0].Close != 0 {
			t.Errorf("rated = %+v", resolved)
		}
		want := []string{"0 session.started", "1 message", "2 message", "3 takeover", "4 takeover", "5 session.rated", "6 session.resolved", "7 session.reopened", "8 message", "9 message"}
		all.wants("all", want...)
		everything.wants("with what is internal", want...)
		ratings.wants("ratings", "5 session.rated")
		w.ring(id)
		w.sweeps(3 * time.Minute)
		all.wants("after duplicate events", want...)
		if resolved := all.got[6]; resolved.Close != 1 {
			t.Errorf("resolved = %s", resolved.Raw)
		}
		seen := map[string]bool{}
		for i, r := range all.got {
			if seen[r.ID] || r.Project != "demo" || r.Session != id || i > 0 && r.At.Before(all.got[i-1].At) {
				t.Errorf("webhook %+v", r)
			}
			seen[r.ID] = true
		}
	})
}

// TestBody: a webhook says what the API says of an entry.
func TestBody(t *testing.T) {
	in(t, func(w *world) {
		h, staff := w.host("a.example"), w.host("staff.example", parley.HookMessage, parley.HookInternal, parley.HookRated)
		id := w.turn("")
		if _, err := w.Store.Rate(w.Context(), w.visitor, id, 4, "fine"); err != nil {
			t.Fatal(err)
		}
		entries := parleytest.Entries(t, w.Store, w.visitor, id)
		if _, err := w.Store.Vote(w.Context(), w.visitor, id, entries[1].ID, parley.VoteUp); err != nil {
			t.Fatal(err)
		}
		w.ring(id)
		started := h.got[0]
		if s := started.Started; started.Entry != nil || s["channel"] != "native" || s["visitor"] != string(w.visitor.Visitor) || s["proven"] != false {
			t.Errorf("started = %s", started.Raw)
		}
		entries = parleytest.Entries(t, w.Store, w.visitor, id)
		for i, r := range h.got[1:] {
			e := entries[i]
			if r.Entry["id"] != string(e.ID) || r.Entry["seq"] != float64(e.Seq) || r.Entry["text"] != e.Text || !r.At.Equal(e.Time()) || r.Reason != "" {
				t.Errorf("webhook %s of %+v", r.Raw, e)
			}
		}
		if r := h.got[len(h.got)-1]; r.Type != parley.HookAmended || string(r.Data) != `{"vote":"up"}` || r.Entry["amends"] != 2.0 {
			t.Errorf("vote = %s", r.Raw)
		}
		if r := h.got[len(h.got)-2]; r.Type != parley.HookRated || string(r.Data) != `{"score":4,"feedback":"fine"}` {
			t.Errorf("rated = %s", r.Raw)
		}
		if len(staff.got) != 3 {
			t.Errorf("staff took %q", staff.taken())
		}
	})
}

// TestSlow: an endpoint that hangs delays nobody else's webhooks.
func TestSlow(t *testing.T) {
	in(t, func(w *world) {
		slow, fast := w.host("slow.example", parley.HookMessage), w.host("fast.example", parley.HookMessage)
		slow.answer = func(r *http.Request, _ webhook) (*http.Response, error) {
			<-r.Context().Done()
			return nil, &outbound.Error{Host: "slow.example", Text: "no answer in time"}
		}
		id := w.turn("")
		var all sync.WaitGroup
		began := time.Now()
		for range 3 {
			all.Go(func() { w.ring(id) })
			time.Sleep(time.Second)
			w.turn(id)
		}
		w.ring(id)
		fast.wants("while the other hangs", "1 message", "2 message", "3 message", "4 message", "5 message", "6 message", "7 message", "8 message")
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("the fast one waited %v", took)
		}
		all.Wait()
		if n := len(slow.got); n != 1 || time.Since(began) > hooks.AttemptTime+time.Second {
			t.Errorf("the slow one was asked %d times in %v", n, time.Since(began))
		}
	})
}

// TestTwoInstances: instances that are called at once deliver once, and in order.
func TestTwoInstances(t *testing.T) {
	in(t, func(w *world) {
		h := w.host("a.example", parley.HookMessage)
		h.answer = func(*http.Request, webhook) (*http.Response, error) {
			time.Sleep(300 * time.Millisecond)
			return answered(200), nil
		}
		id := w.turn("")
		var all sync.WaitGroup
		for n := range 6 {
			instance := w.over(w.process(w.Table))
			all.Go(func() {
				time.Sleep(time.Duration(n) * 100 * time.Millisecond)
				if err := instance(w.Context(), hooks.Event{Project: "demo", Session: id}); err != nil {
					t.Error(err)
				}
			})
		}
		time.Sleep(200 * time.Millisecond)
		w.turn(id)
		all.Wait()
		w.ring(id)
		h.wants("by six", "1 message", "2 message", "3 message", "4 message")
	})
}

// TestRotation: during a rotation a receiver with either secret is content.
func TestRotation(t *testing.T) {
	in(t, func(w *world) {
		h := w.host("a.example", parley.HookMessage)
		second, err := w.Store.RotateHook(w.Context(), parleytest.Operator(), h.hook.ID)
		if err != nil {
			t.Fatal(err)
		}
		signatures := 0
		h.answer = func(r *http.Request, _ webhook) (*http.Response, error) {
			signatures = strings.Count(r.Header.Get(hooks.SignatureHeader), "v1=")
			return answered(200), nil
		}
		id := w.turn("")
		w.ring(id) // the host checks with the first
		if signatures != 2 {
			t.Errorf("%d signatures", signatures)
		}
		if err := w.Store.DropHookKey(w.Context(), parleytest.Operator(), h.hook.ID, h.hook.Keys[0]); err != nil {
			t.Fatal(err)
		}
		h.secret = second.Secret
		w.turn(id)
		w.ring(id)
		if signatures != 1 || len(h.taken()) != 4 {
			t.Errorf("%d signatures, took %q", signatures, h.taken())
		}
	})
}

// TestLong: a function whose time is nearly over leaves the rest to another.
func TestLong(t *testing.T) {
	in(t, func(w *world) {
		h := w.host("a.example", parley.HookMessage)
		h.answer = func(*http.Request, webhook) (*http.Response, error) {
			time.Sleep(9 * time.Second)
			return answered(200), nil
		}
		id := ""
		for range 10 {
			id = string(w.turn(parley.SessionID(id)))
		}
		ctx, cancel := context.WithTimeout(w.Context(), 90*time.Second)
		defer cancel()
		began := time.Now()
		if err := w.handler(ctx, hooks.Event{Project: "demo", Session: parley.SessionID(id)}); err != nil {
			t.Error(err)
		}
		if n, took := len(h.taken()), time.Since(began); n < 8 || n > 9 || took > 90*time.Second {
			t.Errorf("took %d in %v", n, took)
		}
		w.sweeps(4 * time.Minute)
		if n := len(h.got); n != 20 || len(h.taken()) != 20 {
			t.Errorf("asked %d times: %q", n, h.taken())
		}
	})
}

// TestCost pins what webhooks add to a turn, by endpoint. Here the settings are
// read each time, for one unit or half of one.
func TestCost(t *testing.T) {
	in(t, func(w *world) {
		h := w.host("a.example", parley.HookMessage)
		m := meter.New(meter.Config{Table: w.Table})
		instance := w.over(w.process(m))
		id := w.turn("")
		for n, want := range []struct {
			writes int
			reads  float64
		}{{7, 6}, {4, 6}, {4, 6}, {0, 2.5}} {
			m.Reset()
			if err := instance(w.Context(), hooks.Event{Project: "demo", Session: id}); err != nil {
				t.Fatal(err)
			}
			if c := m.Counts(); c.WriteUnits() != want.writes || c.ReadUnits() != want.reads {
				t.Errorf("turn %d: %v write units and %v read units, want %v and %v", n, c.WriteUnits(), c.ReadUnits(), want.writes, want.reads)
			}
			if n < 2 {
				w.turn(id)
			}
		}
		if n := len(h.taken()); n != 6 {
			t.Errorf("took %d", n)
		}
	})
}

func TestMetrics(t *testing.T) {
	in(t, func(w *world) {
		good, bad, gone := w.host("a.example", parley.HookMessage), w.host("b.example", parley.HookMessage), w.host("c.example", parley.HookMessage)
		bad.answer, gone.answer = fails(500), fails(410)
		w.ring(w.turn(""))
		good.wants("good", "1 message", "2 message")
		var line struct{ WebhooksDelivered, WebhooksRetried, WebhooksFailed int }
		if err := json.Unmarshal(w.metrics.Bytes(), &line); err != nil || line.WebhooksDelivered != 2 || line.WebhooksRetried != 1 || line.WebhooksFailed != 2 {
			t.Errorf("metrics = %s, %v", w.metrics, err)
		}
	})
}

// TestEvents: what names nobody is an error, what is gone is done.
func TestEvents(t *testing.T) {
	in(t, func(w *world) {
		h := w.host("a.example", parley.HookMessage)
		id := w.turn("")
		for _, e := range []hooks.Event{{}, {Project: "demo"}, {Session: id}} {
			if err := w.handler(w.Context(), e); err == nil {
				t.Errorf("event %+v was taken", e)
			}
		}
		for _, e := range []hooks.Event{{Project: "none", Session: id}, {Project: "demo", Session: "none"},
			{Project: "demo", Session: id, Follower: "hook/none"}, {Project: "demo", Session: id, Follower: "review"}} {
			if err := w.handler(w.Context(), e); err != nil {
				t.Errorf("event %+v: %v", e, err)
			}
		}
		h.wants("for others")
		if err := w.Table.Close(); err != nil {
			t.Fatal(err)
		}
		if err := w.handler(w.Context(), hooks.Event{Project: "demo", Session: id}); err == nil {
			t.Error("without a table nothing failed")
		}
	})
}

func TestNew(t *testing.T) {
	functiontest.Lacking(t, func() { hooks.New(hooks.Config{}) })
}

// TestBell: the feed calls the function for projects that have an endpoint.
func TestBell(t *testing.T) {
	in(t, func(w *world) {
		var rung []hooks.Event
		var fails error
		bell := hooks.Bell(w.Store, func(_ context.Context, e hooks.Event) error { rung = append(rung, e); return fails })
		ring := func(p parley.ProjectID, kind string) error { return bell(w.Context(), change(p, "s1", kind)) }
		for range 2 {
			if err := ring("demo", "changed"); err != nil || len(rung) != 0 {
				t.Errorf("without endpoints: %v, %v", rung, err)
			}
		}
		h := w.host("a.example", parley.HookMessage)
		for _, kind := range []string{"opened", "changed", "erased"} {
			if err := ring("demo", kind); err != nil {
				t.Error(err)
			}
		}
		if want := (hooks.Event{Project: "demo", Session: "s1"}); len(rung) != 2 || rung[0] != want || rung[1] != want {
			t.Errorf("rung %v", rung)
		}
		if err := ring("none", "changed"); err != nil {
			t.Errorf("a project that is gone: %v", err)
		}
		fails = errors.New("invoke")
		if err := ring("demo", "changed"); !errors.Is(err, fails) {
			t.Errorf("a call that fails: %v", err)
		}
		h.hook.Disabled = true
		if _, _, err := w.Store.PutHook(w.Context(), parleytest.Operator(), h.hook); err != nil {
			t.Fatal(err)
		}
		if err := ring("demo", "changed"); err != nil {
			t.Errorf("with none enabled: %v", err)
		}
	})
}
