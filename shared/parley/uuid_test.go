package parley_test

import (
	"regexp"
	"testing"

	"parley/shared/parley"
)

// TestNewUUID: ids are of the form that clients expect, and no two are the same.
func TestNewUUID(t *testing.T) {
	form, seen := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`), map[string]bool{}
	for range 1000 {
		id := parley.NewUUID()
		if !form.MatchString(id) || seen[id] {
			t.Fatalf("NewUUID() = %q, before: %t", id, seen[id])
		}
		seen[id] = true
	}
}
