package parley

import (
	"context"
	"time"
)

// Reservation is what a run has set aside of the budgets that visitors share:
// the address's and the project's of one day. The visitor's own is set aside
// by Send.
type Reservation struct {
	store  *Store
	tokens int64
	from   []counter
}

// Reserve sets tokens aside for one run of the caller's. A *Error with code
// budget_spent and kind ErrLimit if a budget has not that much left.
func (s *Store) Reserve(ctx context.Context, p *Project, addressHash string, agent AgentSettings) (*Reservation, error) {
	return s.reserve(ctx, p, addressHash, p.ReplyAllowance(agent))
}

// ReserveReview sets tokens aside of the project's budget for what no visitor
// asked for. Errors as Reserve.
func (s *Store) ReserveReview(ctx context.Context, p *Project, tokens int64) (*Reservation, error) {
	return s.reserve(ctx, p, "", tokens)
}

func (s *Store) reserve(ctx context.Context, p *Project, addressHash string, tokens int64) (*Reservation, error) {
	budgets := p.Budgets.WithDefaults()
	r := &Reservation{store: s, tokens: tokens}
	const day = 24 * time.Hour
	limits := []struct {
		counter counter
		max     int64
	}{{s.counters.counter(p.ID, "project_tokens", "", day), budgets.ProjectTokens}}
	if addressHash != "" {
		limits = append(limits, struct {
			counter counter
			max     int64
		}{s.counters.counter(p.ID, "address_tokens", addressHash, day), budgets.AddressTokens})
	}
	for _, l := range limits {
		if err := s.counters.take(ctx, l.counter, r.tokens, l.max); err != nil {
			r.Release(0)
			return nil, budgetSpent(err)
		}
		r.from = append(r.from, l.counter)
	}
	return r, nil
}

// budgetSpent gives every spent counter of tokens one code.
func budgetSpent(err error) error {
	if e, ok := err.(*Error); ok && e.Kind == ErrLimit {
		return &Error{Kind: ErrLimit, Code: "budget_spent", RetryAfter: e.RetryAfter,
			Text: "today's allowance is used up; try again tomorrow"}
	}
	return err
}

// Release gives back what the run did not use. A run that used more than it
// had set aside is not asked for the rest: its cap is in the reservation.
func (r *Reservation) Release(used int64) {
	if r == nil {
		return
	}
	for _, k := range r.from {
		r.store.counters.give(k, r.tokens-used)
	}
	r.from = nil
}

// Settle gives the visitor back what a run set aside and did not use. first is
// entry 0 of the run's log.
func (s *Store) Settle(ctx context.Context, p ProjectID, first LogEntry, used int64) error {
	c := Caller{Project: p, Visitor: first.Visitor}
	return s.settleVisitor(ctx, c, first.Day, max(first.Reserved-used, 0))
}
