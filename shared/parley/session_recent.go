package parley

import (
	"context"

	"parley/shared/table"
)

// MaxRecent is how many of a visitor's sessions Recent returns. Our choice: a client
// that wants to know how many there are makes all of them be read.
const MaxRecent = 100

// Recent returns the caller's sessions with the newest activity, newest first, at
// most MaxRecent. Those of another channel than the caller's, if it has one, are left
// out.
func (s *Store) Recent(ctx context.Context, c Caller) ([]*Session, error) {
	partitions, err := s.ownersOf(ctx, c)
	if err != nil {
		return nil, err
	}
	l := lister{store: s, project: c.Project, index: table.Owner, limit: MaxRecent, after: place{At: 1 << 62},
		belongs: func(session *Session) bool { return c.Channel == "" || session.Channel == c.Channel }}
	sessions, _, err := l.page(ctx, partitions)
	return sessions, err
}

// Glimpse is what a list shows of a session besides its item.
type Glimpse struct {
	// Last is the newest public message, nil if there is none.
	Last *Entry
	// Seen is the caller's mark of what it has seen, for staff the owner's; a zero one if
	// there is none.
	Seen Mark
}

// Glimpses returns what a list of sessions that were shown to the caller says besides,
// in their order.
func (s *Store) Glimpses(ctx context.Context, c Caller, sessions []*Session) ([]Glimpse, error) {
	var keys []table.Key
	viewer := func(session *Session) Caller {
		if o := session.Owner; c.staff() {
			return Caller{Project: c.Project, Visitor: o.Visitor, Contact: o.Contact}
		}
		return c
	}
	for _, session := range sessions {
		keys = append(keys, viewer(session).seenKey(session.ID))
		if session.Last != nil {
			keys = append(keys, entryKey(c.Project, session.ID, session.Last.Seq))
		}
	}
	found, err := s.getAll(ctx, keys)
	if err != nil {
		return nil, err
	}
	all := make([]Glimpse, len(sessions))
	for i, session := range sessions {
		if all[i].Seen, err = markFrom(Mark{Kind: MarkSeen, By: viewer(session).Author()}, found[viewer(session).seenKey(session.ID)]); err != nil {
			return nil, err
		}
		if session.Last == nil {
			continue
		}
		item := found[entryKey(c.Project, session.ID, session.Last.Seq)]
		if item == nil { // it was erased a moment ago
			continue
		}
		last, err := entryFrom(item)
		if err != nil {
			return nil, err
		}
		all[i].Last = &last
	}
	return all, nil
}
