package parley_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/socket"
)

const widgetAPI = "cossistant"

// bareVisitor is somebody whose id is the credential, as a caller.
func bareVisitor(t *testing.T, s *parley.Store) parley.Caller {
	t.Helper()
	c := parley.Caller{Project: parleytest.Project, Channel: parley.ChannelCossistant}
	v, err := s.Arrive(t.Context(), c, "")
	if err != nil {
		t.Fatal(err)
	}
	c.Bare, c.Visitor = true, v.ID
	return c
}

// connected makes a connection of a page's, which listens or not.
func connected(t *testing.T, s *parley.Store, c parley.Caller, id string, listens bool) parley.Connection {
	t.Helper()
	ref := socket.Ref{API: widgetAPI, ID: id}
	if err := s.Connect(t.Context(), parley.Connection{Ref: ref, Project: c.Project, Channel: c.Channel, Caller: c}); err != nil {
		t.Fatal(err)
	}
	made, err := s.ConnectionOf(t.Context(), ref)
	if err == nil && listens {
		err = s.Listen(t.Context(), made)
	}
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// pages are the connections that are told of a session, and whether they listen.
func pages(t *testing.T, s *parley.Store, session parley.SessionID) (ids []string) {
	t.Helper()
	read, err := s.Session(t.Context(), parleytest.Operator(), session)
	if err != nil {
		t.Fatal(err)
	}
	all, err := s.PageConnections(t.Context(), read, widgetAPI)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range all {
		ids = append(ids, fmt.Sprint(c.ID, " ", c.Ready))
	}
	slices.Sort(ids)
	return ids
}

func wantPages(t *testing.T, s *parley.Store, session parley.SessionID, want ...string) {
	t.Helper()
	if got := pages(t, s, session); !slices.Equal(got, want) {
		t.Errorf("told are %q, want %q", got, want)
	}
}

// TestPageConnections: of a session's news all of the visitor's pages are told and
// nobody else's; with proof those of the contact's other visitors; and who is blocked
// is told no more.
func TestPageConnections(t *testing.T) {
	parleytest.OnBothTables(t, func(t *testing.T, tbl *parleytest.Listed) {
		var ahead time.Duration
		s := parleytest.Store(t, parley.Config{Table: tbl, ProjectLife: -1, Now: func() time.Time { return time.Now().Add(ahead) }})
		parleytest.Put(t, s, parleytest.Settings())
		one, two, stranger := bareVisitor(t, s), bareVisitor(t, s), bareVisitor(t, s)
		parleytest.Send(t, s, one, parley.SendRequest{ID: "m1", Session: "s1", Begins: true, Channel: parley.ChannelCossistant, Content: "Hello", IfBusy: parley.BusyQueue})
		connected(t, s, one, "a=", true)
		b := connected(t, s, one, "b=", false)
		connected(t, s, two, "c=", true)
		connected(t, s, stranger, "d=", true)
		wantPages(t, s, "s1", "a= true", "b= false")

		if err := s.NoteMet(t.Context(), b.Ref); err != nil {
			t.Fatal(err)
		}
		if met, err := s.ConnectionOf(t.Context(), b.Ref); err != nil || !met.Ready {
			t.Errorf("after NoteMet: %+v, %v", met, err)
		}
		for _, c := range []parley.Caller{one, two} {
			if _, err := s.Prove(t.Context(), c, parley.Identity{External: "u1"}); err != nil {
				t.Fatal(err)
			}
		}
		wantPages(t, s, "s1", "a= true", "b= false", "c= true") // before its sessions are moved
		for range 3 {
			ahead += time.Minute
			parleytest.Sweep(t, s)
		}
		wantPages(t, s, "s1", "a= true", "b= false", "c= true")

		if err := s.BlockVisitor(t.Context(), parleytest.Project, two.Visitor, true); err != nil {
			t.Fatal(err)
		}
		wantPages(t, s, "s1", "a= true", "b= false")
		if _, err := s.Prove(t.Context(), one, parley.Identity{External: "u2"}); err != nil {
			t.Fatal(err)
		}
		wantPages(t, s, "s1") // the conversation stays with whom it was proven to be

		if err := s.Disconnect(t.Context(), b.Ref, false); err != nil {
			t.Fatal(err)
		}
		if err := s.Listen(t.Context(), b); !errors.Is(err, parley.ErrNotFound) {
			t.Errorf("Listen of one that has ended = %v", err)
		}
		if err := s.NoteMet(t.Context(), b.Ref); err != nil {
			t.Error(err)
		}
		if _, err := s.ConnectionOf(t.Context(), b.Ref); !errors.Is(err, parley.ErrNotFound) {
			t.Errorf("NoteMet brings back one that has ended: %v", err)
		}
	})
}

// TestNews: whoever has been told of entries gets them, and all that came since.
func TestNews(t *testing.T) {
	parleytest.OnBolt(t, func(t *testing.T, tbl *parleytest.Listed) {
		s := parleytest.Store(t, parley.Config{Table: tbl, ProjectLife: -1})
		parleytest.Put(t, s, parleytest.Settings())
		c := bareVisitor(t, s)
		for n := range 4 {
			parleytest.Send(t, s, c, parley.SendRequest{ID: parley.EntryID(fmt.Sprint("m", n)), Session: "s1", Begins: n == 0, Channel: parley.ChannelCossistant,
				Content: "Hello", IfBusy: parley.BusyQueue})
		}
		team := parleytest.Operator()
		for _, test := range []struct {
			after, upto parley.Seq
			moved       bool
			want        int
		}{{0, 4, false, 4}, {2, 4, false, 2}, {2, 3, false, 2}, {4, 4, true, 0}, {0, 0, true, 4}, {9, 9, false, 0}} {
			news, err := s.News(t.Context(), team, "s1", test.after, test.upto, test.moved)
			if err != nil || len(news.Entries) != test.want || news.Session.Seq != 4 {
				t.Errorf("News after %d up to %d = %d entries, %v; want %d", test.after, test.upto, len(news.Entries), err, test.want)
			}
		}
		if _, err := s.News(t.Context(), team, "s2", 0, 1, false); !errors.Is(err, parley.ErrNotFound) {
			t.Errorf("News of what is not there = %v", err)
		}
		shown := func(e parley.Entry) bool { return e.Seq != 3 }
		_, entries, err := s.NewestEntries(t.Context(), team, "s1", 2, shown)
		if err != nil || len(entries) != 2 || entries[0].Seq != 2 || entries[1].Seq != 4 {
			t.Errorf("NewestEntries = %+v, %v", entries, err)
		}
	})
}

// TestBareConnectsPerDay: an address makes so many connections in a day for pages whose
// visitors anybody can be, and after that others all the same.
func TestBareConnectsPerDay(t *testing.T) {
	began := time.Date(2026, 11, 30, 1, 0, 0, 0, time.UTC)
	now := began
	s := parleytest.Store(t, parley.Config{Table: parleytest.Table(t), Now: func() time.Time { return now }})
	parleytest.Put(t, s, parleytest.Settings())
	c := bareVisitor(t, s)
	c.Address = "192.0.2.1"
	connect := func(c parley.Caller, n int) error {
		return s.Connect(t.Context(), parley.Connection{Ref: socket.Ref{API: widgetAPI, ID: fmt.Sprint(n, "=")}, Project: c.Project, Channel: c.Channel, Caller: c,
			Refused: true}) // so that it is in no list, which takes half the time
	}
	made := 0
	for ; made < 2*parley.MaxBareConnectsPerDay; made++ {
		if made%100 == 0 {
			now = now.Add(time.Minute)
		}
		if err := connect(c, made); parley.Code(err) == "connects_day_limit" {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if made != parley.MaxBareConnectsPerDay {
		t.Errorf("%d connections are made in a day, want %d", made, parley.MaxBareConnectsPerDay)
	}
	other := c
	other.Bare = false
	if err := connect(other, made+1); err != nil {
		t.Errorf("a visitor with a token = %v", err)
	}
	now = began.Add(24 * time.Hour)
	if err := connect(c, made+2); err != nil {
		t.Errorf("the next day = %v", err)
	}
}
