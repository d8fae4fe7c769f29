package push_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/socket"
)

// TestRandom plays sessions in which anything fails at any time: posts, connections,
// and the processes that tell. In the end every message has its last frame, no piece of
// text has come twice, nothing is left that the page shows as being written, and nobody
// holds anything.
func TestRandom(t *testing.T) {
	seeds(t, 60, func(t *testing.T, seed uint64) { in(t, slowly, func(w *world) { w.random(seed) }) })
}

// seeds runs a test as often as PARLEY_PUSH_SEEDS says, from the seed PARLEY_PUSH_SEED.
func seeds(t *testing.T, seeds int, test func(*testing.T, uint64)) {
	first := 1
	for name, n := range map[string]*int{"PARLEY_PUSH_SEEDS": &seeds, "PARLEY_PUSH_SEED": &first} {
		if text := os.Getenv(name); text != "" {
			var err error
			if *n, err = strconv.Atoi(text); err != nil {
				t.Fatal(err)
			}
		}
	}
	for seed := first; seed < first+seeds; seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { test(t, uint64(seed)) })
	}
}

func (w *world) random(seed uint64) {
	r := rand.New(rand.NewPCG(seed, 0))      // of the test's own goroutine
	faults := rand.New(rand.NewPCG(seed, 1)) // of the gateway
	w.lag = time.Duration(r.IntN(1500)) * time.Millisecond
	w.gateway.takes = time.Duration(r.IntN(300)) * time.Millisecond
	var quiet atomic.Bool
	w.gateway.fault = func(int, socket.Ref, []byte) (bool, error) {
		switch kind := faults.IntN(12); {
		case quiet.Load():
		case kind == 0:
			return false, socket.ErrBusy
		case kind == 1:
			return false, errors.New("500, not sent")
		case kind == 2:
			return true, errors.New("500, sent")
		}
		return true, nil
	}
	w.mortals(rand.New(rand.NewPCG(seed, 5)), &quiet)
	ref := w.connect()
	for n := range 3 {
		w.send(parley.EntryID(fmt.Sprint("m", n)))
		for range r.IntN(3) {
			time.Sleep(time.Duration(r.IntN(4000)) * time.Millisecond)
			switch r.IntN(5) {
			case 0, 1:
				w.leave(ref, r.IntN(2) == 0)
				time.Sleep(time.Duration(r.IntN(2)*r.IntN(9000)) * time.Millisecond)
				ref = w.connect()
			case 2:
				w.reply(fmt.Sprint("h", n, r.IntN(1000)), fmt.Sprint("human", n))
			case 3:
				stopped, err := w.Store.Cancel(w.Context(), w.visitor, session, "")
				if err != nil {
					w.Error(err)
				}
				w.ask(stopped.Next)
			}
		}
		if r.IntN(3) == 0 {
			w.sweep(time.Minute)
		}
	}
	w.sweep(4 * time.Minute)
	quiet.Store(true)
	w.connect() // a page that nobody tells anything may be one that is not known any more
	w.sweep(6 * time.Minute)
	w.allTold(session)
}

// mortals has one process in three die at some time, as long as it is not quiet.
func (w *world) mortals(faults *rand.Rand, quiet *atomic.Bool) {
	mortal := func(calls int) func() *process {
		return func() *process {
			if quiet.Load() || faults.Float64() > 0.3 {
				return nil
			}
			return &process{w: w, diesAt: 1 + faults.IntN(calls), after: faults.IntN(2) == 0}
		}
	}
	w.responder, w.pusher = mortal(130), mortal(14)
}

// allTold fails the test unless every message of a session has its final, and nobody
// works for it any more.
func (w *world) allTold(id parley.SessionID) {
	w.page.mu.Lock()
	defer w.page.mu.Unlock()
	for _, e := range parleytest.Entries(w, w.Store, parleytest.Operator(), id) {
		if !e.IsMessage() || e.Internal || e.Author.Kind == parley.AuthorUser {
			continue
		}
		name := string(e.ID)
		if e.Run != "" {
			name = "r." + string(e.Run)
		}
		m := w.page.messages[name]
		stopped := e.Status == parley.StatusCancelled || e.Status == parley.StatusTakenOver
		switch {
		case stopped && (m == nil || len(m.chunks) == 0): // nothing had been given, as far as anybody knows
		case m == nil || len(m.finals) == 0:
			w.Errorf("%s (%s) has no final: %+v", name, e.Status, m)
		case !stopped && m.finals[0] != e.Text:
			w.Errorf("%s (%s) has the final %q", name, e.Status, m.finals[0])
		}
	}
	if w.page.typing {
		w.Error("the page still shows that something is written")
	}
	for k, item := range parleytest.Everything(w, w.Table) {
		if item.Int("until") > 0 && k.SK == "mark/follow/push" {
			w.Errorf("%v is held: %v", k, item)
		}
	}
}
