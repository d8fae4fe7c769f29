package parley_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"

	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/table"
	"parley/shared/table/fault"
	"parley/shared/table/meter"
)

// sit has so many ask for a seat at once, each in a process of its own, and returns
// the seats that were given.
func (s scene) sit(n int, c func(i int) parley.Caller) []*parley.Seat {
	s.Helper()
	seats := make(chan *parley.Seat, n)
	var all sync.WaitGroup
	for i := range n {
		store := s.over(s.table)
		all.Go(func() {
			seat, err := store.TakeSeat(context.Background(), c(i))
			switch {
			case err == nil:
				seats <- seat
			case parley.Code(err) != "readers_limit" || !is(err, parley.ErrLimit):
				s.Errorf("take a seat = %v", err)
			}
		})
	}
	all.Wait()
	close(seats)
	var given []*parley.Seat
	for seat := range seats {
		given = append(given, seat)
	}
	return given
}

// TestSeats: of one reader there are few seats, however many processes ask at once;
// one that is left, or whose process has died, is another's.
func TestSeats(t *testing.T) {
	onBoth(t, func(s scene) {
		same := func(int) parley.Caller { return s.visitor }
		given := s.sit(40, same)
		if len(given) != 4 {
			s.Fatalf("%d of 40 who asked have a seat, want 4", len(given))
		}
		given[2].Leave(context.Background())
		given[2].Leave(context.Background()) // once is enough
		if again := s.sit(5, same); len(again) != 1 {
			s.Errorf("%d have the seat that was left, want 1", len(again))
		}
		other := parleytest.Visitor(s, s.store)
		if got := s.sit(5, func(int) parley.Caller { return other }); len(got) != 4 {
			s.Errorf("another visitor has %d seats, want 4", len(got))
		}
		await(parley.SeatLife - 1)
		if got := s.sit(5, same); len(got) != 0 {
			s.Errorf("%d have a seat before the life of the others is over", len(got))
		}
		await(1)
		if got := s.sit(9, same); len(got) != 4 {
			s.Errorf("%d have a seat after the others died, want 4", len(got))
		}
		given[0].Leave(context.Background()) // too late: it is another's
		if got := s.sit(5, same); len(got) != 0 {
			s.Errorf("who left after the seat's life has left another's: %d have it", len(got))
		}
	})
}

// TestSeatsOfAnAddress: visitors are made quickly, addresses are not.
func TestSeatsOfAnAddress(t *testing.T) {
	onBolt(t, func(s scene) {
		crowd := func(i int) parley.Caller {
			return parley.Caller{Project: parleytest.Project, Visitor: parley.VisitorID(fmt.Sprint("v", i)), Address: "203.0.113.9"}
		}
		given := s.sit(60, crowd)
		if len(given) != 32 {
			s.Errorf("60 visitors of an address have %d seats, want 32", len(given))
		}
		if got := s.sit(6, func(int) parley.Caller { return s.visitor }); len(got) != 4 {
			s.Errorf("a visitor of another address has %d seats, want 4", len(got))
		}
		// Who was refused for the address's sake has left the reader's own seats.
		for _, seat := range given {
			seat.Leave(context.Background())
		}
		if got := s.sit(60, crowd); len(got) != 32 {
			s.Errorf("when all have left, 60 visitors have %d seats, want 32", len(got))
		}
	})
}

// TestSeatsOfAContact: a contact reads with all its browsers on the same seats, if
// it is vouched for; else the e-mail address is anybody's.
func TestSeatsOfAContact(t *testing.T) {
	onBolt(t, func(s scene) {
		browser := func(unproven bool) func(int) parley.Caller {
			return func(i int) parley.Caller {
				return parley.Caller{Project: parleytest.Project, Visitor: parley.VisitorID(fmt.Sprint("v", i)), Contact: "ann", Unproven: unproven}
			}
		}
		if got := s.sit(9, browser(false)); len(got) != 4 {
			s.Errorf("9 browsers of a contact have %d seats, want 4", len(got))
		}
		if got := s.sit(9, browser(true)); len(got) != 9 {
			s.Errorf("of 9 who say that they are Ann, %d have a seat", len(got))
		}
	})
}

// TestSeatsOfStaff: who has a private key is not counted, and writes nothing.
func TestSeatsOfStaff(t *testing.T) {
	onBolt(t, func(s scene) {
		before := s.table.Dump(s)
		if got := s.sit(50, func(int) parley.Caller { return s.operator() }); len(got) != 50 {
			s.Errorf("%d of 50 operators have a seat", len(got))
		}
		if changed := parleytest.Differences(before, s.table.Dump(s)); len(changed) > 0 {
			s.Errorf("operators' seats are in the table: %q", changed)
		}
	})
}

