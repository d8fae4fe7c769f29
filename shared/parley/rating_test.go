package parley_test

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/table/fault"
)

func (s scene) rate(id parley.SessionID, score int, feedback string) parley.Rating {
	s.Helper()
	r, err := s.store.Rate(context.Background(), s.visitor, id, score, feedback)
	if err != nil {
		s.Fatalf("rate: %v", err)
	}
	return r
}

// totalsEqualRatings compares each day's totals with the ratings that stand, by
// the day on which they were given.
func (s scene) totalsEqualRatings(what string, days ...time.Time) {
	s.Helper()
	want := map[string]*parley.Totals{}
	for _, item := range s.table.Dump(s) {
		var r parley.Rating
		if !strings.HasSuffix(item.Key().SK, "rating") {
			continue
		}
		if err := json.Unmarshal([]byte(item.String("data")), &r); err != nil {
			s.Fatal(err)
		}
		day := time.UnixMilli(r.At).UTC().Format(time.DateOnly)
		if want[day] == nil {
			want[day] = new(parley.Totals)
		}
		want[day][r.Score]++
	}
	for _, day := range days {
		got, err := s.store.Totals(context.Background(), "demo", day)
		if err != nil {
			s.Fatal(err)
		}
		w := want[day.UTC().Format(time.DateOnly)]
		if w == nil {
			w = new(parley.Totals)
		}
		if got != *w {
			s.Errorf("%s: totals of %s are %v, the ratings are %v", what, day.Format(time.DateOnly), got, *w)
		}
	}
}

// TestInvariant10OneRating: a session has one rating, its owner may replace it,
// and the totals are the sum of the ratings, whatever day it is.
func TestInvariant10OneRating(t *testing.T) {
	onBoth(t, func(s scene) {
		ctx := context.Background()
		one, two := s.turn("one").ID, s.turn("two").ID
		first := time.Now()
		if got, err := s.store.Rating(ctx, s.visitor, one); err != nil || got != nil {
			s.Errorf("Rating of what has none = %v, %v", got, err)
		}
		s.rate(one, 1, "slow")
		s.rate(two, 4, "")
		s.totalsEqualRatings("rated", first)
		s.rate(one, 1, "slow and wrong")
		s.totalsEqualRatings("the same score again", first)
		s.rate(one, 3, "")
		s.totalsEqualRatings("replaced", first)
		await(24 * time.Hour)
		second := time.Now()
		given := s.rate(one, 5, "good after all")
		s.totalsEqualRatings("replaced another day", first, second)
		if got, err := s.store.Rating(ctx, s.visitor, one); err != nil || got == nil || *got != given ||
			got.Score != 5 || got.Feedback != "good after all" || got.At != second.UnixMilli() {
			s.Errorf("Rating = %+v, %v, want %+v", got, err, given)
		}
		if got := s.session(one); got.Score != 5 || s.events(one, parley.EventRated) != 4 {
			s.Errorf("the session's score is %d, %d events", got.Score, s.events(one, parley.EventRated))
		}
		s.unchanged("a refused rating", func() {
			for _, score := range []int{-1, 0, 6} {
				_, err := s.store.Rate(ctx, s.visitor, one, score, "")
				s.want("rate", err, "invalid_field")
			}
		})
		if err := s.store.Erase(ctx, s.visitor, one); err != nil {
			s.Fatal(err)
		}
		s.totalsEqualRatings("erased", first, second)
		if list, _, err := s.store.Ratings(ctx, s.operator(), parley.PageRequest{}); err != nil || len(list) != 1 || list[0].Session != two {
			s.Errorf("after the session was erased, ratings are %+v, %v", list, err)
		}
	})
}

func TestConcurrentRatings(t *testing.T) {
	onBoth(t, func(s scene) {
		id := s.turn("opening").ID
		day := time.Now()
		var all sync.WaitGroup
		for n := range 8 {
			all.Go(func() {
				store := s.over(s.table)
				for range 3 {
					if _, err := store.Rate(context.Background(), s.visitor, id, 1+n%5, ""); err != nil {
						s.Errorf("rate: %v", err)
					}
				}
			})
		}
		all.Wait()
		s.totalsEqualRatings("rated by all at once", day)
		if n := s.events(id, parley.EventRated); n != 24 {
			s.Errorf("%d ratings are in the order, want 24", n)
		}
		if got, _ := s.store.Totals(context.Background(), "demo", day); got[1]+got[2]+got[3]+got[4]+got[5] != 1 {
			s.Errorf("totals = %v, want one rating", got)
		}
	})
}

// TestRatingsThroughFaults: totals stay right when writes fail in every way and
// clients repeat themselves.
func TestRatingsThroughFaults(t *testing.T) {
	onBolt(t, func(s scene) {
		day := time.Now()
		network := fault.NewNetwork(fault.NetworkConfig{Table: s.table})
		flaky := s.over(network.Process(fault.Config{Seed: 1, Delay: 20 * time.Millisecond, Chance: map[fault.Kind]float64{
			fault.Conflict: 0.1, fault.Lost: 0.1, fault.Unanswered: 0.15, fault.Late: 0.15, fault.Unreadable: 0.05}}))
		var all sync.WaitGroup
		for n := range 6 {
			id := s.turn(parley.EntryID(rune('a' + n))).ID
			all.Go(func() {
				for score := range 10 {
					for {
						_, err := flaky.Rate(context.Background(), s.visitor, id, 1+(score+n)%5, "")
						if err == nil {
							break
						}
						if is(err, parley.ErrLimit) {
							time.Sleep(time.Minute)
							continue
						}
						if !is(err, parley.ErrUnavailable) {
							s.Errorf("rate: %v", err)
							return
						}
					}
				}
			})
		}
		all.Wait()
		network.Settle()
		s.totalsEqualRatings("after faults", day)
	})
}

func TestRatingsOff(t *testing.T) {
	onBolt(t, func(s scene) {
		id := s.turn("opening").ID
		p := generous()
		p.CSAT = parley.CSATOff
		parleytest.Put(s, s.store, p)
		s.unchanged("a rating", func() {
			_, err := s.store.Rate(context.Background(), s.visitor, id, 5, "")
			s.want("rate", err, "csat_off")
		})
	})
}
