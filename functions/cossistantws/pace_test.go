package cossistantws

import (
	"fmt"
	"testing"
	"time"
)

// TestPace: a network is told so often a minute why it is refused, whichever of its
// addresses asks, and what is remembered of networks is bounded.
func TestPace(t *testing.T) {
	var p pace
	now := time.Unix(1e9, 0).Truncate(time.Minute)
	for n := range RefusalsPerMinute + 1 {
		if got, want := p.take(fmt.Sprintf("2001:db8::%x", n), now), n < RefusalsPerMinute; got != want {
			t.Fatalf("connection %d = %v, want %v", n+1, got, want)
		}
	}
	if !p.take("2001:db8:0:1::1", now) {
		t.Error("another network pays for it")
	}
	if !p.take("2001:db8::1", now.Add(time.Minute)) {
		t.Error("the next minute begins with what was")
	}
	now = now.Add(2 * time.Minute)
	for n := range maxCounted {
		if !p.take(fmt.Sprintf("10.%d.%d.%d", n>>16, n>>8&255, n&255), now) {
			t.Fatalf("network %d is refused", n+1)
		}
	}
	if p.take("192.0.2.1", now) {
		t.Errorf("more than %d networks are counted", maxCounted)
	}
	if !p.take("10.0.0.1", now) {
		t.Error("a network that is known is refused with those that are not")
	}
}
