package live

import (
	"sync"
	"time"

	"parley/shared/socket"
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

// Pace holds connections to how often they may say something, before anything is read
// for it. It counts in memory, in each process by itself: a connection that several
// processes answer has as many times more. It is safe for concurrent use.
type Pace struct {
	// PerSecond is how often.
	PerSecond int

	mu     sync.Mutex
	second int64 // of Unix time
	said   map[socket.Ref]int
}

// Take counts that a connection says something, and reports whether it may.
func (p *Pace) Take(c socket.Ref, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now.Unix() != p.second || p.said == nil {
		p.second, p.said = now.Unix(), map[socket.Ref]int{}
	}
	p.said[c]++
	return p.said[c] <= p.PerSecond
}
