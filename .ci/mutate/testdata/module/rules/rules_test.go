package rules

import (
	"slices"
	"testing"
	"time"

	"parley/shared/table"
)

func TestAdd(t *testing.T) {
	s := &store{}
	for range limit {
		if err := s.add("x"); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.add("y"); err != errFull || len(s.items) != limit {
		t.Fatal(err)
	}
}

func TestLogic(t *testing.T) {
	for _, a := range []bool{false, true} {
		for _, b := range []bool{false, true} {
			if both(a, b) != (a && b) {
				t.Error(a, b)
			}
			for _, c := range []bool{false, true} {
				if either(a, b, c) != (a || b && !c) {
					t.Error(a, b, c)
				}
			}
		}
	}
}

// 0 is not tried, nor the pause's length.
func TestKind(t *testing.T) {
	for n, want := range map[int]string{-5: "negative", 4: "four", 5: "other"} {
		if got := kind(n); got != want {
			t.Error(n, got)
		}
	}
	if pause() < time.Second {
		t.Error("hasty")
	}
}

// Of the second action only the length is tested.
func TestWrites(t *testing.T) {
	w := writes("old")
	if len(w) != 2 || !slices.Equal(w[0], table.Action{"absent"}) || len(w[1]) == 0 {
		t.Error(w)
	}
}

func TestUntil(t *testing.T) {
	if n := until(3); n != 3 {
		t.Error(n)
	}
}