// TestSeatsUnderFaults: with a table that loses answers there may be fewer seats, never more.
func TestSeatsUnderFaults(t *testing.T) {
	given := 0
	for seed := range uint64(20) {
		onBolt(t, func(s scene) {
			network := fault.NewNetwork(fault.NetworkConfig{Table: s.table})
			seats := make(chan *parley.Seat, 30)
			var all sync.WaitGroup
			for i := range 30 {
				store := s.over(network.Process(fault.Config{Seed: seed*100 + uint64(i), Chance: map[fault.Kind]float64{
					fault.Lost: 0.2, fault.Unanswered: 0.2, fault.Conflict: 0.2, fault.Twice: 0.2}}))
				all.Go(func() {
					if seat, err := store.TakeSeat(context.Background(), s.visitor); err == nil {
						seats <- seat
					}
				})
			}
			all.Wait()
			if got := len(seats); got > 4 {
				s.Errorf("seed %d: %d have a seat, want 4 at most", seed, got)
			}
			given += len(seats)
		})
	}
	if given == 0 {
		t.Error("nobody was given a seat")
	}
}

// TestSeatCost: a seat is four small writes, of reader and address, and to be refused one. Of IPv6 it is six.
func TestSeatCost(t *testing.T) {
	onBolt(t, func(s scene) {
		counted := meter.New(meter.Config{Table: s.table, Label: func(a table.Action) string { return a.Key.PK[:len("demo/seats")] }})
		store := s.over(counted)
		seat, err := store.TakeSeat(context.Background(), s.visitor)
		if err != nil {
			s.Fatal(err)
		}
		seat.Leave(context.Background())
		got := counted.Counts()
		if got.Writes["demo/seats"] != (meter.Units{Actions: 4, Table: 4}) || len(slices.Collect(maps.Keys(got.Reads))) > 0 {
			s.Errorf("a seat costs %+v", got)
		}
		s.sit(9, func(int) parley.Caller { return s.visitor })
		counted.Reset()
		if _, err := store.TakeSeat(context.Background(), s.visitor); parley.Code(err) != "readers_limit" {
			s.Fatal(err)
		}
		if got := counted.Counts(); got.Writes["demo/seats"] != (meter.Units{Actions: 1, Table: 1}) || len(got.Writes) != 1 {
			s.Errorf("to be refused costs %+v", got)
		}
	})
}

// TestSeatsOfANetwork: whoever is given a /48 of IPv6 has eight addresses' seats, not
// 65,536 times those of one, and what was refused leaves nothing taken.
func TestSeatsOfANetwork(t *testing.T) {
	onBolt(t, func(s scene) {
		counted := meter.New(meter.Config{Table: s.table})
		store := parleytest.Store(s, parley.Config{Table: counted, Bucket: s.bucket, Seats: parley.Seats{Address: 2}})
		sit := func(network, visitor int) (*parley.Seat, string) {
			seat, err := store.TakeSeat(context.Background(), parley.Caller{Project: parleytest.Project,
				Visitor: parley.VisitorID(fmt.Sprint("v", network, "-", visitor)), Address: fmt.Sprintf("2001:db8:1:%x::%x", network, visitor)})
			return seat, parley.Code(err)
		}
		var given []*parley.Seat
		for network := range 20 {
			of := 0
			for visitor := range 3 {
				if seat, code := sit(network, visitor); code == "" {
					given, of = append(given, seat), of+1
				} else if code != "readers_limit" {
					s.Fatalf("take a seat: %s", code)
				}
			}
			if want := 2; network < 8 && of != want || network >= 8 && of != 0 {
				s.Errorf("network %d of a /48 has %d seats", network, of)
			}
		}
		for range 9 {
			if _, code := sit(30, 0); code != "readers_limit" {
				s.Errorf("with no seat left in the /48: %q", code)
			}
		}
		if len(given) == 0 {
			s.Fatal("nobody has a seat")
		}
		given[0].Leave(context.Background())
		counted.Reset()
		seat, code := sit(30, 0)
		if code != "" {
			s.Fatalf("with one seat left in the /48: %s", code)
		}
		seat.Leave(context.Background())
		// One of few may be tried first that another has.
		if got := counted.Counts().WriteUnits(); got < 6 || got > 9 {
			s.Errorf("a seat costs %d write units, want six", got)
		}
		other := parley.Caller{Project: parleytest.Project, Visitor: "other", Address: "2001:db8:2::1"}
		if _, err := store.TakeSeat(context.Background(), other); err != nil {
			s.Errorf("another /48: %v", err)
		}
	})
}
