package parley

import (
	"context"
)

// ReadRun returns what a runner needs to know of the session that the run
// belongs to; of is the message to be answered. ErrNotFound if the session is
// gone; run_over, of kind ErrConflict, if the run is not its active one.
func (s *Store) ReadRun(ctx context.Context, ref RunRef, of Seq) (Context, error) {
	head, entries, err := s.tail(ctx, ref.Project, ref.Session, ContextEntries)
	if err != nil {
		return Context{}, unavailable(err)
	}
	session, err := present(ref.Project, ref.Session, head)
	if err != nil {
		return Context{}, err
	}
	if session.Run == nil || session.Run.ID != ref.Run {
		return Context{}, errOver()
	}
	items, err := s.table.Get(ctx, true, entryKey(ref.Project, ref.Session, of), aboutKey(ref.Project, ref.Session))
	if err != nil {
		return Context{}, unavailable(err)
	}
	if items[0] == nil {
		return Context{}, notFound("message")
	}
	asked, err := entryFrom(items[0])
	if err != nil {
		return Context{}, err
	}
	about, err := aboutFrom(items[1])
	return Context{Session: session, Question: asked, Entries: entries, About: about}, err
}

// Place is where a run stands in its session.
type Place int

// The places.
const (
	PlaceOver   Place = iota // it has ended
	PlaceActive              // it is being, or waits to be, generated
	PlaceQueued              // it waits for its turn
)

// RunPlace returns the session of a run and where the run stands in it.
// ErrNotFound if the session is gone.
func (s *Store) RunPlace(ctx context.Context, ref RunRef) (*Session, Place, error) {
	session, err := s.head(ctx, ref.Project, ref.Session)
	if err != nil {
		return nil, PlaceOver, err
	}
	if session.Run != nil && session.Run.ID == ref.Run {
		return session, PlaceActive, nil
	}
	for _, q := range session.Queue {
		if q.ID == ref.Run {
			return session, PlaceQueued, nil
		}
	}
	return session, PlaceOver, nil
}

// Outcome returns the entry that came of a run that is over. after is the
// message that it answered. ErrNotFound if nothing came of it.
func (s *Store) Outcome(ctx context.Context, ref RunRef, after Seq) (Entry, error) {
	for e, err := range s.forward(ctx, ref.Project, ref.Session, after, true) {
		if err != nil || e.Run == ref.Run {
			return e, err
		}
	}
	return Entry{}, notFound("reply")
}

// OpenRun returns a run of a session that the caller may use, for a reader to
// follow. ErrNotFound if it is not there. Asking is a sign of the page.
func (s *Store) OpenRun(ctx context.Context, c Caller, id SessionID, run RunID) (RunRef, error) {
	if _, err := s.openAwake(ctx, c, id); err != nil {
		return RunRef{}, err
	}
	first, err := s.pointer(ctx, c.Project, run)
	if err != nil {
		return RunRef{}, err
	}
	if first.Session != id || first.Kind == LogNone {
		return RunRef{}, notFound("run")
	}
	return RunRef{c.Project, id, run}, nil
}
