// Package rules has something of everything that is changed.
package rules

import (
	"errors"
	"sync"
	"time"

	"parley/shared/table"
)

const limit = 3 + 1

var errFull = errors.New("full")

type store struct {
	mu    sync.Mutex
	items []string
}

func (s *store) add(item string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.items) >= limit {
		return errFull
	}
	s.items = append(s.items, item)
	return nil
}

func both(a, b bool) bool { return a && b }

func either(a, b, c bool) bool { return a || b && !c }

func kind(n int) string {
	switch {
	case n < 0:
		return "negative"
	case n == 1<<2:
		return "four"
	}
	return "other"
}

func pause() time.Duration { return 2 * time.Second }

func writes(old table.Condition) []table.Action {
	return []table.Action{table.Put("absent"), table.Put(old, "same")}
}

func until(n int) (steps int) {
	for n > 0 {
		n--
		steps++
	}
	return steps
}

func nobodyTests() error { return errFull }
