package parley_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/table/meter"
)

// TestSessionNumber: numbers have twelve digits, are the same each time and hardly ever of
// two sessions.
func TestSessionNumber(t *testing.T) {
	of := map[parley.SessionNumber]parley.SessionID{}
	for i := range 20_000 {
		id := parley.SessionID(fmt.Sprint("s", i))
		n := id.Number()
		if len(fmt.Sprint(int64(n))) != 12 || n != id.Number() {
			t.Fatalf("%s has the number %d", id, n)
		}
		if other, taken := of[n]; taken {
			t.Errorf("%s and %s have the number %d", id, other, n)
		}
		of[n] = id
	}
	// Numbers stand in people's notes: they never change.
	if n := parley.SessionID("s0").Number(); n != 323_641_274_275 {
		t.Errorf("s0 has the number %d", n)
	}
}

// TestByNumber: a session is found by its number, whatever its state, by the
// project's own people, for little.
func TestByNumber(t *testing.T) {
	onBoth(t, func(s scene) {
		ctx, staff := context.Background(), parleytest.Operator()
		open := s.turn("m1").ID
		resolved := s.turn("m2").ID
		if err := s.store.Resolve(ctx, staff, resolved, parley.Author{Kind: parley.AuthorHuman, ID: "op"}); err != nil {
			s.Fatal(err)
		}
		m := meter.New(meter.Config{Table: s.table})
		metered := s.over(m)
		for _, id := range []parley.SessionID{open, resolved} {
			found, err := metered.ByNumber(ctx, staff, id.Number())
			if err != nil || len(found) != 1 || found[0].Session.ID != id {
				s.Errorf("%s by its number = %+v, %v", id, found, err)
			}
		}
		m.Reset()
		if found, err := metered.ByNumber(ctx, staff, parley.SessionID("nobody's").Number()); err != nil || len(found) != 0 {
			s.Errorf("nobody's number = %+v, %v", found, err)
		}
		if c := m.Counts(); c.ReadUnits() > 8 || c.WriteUnits() > 0 {
			s.Errorf("looking for nobody's number takes %g read units", c.ReadUnits())
		}
		_, err := s.store.ByNumber(ctx, s.visitor, open.Number())
		s.want("a visitor", err, "operators_only")
		elsewhere := staff
		elsewhere.Project = "other"
		other := generous()
		other.ID, other.PublicKeys = "other", []string{"pk_test_other"}
		parleytest.Put(s, s.store, other)
		if found, err := s.store.ByNumber(ctx, elsewhere, open.Number()); err != nil || len(found) > 0 {
			s.Errorf("in another project: %+v, %v", found, err)
		}
		for _, n := range []parley.SessionNumber{0, -1, 99_999_999_999, 1_000_000_000_000} {
			_, err := s.store.ByNumber(ctx, staff, n)
			s.want(fmt.Sprint(n), err, "invalid_field")
		}
	})
}

// TestByNumberOfTwo: who looks up a number that two sessions have gets both, the newest
// activity first.
func TestByNumberOfTwo(t *testing.T) {
	onBolt(t, func(s scene) {
		c := s.bare()
		one, two := parley.SessionID("s702766"), parley.SessionID("s1209675")
		s.opens(c, one, "hello")
		await(time.Minute)
		s.opens(c, two, "hello")
		for _, want := range [][]parley.SessionID{{two, one}, {one, two}} {
			found, err := s.store.ByNumber(context.Background(), s.operator(), one.Number())
			if err != nil || len(found) != 2 || found[0].Session.ID != want[0] || found[1].Session.ID != want[1] {
				s.Errorf("by their number = %+v, %v, want %v", found, err, want)
			}
			await(time.Minute)
			_, err = s.store.Send(context.Background(), c, parley.SendRequest{ID: "again", Session: one, Content: "hello again"})
			s.want("a message of the first", err, "")
		}
	})
}
