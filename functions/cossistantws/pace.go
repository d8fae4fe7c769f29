package cossistantws

import "sync"

const (
	// RefusalsPerMinute is how many connections of one address are let in during a
	// minute only to be told why they are refused; more are refused without a word. Our
	// choice: as many pages as an office may have open with a key that was removed.
	RefusalsPerMinute = 20
	// FramesPerSecond is how many frames a connection may send in a second; one that
	// sends more is cut off. Our choice: clients send one in 15 seconds, and a few in a
	// second while somebody types.
	FramesPerSecond = 20
	// maxCounted is how many addresses or connections are counted at a time. Our choice:
	// a few hundred kilobytes; more are as if they had sent too much.
	maxCounted = 10_000
)

// pace counts what an address or a connection does, in memory and in each process by
// itself: most of it is too cheap to be counted in the table, and who is refused may
// belong to no project. The zero value is ready; it is safe for concurrent use.
type pace[K comparable] struct {
	mu     sync.Mutex
	window int64
	counts map[K]int
}

// take counts once within a window of time, which has a number of its own, and reports
// whether there were at most so many in it.
func (p *pace[K]) take(key K, window int64, most int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if window != p.window || p.counts == nil {
		p.window, p.counts = window, map[K]int{}
	}
	if _, known := p.counts[key]; !known && len(p.counts) == maxCounted {
		return false
	}
	p.counts[key]++
	return p.counts[key] <= most
}
