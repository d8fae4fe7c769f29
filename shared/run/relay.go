package run

import (
	"cmp"
	"context"
	"time"

	"parley/shared/parley"
)

// Reader is the client that a run is delivered to, as the functions that write
// to it. One goroutine calls them, and stops for good once one of them has
// returned an error, which means that the client has left.
type Reader struct {
	// Stay says how long the client may wait for what is not there yet.
	Stay Stay
	// Event gets each event of the run; the text of a flush comes in several, before
	// the next flush is due. Beat is called when none has come for the time Every, to
	// tell the client that the connection lives.
	Event func(Event) error
	Beat  func() error
	Every time.Duration
}

// Relay is Stream for a client that also needs signs of life. It returns when
// the engine is done with the run, which may be long after the client has left.
// Then the error is the Reader's, or nil where the run ended before the next
// write. ErrComeBack if the client may not stay.
func (e *Engine) Relay(ctx context.Context, ref parley.RunRef, from int, claim *Claim, r Reader) error {
	return r.deliver(func(deliver func(Event) error) error {
		return e.stream(ctx, &delivery{Dispatcher: e.Dispatcher, ref: ref, from: from, deliver: deliver, stay: r.Stay}, claim)
	})
}

// Watch is Relay without the duty to generate: where nobody generates the run,
// the responder is asked to.
func (d *Dispatcher) Watch(ctx context.Context, ref parley.RunRef, from int, r Reader) error {
	return r.deliver(func(deliver func(Event) error) error {
		to := &delivery{Dispatcher: d, ref: ref, from: from, deliver: deliver, stay: r.Stay}
		return to.pollLog(ctx)
	})
}

// deliver passes the events of stream on to the client, with beats between them,
// until stream returns. Even after the client has left it waits for stream,
// which may be generating the run.
func (r Reader) deliver(stream func(deliver func(Event) error) error) error {
	events, done := make(chan Event), make(chan error, 1)
	reading, leave := context.WithCancelCause(context.Background())
	defer leave(nil)
	go func() {
		done <- stream(func(ev Event) error {
			select {
			case events <- ev:
				return nil
			case <-reading.Done():
				return context.Cause(reading)
			}
		})
	}()
	beat := time.NewTicker(r.Every)
	defer beat.Stop()
	paced := newPacer(func(ev Event) error {
		defer beat.Reset(r.Every)
		return r.Event(ev)
	})
	for {
		var err error
		select {
		case ev := <-events:
			err = paced.take(ev)
		case <-paced.timer.C:
			err = paced.passDue()
		case <-beat.C:
			err = r.Beat()
		case err := <-done:
			return cmp.Or(err, paced.passAll())
		}
		if err != nil {
			leave(err)
			return <-done
		}
	}
}
