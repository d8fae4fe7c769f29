package run

import (
	"context"
	"errors"
	"slices"
	"time"

	"parley/shared/parley"
)

// follower reads a run's log and delivers it.
type follower struct {
	*Dispatcher
	ref     parley.RunRef
	deliver func(Event) error
	// generator claims the run where nobody generates it; nil leaves that to others.
	generator generator
	from      int              // bytes the reader has already
	at        int              // bytes seen
	with      parley.RunStatus // see Event.With
	log       []parley.LogEntry
	before    time.Time // when the run before this one was looked at
}

// generator is an Engine. A Dispatcher alone knows none, so that functions which
// generate nothing do not link what generates.
type generator interface {
	take(ctx context.Context, ref parley.RunRef, reader bool) (*Claim, error)
	drive(ctx context.Context, f *follower, claim *Claim) error
}

// say delivers the part of the next text that the reader does not have.
func (f *follower) say(text string) error {
	start := f.at
	f.at += len(text)
	if f.at <= f.from || text == "" {
		return nil
	}
	return f.deliver(Event{Text: text[max(f.from-start, 0):], Upto: f.at, With: f.with})
}

// follow polls the log from its beginning until its end.
func (f *follower) follow(ctx context.Context) error {
	f.from = max(f.from, f.at)
	f.at, f.log = 0, nil
	pause := f.PollMin
	for len(f.log) == 0 {
		if _, err := f.read(ctx, true); ignoreUnavailable(err) != nil {
			return err
		} else if err == nil {
			break
		}
		if err := sleep(ctx, pause); err != nil {
			return err
		}
	}
	looked := time.UnixMilli(f.log[len(f.log)-1].At)
	if f.generator != nil && len(f.log) == 1 && leftFor(f.log[0]) > 0 {
		looked = time.Time{} // this reader is the one whom the run was left to
	}
	for {
		if last := f.log[len(f.log)-1]; last.Kind == parley.LogEnd {
			return f.end(ctx, last)
		}
		if parley.SilentFor(f.Now(), looked.UnixMilli()) >= f.patience() {
			looked = f.Now()
			if over, err := f.look(ctx); over || err != nil {
				return err
			}
		}
		if err := sleep(ctx, pause); err != nil {
			return err
		}
		pause = min(pause*3/2, f.PollMax)
		grown, err := f.read(ctx, false)
		if err := ignoreUnavailable(err); err != nil {
			return err
		}
		if grown {
			pause, looked = f.PollMin, f.Now()
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// patience is how long a log may be silent before it is time to look what is
// the matter: short for a run that waits, for its turn or to be claimed.
func (f *follower) patience() time.Duration {
	if !claimed(f.log) {
		return f.PollMax
	}
	return f.Lease
}

// read takes what the log has more, and delivers its text.
func (f *follower) read(ctx context.Context, consistent bool) (grown bool, err error) {
	more, err := f.store.ReadLog(ctx, f.ref, len(f.log), consistent)
	if err != nil {
		return false, err
	}
	for _, l := range more {
		f.log, f.with = append(f.log, l), l.Status
		if err := f.say(l.Text); err != nil {
			return true, err
		}
	}
	return len(more) > 0, nil
}

func claimed(log []parley.LogEntry) bool {
	return slices.ContainsFunc(log, func(l parley.LogEntry) bool { return l.Kind == parley.LogClaim })
}

// look finds out why a run is silent, and does what is needed. over means that
// the end was delivered.
func (f *follower) look(ctx context.Context) (over bool, err error) {
	if _, err := f.read(ctx, true); err != nil {
		return false, ignoreUnavailable(err)
	}
	if n := len(f.log); n > 0 && f.log[n-1].Kind == parley.LogEnd {
		return true, f.end(ctx, f.log[n-1])
	}
	session, place, err := f.store.RunPlace(ctx, f.ref)
	switch {
	case errors.Is(err, parley.ErrNotFound):
		return true, f.deliver(Event{Upto: f.at, End: &End{Status: parley.StatusCancelled}})
	case err != nil:
		return false, ignoreUnavailable(err)
	case place == parley.PlaceOver:
		return f.stored(ctx, session)
	case place == parley.PlaceActive:
		return f.revive(ctx)
	case session.Run != nil && f.Now().Sub(f.before) >= f.Lease:
		f.before = f.Now()
		return false, ignoreUnavailable(f.Revive(ctx, parley.RunRef{Project: f.ref.Project, Session: session.ID, Run: session.Run.ID}))
	}
	return false, nil
}

func ignoreUnavailable(err error) error {
	if errors.Is(err, parley.ErrUnavailable) {
		return nil
	}
	return err
}

// revive sees to this run, whose turn it is.
func (f *follower) revive(ctx context.Context) (over bool, err error) {
	switch f.judge(f.log) {
	case stuck:
		return false, ignoreUnavailable(f.endDead(ctx, f.ref, f.log))
	case unclaimed, dead:
		if f.generator == nil {
			f.Ask(ctx, f.ref)
			return false, nil
		}
		claim, err := f.generator.take(ctx, f.ref, true)
		if err != nil || claim == nil {
			return false, ignoreUnavailable(err)
		}
		return true, f.generator.drive(ctx, f, claim)
	}
	return false, nil
}

// end delivers the end of a log.
func (f *follower) end(ctx context.Context, l parley.LogEntry) error {
	end := &End{Status: l.Status}
	entry, err := f.store.EntryAt(ctx, f.ref.Project, f.ref.Session, l.Seq)
	if err != nil && !errors.Is(err, parley.ErrNotFound) {
		return err
	}
	if err == nil {
		end.Entry = &entry
	}
	session, _, err := f.store.RunPlace(ctx, f.ref)
	if err != nil && !errors.Is(err, parley.ErrNotFound) {
		return err
	}
	end.Session = session
	return f.deliver(Event{Upto: f.at, End: end})
}

// stored delivers a run whose log has expired, from the reply that came of it.
func (f *follower) stored(ctx context.Context, session *parley.Session) (over bool, err error) {
	if len(f.log) == 0 {
		return true, nil
	}
	entry, err := f.store.Outcome(ctx, f.ref, f.log[0].Seq)
	if errors.Is(err, parley.ErrNotFound) {
		return false, nil // the session was read before, the entry after: look again
	}
	if err != nil {
		return false, ignoreUnavailable(err)
	}
	if entry.IsMessage() && len(entry.Text) > f.at {
		f.with = entry.Status
		if err := f.say(entry.Text[f.at:]); err != nil {
			return true, err
		}
	}
	return true, f.deliver(Event{Upto: f.at, End: &End{Status: entry.Status, Entry: &entry, Session: session}})
}
