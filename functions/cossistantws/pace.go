package cossistantws

import (
	"sync"
	"time"

	"parley/shared/parley"
)

const (
	// RefusalsPerMinute is how many connections of one address are let in during a
	// minute only to be told why they are refused; more are refused without a word. Our
	// choice: as many pages as an office may have open with a key that was removed.
	RefusalsPerMinute = 20
	// FramesPerSecond is how many frames a connection may send in a second; one that
	// sends more is cut off. Our choice: clients send one in 15 seconds, and a few in a
	// second while somebody types.
	FramesPerSecond = 20
	// maxCounted is how many addresses are counted at a time. Our choice: a few hundred
	// kilobytes; more are as if they had come too often.
	maxCounted = 10_000
)

// pace counts the connections of networks (parley.Network) that are let in to be refused, in memory and
// in each process by itself: who is refused may belong to no project. The zero value is
// ready; it is safe for concurrent use.
type pace struct {
	mu     sync.Mutex
	minute int64 // of Unix time
	counts map[string]int
}

// take counts a connection, and reports whether there were no more than
// RefusalsPerMinute from its address.
func (p *pace) take(address string, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if minute := now.Unix() / 60; minute != p.minute || p.counts == nil {
		p.minute, p.counts = minute, map[string]int{}
	}
	address = parley.Network(address)
	if _, known := p.counts[address]; !known && len(p.counts) == maxCounted {
		return false
	}
	p.counts[address]++
	return p.counts[address] <= RefusalsPerMinute
}
