package agent

import (
	"context"
	"fmt"
	"time"
)

// deadline cancels a request to a provider that takes too long.
type deadline struct {
	cancel context.CancelCauseFunc
	timer  *time.Timer
}

// newDeadline returns a context for the request, which close cancels.
func newDeadline(parent context.Context) (context.Context, *deadline) {
	ctx, cancel := context.WithCancelCause(parent)
	return ctx, &deadline{cancel: cancel}
}

// arm cancels the request unless disarm or arm is called within limit; what
// names, in the error, the thing that did not come.
func (w *deadline) arm(limit time.Duration, what string) {
	w.disarm()
	w.timer = time.AfterFunc(limit, func() {
		w.cancel(fmt.Errorf("%w: no %s within %v", ErrTimeout, what, limit))
	})
}

// disarm stops the timer, so that time spent on our side does not count.
func (w *deadline) disarm() {
	if w.timer != nil {
		w.timer.Stop()
	}
}

// close stops the timer and cancels the request if it is still open.
func (w *deadline) close() {
	w.disarm()
	w.cancel(nil)
}
