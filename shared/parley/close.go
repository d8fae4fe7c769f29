package parley

import (
	"context"
	"errors"
	"time"

	"parley/shared/table"
)

// CloseReason says why a session closed. It is the Reason of the entry with
// EventClosed.
type CloseReason string

// The reasons.
const (
	CloseByPage    CloseReason = "page"    // the page said that it is gone
	CloseByGoodbye CloseReason = "goodbye" // the agent said goodbye
	CloseByIdle    CloseReason = "idle"    // nobody has said anything for long
	CloseByStaff   CloseReason = "staff"   // an operator or the project's server closed it
)

// closing closes the session in a way that a sign of the page can undo until
// the project's grace period has passed.
func (c *change) closing(why CloseReason) {
	at := c.now.Add(c.project.Settle())
	c.state(StateClosed)
	c.session.Settles, c.session.Closing = at.UnixMilli(), why
	c.due(jobKey(c.project.ID, c.session.ID, "look"), at, "")
}

// Close is the page's hint that it is gone. It never stops a run. Closing
// again, or what is not open, changes nothing.
func (s *Store) Close(ctx context.Context, c Caller, id SessionID) error {
	p, err := s.Project(ctx, c.Project)
	if err != nil {
		return err
	}
	session, err := s.open(ctx, c, id, true)
	if err != nil {
		return err
	}
	_, err = s.change(ctx, p, session, func(ch *change) error {
		if ch.session.State != StateOpen {
			return errNothing
		}
		ch.closing(CloseByPage)
		return s.guard(ch, c)
	})
	return err
}

// guard makes the change fail unless the caller's token stands.
func (s *Store) guard(ch *change, c Caller) error {
	if !c.staff() {
		ch.act(checkVisitor(c), func(stood table.Item) error { return standingOf(stood, c) })
	}
	return nil
}

// wake is a sign of the page: it puts a session whose close has not stuck back
// to open. Where nothing is closing it costs nothing.
func (s *Store) wake(ctx context.Context, session *Session) (*Session, error) {
	if session.State != StateClosed || session.Settles == 0 {
		return session, nil
	}
	p, err := s.Project(ctx, session.Project)
	if err != nil {
		return nil, err
	}
	return s.change(ctx, p, session, func(c *change) error {
		if c.session.State != StateClosed || c.session.Settles == 0 {
			return errNothing
		}
		c.state(StateOpen)
		return nil
	})
}

// Resolve settles the matter at once, for a person who asked for it.
func (s *Store) Resolve(ctx context.Context, c Caller, id SessionID, by Author) error {
	p, err := s.Project(ctx, c.Project)
	if err != nil {
		return err
	}
	session, err := s.open(ctx, c, id, true)
	if err != nil {
		return err
	}
	_, err = s.change(ctx, p, session, func(ch *change) error {
		if ch.session.State == StateResolved {
			return errNothing
		}
		ch.state(StateResolved)
		if err := ch.stick(EventResolved, by, ""); err != nil {
			return err
		}
		return s.guard(ch, c)
	})
	return err
}

// settle makes a close stick whose time has come: it gets its number and its
// place in the session's order.
func (s *Store) settle(ctx context.Context, p *Project, session *Session) (*Session, error) {
	return s.change(ctx, p, session, func(c *change) error {
		if c.session.State != StateClosed || c.session.Settles == 0 || c.now.UnixMilli() < c.session.Settles {
			return errNothing
		}
		return c.stick(EventClosed, Author{Kind: AuthorSystem}, c.session.Closing)
	})
}

// Look does for one session what is due: it counts a session that nobody has
// looked at before, settles a close whose time has come, asks a silent visitor,
// closes an idle session. It returns what is left to do: a run that is to be generated, because
// nobody has claimed it or its runner died, and when to look again (zero: not
// before something happens). Looking at an unknown or erased session does nothing.
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
	if session, err = s.settle(ctx, p, session); err != nil {
		return RunRef{}, time.Time{}, ignoreGone(err)
	}
	if session, err = s.idle(ctx, p, session); err != nil {
		return RunRef{}, time.Time{}, ignoreGone(err)
	}
	again = session.lookAt(p, s.clock())
	if session.Run == nil {
		return RunRef{}, again, nil
	}
	ref := RunRef{project, id, session.Run.ID}
	silent, err := s.silent(ctx, ref, session.Run.Since)
	if err != nil || silent < Lease {
		return RunRef{}, again, ignoreGone(err)
	}
	return ref, again, nil
}

// lookAt is when there may be something to do for the session; zero: not before
// something happens.
func (s *Session) lookAt(p *Project, now time.Time) time.Time {
	at, _ := s.idleAt(p)
	if s.Settles > 0 {
		at = time.UnixMilli(s.Settles)
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

// silent returns how long nothing has happened to the active run.
func (s *Store) silent(ctx context.Context, ref RunRef, since int64) (time.Duration, error) {
	page, err := s.table.Query(ctx, table.Query{Partition: logKey(ref.Project, ref.Run, 0).PK,
		Descending: true, Limit: 1, Consistent: true})
	if err != nil {
		return 0, unavailable(err)
	}
	last := since
	if len(page.Items) > 0 {
		e, err := logEntryFrom(page.Items[0])
		if err != nil {
			return 0, err
		}
		last = max(last, e.At)
	}
	return s.clock().Sub(time.UnixMilli(last)), nil
}
