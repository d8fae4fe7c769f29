package chathub

import (
	"sync"
	"time"

	"parley/shared/socket"
)

// hearing remembers when this process heard clients last. A connection that is gone
// cannot be asked any more, and pings store nothing. Other processes may have heard them
// later: what is remembered is the least. The zero value is ready; it is safe for
// concurrent use.
type hearing struct {
	mu sync.Mutex
	// now are the clients heard since began, before those of the time before that.
	began       time.Time
	now, before map[socket.Ref]time.Time
}

// hearingFor is for how long clients are remembered at least: as long as a connection
// may be silent before it ends.
const hearingFor = socket.MaxIdle

func (h *hearing) heard(c socket.Ref, at time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.now == nil || at.Sub(h.began) > hearingFor {
		h.began, h.now, h.before = at, map[socket.Ref]time.Time{}, h.now
	}
	h.now[c] = at
}

// last returns when a client was heard last, a zero time for one of which that is not
// known.
func (h *hearing) last(c socket.Ref) time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	if at, ok := h.now[c]; ok {
		return at
	}
	return h.before[c]
}
