package parley

import (
	"context"
	"errors"
	"slices"
)

func errTaken() error {
	return conflict("message_id_conflict", "this message id was used for something else")
}

// replay returns the outcome of a request whose client id is known.
// ErrNotFound if it is not known.
func (s *Store) replay(ctx context.Context, c Caller, r SendRequest) (Sent, error) {
	first, err := s.pointer(ctx, c.Project, RunID(r.ID))
	if err != nil {
		return Sent{}, err
	}
	if first.Hash != r.hash() {
		return Sent{}, errTaken()
	}
	session, err := s.open(ctx, c, first.Session, true)
	if errors.Is(err, ErrNotFound) {
		return Sent{}, errTaken()
	}
	if err != nil {
		return Sent{}, err
	}
	sent := Sent{Session: session, Replayed: true}
	if sent.Message, err = s.EntryAt(ctx, c.Project, session.ID, first.Seq); err != nil {
		return Sent{}, err
	}
	if first.Busy != "" {
		return sent, errBusy(session.ID, first.Busy)
	}
	if first.Kind != LogNone {
		sent.Ref = RunRef{c.Project, session.ID, RunID(r.ID)}
	}
	return sent, nil
}

// retried returns the message that a run answered. A conflict unless the run
// failed or is incomplete, nothing newer answered the message, and nothing does now.
func (s *Store) retried(ctx context.Context, p ProjectID, session *Session, run RunID) (Entry, error) {
	first, err := s.pointer(ctx, p, run)
	if err != nil {
		return Entry{}, err
	}
	if first.Session != session.ID || first.Kind == LogNone {
		return Entry{}, notFound("run")
	}
	for _, q := range slices.Concat(session.Queue, active(session)) {
		if q.Seq == first.Seq {
			return Entry{}, errNotRetryable()
		}
	}
	outcome, err := s.lastOutcome(ctx, p, session.ID, first.Seq, first.Of)
	if err != nil {
		return Entry{}, err
	}
	if outcome.Run != run || outcome.Status != StatusFailed && outcome.Status != StatusIncomplete {
		return Entry{}, errNotRetryable()
	}
	return s.EntryAt(ctx, p, session.ID, first.Seq)
}

func errNotRetryable() error {
	return conflict("not_retryable", "only the newest run of a message can be retried, and only if it failed")
}

// lastOutcome finds the newest entry that came of a run for a message; a zero
// Entry if there is none.
func (s *Store) lastOutcome(ctx context.Context, p ProjectID, id SessionID, after Seq, of EntryID) (Entry, error) {
	var last Entry
	for e, err := range s.forward(ctx, p, id, after, true) {
		if err != nil {
			return Entry{}, err
		}
		if e.Of == of && e.Run != "" {
			last = e
		}
	}
	return last, nil
}
