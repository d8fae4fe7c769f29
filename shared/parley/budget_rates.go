package parley

import (
	"context"
	"maps"
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
	// Apart, so that no crowd of visitors, whom anybody may invent, has addresses and
	// keys forgotten.
	visitors, others paces
}

// paces are, of each visitor, network or key, the time in microseconds up to which calls
// have been spent. One that has passed is as good as none.
type paces map[paced]int64

type paced struct {
	project ProjectID
	visitor VisitorID
	address string
	key     string // the id of a private key
}

// callLimit is the pace of a visitor, of one of an address's networks, or of a private
// key: as many calls as there are in a minute.
type callLimit struct {
	paced
	most int64
}

// interval is what one call spends, in microseconds.
func (l callLimit) interval() int64 { return time.Minute.Microseconds() / l.most }

// TakeCall counts a call of a visitor, or of a caller who is known only by address, by
// each of its networks. calls_limit, of kind ErrLimit, if there were more in a minute
// than the project lets.
func (s *Store) TakeCall(p *Project, c Caller) error {
	most := p.Budgets.WithDefaults().CallsPerMinute
	limits := []callLimit{{paced{project: p.ID, visitor: c.Visitor}, most}}
	if c.Visitor == "" {
		limits = nil
		for _, n := range limitsOf(s.AddressHash(c)) {
			limits = append(limits, callLimit{paced{project: p.ID, address: n.subject}, n.times * callsOfAddress * most})
		}
	}
	return s.calls.take(limits, s.now().UnixMicro())
}

// take counts a call at a time in microseconds by all limits or, where one refuses it,
// by none.
func (c *callPace) take(limits []callLimit, now int64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range limits {
		if early := c.of(l)[l.paced] - now - (l.most-1)*l.interval(); early > 0 {
			return &Error{Kind: ErrLimit, Code: "calls_limit", RetryAfter: time.Duration(early) * time.Microsecond,
				Text: "too many calls; try again later"}
		}
	}
	for _, l := range limits {
		c.of(l).spend(l, now)
	}
	return nil
}

// of returns the paces among which a limit's is.
func (c *callPace) of(l callLimit) paces {
	if c.visitors == nil {
		c.visitors, c.others = paces{}, paces{}
	}
	if l.visitor != "" {
		return c.visitors
	}
	return c.others
}

// spend counts a call at a time. Where that takes memory beyond its bound, what has
// passed is forgotten, and everything only if nothing has.
func (p paces) spend(l callLimit, now int64) {
	at, known := p[l.paced]
	if !known && len(p) >= maxHeld {
		maps.DeleteFunc(p, func(_ paced, until int64) bool { return until <= now })
		if len(p) >= maxHeld {
			clear(p)
		}
	}
	p[l.paced] = max(at, now) + l.interval()
}

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

// takeUpload counts a file that is about to be uploaded against its uploader's rate,
// and a visitor's against what its address may upload in a day, in files and in
// announced bytes: more than was announced cannot be uploaded. uploads_limit, of kind
// ErrLimit, if that is too much.
func (s *Store) takeUpload(ctx context.Context, p *Project, c Caller, f File) error {
	b := p.Budgets.WithDefaults()
	need := amounts{ofCalls: 1, ofBytes: f.Size}
	var took []counter
	var err error
	if !c.staff() {
		most := amounts{ofCalls: b.AddressUploads, ofBytes: b.AddressUploadBytes}
		if took, err = s.takeOfAddress(ctx, c, "uploads", 24*time.Hour, need, most); err != nil {
			return err
		}
	}
	by := f.uploader()
	if f.Loose { // who holds nothing is whoever comes from there
		by = "address/" + s.AddressHash(c)
	}
	k := s.counters.counter(p.ID, "uploads", by, time.Hour)
	err = s.counters.take(ctx, k, callsOf(1), callsOf(1), callsOf(b.UploadsPerHour))
	if err != nil {
		s.counters.giveEach(took, need)
	}
	return err
}
