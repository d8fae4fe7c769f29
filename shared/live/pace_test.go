package live_test

import (
	"testing"
	"time"

	"parley/shared/live"
)

// TestPace: each may say something so often in a stretch of time, and how many are
// counted is bounded where that is wanted.
func TestPace(t *testing.T) {
	p := live.Pace[string]{Most: 2, Per: time.Minute, Known: 3}
	now := time.Unix(1e9, 0).Truncate(time.Minute)
	for _, said := range []struct {
		who   string
		after time.Duration
		want  bool
	}{
		{"one", 0, true}, {"one", 0, true}, {"one", 59 * time.Second, false}, {"two", 59 * time.Second, true},
		{"one", time.Minute, true}, {"two", time.Minute, true}, {"three", time.Minute, true},
		{"four", time.Minute, false}, {"three", time.Minute, true}, {"three", time.Minute, false},
		{"four", 2 * time.Minute, true},
	} {
		if got := p.Take(said.who, now.Add(said.after)); got != said.want {
			t.Errorf("%s after %s = %v, want %v", said.who, said.after, got, said.want)
		}
	}
	var all live.Pace[int]
	all.Most = 1
	for n := range 100 {
		if !all.Take(n, now) || all.Take(n, now.Add(time.Second-1)) {
			t.Errorf("%d is not held to once in a second", n)
		}
	}
	if !all.Take(0, now.Add(time.Second)) {
		t.Error("the next second begins with what was")
	}
}
