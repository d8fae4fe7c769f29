package hooks_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/functions/hooks"
	"parley/shared/outbound"
	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/table/fault"
)

// TestAnswers: what an endpoint's answer means.
func TestAnswers(t *testing.T) {
	answer := func(status int) func() (*http.Response, error) {
		return func() (*http.Response, error) { return answered(status), nil }
	}
	failing := func(err error) func() (*http.Response, error) {
		return func() (*http.Response, error) { return nil, err }
	}
	tests := []struct {
		name    string
		answer  func() (*http.Response, error)
		becomes string // taken, again, given up
		reason  string
	}{
		{"200", answer(200), "taken", ""},
		{"204", answer(204), "taken", ""},
		{"299", answer(299), "taken", ""},
		{"a redirect", answer(302), "again", "answered 302"},
		{"a permanent redirect", answer(308), "again", "answered 308"},
		{"400", answer(400), "again", "answered 400"},
		{"401", answer(401), "again", "answered 401"},
		{"404", answer(404), "again", "answered 404"},
		{"gone", answer(410), "given up", "answered 410"},
		{"429", answer(429), "again", "answered 429"},
		{"500", answer(500), "again", "answered 500"},
		{"no answer", failing(&outbound.Error{Host: "a.example", Text: "no answer in time"}), "again", "ask a.example: no answer in time"},
		{"an address that is refused", failing(fmt.Errorf("%w: private", outbound.ErrRefused)), "given up", "refused: private"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			in(t, func(w *world) {
				h := w.host("a.example", parley.HookMessage)
				h.answer = func(_ *http.Request, got webhook) (*http.Response, error) {
					if got.Seq == 1 {
						return test.answer()
					}
					return answered(200), nil
				}
				w.ring(w.turn(""))
				asked := len(h.got)
				failed := h.failed()
				switch {
				case test.becomes == "taken" && (asked != 2 || len(failed) != 0), test.becomes == "again" && (asked != 1 || len(failed) != 0):
					t.Errorf("asked %d times, failed %+v", asked, failed)
				case test.becomes == "given up" && (asked != 2 || len(failed) != 1 || failed[0].Reason != test.reason || failed[0].Attempts != 1 || failed[0].Seq != 1):
					t.Errorf("asked %d times, failed %+v", asked, failed)
				}
				if test.becomes == "again" { // to the end
					w.sweeps(25 * time.Hour)
					if failed := h.failed(); len(failed) != 1 || failed[0].Reason != test.reason {
						t.Errorf("failed %+v", failed)
					}
					h.wants("afterwards", "2 message")
				}
			})
		})
	}
}

// TestSchedule: a webhook is tried eight times in a day, whatever happens in the
// session meanwhile, then given up; what waited behind it follows in order.
func TestSchedule(t *testing.T) {
	in(t, func(w *world) {
		h := w.host("a.example", parley.HookMessage)
		h.answer = fails(500)
		id := w.turn("")
		w.ring(id)
		var first int64
		for minute := range 1500 {
			time.Sleep(time.Minute)
			w.sweep()
			if minute == 100 || minute == 1300 { // the endpoint still has to wait
				w.turn(id)
				w.ring(id)
			}
			if len(h.failed()) > 0 && first == 0 {
				first = int64(minute)
			}
		}
		var minutes []int
		for _, r := range h.got {
			if r.Seq == 1 {
				minutes = append(minutes, int(r.After.Minutes()))
			}
		}
		if want := []int{0, 1, 6, 21, 81, 261, 741, 1461}; !slices.Equal(minutes, want) || len(minutes) != hooks.MaxAttempts {
			t.Errorf("tried after %v minutes, want %v", minutes, want)
		}
		if first != 1460 {
			t.Errorf("given up after %d minutes", first)
		}
		h.wants("in a day")
		h.answer = nil
		w.sweeps(24 * time.Hour)
		// 2 was as old as 1 and had one attempt; the others came later.
		h.wants("afterwards", "3 message", "4 message", "5 message", "6 message")
		if n := len(h.failed()); n != 2 {
			t.Errorf("%d given up: %+v", n, h.failed())
		}
	})
}

// TestSince: an endpoint gets what happens from when it is made or enabled on,
// and what somebody wants again.
func TestSince(t *testing.T) {
	in(t, func(w *world) {
		id := w.turn("")
		time.Sleep(time.Second)
		h := w.host("a.example", parley.HookStarted, parley.HookMessage)
		w.turn(id)
		w.ring(id)
		h.wants("a new one", "3 message", "4 message")

		disable := func(disabled bool) {
			h.hook.Disabled = disabled
			var err error
			if h.hook, _, err = w.Store.PutHook(w.Context(), parleytest.Operator(), h.hook); err != nil {
				t.Fatal(err)
			}
		}
		disable(true)
		w.turn(id)
		w.ring(id)
		w.sweeps(2 * time.Minute)
		disable(false)
		w.turn(id)
		w.ring(id)
		h.wants("one that was disabled for a while", "3 message", "4 message", "7 message", "8 message")

		h.got = nil
		if err := w.Store.ReplayHook(w.Context(), parleytest.Operator(), h.hook.ID, id, 5); err != nil {
			t.Fatal(err)
		}
		w.sweeps(2 * time.Minute)
		h.wants("again from what it missed", "5 message", "6 message", "7 message", "8 message")

		h.got = nil
		if err := w.Store.ReplayHook(w.Context(), parleytest.Operator(), h.hook.ID, id, 0); err != nil {
			t.Fatal(err)
		}
		w.ring(id)
		h.wants("all again", "0 session.started", "1 message", "2 message", "3 message", "4 message", "5 message", "6 message", "7 message", "8 message")
	})
}

