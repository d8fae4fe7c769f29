package parley_test

import (
	"context"
	"testing"
	"time"

	"parley/shared/parleytest"
)

// TestSettingsAreReadAgain: a process believes what it has read of a project for half a
// minute.
func TestSettingsAreReadAgain(t *testing.T) {
	onBolt(t, func(s scene) {
		name := func() string {
			p, err := s.store.Project(context.Background(), parleytest.Project)
			if err != nil {
				s.Fatal(err)
			}
			return p.Name
		}
		before := name()
		renamed := generous()
		renamed.Name = "Renamed"
		parleytest.Put(s, s.over(s.table), renamed) // by another process
		await(30*time.Second - time.Millisecond)
		if got := name(); got != before {
			s.Errorf("before half a minute the name is %q", got)
		}
		await(time.Millisecond)
		if got := name(); got != "Renamed" {
			s.Errorf("after half a minute the name is %q", got)
		}
	})
}
