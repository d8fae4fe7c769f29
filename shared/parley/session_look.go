package parley

import (
	"context"
	"errors"
	"math"
	"time"

	"parley/shared/table"
)

// Look does for one session what is due: it counts a session that nobody has
// looked at before, settles a close whose time has come, asks a silent visitor,
// closes an idle or unanswered session. It returns what is left to do: a run
// that is to be generated, because nobody has claimed it or its runner died, and
// when to look again (zero: not before something happens). Looking at an unknown
// or erased session does nothing.
func (s *Store) Look(ctx context.Context, project ProjectID, id SessionID) (dead RunRef, again time.Time, err error) {
	p, err := s.Project(ctx, project)
	if err != nil {
		return RunRef{}, time.Time{}, ignoreGone(err)
	}
	session, err := s.head(ctx, project, id)
	if err != nil {
		return RunRef{}, time.Time{}, ignoreGone(err)
	}
	if err := s.count(ctx, session); err != nil {
		return RunRef{}, time.Time{}, err
	}
	for _, due := range []func(context.Context, *Project, *Session) (*Session, error){s.settle, s.idle, s.unanswered} {
		if session, err = due(ctx, p, session); err != nil {
			return RunRef{}, time.Time{}, ignoreGone(err)
		}
	}
	again = session.lookAt(p, s.clock())
	dead, err = s.SilentRun(ctx, session)
	return dead, again, ignoreGone(err)
}

// lookAt is when there may be something to do for the session; zero: not before
// something happens. Of what silence may call for there is one at a time.
func (s *Session) lookAt(p *Project, now time.Time) time.Time {
	at, _ := s.idleAt(p)
	if s.Settles > 0 {
		at = time.UnixMilli(s.Settles)
	}
	if at.IsZero() {
		at = s.unansweredAt(p)
	}
	if later := now.Add(lookAfter); s.Run != nil && (at.IsZero() || later.Before(at)) {
		return later
	}
	return at
}

func ignoreGone(err error) error {
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// Lease is how long a runner, or a run that nobody has claimed, may be silent
// before it counts as dead. Our choice: five beats.
const Lease = 10 * time.Second

// SilentRun returns the active run of a session that was read, if nothing has
// happened to it for the Lease, and no run otherwise. It reads the newest entry of
// the run's log, and nothing where the run has not been active for that long.
func (s *Store) SilentRun(ctx context.Context, session *Session) (RunRef, error) {
	if session.Run == nil || SilentFor(s.clock(), session.Run.Since) < Lease {
		return RunRef{}, nil
	}
	ref := RunRef{session.Project, session.ID, session.Run.ID}
	page, err := s.table.Query(ctx, table.Query{Partition: logKey(ref.Project, ref.Run, 0).PK,
		Descending: true, Limit: 1, Consistent: true})
	if err != nil {
		return RunRef{}, unavailable(err)
	}
	if len(page.Items) > 0 {
		e, err := logEntryFrom(page.Items[0])
		if err != nil || SilentFor(s.clock(), e.At) < Lease {
			return RunRef{}, err
		}
	}
	return ref, nil
}

// maxAhead is how far the clock of another machine may be ahead. Our choice:
// those of AWS differ by milliseconds.
const maxAhead = 10 * time.Second

// SilentFor returns how long ago something was noted (milliseconds). What lies
// further ahead than clocks differ was noted before a clock was set back, and
// counts as for ever ago: else a run that died then would be kept alive until
// the clock has caught up.
func SilentFor(now time.Time, at int64) time.Duration {
	if ago := now.Sub(time.UnixMilli(at)); ago >= -maxAhead {
		return ago
	}
	return math.MaxInt64
}
