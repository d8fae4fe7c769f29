package parley_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/table/meter"
)

// TestCallsArePaced: a visitor who asks without pause is refused until time has
// passed, without a call to the table; others are answered, and an address has more.
func TestCallsArePaced(t *testing.T) {
	onBolt(t, func(s scene) {
		p := generous()
		p.Budgets.CallsPerMinute = 60
		m := meter.New(meter.Config{Table: s.table})
		store := s.over(m)
		taken := func(c parley.Caller, calls int) (n int) {
			for range calls {
				err := store.TakeCall(&p, c)
				if err == nil {
					n++
					continue
				}
				var e *parley.Error
				if !errors.As(err, &e) || e.Code != "calls_limit" || e.RetryAfter <= 0 || e.RetryAfter > time.Second {
					s.Fatalf("refused with %v", err)
				}
			}
			return n
		}
		if n := taken(s.visitor, 200); n != 60 {
			s.Errorf("%d calls at once, want 60", n)
		}
		await(10 * time.Second)
		if n := taken(s.visitor, 200); n != 10 {
			s.Errorf("%d calls after ten seconds, want 10", n)
		}
		other := s.visitor
		other.Visitor = "another"
		if n := taken(other, 60); n != 60 {
			s.Errorf("another visitor has %d calls", n)
		}
		strangers := 0
		for _, address := range []string{"2001:db8::1", "2001:db8::2"} {
			strangers += taken(parley.Caller{Project: p.ID, Address: address}, 400)
		}
		if strangers != 600 {
			s.Errorf("an address has %d calls, want 600", strangers)
		}
		p.ID = "other"
		if n := taken(parley.Caller{Project: p.ID, Address: "2001:db8::1"}, 60); n != 60 {
			s.Errorf("in another project it has %d", n)
		}
		if c := m.Counts(); c.Calls != 0 {
			s.Errorf("%d calls of the table", c.Calls)
		}
	})
}

// TestRefusedCostsLittle: who goes on after a bound costs a read, not a refused
// transaction, and is served as soon as there is something left.
func TestRefusedCostsLittle(t *testing.T) {
	onBolt(t, func(s scene) {
		b := generous().Budgets
		b.VisitorMessages = 3
		s.limitedBy(b)
		m := meter.New(meter.Config{Table: s.table})
		s.store = s.over(m)
		for _, id := range []parley.EntryID{"a", "b", "c"} {
			s.send(say(id, ""))
			await(time.Second)
		}
		if code, _ := s.code(say("d", "")); code != "budget_spent" {
			s.Fatalf("one too many: %q", code)
		}
		m.Reset()
		for range 10 {
			if code, _ := s.code(say("d", "")); code != "budget_spent" {
				s.Fatalf("one too many: %q", code)
			}
			_, err := s.store.Begin(context.Background(), s.visitor, parley.BeginRequest{Channel: parley.ChannelOpenCX})
			s.want("a session too many", err, "budget_spent")
		}
		if c := m.Counts(); c.WriteUnits() != 0 || c.ReadUnits() > 30 {
			s.Errorf("20 refused calls cost %d write and %g read units", c.WriteUnits(), c.ReadUnits())
		}
		await(24 * time.Hour)
		parleytest.Send(s, s.store, s.visitor, say("e", ""))
	})
}

// TestCallsOfANetworkArePaced: a stranger with a /48 of IPv6 has as many calls as eight
// addresses, and what was refused for the /48's sake is not counted against its part.
func TestCallsOfANetworkArePaced(t *testing.T) {
	onBolt(t, func(s scene) {
		p := generous()
		p.Budgets.CallsPerMinute = 6
		taken := func(network, calls int) (n int) {
			for range calls {
				c := parley.Caller{Project: p.ID, Address: fmt.Sprintf("2001:db8:1:%x::1", network)}
				if code := parley.Code(s.store.TakeCall(&p, c)); code == "" {
					n++
				} else if code != "calls_limit" {
					s.Fatalf("a call: %s", code)
				}
			}
			return n
		}
		all := 0
		for network := range 20 {
			all += taken(network, 70)
		}
		if all != 8*60 {
			s.Errorf("a /48 has %d calls at once, want 480", all)
		}
		await(5 * time.Second)
		if n := taken(19, 70); n != 40 {
			s.Errorf("after five seconds one who was refused has %d, want 40", n)
		}
		if code := parley.Code(s.store.TakeCall(&p, parley.Caller{Project: p.ID, Address: "2001:db8:2::1"})); code != "" {
			s.Errorf("another /48: %s", code)
		}
	})
}

// TestPaceOutlastsACrowd: nobody's pace is forgotten for the sake of visitors who have
// none to keep, or of an address for any number of visitors.
func TestPaceOutlastsACrowd(t *testing.T) {
	onBolt(t, func(s scene) {
		p := generous()
		p.Budgets.CallsPerMinute = 60
		taken := func(c parley.Caller, calls int) (n int) {
			for range calls {
				if s.store.TakeCall(&p, c) == nil {
					n++
				}
			}
			return n
		}
		crowd := func(name string, of int) {
			for n := range of {
				c := parley.Caller{Project: p.ID, Visitor: parley.VisitorID(fmt.Sprint(name, n))}
				if err := s.store.TakeCall(&p, c); err != nil {
					s.Fatalf("visitor %d: %v", n, err)
				}
			}
		}
		taken(s.visitor, 100)
		crowd("early", 9_999)
		await(2 * time.Second)
		crowd("next", 9_999)
		if n := taken(s.visitor, 100); n != 2 {
			s.Errorf("two seconds after its last call a visitor has %d, want 2", n)
		}
		address := parley.Caller{Project: p.ID, Address: "203.0.113.9"}
		taken(address, 1000)
		crowd("late", 25_000)
		if n := taken(address, 1000); n != 0 {
			s.Errorf("after a crowd of visitors an address has %d calls more", n)
		}
	})
}

// TestTicketsArePaced: a key that asks for tickets without pause is refused, and stores
// nothing then; the keys of others are not.
func TestTicketsArePaced(t *testing.T) {
	onBolt(t, func(s scene) {
		ask := func(key string) error {
			_, _, err := s.store.NewConsoleTicket(context.Background(), parleytest.Operator(), parley.PrivateKey{ID: key, Project: parleytest.Project})
			return err
		}
		for range parley.ConsoleTicketsPerMinute {
			s.want("a ticket", ask("mine"), "")
		}
		s.unchanged("too many tickets", func() { s.want("another", ask("mine"), "calls_limit") })
		s.want("another's", ask("theirs"), "")
		await(time.Minute / parley.ConsoleTicketsPerMinute)
		s.want("a while later", ask("mine"), "")
	})
}
