package parley

import (
	"context"
	"errors"
	"slices"
)

// ReadRun returns what a runner needs to know of the session that the run
// belongs to; of is the message to be answered. It is one wave of reads, and one
// more where that message is not among the newest. ErrNotFound if the session is
// gone; run_over, of kind ErrConflict, if the run is not its active one.
func (s *Store) ReadRun(ctx context.Context, ref RunRef, of Seq) (Context, error) {
	beside := s.meanwhile(ctx, true, aboutKey(ref.Project, ref.Session))
	head, entries, err := s.tail(ctx, ref.Project, ref.Session, ContextEntries)
	told, besideErr := beside()
	if err := errors.Join(unavailable(err), besideErr); err != nil {
		return Context{}, err
	}
	session, err := present(ref.Project, ref.Session, head)
	if err != nil {
		return Context{}, err
	}
	if session.Run == nil || session.Run.ID != ref.Run {
		return Context{}, errOver()
	}
	about, err := aboutFrom(told[0])
	if err != nil {
		return Context{}, err
	}
	asked, err := s.among(ctx, session, entries, of)
	return Context{Session: session, Question: asked, Entries: entries, About: about}, err
}

// among returns an entry of a session that is likely to be among those read.
func (s *Store) among(ctx context.Context, session *Session, read []Entry, n Seq) (Entry, error) {
	if i := slices.IndexFunc(read, func(e Entry) bool { return e.Seq == n }); i >= 0 {
		return read[i], nil
	}
	return s.EntryAt(ctx, session.Project, session.ID, n)
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
	if slices.ContainsFunc(session.Queue, func(q QueuedRun) bool { return q.ID == ref.Run }) {
		return session, PlaceQueued, nil
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
