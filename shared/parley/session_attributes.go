package parley

import (
	"context"
	"errors"

	"parley/shared/table"
)

// SetAttributes replaces what the project's people or server say of a session, at
// most MaxMetadata pairs of MaxMetadataBytes: its agent is told that they are
// right, its visitor is not told of them. None takes them away.
func (s *Store) SetAttributes(ctx context.Context, c Caller, id SessionID, attributes map[string]string) error {
	if err := checkPairs("attributes", attributes); err != nil {
		return err
	}
	p, session, err := s.openToOperate(ctx, c, id)
	for range changeTries {
		if err != nil {
			return err
		}
		err = s.changeAbout(ctx, p, session, func(_ *change, about *About) error {
			about.Attributes = attributes
			return nil
		}, nil)
		if !errors.Is(err, errStale) {
			return err
		}
		session, err = s.open(ctx, c, id, true)
	}
	return unavailable(table.ErrNotDone)
}

// changeAbout changes what is known of a session in one transaction with whatever
// else build does, and guard, if there is one, after all that is stored. errStale if
// the session is no longer as it was read: then what is known of it may have changed too.
func (s *Store) changeAbout(ctx context.Context, p *Project, session *Session, build func(*change, *About) error,
	guard func(*change) error) error {
	items, err := s.table.Get(ctx, true, aboutKey(p.ID, session.ID))
	if err != nil {
		return unavailable(err)
	}
	read, err := aboutFrom(items[0])
	if err != nil {
		return err
	}
	_, err = s.change(ctx, p, session, func(c *change) error {
		if c.session.Rev != session.Rev {
			return errStale
		}
		about := read
		if err := build(c, &about); err != nil {
			return err
		}
		item, err := about.item(p.ID, session.ID)
		if err != nil {
			return err
		}
		c.act(table.Put(item), nil)
		if guard == nil {
			return nil
		}
		return guard(c)
	})
	return err
}
