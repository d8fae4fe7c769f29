package run

import (
	"context"
	"errors"
	"time"

	"parley/shared/parley"
)

// Stream delivers a run's reply from byte from on, and then its end: in order,
// each byte once.
//
// With a claim it generates the run. Without one it reads the log, and claims
// the run itself when nobody generates it: its turn has come, or its runner has
// died. If the request has little time left, the responder is asked instead.
//
// An error from deliver, or the end of ctx, ends the delivery and is returned.
// But a run that Stream generates it generates to its end before it returns,
// because a function that has answered is frozen. So cancelling ctx does not
// stop a run; only its deadline does, which must leave time to store what was
// said.
func (e *Engine) Stream(ctx context.Context, ref parley.RunRef, from int, claim *Claim, deliver func(Event) error) error {
	return e.stream(ctx, &delivery{Dispatcher: e.Dispatcher, ref: ref, from: from, deliver: deliver}, claim)
}

func (e *Engine) stream(ctx context.Context, to *delivery, claim *Claim) error {
	if deadline, ok := ctx.Deadline(); !ok || time.Until(deadline) > claimTime {
		to.generator = e
	}
	if claim != nil {
		return e.generateAndDeliver(ctx, to, claim)
	}
	return to.pollLog(ctx)
}

// claimTime is the least time that a request must have left to begin generating
// a run that it came to read. Hosts that do not stream never give a request that
// much.
const claimTime = 30 * time.Second

// Wait follows a run that somebody else generates, for at most this long and as
// long as its reader may stay. It returns the text so far, and the end if it has
// come.
func (d *Dispatcher) Wait(ctx context.Context, ref parley.RunRef, atMost time.Duration, stay Stay) (string, *End, error) {
	ctx, cancel := context.WithTimeout(ctx, atMost)
	defer cancel()
	var text []byte
	var end *End
	to := &delivery{Dispatcher: d, ref: ref, stay: stay, deliver: func(ev Event) error {
		text, end = append(text, ev.Text...), ev.End
		return nil
	}}
	err := to.pollLog(ctx)
	if errors.Is(err, ErrComeBack) || errors.Is(err, context.DeadlineExceeded) && ctx.Err() != nil {
		err = nil
	}
	return string(text), end, err
}

// generateAndDeliver generates a claimed run in a goroutine and delivers it from
// memory as it grows.
func (e *Engine) generateAndDeliver(ctx context.Context, to *delivery, claim *Claim) error {
	said, done, stop := e.begin(ctx, claim)
	defer stop()
	over, err := to.readLive(ctx, said)
	<-done
	if over || err != nil {
		return err
	}
	return to.pollLog(ctx) // this runner lost the run: its log tells what became of it
}

// begin has a claimed run generated in a goroutine: said takes what is logged, and
// done is closed when the runner has returned. Call stop after that.
func (e *Engine) begin(ctx context.Context, claim *Claim) (said *liveText, done <-chan struct{}, stop func()) {
	detached, cancel := detach(ctx)
	said = newLiveText()
	returned := make(chan struct{})
	go func() {
		defer close(returned)
		e.generate(detached, claim, said)
	}()
	return said, returned, cancel
}

// detach returns a context with the deadline of ctx but without its
// cancellation: the reply is generated though its reader leaves.
func detach(ctx context.Context) (context.Context, context.CancelFunc) {
	free := context.WithoutCancel(ctx)
	if deadline, ok := ctx.Deadline(); ok {
		return context.WithDeadline(free, deadline)
	}
	return context.WithCancel(free)
}

// readLive delivers what a runner in this process logs. over means that the end
// was among it.
func (d *delivery) readLive(ctx context.Context, said *liveText) (over bool, err error) {
	for {
		text, pieces, end, closed, news := said.after(d.at)
		if end != nil {
			d.endStatus = end.Status
		}
		if err := d.deliverText(text, pieces); err != nil {
			return false, err
		}
		switch {
		case end != nil:
			return true, d.deliver(Event{Upto: d.at, End: end})
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
