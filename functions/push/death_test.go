package push_test

import (
	"fmt"
	"testing"
	"time"

	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/socket"
)

// untilDeath runs test with a process that dies before or after its n-th call to the
// table or the gateway, for every n that there is.
func untilDeath(t *testing.T, every int, test func(t *testing.T, mortal func(w *world) *process) (died bool)) {
	t.Helper()
	for _, after := range []bool{false, true} {
		for n, more := 1, true; more; n += every {
			t.Run(fmt.Sprint(n, after), func(t *testing.T) {
				more = test(t, func(w *world) *process { return &process{w: w, diesAt: n, after: after} })
			})
		}
	}
}

// once returns p the first time, and then nil.
func once(p *process) func() *process {
	return func() *process {
		first := p
		p = nil
		return first
	}
}

// told fails the test unless a message has its final and no typing is left. lost allows
// that pieces are missing.
func (w *world) told(id, text string, lost bool) {
	w.Helper()
	w.page.mu.Lock()
	defer w.page.mu.Unlock()
	m := w.page.messages[id]
	if m == nil || len(m.finals) == 0 || m.finals[0] != text {
		w.Errorf("%s is %+v, want the final %.80q", id, m, text)
		return
	}
	if !lost && m.text() != text {
		w.Errorf("%s has the chunks %q", id, m.chunks)
	}
	if w.page.typing {
		w.Error("the page still shows that something is written")
	}
}

// TestPushDies: whenever push dies while it tells what two people said, everything is
// told in the end, no piece of text twice, and what it had not begun whole.
func TestPushDies(t *testing.T) {
	for _, again := range []bool{true, false} {
		untilDeath(t, 1, func(t *testing.T, mortal func(w *world) *process) (died bool) {
			in(t, saying("Yes"), func(w *world) {
				w.connect()
				w.send("m1")
				w.settle()
				p := mortal(w)
				w.in(&w.pusher, once(p))
				w.reply("h0", "human0")
				w.reply("h1", "human1")
				w.settle()
				if again { // the next message of the visitor finds what is left too
					w.send("m2")
				}
				w.sweep(4 * time.Minute)
				w.told("h0", "human0", true)
				w.told("h1", "human1", true)
				if again {
					w.told("r.m2", "Yes", false)
				}
				w.page.mu.Lock()
				if whole := len(w.page.messages["h0"].chunks) + len(w.page.messages["h1"].chunks); whole < 1 {
					t.Error("neither message has a piece")
				}
				w.page.mu.Unlock()
				_, died = p.death()
			})
			return died
		})
	}
}

// TestRelayDies: whenever the process dies that writes a reply and relays it, the page
// is told the end of what is stored, within three minutes and without a piece twice.
func TestRelayDies(t *testing.T) {
	untilDeath(t, 3, func(t *testing.T, mortal func(w *world) *process) (died bool) {
		in(t, slowly, func(w *world) {
			w.connect()
			p := mortal(w)
			w.in(&w.responder, once(p))
			time.Sleep(time.Duration(p.diesAt%4) * 15 * time.Second) // the sweep comes at any time after
			w.send("m1")
			w.sweep(5 * time.Minute)
			stored := parleytest.Entries(t, w.Store, w.visitor, session)
			reply := stored[len(stored)-1]
			w.told("r.m1", reply.Text, true)
			var at time.Time
			at, died = p.death()
			w.page.mu.Lock()
			defer w.page.mu.Unlock()
			m := w.page.messages["r.m1"]
			if m == nil {
				return
			}
			if late := m.at.Sub(at); died && late > 3*time.Minute {
				t.Errorf("the final came %v after the death", late)
			}
			if reply.Status == parley.StatusIncomplete && !contains(w.page.log, "error generation_failed") {
				t.Errorf("the page was told %q", w.page.log)
			}
			if len(m.chunks) == 0 {
				t.Logf("no piece was given: %q", w.page.log)
			}
		})
		return died
	})
}

func contains(all []string, one string) bool {
	for _, s := range all {
		if s == one {
			return true
		}
	}
	return false
}

// TestRelayDiesUnheard: a page that left before the relay died is told all of it when
// it comes back.
func TestRelayDiesUnheard(t *testing.T) {
	untilDeath(t, 7, func(t *testing.T, mortal func(w *world) *process) (died bool) {
		in(t, slowly, func(w *world) {
			ref := w.connect()
			p := mortal(w)
			w.in(&w.responder, once(p))
			w.send("m1")
			time.Sleep(2 * time.Second)
			w.leave(ref, true)
			w.sweep(3 * time.Minute)
			w.connect()
			w.settle()
			w.sweep(3 * time.Minute)
			stored := parleytest.Entries(t, w.Store, w.visitor, session)
			w.told("r.m1", stored[len(stored)-1].Text, true)
			_, died = p.death()
		})
		return died
	})
}

// TestPushDiesResuming: push dies while it gives a page that came back the rest of a
// reply: no piece comes twice.
func TestPushDiesResuming(t *testing.T) {
	untilDeath(t, 1, func(t *testing.T, mortal func(w *world) *process) (died bool) {
		in(t, slowly, func(w *world) {
			ref := w.connect()
			w.send("m1")
			time.Sleep(2 * time.Second)
			w.leave(ref, true)
			time.Sleep(8 * time.Second)
			p := mortal(w)
			w.in(&w.pusher, once(p))
			w.connect()
			w.settle()
			w.sweep(4 * time.Minute)
			w.told("r.m1", text, true)
			_, died = p.death()
		})
		return died
	})
}

// TestMovesAtEveryPost: a connection that breaks off at any post, and another one that
// comes at once or later: everything arrives once.
func TestMovesAtEveryPost(t *testing.T) {
	for _, later := range []time.Duration{0, 3 * time.Second, 20 * time.Second} {
		for n := 1; n <= 24; n++ {
			t.Run(fmt.Sprint(later, n), func(t *testing.T) {
				in(t, slowly, func(w *world) {
					w.gateway.fault = func(post int, to socket.Ref, _ []byte) (bool, error) {
						if post == n {
							delete(w.gateway.open, to)
							w.work.Go(func() {
								w.pause(later)
								w.connect()
							})
							return false, socket.ErrGone
						}
						return true, nil
					}
					w.connect()
					w.send("m1")
					time.Sleep(35 * time.Second)
					w.settle()
					w.page.whole(0, text)
					w.told("r.m1", text, false)
				})
			})
		}
	}
}
