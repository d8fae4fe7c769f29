package run

import (
	"context"
	"time"

	"parley/shared/parley"
)

// Reader is where Relay writes a run. Its functions are called by one goroutine,
// and no more once one of them has returned an error: then nobody reads any more.
type Reader struct {
	// Event takes what comes, Beat is called when nothing has come for Every.
	Event func(Event) error
	Beat  func() error
	Every time.Duration
}

// Relay is Stream for a reader that has to be told that nothing comes. It
// returns when the engine is done with the run, which may be long after the
// reader has left: then the error is the Reader's, or nil where the run ended first.
func (e *Engine) Relay(ctx context.Context, ref parley.RunRef, from int, claim *Claim, r Reader) error {
	return r.read(func(deliver func(Event) error) error { return e.Stream(ctx, ref, from, claim, deliver) })
}

// Watch is Relay for a reader who generates nothing: a run that nobody
// generates is asked for.
func (d *Dispatcher) Watch(ctx context.Context, ref parley.RunRef, from int, r Reader) error {
	return r.read(func(deliver func(Event) error) error {
		f := &follower{Dispatcher: d, ref: ref, from: from, deliver: deliver}
		return f.follow(ctx)
	})
}

// read passes on what stream delivers, until it returns.
func (r Reader) read(stream func(deliver func(Event) error) error) error {
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
	for {
		var err error
		select {
		case ev := <-events:
			err = r.Event(ev)
			beat.Reset(r.Every)
		case <-beat.C:
			err = r.Beat()
		case err := <-done:
			return err
		}
		if err != nil {
			leave(err)
			return <-done
		}
	}
}