// TestReplay: what was given up is delivered when somebody wants it again, and
// is not given up any more.
func TestReplay(t *testing.T) {
	in(t, func(w *world) {
		h := w.host("a.example", parley.HookMessage)
		h.answer = fails(410)
		id := w.turn("")
		w.ring(id)
		if n := len(h.failed()); n != 2 {
			t.Errorf("%d given up", n)
		}
		time.Sleep(3 * 24 * time.Hour)
		for range 20 {
			w.sweep()
		}
		replay := func() {
			if err := w.Store.ReplayHook(w.Context(), parleytest.Operator(), h.hook.ID, id, 1); err != nil {
				t.Fatal(err)
			}
			w.ring(id)
		}
		before := len(h.got)
		h.answer = fails(500) // old as it is, it is tried as often as the first time
		replay()
		w.sweeps(10 * time.Minute)
		if n := len(h.got) - before; n != 3 {
			t.Errorf("tried %d times in 10 minutes", n)
		}
		h.answer = nil
		w.sweeps(20 * time.Minute)
		h.wants("again", "1 message", "2 message")
		if failed := h.failed(); len(failed) != 0 {
			t.Errorf("given up %+v", failed)
		}
	})
}

// TestErased: nothing of an erased session is delivered, and nothing is left of it.
func TestErased(t *testing.T) {
	tests := map[string]func(w *world, h *host, id parley.SessionID, erase func()){
		"before": func(w *world, h *host, id parley.SessionID, erase func()) {
			erase()
			w.ring(id)
			h.wants("erased before")
		},
		"between two": func(w *world, h *host, id parley.SessionID, erase func()) {
			h.answer = func(*http.Request, webhook) (*http.Response, error) { erase(); return answered(200), nil }
			w.ring(id)
			h.wants("erased between two", "1 message")
		},
		"before another attempt": func(w *world, h *host, id parley.SessionID, erase func()) {
			h.answer = fails(500)
			w.ring(id)
			erase()
			h.answer = nil
			w.sweeps(10 * time.Minute)
			h.wants("erased before another attempt")
		},
		"while it is given up": func(w *world, h *host, id parley.SessionID, erase func()) {
			h.answer = func(*http.Request, webhook) (*http.Response, error) { erase(); return answered(410), nil }
			w.ring(id)
			if len(h.got) != 1 || len(h.failed()) != 0 {
				w.Errorf("asked %d times, failed %v", len(h.got), h.failed())
			}
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			in(t, func(w *world) {
				h := w.host("a.example", parley.HookMessage)
				id := w.turn("")
				test(w, h, id, func() {
					if err := w.Store.Erase(w.Context(), w.visitor, id); err != nil {
						t.Error(err)
					}
				})
				w.sweeps(5 * time.Minute)
				for k := range parleytest.Everything(t, w.Table) {
					if strings.HasPrefix(k.PK, "demo/session/") && k.SK != "entry~" {
						t.Errorf("%v is left", k)
					}
				}
			})
		})
	}
}

// TestDeathAtEveryCall lets the instance die before and after every call to the
// table, and lets writes end without its knowing how: every webhook arrives, in
// order but for what is repeated under the same id.
func TestDeathAtEveryCall(t *testing.T) {
	for _, kind := range []fault.Kind{fault.CrashBefore, fault.CrashAfter, fault.Unanswered, fault.Lost, fault.Throttle, fault.Unreadable} {
		for call, more := 1, true; more; call++ {
			in(t, func(w *world) {
				h, other := w.host("a.example", parley.HookStarted, parley.HookMessage), w.host("b.example", parley.HookMessage)
				other.answer = fails(410)
				id := w.turn("")
				w.turn(id)
				p := fault.NewNetwork(fault.NetworkConfig{Table: w.Table}).Process(fault.Config{Plan: map[int]fault.Kind{call: kind}})
				err := w.over(w.process(p))(w.Context(), hooks.Event{Project: "demo", Session: id})
				more = p.Calls() >= call
				if err != nil { // the event comes again
					w.sweeps(2 * time.Minute)
					w.ring(id)
				}
				w.sweeps(5 * time.Minute)
				exact(t, h)
				if failed := other.failed(); len(failed) != 4 {
					t.Errorf("given up %+v", failed)
				}
			})
			if t.Failed() {
				t.Fatalf("with fault %d at call %d", kind, call)
			}
		}
	}
}

// exact fails the test unless a host took everything of a session of four
// entries, in order but for repetitions.
func exact(t *testing.T, h *host) {
	t.Helper()
	ids, done := map[parley.Seq]string{}, parley.Seq(-1)
	for _, r := range h.got {
		if !r.Taken {
			continue
		}
		if r.Seq > done+1 || ids[r.Seq] != "" && ids[r.Seq] != r.ID {
			t.Errorf("took %q", h.taken())
			return
		}
		done, ids[r.Seq] = max(done, r.Seq), r.ID
	}
	if done != 4 {
		t.Errorf("took %q", h.taken())
	}
}
