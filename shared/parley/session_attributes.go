package parley

import "context"

// SetAttributes replaces what the project's people or server say of a session, at
// most MaxMetadata pairs of MaxMetadataBytes: its agent is told that they are
// right, its visitor is not told of them. None takes them away.
func (s *Store) SetAttributes(ctx context.Context, c Caller, id SessionID, attributes map[string]string) error {
	if err := checkPairs("attributes", attributes); err != nil {
		return err
	}
	return again(func() error {
		p, session, err := s.openToOperate(ctx, c, id)
		if err != nil {
			return err
		}
		return s.changeAbout(ctx, p, session, func(_ *change, about *About) error {
			about.Attributes = attributes
			return nil
		}, func(*change) error { return nil })
	})
}

// changeAbout changes what is known of a session in one transaction with whatever
// else build does, and guard after all that is stored. errStale if
// the session is no longer as it was read: then what is known of it may have changed too.
func (s *Store) changeAbout(ctx context.Context, p *Project, session *Session, build func(*change, *About) error,
	guard func(*change) error) error {
	was, err := read(ctx, s, true, aboutKey(p.ID, session.ID), aboutFrom)
	if err != nil {
		return err
	}
	_, err = s.change(ctx, p, session, func(c *change) error {
		if c.session.Rev != session.Rev {
			return errStale
		}
		about := was
		if err := build(c, &about); err != nil {
			return err
		}
		if err := c.put(about.item(p.ID, session.ID)); err != nil {
			return err
		}
		return guard(c)
	})
	return err
}
