package gateway

import (
	"context"
	"maps"
	"slices"
	"time"

	"parley/shared/socket"
)

// Faults is what goes wrong, for tests. Its functions are called side by side, and
// those that are nil let nothing go wrong. Of an event they are told its kind and
// connection, and the frame or the code.
type Faults struct {
	// Delay is how much later than it happened an event reaches the function.
	Delay func(socket.Event) time.Duration
	// Lose says that an event never reaches it. A client whose CONNECT is lost is
	// refused.
	Lose func(socket.Event) bool
	// Twice says that an event reaches it twice, side by side. The client gets one of
	// the answers.
	Twice func(socket.Event) bool
	// Fail says that the function handles an event and then fails.
	Fail func(socket.Event) bool
	// Post is what becomes of a frame that is posted.
	Post func(to socket.Ref, frame []byte) PostFault
}

// PostFault is what goes wrong with one frame that is posted.
type PostFault struct {
	// Delay is how long it takes until it is looked at.
	Delay time.Duration
	// Status is the answer in place of success: 410, 429 or 5xx. 0 is success, if the
	// connection is there.
	Status int
	// Delivered says that the client gets the frame all the same.
	Delivered bool
}

// Inject replaces the faults for all that happens from now on.
func (a *API) Inject(f Faults) { a.faults.Store(&f) }

// pass waits for as long as an event is late and returns whether it arrives.
func (f *Faults) pass(ctx context.Context, e socket.Event) bool {
	if f.Delay != nil {
		pause(ctx, f.Delay(e))
	}
	return f.Lose == nil || !f.Lose(e)
}

// Connections returns the ids of all connections, sorted.
func (a *API) Connections() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Sorted(maps.Keys(a.all))
}

// Drop breaks connections without a word to their clients: those with these ids,
// or all if there are none.
func (a *API) Drop(ids ...string) {
	for _, c := range a.some(ids) {
		c.drop()
	}
}

// HalfOpen makes connections half-open, those with these ids, or all if there are
// none: neither side hears the other any more. Posts succeed and are lost, what the
// client says is lost, and that it leaves is noticed when the connection's idle time
// or life is over.
func (a *API) HalfOpen(ids ...string) {
	for _, c := range a.some(ids) {
		c.mu.Lock()
		c.halfOpen = true
		c.mu.Unlock()
	}
}

func (a *API) some(ids []string) []*connection {
	if len(ids) == 0 {
		ids = a.Connections()
	}
	var some []*connection
	for _, id := range ids {
		if c := a.connection(id); c != nil {
			some = append(some, c)
		}
	}
	return some
}
