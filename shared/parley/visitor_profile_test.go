package parley_test

import (
	"context"
	"strings"
	"testing"

	"parley/shared/parley"
)

// TestProfileOfNobody: an id that no visitor can have is nobody's, and asks nothing of
// the table, which takes no such key.
func TestProfileOfNobody(t *testing.T) {
	onBoth(t, func(s scene) {
		for _, id := range []string{"", strings.Repeat("v", 3000), "a/b", "~"} {
			c := s.operator()
			c.Visitor, c.Bare = parley.VisitorID(id), true
			_, err := s.store.Profile(context.Background(), c)
			s.want("profile of "+id[:min(len(id), 5)], err, "not_found")
		}
	})
}
