package run

import (
	"context"
	"errors"
	"slices"
	"time"

	"parley/shared/parley"
)

// verdict is what a log says of its run.
type verdict int

const (
	over      verdict = iota // it has its end
	alive                    // somebody generates it
	unclaimed                // nobody has begun
	dead                     // its runner is silent and nothing of it is durable
	stuck                    // its runner is silent and some text or call is
)

// judge reads a whole log, which must have been read consistently if the
// verdict is to be acted on.
func (d *Dispatcher) judge(log []parley.LogEntry) verdict {
	if len(log) == 0 {
		return over
	}
	last := log[len(log)-1]
	begun := slices.ContainsFunc(log, func(l parley.LogEntry) bool { return l.Kind == parley.LogText || l.Kind == parley.LogCall })
	silent := parley.SilentFor(d.Now(), last.At) >= d.Lease
	switch {
	case last.Kind == parley.LogEnd:
		return over
	case !claimed(log):
		return unclaimed
	case !silent:
		return alive
	case begun:
		return stuck
	}
	return dead
}

// take claims a run that nobody generates. A nil claim without an error means
// that there is nothing to generate: it is over, alive, waits for its turn, or
// somebody else was faster. A responder, which is no reader, first gives a reader
// the time to come that the send has set aside.
func (e *Engine) take(ctx context.Context, ref parley.RunRef, reader bool) (*Claim, error) {
	log, err := e.store.ReadLog(ctx, ref, 0, true)
	if err != nil {
		return nil, err
	}
	switch e.judge(log) {
	case over, alive:
		return nil, nil
	case stuck:
		return nil, e.endDead(ctx, ref, log)
	}
	if wait := leftFor(log[0]) - parley.SilentFor(e.Now(), log[0].At); len(log) == 1 && !reader && wait > 0 {
		if err := sleep(ctx, wait); err != nil {
			return nil, err
		}
		return e.take(ctx, ref, true)
	}
	_, place, err := e.store.RunPlace(ctx, ref)
	if errors.Is(err, parley.ErrNotFound) || err == nil && place != parley.PlaceActive {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	claim := &Claim{Claim: parley.Claim{Ref: ref, Epoch: e.Epoch(), Next: len(log), First: log[0]}}
	w := writer{engine: e, ref: ref, epoch: claim.Epoch, next: len(log)}
	if err := w.append(ctx, parley.LogEntry{Kind: parley.LogClaim}); err != nil {
		if errors.Is(err, errFenced) || errors.As(err, new(*endedError)) {
			return nil, nil
		}
		return nil, err
	}
	claim.Next = w.next
	return claim, nil
}

// leftFor is how long a run is left to a reader.
func leftFor(first parley.LogEntry) time.Duration {
	return time.Duration(first.Leave) * time.Millisecond
}

// endDead ends a run whose runner died after some text. Somebody else may be
// faster; then there is nothing left to do.
func (d *Dispatcher) endDead(ctx context.Context, ref parley.RunRef, log []parley.LogEntry) error {
	ended, err := d.store.EndRun(ctx, ref, nil, parley.End{Next: len(log), Of: log[0].Of,
		Status: parley.StatusIncomplete, Reason: "the runner died", Text: parley.Joined(log), Calls: parley.CallsOf(log)})
	var standing *parley.Standing
	if errors.As(err, &standing) || errors.Is(err, parley.ErrConflict) || errors.Is(err, parley.ErrNotFound) {
		return nil
	}
	d.Ask(ctx, ended.Next)
	return err
}
