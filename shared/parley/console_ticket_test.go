package parley_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"parley/shared/parley"
	"parley/shared/parleytest"
)

// ticketed is a scene in which Ola has a private key, with a second one of its name.
func ticketed(s scene) (parley.Caller, parley.PrivateKey) {
	s.Helper()
	s.hire(ola)
	s.key(parley.PrivateKey{Name: "laptop", Scopes: parley.Scopes(), Operator: ola.ID})
	key, _ := s.key(parley.PrivateKey{Name: "laptop", Scopes: parley.Scopes(), Operator: ola.ID})
	key.Project = parleytest.Project
	return parley.Caller{Project: parleytest.Project, Operator: ola.ID, Address: "203.0.113.5"}, key
}

// TestConsoleTicketOpensOnce: a ticket opens one connection of whoever got it, once and
// for a minute, and is not to be read in the table.
func TestConsoleTicketOpensOnce(t *testing.T) {
	onBoth(t, func(s scene) {
		ctx := context.Background()
		c, key := ticketed(s)
		ticket, ends, err := s.store.NewConsoleTicket(ctx, c, key)
		if err != nil || len(ticket) != 32 || !ends.Equal(time.Now().Add(parley.ConsoleTicketLife)) {
			s.Fatalf("ticket = %q until %v, %v", ticket, ends, err)
		}
		for k, item := range s.table.Dump(s) {
			if text := fmt.Sprint(k, item); strings.Contains(text, ticket) || strings.Contains(text, c.Address) {
				s.Errorf("%v tells the ticket or the address", k)
			}
		}
		got, err := s.store.UseConsoleTicket(ctx, ticket)
		if err != nil || got.Project != parleytest.Project || got.Caller.Operator != ola.ID || got.Key.ID != key.ID || !got.Ready {
			s.Errorf("it opens %+v, %v", got, err)
		}
		s.unchanged("using it again", func() {
			_, err = s.store.UseConsoleTicket(ctx, ticket)
			s.want("it again", err, "ticket_invalid")
		})
	})
}

// TestConsoleTicketIsRefused: what is no ticket, or not one any more, opens nothing.
func TestConsoleTicketIsRefused(t *testing.T) {
	for name, test := range map[string]struct {
		code string
		// before is what happens to a ticket before it is used.
		before func(s scene, key parley.PrivateKey)
	}{
		"in its last moment": {"", func(scene, parley.PrivateKey) { await(parley.ConsoleTicketLife - time.Millisecond) }},
		"expired":            {"ticket_invalid", func(scene, parley.PrivateKey) { await(parley.ConsoleTicketLife) }},
		"its key revoked": {"ticket_invalid", func(s scene, key parley.PrivateKey) {
			s.want("revoke", s.store.RemovePrivateKey(context.Background(), key.Project, key.ID), "")
		}},
		"its operator gone": {"ticket_invalid", func(s scene, _ parley.PrivateKey) {
			s.want("remove", s.store.RemoveOperator(context.Background(), parleytest.Project, ola.ID), "")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			onBolt(t, func(s scene) {
				c, key := ticketed(s)
				ticket, _, err := s.store.NewConsoleTicket(context.Background(), c, key)
				if err != nil {
					s.Fatal(err)
				}
				test.before(s, key)
				_, err = s.store.UseConsoleTicket(context.Background(), ticket)
				s.want(name, err, test.code)
			})
		})
	}
	onBolt(t, func(s scene) {
		for _, no := range []string{"", "x", strings.Repeat("x", parley.MaxIDBytes+1)} {
			_, err := s.store.UseConsoleTicket(context.Background(), no)
			s.want("no ticket", err, "ticket_invalid")
		}
	})
}

// TestConsoleTicketIsForStaff: nobody else gets one, nor a key of another project's.
func TestConsoleTicketIsForStaff(t *testing.T) {
	onBolt(t, func(s scene) {
		c, key := ticketed(s)
		foreign := key
		foreign.Project = "other"
		s.unchanged("refused tickets", func() {
			_, _, err := s.store.NewConsoleTicket(context.Background(), s.visitor, key)
			s.want("a visitor's", err, "operators_only")
			_, _, err = s.store.NewConsoleTicket(context.Background(), c, foreign)
			s.want("with another project's key", err, "operators_only")
		})
	})
}

// TestConsoleTicketsPerMinute: a key gets so many at once, and another key's are its own.
func TestConsoleTicketsPerMinute(t *testing.T) {
	onBolt(t, func(s scene) {
		c, key := ticketed(s)
		take := func(key parley.PrivateKey) string {
			_, _, err := s.store.NewConsoleTicket(context.Background(), c, key)
			return parley.Code(err)
		}
		taken := 0
		for taken <= parley.ConsoleTicketsPerMinute && take(key) == "" {
			taken++
		}
		if taken != parley.ConsoleTicketsPerMinute {
			s.Errorf("%d tickets at once, want %d", taken, parley.ConsoleTicketsPerMinute)
		}
		other := key
		other.ID = "another"
		if code := take(other); code != "" {
			s.Errorf("another key's: %s", code)
		}
		await(time.Minute)
		if code := take(key); code != "" {
			s.Errorf("a minute later: %s", code)
		}
	})
}

// TestConsoleOfWhoLeft: a console's connection is nobody's once its key or its operator
// is gone, and a visitor's is no console's.
func TestConsoleOfWhoLeft(t *testing.T) {
	onBolt(t, func(s scene) {
		ctx := context.Background()
		c, key := ticketed(s)
		console, server, tab := s.console("c1="), s.console("c2="), s.tab("t1=")
		console.Caller, console.Key = c, key
		server.Caller = parley.Caller{Project: parleytest.Project, Server: true}
		server.Key, _ = s.key(parley.PrivateKey{Name: "backend", Scopes: parley.Scopes()})
		for _, one := range []parley.Connection{console, server, tab} {
			s.connect(one)
		}
		is := func(what string, of parley.Connection, code string) {
			s.Helper()
			_, err := s.store.ConsoleOf(ctx, of.Ref)
			s.want(what, err, code)
		}
		is("a console", console, "")
		is("a server's", server, "")
		is("a visitor's", tab, "not_found")
		s.want("revoke", s.store.RemovePrivateKey(ctx, parleytest.Project, key.ID), "")
		is("a console without its key", console, "not_found")
		is("a server's, still", server, "")
	})
}
