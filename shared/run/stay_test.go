package run_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"parley/shared/agent/agenttest"
	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/run"
)

// waiting is a run that another process takes 90 s for, after a first word.
func waiting(s stage) parley.RunRef {
	s.script = agenttest.New(agenttest.Always(agenttest.Step{Delta: "One"}, agenttest.Step{Delay: 90 * time.Second, Delta: ", two."}))
	return s.begun("m")
}

// TestSeats: who waits for a reply that another process writes needs a seat, of which
// there are few, for a minute at most; whoever leaves makes room for the next.
func TestSeats(t *testing.T) {
	onStageOfBolt(t, func(s stage) {
		ref := waiting(s)
		store := parleytest.Store(t, parley.Config{Table: s.table, Seats: parley.Seats{Reader: 1}})
		e := newEngine(t, store, s.script)
		read := func(ctx context.Context) (text string, took time.Duration, err error) {
			began := time.Now()
			err = e.Watch(ctx, ref, 0, run.Reader{Every: time.Hour, Beat: func() error { return nil }, Stay: run.Stay{Seat: store.SeatingOf(s.visitor)},
				Event: func(ev run.Event) error {
					text += ev.Text
					return nil
				}})
			return text, time.Since(began), err
		}
		first := make(chan struct{})
		go func() {
			defer close(first)
			if text, took, err := read(s.Context()); text != "One" || err != run.ErrComeBack || took < parley.SeatLife || took > parley.SeatLife+time.Second {
				s.Errorf("the first is told %q after %v, %v", text, took, err)
			}
		}()
		time.Sleep(time.Second)
		if text, took, err := read(s.Context()); text != "One" || err != run.ErrComeBack || took != 0 {
			s.Errorf("the second is told %q after %v, %v", text, took, err)
		}
		<-first
		for _, who := range []string{"the third", "the fourth"} {
			ctx, cancel := context.WithTimeout(s.Context(), 3*time.Second)
			if text, took, err := read(ctx); text != "One" || err != context.DeadlineExceeded || took != 3*time.Second {
				s.Errorf("%s is told %q after %v, %v", who, text, took, err)
			}
			cancel()
		}
		if text, _, err := read(s.Context()); text != "One, two." || err != nil {
			s.Errorf("the last is told %q, %v", text, err)
		}
		time.Sleep(time.Minute) // its runner has to settle what it spent
	})
}

// TestFreeStay: a sender needs no seat for some time; then one, if its reply is being
// written, and else it has to come back.
func TestFreeStay(t *testing.T) {
	odd := errors.New("odd")
	for name, test := range map[string]struct {
		written bool
		free    time.Duration
		seat    error
		asked   int // for a seat
		took    time.Duration
		err     error
	}{
		"a seat is free":          {true, 5 * time.Second, nil, 1, 20 * time.Second, context.DeadlineExceeded},
		"all are taken":           {true, 5 * time.Second, &parley.Error{Kind: parley.ErrLimit}, 1, 5 * time.Second, run.ErrComeBack},
		"nobody knows":            {true, 5 * time.Second, parley.ErrUnavailable, 1, 5 * time.Second, run.ErrComeBack},
		"something else is wrong": {true, 5 * time.Second, odd, 1, 5 * time.Second, odd},
		"its turn is not near":    {false, 5 * time.Second, nil, 0, 5 * time.Second, run.ErrComeBack},
		"nothing is free":         {false, 0, nil, 1, 20 * time.Second, context.DeadlineExceeded},
	} {
		t.Run(name, func(t *testing.T) {
			onStageOfBolt(t, func(s stage) {
				ref := waiting(s)
				if !test.written {
					q := question("queued", ref.Session)
					q.Claim = false
					ref = parleytest.Send(s, s.store, s.visitor, q).Ref
				}
				asked := 0
				seat := func(ctx context.Context) (*parley.Seat, error) {
					if asked++; test.seat != nil {
						return nil, test.seat
					}
					return s.store.TakeSeat(ctx, s.visitor)
				}
				ctx, cancel := context.WithTimeout(s.Context(), 20*time.Second)
				defer cancel()
				began := time.Now()
				err := s.engine.Watch(ctx, ref, 0, run.Reader{Every: time.Hour, Beat: func() error { return nil }, Stay: run.Stay{Seat: seat, Free: test.free},
					Event: func(run.Event) error { return nil }})
				if took := time.Since(began); !errors.Is(err, test.err) || asked != test.asked || took < test.took || took > test.took+500*time.Millisecond {
					s.Errorf("Watch = %v after %v, and %d seats were asked for, want %v after %v, and %d", err, took, asked, test.err, test.took, test.asked)
				}
				text, end, err := s.engine.Wait(s.Context(), ref, 20*time.Second, run.Stay{Seat: seat, Free: test.free})
				if want := map[bool]string{true: "One", false: ""}[test.written]; text != want || end != nil || (err != nil) != (test.err == odd) {
					s.Errorf("Wait = %q, %+v, %v", text, end, err)
				}
				time.Sleep(5 * time.Minute) // others write it to its end
			})
		})
	}
}

// TestStayOf: a message is a reason to wait for its reply, once, and for its turn not
// for long.
func TestStayOf(t *testing.T) {
	at := func(active parley.RunID) *parley.Session {
		if active == "" {
			return &parley.Session{}
		}
		return &parley.Session{Run: &parley.QueuedRun{ID: active}}
	}
	ref := parley.RunRef{Run: "m"}
	for name, test := range map[string]struct {
		sent   parley.Sent
		atMost time.Duration
		want   time.Duration
	}{
		"it is written":            {parley.Sent{Ref: ref, Session: at("m")}, time.Minute, time.Minute},
		"it waits for its turn":    {parley.Sent{Ref: ref, Session: at("other")}, time.Minute, parley.QueuedFor},
		"it waits, and not long":   {parley.Sent{Ref: ref, Session: at("other")}, time.Second, time.Second},
		"nothing is written":       {parley.Sent{Ref: ref, Session: at("")}, time.Minute, parley.QueuedFor},
		"it was sent once already": {parley.Sent{Ref: ref, Session: at("m"), Replayed: true}, time.Minute, 0},
	} {
		seat := func(context.Context) (*parley.Seat, error) { return nil, errGone }
		got := run.StayOf(test.sent, seat, test.atMost)
		if got.Free != test.want || got.Seat == nil {
			t.Errorf("%s: free for %v, want %v", name, got.Free, test.want)
		}
	}
}
