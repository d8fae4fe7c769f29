package run

import (
	"context"
	"errors"
	"time"

	"parley/shared/parley"
)

// delivery brings one run to one reader, from the memory of this process or by
// polling the run's log.
type delivery struct {
	*Dispatcher
	ref     parley.RunRef
	deliver func(Event) error
	// generator claims the run where nobody generates it. With nil the responder
	// is asked instead.
	generator generator
	from      int              // bytes the reader has already
	at        int              // bytes of the reply read so far
	endStatus parley.RunStatus // see Event.With
	log       []parley.LogEntry
	// previousChecked is when this reader last looked whether the run that is
	// ahead of this one in the queue is dead.
	previousChecked time.Time
	stay            Stay
	began           time.Time    // when it first had to wait
	seat            *parley.Seat // nil while it has none
	seated          time.Time    // when it took it
}

// generator is what a delivery needs of an Engine. A Dispatcher knows only this
// interface, so that the binaries of functions that generate nothing do not
// contain the generating code.
type generator interface {
	claimRun(ctx context.Context, ref parley.RunRef, log []parley.LogEntry) (*Claim, error)
	generateAndDeliver(ctx context.Context, d *delivery, claim *Claim) error
}

// deliverText delivers what the reader does not have yet of the next text.
func (d *delivery) deliverText(text string, pieces []piece) error {
	start := d.at
	d.at += len(text)
	if d.at <= d.from || text == "" {
		return nil
	}
	return d.deliver(Event{Text: text[max(d.from-start, 0):], Upto: d.at, With: d.endStatus, pieces: pieces})
}

// pollLog reads the log from its beginning, as often as PollMin and PollMax say,
// and delivers it up to its end.
func (d *delivery) pollLog(ctx context.Context) error {
	defer d.leaveSeat(ctx)
	d.from = max(d.from, d.at)
	d.at, d.log = 0, nil
	pause := d.PollMin
	for {
		_, err := d.readMore(ctx, true)
		if err == nil {
			break
		}
		if ignoreUnavailable(err) != nil {
			return err
		}
		if err := sleep(ctx, pause); err != nil {
			return err
		}
	}
	checked := time.UnixMilli(d.log[len(d.log)-1].At)
	if d.generator != nil && len(d.log) == 1 && reservedForReader(d.log[0]) > 0 {
		// The run is reserved for a reader, such as this one: claim it at once.
		if over, err := d.revive(ctx); over || err != nil {
			return err
		}
	}
	for {
		if last := d.log[len(d.log)-1]; last.Kind == parley.LogEnd {
			return d.deliverEnd(ctx, last)
		}
		if parley.SilentFor(d.Now(), checked.UnixMilli()) >= d.silenceAllowed() {
			checked = d.Now()
			if over, err := d.investigate(ctx); over || err != nil {
				return err
			}
		}
		if err := d.mayStay(ctx); err != nil {
			return err
		}
		if err := sleep(ctx, pause); err != nil {
			return err
		}
		pause = d.longer(pause)
		grown, err := d.readMore(ctx, false)
		if err := ignoreUnavailable(err); err != nil {
			return err
		}
		if grown {
			pause, checked = d.PollMin, d.Now()
		}
	}
}

// longer is how long a reader waits after a poll that brought nothing, and before
// which it waited for so long.
func (d *delivery) longer(pause time.Duration) time.Duration { return min(pause*3/2, d.PollMax) }

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// silenceAllowed is how long the log may stay silent before investigate is
// called: short while the run waits for its turn or for a runner, since then
// there is nothing that could be interrupted.
func (d *delivery) silenceAllowed() time.Duration {
	if claims(d.log) == 0 {
		return d.PollMax
	}
	return d.Lease
}

