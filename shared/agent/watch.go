package agent

import (
	"context"
	"fmt"
	"time"
)

// watch cancels a provider's request when it keeps us waiting too long.
type watch struct {
	cancel context.CancelCauseFunc
	timer  *time.Timer
}

// newWatch returns a context for the request. Close cancels it.
func newWatch(parent context.Context) (context.Context, *watch) {
	ctx, cancel := context.WithCancelCause(parent)
	return ctx, &watch{cancel: cancel}
}

// arm gives what comes next at most limit; what names it in the error.
func (w *watch) arm(limit time.Duration, what string) {
	w.disarm()
	w.timer = time.AfterFunc(limit, func() {
		w.cancel(fmt.Errorf("%w: no %s within %v", ErrTimeout, what, limit))
	})
}

// disarm stops the clock, so that time spent on our side does not count.
func (w *watch) disarm() {
	if w.timer != nil {
		w.timer.Stop()
	}
}

// close stops the clock and cancels the request if it is still open.
func (w *watch) close() {
	w.disarm()
	w.cancel(nil)
}
