package run

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"parley/shared/parley"
	"parley/shared/table"
)

// errFenced means that this runner must append nothing more: another one has
// claimed the run, somebody has ended it in this process, or nobody knows whether
// its own last entry arrived.
var errFenced = errors.New("fenced")

// endedError means that somebody else has ended the run; end is the entry that
// did.
type endedError struct{ end parley.LogEntry }

func (e *endedError) Error() string { return "run ended as " + string(e.end.Status) }

// logWriter appends to a run's log on behalf of one runner, which its epoch
// names.
type logWriter struct {
	engine *Engine
	ref    parley.RunRef
	epoch  string
	next   int
	// last is when the newest entry was appended.
	last time.Time
}

// appendTries bounds how often one entry is tried: with the pauses below some
// two seconds, well within a lease.
const appendTries = 10

// append adds one entry. A write with an unknown outcome is repeated with the
// very same entry, so that the log can tell that it has it already. After
// errFenced or an *endedError every further append fails too.
func (w *logWriter) append(ctx context.Context, l parley.LogEntry) error {
	l.By, l.At, l.N = w.epoch, w.engine.Now().UnixMilli(), w.next
	pause := 10 * time.Millisecond
	for range appendTries {
		err := w.engine.store.Append(ctx, w.ref, l)
		var s *parley.Standing
		switch {
		case err == nil:
			w.next, w.last = l.N+1, w.engine.Now()
			return nil
		case errors.As(err, &s) && s.Entry.Kind == parley.LogEnd:
			return &endedError{s.Entry}
		case errors.Is(err, table.ErrNotDone), errors.Is(err, table.ErrUnknown):
		default:
			return errors.Join(errFenced, err)
		}
		select {
		case <-ctx.Done():
			return errFenced
		case <-time.After(pause/2 + rand.N(pause)):
		}
		pause = min(2*pause, 400*time.Millisecond)
	}
	return errFenced
}
