package live

import (
	"cmp"
	"sync"
	"time"
)

const (
	// TypingPerSecond is how often in a second it counts that one connection says that
	// somebody types; more is dropped. Our choice: clients say it with each key at most,
	// and it is shown for parley.TypingLife.
	TypingPerSecond = 5
	// CallsPerSecond is how often in a second one connection may want something done;
	// more is refused. Our choice: more than a person's clicks, and what a client says
	// again when it comes back.
	CallsPerSecond = 20
)

// Pace holds connections, or networks, to how often they may say something, before
// anything is read for it. It counts in memory, in each process by itself: one that
// several processes answer has as many times more. It is safe for concurrent use.
type Pace[Of comparable] struct {
	// Most is how often in a stretch of time, which is a second where Per is 0.
	Most int
	Per  time.Duration
	// Known is how many are counted at a time, and more are as if they had come too
	// often; 0 is all.
	Known int

	mu      sync.Mutex
	stretch time.Time // its beginning
	said    map[Of]int
}

// Take counts that one says something, and reports whether it may.
func (p *Pace[Of]) Take(who Of, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if stretch := now.Truncate(cmp.Or(p.Per, time.Second)); !stretch.Equal(p.stretch) || p.said == nil {
		p.stretch, p.said = stretch, map[Of]int{}
	}
	if _, known := p.said[who]; !known && len(p.said) == p.Known && p.Known > 0 {
		return false
	}
	p.said[who]++
	return p.said[who] <= p.Most
}
