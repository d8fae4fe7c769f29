package parley

import (
	"context"
	"errors"
)

// NoteIdentified tells in the caller's session, under the client's id, that the
// visitor has said who they are; the same id again changes nothing. It counts as a
// change and is refused where a message would be. Errors: session_closed,
// message_id_conflict, changes_limit, budget_spent.
func (s *Store) NoteIdentified(ctx context.Context, c Caller, id SessionID, entry EntryID) (*Session, Entry, error) {
	if err := CheckID("id", string(entry)); err != nil {
		return nil, Entry{}, err
	}
	p, session, err := s.openToChange(ctx, c, id)
	if err != nil {
		return nil, Entry{}, err
	}
	if err := s.takeChange(ctx, c); err != nil {
		return nil, Entry{}, err
	}
	spent := &spending{store: s, project: p, caller: c}
	e := Entry{ID: entry, Event: EventIdentified, Author: c.Author()}
	hash := hashOf(id, "identified")
	changed, err := s.change(ctx, p, session, func(ch *change) error {
		if err := ch.writtenTo(c.Author()); err != nil {
			return err
		}
		if err := ch.add(&e); err != nil {
			return err
		}
		if err := ch.pointAt(e, hash); err != nil {
			return err
		}
		return spent.guard(ch)
	})
	spent.count(ctx, err)
	if !errors.Is(err, errReplay) {
		return changed, e, err
	}
	first, err := s.known(ctx, p.ID, entry, id, hash)
	if err != nil {
		return nil, Entry{}, err
	}
	e, err = s.EntryAt(ctx, p.ID, id, first.Seq)
	return session, e, err
}
