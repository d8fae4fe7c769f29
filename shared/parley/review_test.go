package parley_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"parley/shared/parley"
	"parley/shared/parleytest"
)

// reviewed returns the numbers of the closes that operators are told of as
// reviewed, oldest first.
func (s scene) reviewed(id parley.SessionID) (closes []int) {
	s.Helper()
	for _, e := range parleytest.Entries(s, s.store, s.operator(), id) {
		if e.Event == parley.EventReviewed {
			closes = append(closes, e.Close)
		}
	}
	return closes
}

// TestReviews: each close has one review, the first that came, under its own
// number; a second one is no error, and nobody is told of it.
func TestReviews(t *testing.T) {
	onBoth(t, func(s scene) {
		ctx := context.Background()
		id := s.turn("m").ID
		put := func(close int, summary string) {
			s.Helper()
			if err := s.store.PutReview(ctx, "demo", id, parley.Review{Close: close, Summary: summary, Outcome: "unknown"}); err != nil {
				s.Errorf("PutReview(%d, %q) = %v", close, summary, err)
			}
		}
		has := func(close int, want bool) {
			s.Helper()
			if got, err := s.store.HasReview(ctx, "demo", id, close); err != nil || got != want {
				s.Errorf("HasReview(%d) = %v, %v, want %v", close, got, err, want)
			}
		}
		has(1, false)
		put(1, "first")
		has(1, true)
		has(2, false)
		s.unchanged("a second review", func() { put(1, "second") })
		rivals := make(chan error)
		for n := range 4 { // at once, from processes of their own
			go func() {
				rivals <- s.over(s.table).PutReview(ctx, "demo", id, parley.Review{Close: 2, Summary: fmt.Sprint("rival ", n)})
			}()
		}
		for range 4 {
			s.want("a rival", <-rivals, "")
		}
		began := time.Now().UnixMilli()
		await(time.Minute)
		put(3, "third")
		got, err := s.store.Reviews(ctx, s.operator(), id)
		if err != nil || len(got) != 3 || got[0].Close != 3 || got[1].Close != 2 || got[2].Close != 1 {
			s.Fatalf("reviews are %+v, %v, want those of closes 3, 2, 1", got, err)
		}
		if got[2].Summary != "first" || got[0].Summary != "third" || got[0].At != began+time.Minute.Milliseconds() {
			s.Errorf("reviews are %+v", got)
		}
		if told := s.reviewed(id); fmt.Sprint(told) != "[1 2 3]" {
			s.Errorf("operators are told of %v", told)
		}
		err = s.store.PutReview(ctx, "demo", "nobody", parley.Review{Close: 1})
		s.want("a review of no session", err, "not_found")
	})
}
