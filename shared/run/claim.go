package run

import (
	"context"
	"errors"
	"slices"
	"time"

	"parley/shared/parley"
)

// condition is the state of a run, as its log shows it.
type condition int

const (
	ended        condition = iota // its last entry is the end
	alive                         // a runner appends to it
	unclaimed                     // no runner has claimed it yet
	dead                          // its runner is silent and left no text and no call: it can start over
	deadWithText                  // its runner is silent after some text or call: nobody may repeat that
)

// conditionOf needs the whole log. Whoever acts on the result must have read it
// consistently: in a stale copy a living runner looks dead.
func (d *Dispatcher) conditionOf(log []parley.LogEntry) condition {
	if len(log) == 0 {
		return ended
	}
	last := log[len(log)-1]
	begun := slices.ContainsFunc(log, func(l parley.LogEntry) bool { return l.Kind == parley.LogText || l.Kind == parley.LogCall })
	silent := parley.SilentFor(d.Now(), last.At) >= d.Lease
	switch {
	case last.Kind == parley.LogEnd:
		return ended
	case !claimed(log):
		return unclaimed
	case !silent:
		return alive
	case begun:
		return deadWithText
	}
	return dead
}

// claimRun claims a run that nobody generates. It returns nil without an error
// where there is nothing to generate: the run is over, alive or waits for its
// turn, or somebody else claimed it first. A responder, which reads nothing
// itself, first waits as long as the send reserved for a reader to come.
func (e *Engine) claimRun(ctx context.Context, ref parley.RunRef, reader bool) (*Claim, error) {
	log, err := e.store.ReadLog(ctx, ref, 0, true)
	if err != nil {
		return nil, err
	}
	switch e.conditionOf(log) {
	case ended, alive:
		return nil, nil
	case deadWithText:
		return nil, e.endDead(ctx, ref, log)
	}
	if wait := reservedForReader(log[0]) - parley.SilentFor(e.Now(), log[0].At); len(log) == 1 && !reader && wait > 0 {
		if err := sleep(ctx, wait); err != nil {
			return nil, err
		}
		return e.claimRun(ctx, ref, true)
	}
	_, place, err := e.store.RunPlace(ctx, ref)
	if errors.Is(err, parley.ErrNotFound) || err == nil && place != parley.PlaceActive {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	claim := &Claim{Claim: parley.Claim{Ref: ref, Epoch: e.Epoch(), Next: len(log), First: log[0]}}
	w := logWriter{engine: e, ref: ref, epoch: claim.Epoch, next: len(log)}
	if err := w.append(ctx, parley.LogEntry{Kind: parley.LogClaim}); err != nil {
		if errors.Is(err, errFenced) || errors.As(err, new(*endedError)) {
			return nil, nil
		}
		return nil, err
	}
	claim.Next = w.next
	return claim, nil
}

// reservedForReader is how long after the send only a reader may claim the run.
func reservedForReader(first parley.LogEntry) time.Duration {
	return time.Duration(first.Leave) * time.Millisecond
}

// endDead ends a run whose runner died after some text, as incomplete. If
// somebody else ended it meanwhile, that is fine too.
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
