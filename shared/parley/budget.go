package parley

import (
	"context"
	"sync"
	"time"
)

// Reservation is what has been set aside of the bounds that visitors share: the
// address's and the project's of one day. What is the visitor's own is set aside in
// the transaction that stores something (spending).
type Reservation struct {
	store *Store
	took  amounts
	from  []counter
}

// Near is a bound that is nearly used up: four fifths of what a day holds.
type Near struct {
	Project ProjectID
	// Bound is "project" or "address", or "uploads" for those of an address.
	Bound string
	// What is counted: "n" (messages, or files), "tokens" or "bytes".
	What string
}

// Reserve sets tokens aside for one run of the caller's. A *Error with code
// budget_spent and kind ErrLimit if a budget has not that much left.
func (s *Store) Reserve(ctx context.Context, p *Project, addressHash string, agent AgentSettings) (*Reservation, error) {
	return s.reserve(ctx, p, addressHash, amounts{ofTokens: p.ReplyAllowance(agent)})
}

// ReserveReview sets tokens aside of the project's budget for what no visitor
// asked for. Errors as Reserve.
func (s *Store) ReserveReview(ctx context.Context, p *Project, n int64) (*Reservation, error) {
	return s.reserve(ctx, p, "", amounts{ofTokens: n})
}

// What a turn usually needs besides tokens, times four: of tokens most is given back,
// and so a block of them lasts for three times as many turns as it was fetched for.
// Fetched together, and none before the tokens, all three cost one write.
const (
	usualMessages = 4
	usualBytes    = usualMessages * 2 << 10
)

// dayLimit is one of the bounds of a day that visitors share.
type dayLimit struct {
	counter
	max amounts
}

// dayLimits are those of the project and of the networks of an AddressHash.
func (s *Store) dayLimits(p *Project, addressHash string) []dayLimit {
	b := p.Budgets.WithDefaults()
	const day = 24 * time.Hour
	limits := []dayLimit{{s.counters.counter(p.ID, "project", "", day), amounts{b.ProjectMessages, b.ProjectTokens, b.ProjectBytes}}}
	for _, n := range limitsOf(addressHash) {
		limits = append(limits, dayLimit{s.counters.counter(p.ID, "address", n.subject, day),
			amounts{n.times * b.AddressMessages, n.times * b.AddressTokens, n.times * b.AddressBytes}})
	}
	return limits
}

func (s *Store) reserve(ctx context.Context, p *Project, addressHash string, need amounts) (*Reservation, error) {
	limits := s.dayLimits(p, addressHash)
	errs := make([]error, len(limits))
	var all sync.WaitGroup
	for i, l := range limits {
		all.Go(func() { errs[i] = s.counters.take(ctx, l.counter, need, usual(need), l.max) })
	}
	all.Wait()
	r := &Reservation{store: s, took: need}
	var err error
	for i, l := range limits {
		if errs[i] != nil {
			err = budgetSpent(errs[i])
			continue
		}
		r.from = append(r.from, l.counter)
	}
	if err != nil {
		r.Release(0)
		return nil, err
	}
	return r, nil
}

// usual is what calls usually need that need so much.
func usual(need amounts) amounts { return amounts{usualMessages, need[ofTokens], usualBytes} }

// budgetSpent gives every spent counter of a day one code.
func budgetSpent(err error) error {
	if e, ok := err.(*Error); ok && e.Kind == ErrLimit {
		return errSpent(e.RetryAfter)
	}
	return err
}

func errSpent(after time.Duration) error {
	return &Error{Kind: ErrLimit, Code: "budget_spent", RetryAfter: after,
		Text: "today's allowance is used up; try again tomorrow"}
}

// Release gives back what the run did not use. A run that used more than it
// had set aside is not asked for the rest: its cap is in the reservation.
func (r *Reservation) Release(used int64) {
	if r == nil {
		return
	}
	for _, k := range r.from {
		r.store.counters.give(k, amounts{ofTokens: max(r.took[ofTokens]-used, 0)})
	}
	r.from = nil
}

// Settle gives the visitor back what a run set aside and did not use. first is
// entry 0 of the run's log.
func (s *Store) Settle(ctx context.Context, p ProjectID, first LogEntry, used int64) error {
	c := Caller{Project: p, Visitor: first.Visitor}
	return s.settleVisitor(ctx, c, first.Day, max(first.Reserved-used, 0))
}
