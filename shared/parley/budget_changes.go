package parley

import (
	"context"
	"time"
)

// MaxChangesPerMinute is how often in a minute one visitor may vote, set
// checkpoints, send forms and replace ratings, all together: each adds an entry to a
// session, or looks for one. Our choice: more than anybody clicks.
const MaxChangesPerMinute = 60

// takeChange counts a change of the visitor's that is no message. changes_limit, of
// kind ErrLimit, if there were too many.
func (s *Store) takeChange(ctx context.Context, c Caller) error {
	if c.staff() {
		return nil
	}
	k := s.counters.counter(c.Project, "changes", string(c.Visitor), time.Minute)
	return s.counters.take(ctx, k, callsOf(1), callsOf(1), callsOf(MaxChangesPerMinute))
}
