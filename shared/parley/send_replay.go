package parley

import (
	"context"
	"errors"
	"slices"
)

func errTaken() error {
	return conflict("message_id_conflict", "this message id was used for something else")
}

// known returns entry 0 of the log of a client id that stands for exactly this:
// message_id_conflict if it stands for something else, ErrNotFound if for nothing.
func (s *Store) known(ctx context.Context, p ProjectID, id EntryID, session SessionID, hash string) (LogEntry, error) {
	first, err := s.pointer(ctx, p, RunID(id))
	if err == nil && (first.Session != session || first.Hash != hash) {
		err = errTaken()
	}
	return first, err
}

// orReplay returns what came of a request, or of the one that it repeats: a refusal
// may be of a repetition, which is none, since what it asked for was done.
func orReplay[T any](out T, err error, replay func() (T, error)) (T, error) {
	if err == nil || !errors.Is(err, errReplay) && Code(err) == "" {
		return out, err
	}
	before, replayErr := replay()
	if errors.Is(err, errReplay) || !errors.Is(replayErr, ErrNotFound) {
		return before, replayErr
	}
	return out, err
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
	if slices.ContainsFunc(session.runs(), func(q QueuedRun) bool { return q.Seq == first.Seq }) {
		return Entry{}, errNotRetryable()
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
