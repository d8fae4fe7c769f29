package review_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"parley/functions/review"
	"parley/shared/parley"
	"parley/shared/parleytest"
)

// TestOnlyTheLastClose: a session that closed, was reopened and closed again
// before anybody came to review it is reviewed once, for its last close.
func TestOnlyTheLastClose(t *testing.T) {
	on(t, nil, func(r *rig) {
		working := r.handler
		r.handler = func(context.Context, review.Event) error { return nil } // nobody reviews
		id := r.closed("m")
		r.minutes(1)
		parleytest.Turn(r, r.Store, r.caller, "again", id)
		r.close(id)
		r.minutes(1)
		r.handler = working
		r.minutes(5)
		if got := r.reviews(id); len(got) != 1 || got[0].Close != 2 || r.who.calls != 1 {
			r.Errorf("reviews %+v after %d calls, want one, of close 2", got, r.who.calls)
		}
	})
}

// TestReviewedAlready: whoever died after its review was stored, before it could
// say how far it had come, leaves a close for which no model is paid again.
func TestReviewedAlready(t *testing.T) {
	on(t, nil, func(r *rig) {
		working := r.handler
		r.handler = func(context.Context, review.Event) error { return nil }
		id := r.closed("m")
		r.minutes(1)
		if err := r.Store.PutReview(context.Background(), "demo", id, parley.Review{Close: 1, Summary: "by who died"}); err != nil {
			r.Fatal(err)
		}
		r.handler = working
		r.minutes(3)
		if got := r.reviews(id); len(got) != 1 || got[0].Summary != "by who died" || r.who.calls != 0 {
			r.Errorf("reviews %+v after %d calls", got, r.who.calls)
		}
	})
}

// TestClaim: while one process asks the model, another that is woken for the same
// close leaves it alone, however often; it is asked once, within one lease.
func TestClaim(t *testing.T) {
	on(t, nil, func(r *rig) {
		other := r.over(parleytest.Store(r, parley.Config{Table: r.Table, ProjectLife: -1}))
		working := r.handler
		r.handler = func(context.Context, review.Event) error { return nil }
		id := r.closed("m")
		r.minutes(1)
		r.handler = working
		rivals := 0
		r.who.before = func() {
			r.who.before = nil
			r.who.mu.Unlock() // a rival that came through would ask too
			defer r.who.mu.Lock()
			for range 3 {
				time.Sleep(5 * time.Second)
				rivals++
				if err := other(context.Background(), review.Event{Project: "demo", Session: id}); err != nil {
					r.Error(err)
				}
			}
		}
		r.minutes(3)
		if got := r.reviews(id); len(got) != 1 || r.who.calls != 1 || rivals != 3 {
			r.Errorf("reviews %s after %d calls and %d rivals", fmt.Sprint(got), r.who.calls, rivals)
		}
	})
}
