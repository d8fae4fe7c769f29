package parley

import (
	"context"
	"slices"
)

// Transcript returns a session and a page of its public entries in ascending
// order: the newest ones, or with a cursor the ones before. The next cursor is
// "" at the beginning of the session. Reading it is a sign of the page.
func (s *Store) Transcript(ctx context.Context, c Caller, id SessionID, r PageRequest) (*Session, []Entry, string, error) {
	if err := r.check(); err != nil {
		return nil, nil, "", err
	}
	session, err := s.openAwake(ctx, c, id)
	if err != nil {
		return nil, nil, "", err
	}
	to := session.Seq
	if r.Cursor != "" {
		if err := uncursor(r.Cursor, &to); err != nil {
			return nil, nil, "", err
		}
		to = min(max(to, 1), session.Seq+1) - 1
	}
	shown := func(e Entry) bool { return (!e.Internal || c.staff()) && (r.Shown == nil || r.Shown(e)) }
	entries, err := s.downFrom(ctx, c.Project, id, to, r.Limit+1, shown)
	if err != nil {
		return nil, nil, "", err
	}
	entries, next := pageOf(entries, r.Limit, func(e Entry) any { return e.Seq })
	slices.Reverse(entries)
	return session, entries, next, nil
}

// Session returns a session that the caller may use. Asking is a sign of the page.
func (s *Store) Session(ctx context.Context, c Caller, id SessionID) (*Session, error) {
	return s.openAwake(ctx, c, id)
}

// Changes is what happened in a session after a number.
type Changes struct {
	Session *Session
	// Entries are the public ones, in order and without a gap.
	Entries []Entry
	// Upto is the number to ask after next time; entries that the caller may not
	// see count.
	Upto Seq
	// Typing is who of the team types; nil if nobody does, or where it was not asked.
	Typing *Typing
}

// Since returns what came after a number, at most MaxPage entries. Asking is a
// sign of the page.
func (s *Store) Since(ctx context.Context, c Caller, id SessionID, after Seq) (Changes, error) {
	session, err := s.openAwake(ctx, c, id)
	if err != nil {
		return Changes{}, err
	}
	return s.since(ctx, c, session, after, false)
}

// Peek is Since for a request that has been open for a while: no sign that the
// page is still there.
func (s *Store) Peek(ctx context.Context, c Caller, id SessionID, after Seq) (Changes, error) {
	session, err := s.open(ctx, c, id, false)
	if err != nil {
		return Changes{}, err
	}
	return s.since(ctx, c, session, after, false)
}

func (s *Store) since(ctx context.Context, c Caller, session *Session, after Seq, consistent bool) (Changes, error) {
	out := Changes{Session: session, Upto: max(after, 0)}
	if out.Upto >= session.Seq {
		return out, nil
	}
	entries, err := s.prefix(ctx, c.Project, session.ID, out.Upto, consistent)
	for _, e := range entries {
		out.Upto = e.Seq
		if !e.Internal || c.staff() {
			out.Entries = append(out.Entries, e)
		}
	}
	return out, err
}
