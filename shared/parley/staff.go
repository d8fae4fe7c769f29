package parley

import "context"

// What operators do with a session besides writing in it; TakeOver and HandBack
// are in end.go, Resolve in close.go. Each asks for something to be so, and
// changes nothing where it is.

// Reopen makes a session open, whatever it was.
func (s *Store) Reopen(ctx context.Context, c Caller, id SessionID, by Author) error {
	p, session, err := s.operate(ctx, c, id)
	if err != nil {
		return err
	}
	_, err = s.change(ctx, p, session, func(ch *change) error {
		if ch.session.State == StateOpen {
			return errNothing
		}
		return ch.reopen(by)
	})
	return err
}

// CloseNow closes a session at once, for a person who asked for it: no sign of
// the page undoes it, only a message does.
func (s *Store) CloseNow(ctx context.Context, c Caller, id SessionID, by Author) error {
	p, session, err := s.operate(ctx, c, id)
	if err != nil {
		return err
	}
	_, err = s.change(ctx, p, session, func(ch *change) error {
		if ch.session.State == StateClosed && ch.session.Settles == 0 {
			return errNothing
		}
		ch.state(StateClosed)
		ch.session.Closes++
		return ch.add(&Entry{Event: EventClosed, Author: by, Reason: string(CloseByStaff)})
	})
	return err
}

// MarkSpam refuses what the visitor sends to the session until it is reopened.
// What the agent writes and what waits is ended. It is no close: it has no
// number, and the visitor is not told.
func (s *Store) MarkSpam(ctx context.Context, c Caller, id SessionID, by Author) error {
	p, session, err := s.operate(ctx, c, id)
	if err != nil {
		return err
	}
	_, err = s.stop(ctx, p, session, "", StatusCancelled, func(ch *change) error {
		if ch.session.State == StateSpam {
			return errNothing
		}
		ch.state(StateSpam)
		return ch.add(&Entry{Event: EventSpam, Author: by, Internal: true})
	})
	return err
}

// Archive puts a session out of the way of the other lists, or back. The
// visitor's next message brings it back too.
func (s *Store) Archive(ctx context.Context, c Caller, id SessionID, archived bool) error {
	p, session, err := s.operate(ctx, c, id)
	if err != nil {
		return err
	}
	_, err = s.change(ctx, p, session, func(ch *change) error {
		if ch.session.Archived == archived {
			return errNothing
		}
		ch.archive(archived)
		return nil
	})
	return err
}
