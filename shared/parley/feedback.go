package parley

import (
	"context"
	"unicode/utf8"

	"parley/shared/table"
)

// Feedback is what a visitor thinks of a session or, with Session "", of all of it. It
// is no rating: a session's rating is one, and is counted.
type Feedback struct {
	ID      string    `json:"id"`
	Visitor VisitorID `json:"visitor"`
	Session SessionID `json:"session,omitempty"`
	Score   int       `json:"score"` // MinScore to MaxScore
	Comment string    `json:"comment,omitempty"`
	// Topic, Trigger and Source are words of the page that asked.
	Topic   string `json:"topic,omitempty"`
	Trigger string `json:"trigger,omitempty"`
	Source  string `json:"source,omitempty"`
	At      int64  `json:"at"` // milliseconds
}

func (f Feedback) check() error {
	switch {
	case f.Score < MinScore || f.Score > MaxScore:
		return invalid("rating", "rating is %d to %d", MinScore, MaxScore)
	case exceeds(f.Comment, MaxFeedbackBytes):
		return tooLarge("comment", MaxFeedbackBytes)
	case exceeds(f.Topic, MaxNameBytes) || exceeds(f.Trigger, MaxNameBytes) || exceeds(f.Source, MaxNameBytes):
		return tooLarge("topic", MaxNameBytes)
	case !utf8.ValidString(f.Comment + f.Topic + f.Trigger + f.Source):
		return invalid("comment", "feedback is not UTF-8")
	}
	return nil
}

// GiveFeedback keeps what the caller, a bare visitor, thinks; ID, Visitor and At are
// given to it. On a session it needs to be the caller's, and goes when that is erased.
// Errors: ErrNotFound for the session, invalid_field, too_large, csat_off,
// changes_limit, budget_spent.
func (s *Store) GiveFeedback(ctx context.Context, c Caller, f Feedback) (Feedback, error) {
	if err := f.check(); err != nil {
		return f, err
	}
	p, err := s.Project(ctx, c.Project)
	if err != nil {
		return f, err
	}
	if p.CSAT == CSATOff {
		return f, denied("csat_off", "this project takes no ratings")
	}
	if f.Session != "" {
		if _, err := s.open(ctx, c, f.Session, true); err != nil {
			return f, err
		}
	}
	if err := s.takeChange(ctx, c); err != nil {
		return f, err
	}
	now := s.clock()
	f.ID, f.Visitor, f.At = newULID(now), c.Visitor, now.UnixMilli()
	item, err := record(feedbackKey(p.ID, c.Visitor, f.Session, f.ID), "feedback", f,
		table.Item{"nonce": s.newID(), "wp": feedbackPartition(p.ID), "ws": stamp(now) + "/" + f.ID})
	if err != nil {
		return f, err
	}
	actions := []table.Action{table.Put(item, table.Absent())}
	if f.Session != "" {
		actions = append(actions, checkThere(p.ID, f.Session))
	}
	return f, refusedAs(s.spendBeside(ctx, p, c, nil, actions), errGone()) // it was erased meanwhile
}