// readMore reads the entries that follow in the log, and delivers their text.
func (d *delivery) readMore(ctx context.Context, consistent bool) (grown bool, err error) {
	asked := time.Now()
	more, err := d.store.ReadLog(ctx, d.ref, len(d.log), consistent)
	took := time.Since(asked)
	if err != nil {
		return false, err
	}
	for _, l := range more {
		d.log, d.endStatus = append(d.log, l), l.Status
		if err := d.deliverText(l.Text, d.pieces(l, took)); err != nil {
			return true, err
		}
	}
	return len(more) > 0, nil
}

// investigate finds out why the log is silent, and has a dead run revived: this
// one, or the one ahead of it in the queue. over means that the end was
// delivered.
func (d *delivery) investigate(ctx context.Context) (over bool, err error) {
	if _, err := d.readMore(ctx, true); err != nil {
		return false, ignoreUnavailable(err)
	}
	if last := d.log[len(d.log)-1]; last.Kind == parley.LogEnd {
		return true, d.deliverEnd(ctx, last)
	}
	session, place, err := d.store.RunPlace(ctx, d.ref)
	switch {
	case errors.Is(err, parley.ErrNotFound):
		return true, d.deliver(Event{Upto: d.at, End: &End{Status: parley.StatusCancelled}})
	case err != nil:
		return false, ignoreUnavailable(err)
	case place == parley.PlaceOver:
		return d.deliverStored(ctx, session)
	case place == parley.PlaceActive:
		return d.revive(ctx)
	case session.Run != nil && d.Now().Sub(d.previousChecked) >= d.Lease:
		d.previousChecked = d.Now()
		return false, ignoreUnavailable(d.Revive(ctx, parley.RunRef{Project: d.ref.Project, Session: session.ID, Run: session.Run.ID}))
	}
	return false, nil
}

func ignoreUnavailable(err error) error {
	if errors.Is(err, parley.ErrUnavailable) {
		return nil
	}
	return err
}

// revive has this run, which is the active one or may be, generated or ended if
// its runner is dead. The log was read consistently just now.
func (d *delivery) revive(ctx context.Context) (over bool, err error) {
	switch d.conditionOf(d.log) {
	case deadWithText:
		return false, ignoreUnavailable(d.endDead(ctx, d.ref, d.log))
	case unclaimed, dead:
		if d.generator == nil {
			d.Ask(ctx, d.ref)
			return false, nil
		}
		claim, err := d.generator.claimRun(ctx, d.ref, d.log)
		if err != nil || claim == nil {
			return false, ignoreUnavailable(err)
		}
		return true, d.generator.generateAndDeliver(ctx, d, claim)
	}
	return false, nil
}

// deliverEnd delivers the event that an end entry in the log stands for.
func (d *delivery) deliverEnd(ctx context.Context, l parley.LogEntry) error {
	end := &End{Status: l.Status}
	entry, err := d.store.EntryAt(ctx, d.ref.Project, d.ref.Session, l.Seq)
	if err != nil && !errors.Is(err, parley.ErrNotFound) {
		return err
	}
	if err == nil {
		end.Entry = &entry
	}
	session, _, err := d.store.RunPlace(ctx, d.ref)
	if err != nil && !errors.Is(err, parley.ErrNotFound) {
		return err
	}
	end.Session = session
	return d.deliver(Event{Upto: d.at, End: end})
}

// deliverStored delivers a run that is over and whose log may have expired, from
// the reply that is stored with the session.
func (d *delivery) deliverStored(ctx context.Context, session *parley.Session) (over bool, err error) {
	entry, err := d.store.Outcome(ctx, d.ref, d.log[0].Seq)
	if errors.Is(err, parley.ErrNotFound) {
		return false, nil // the session was read before, the entry after: look again
	}
	if err != nil {
		return false, ignoreUnavailable(err)
	}
	if entry.IsMessage() && len(entry.Text) > d.at {
		d.endStatus = entry.Status
		if err := d.deliverText(entry.Text[d.at:], nil); err != nil {
			return true, err
		}
	}
	return true, d.deliver(Event{Upto: d.at, End: &End{Status: entry.Status, Entry: &entry, Session: session}})
}
