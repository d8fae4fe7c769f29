package parley

import (
	"sync"
	"time"
)

// callsOfAddress is how many times the calls of one visitor an address has. Our
// choice: an office of some hundred people whose pages ask for news.
const callsOfAddress = 10

// callPace paces calls of any kind, which mostly are questions for news. It counts in
// memory, in each process by itself: a count in the table would cost more than the
// answer. So a caller whom several processes answer has as many times more, and what
// is refused costs no read of the table.
type callPace struct {
	mu sync.Mutex
	// paced is, of a visitor or an address, the time in microseconds up to which
	// calls have been spent.
	paced map[paced]int64
}

type paced struct {
	project ProjectID
	visitor VisitorID
	address string
}

// TakeCall counts a call of a visitor, or of a caller who is known only by address.
// calls_limit, of kind ErrLimit, if there were more in a minute than the project lets.
func (s *Store) TakeCall(p *Project, c Caller) error {
	most := p.Budgets.WithDefaults().CallsPerMinute
	who := paced{project: p.ID, visitor: c.Visitor}
	if c.Visitor == "" {
		if c.Address == "" {
			return nil
		}
		who.address, most = network(c.Address), callsOfAddress*most
	}
	return s.calls.take(who, s.now().UnixMicro(), time.Minute.Microseconds()/most, most)
}

// take counts a call at a time, of which each spends an interval: as many as there are
// in a minute may come at once. Times are in microseconds.
func (c *callPace) take(who paced, now, interval, most int64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.paced) >= maxHeld || c.paced == nil {
		c.paced = map[paced]int64{}
	}
	at := max(c.paced[who], now)
	if early := at - now - (most-1)*interval; early > 0 {
		return &Error{Kind: ErrLimit, Code: "calls_limit", RetryAfter: time.Duration(early) * time.Microsecond,
			Text: "too many calls; try again later"}
	}
	c.paced[who] = at + interval
	return nil
}
