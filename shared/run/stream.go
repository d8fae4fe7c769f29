package run

import (
	"context"
	"errors"
	"time"

	"parley/shared/parley"
)

// Stream delivers what follows the first from bytes of a run's reply, and then
// its end, in order, each byte once. With a claim it generates the run. Without
// one it follows the log, and generates the run itself if it gets the claim: when
// the run's turn comes, or when its runner has died; with little time left the
// responder is asked instead. An error from deliver, or
// the end of ctx, ends the delivery and is returned; but Stream does not return
// before a run that it generates has ended, for a function that has answered is
// frozen. Cancelling ctx therefore does not stop a run; its deadline does, which
// must leave time to store what was said.
func (e *Engine) Stream(ctx context.Context, ref parley.RunRef, from int, claim *Claim, deliver func(Event) error) error {
	f := &follower{Dispatcher: e.Dispatcher, ref: ref, from: from, deliver: deliver}
	if deadline, ok := ctx.Deadline(); !ok || time.Until(deadline) > claimTime {
		f.generator = e
	}
	if claim != nil {
		return e.drive(ctx, f, claim)
	}
	return f.follow(ctx)
}

// claimTime is the least that must be left of a request's time for it to begin
// the generation of a run that it reads: more than a host which answers whole
// ever gives it.
const claimTime = 30 * time.Second

// Wait follows a run that somebody else generates, for at most this long. It
// returns the text so far, and the end if it has come.
func (d *Dispatcher) Wait(ctx context.Context, ref parley.RunRef, atMost time.Duration) (string, *End, error) {
	ctx, cancel := context.WithTimeout(ctx, atMost)
	defer cancel()
	var text []byte
	var end *End
	f := &follower{Dispatcher: d, ref: ref, deliver: func(ev Event) error {
		text, end = append(text, ev.Text...), ev.End
		return nil
	}}
	err := f.follow(ctx)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() != nil {
		err = nil
	}
	return string(text), end, err
}

// drive generates a claimed run and reads it from memory meanwhile.
func (e *Engine) drive(ctx context.Context, f *follower, claim *Claim) error {
	detached, cancel := detach(ctx)
	defer cancel()
	said := newFeed()
	done := make(chan struct{})
	go func() {
		defer close(done)
		e.generate(detached, claim, said)
	}()
	over, err := f.listen(ctx, said)
	<-done
	if over || err != nil {
		return err
	}
	return f.follow(ctx) // this runner was fenced: the log tells what happened
}

// detach keeps the deadline of a request and nothing else of its context.
func detach(ctx context.Context) (context.Context, context.CancelFunc) {
	free := context.WithoutCancel(ctx)
	if deadline, ok := ctx.Deadline(); ok {
		return context.WithDeadline(free, deadline)
	}
	return context.WithCancel(free)
}

// listen delivers what this process generates; over means up to the end.
func (f *follower) listen(ctx context.Context, said *feed) (over bool, err error) {
	for {
		text, end, closed, news := said.after(f.at)
		if end != nil {
			f.with = end.Status
		}
		if err := f.say(text); err != nil {
			return false, err
		}
		switch {
		case end != nil:
			return true, f.deliver(Event{Upto: f.at, End: end})
		case closed:
			return false, nil
		case text != "":
			continue
		}
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-news:
		}
	}
}
