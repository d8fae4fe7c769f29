package live

import (
	"sync"
	"time"

	"parley/shared/socket"
)

// TypingPerSecond is how often in a second it counts that one connection says that
// somebody types; more is dropped. Our choice: clients say it with each key at most,
// and it is shown for parley.TypingLife.
const TypingPerSecond = 5

// TypingPace drops what a connection says too often of typing, before anything is read
// for it. It counts in memory, in each process by itself: a connection that several
// processes answer has as many times more. The zero value is ready; it is safe for
// concurrent use.
type TypingPace struct {
	mu     sync.Mutex
	second int64 // of Unix time
	said   map[socket.Ref]int
}

// Take counts that a connection says something of typing, and reports whether it counts.
func (p *TypingPace) Take(c socket.Ref, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now.Unix() != p.second || p.said == nil {
		p.second, p.said = now.Unix(), map[socket.Ref]int{}
	}
	p.said[c]++
	return p.said[c] <= TypingPerSecond
}
