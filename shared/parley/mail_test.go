package parley_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/table/meter"
)

// TestMail: a page is given each letter under the same id until it has shown that
// it received it, and an event once, however it asks.
func TestMail(t *testing.T) {
	parleytest.OnBothTables(t, func(t *testing.T, tbl *parleytest.Listed) {
		units := meter.New(meter.Config{Table: tbl})
		store := parleytest.Store(t, parley.Config{Table: units, ProjectLife: -1})
		parleytest.Put(t, store, parleytest.Settings())
		visitor, ola := parleytest.Visitor(t, store), parley.Author{Kind: parley.AuthorHuman, ID: "ola"}
		id := parleytest.Turn(t, store, visitor, "m", "").ID
		opens := func(after parley.Seq, resumed bool, want ...string) parley.Seq {
			t.Helper()
			box, letters, err := store.OpenMail(context.Background(), visitor, id, after, resumed)
			if err != nil {
				t.Fatal(err)
			}
			got := []string{}
			for _, e := range letters {
				got = append(got, string(e.Event)+e.Text)
			}
			if !slices.Equal(got, want) && len(got)+len(want) > 0 {
				t.Errorf("after %d, resumed %v: %q, want %q", after, resumed, got, want)
			}
			return box.Upto
		}
		says := func(text string) {
			t.Helper()
			if _, err := store.Reply(context.Background(), parleytest.Operator(), ola, parley.ReplyRequest{ID: parley.EntryID(text), Session: id, Content: text}); err != nil {
				t.Fatal(err)
			}
		}

		upto := opens(0, false)
		says("one")
		says("two")
		opens(upto, true, "taken_over", "one", "two") // on the connection that it resumes
		opens(0, false, "one", "two")                 // at once: it has the event
		upto = opens(0, false, "one", "two")          // which says nothing of messages
		opens(upto, true)
		says("three")
		opens(0, false, "three")
		time.Sleep(parley.ReopenedSoon + time.Second) // so late that nothing need have arrived
		opens(0, false, "three")
		upto = opens(upto+1, true)

		units.Reset()
		opens(upto, true)
		if c := units.Counts(); c.WriteUnits() != 0 || c.ReadUnits() > 1.5 {
			t.Errorf("a page that has everything costs %d write and %g read units", c.WriteUnits(), c.ReadUnits())
		}
		if err := store.Resolve(context.Background(), parleytest.Operator(), id, ola); err != nil {
			t.Fatal(err)
		}
		says("four")
		upto = opens(upto, true, "four") // which reopened it
		if err := store.Close(context.Background(), visitor, id); err != nil {
			t.Fatal(err)
		}
		opens(upto+1, true) // a sign of the page
		if s, err := store.Session(context.Background(), parleytest.Operator(), id); err != nil || s.State != parley.StateOpen {
			t.Errorf("a page that asks on has a session that is %s, %v", s.State, err)
		}
	})
}

// TestPageIsLoaded: a page that asks for its news before it says that it has been
// loaded is one page, and one that comes after another has left is a new one.
func TestPageIsLoaded(t *testing.T) {
	onBoth(t, func(s scene) {
		ctx := context.Background()
		for _, test := range []struct {
			name, question parley.EntryID
			leaves         bool
			again          int
		}{{"the same page", "m", false, 0}, {"another page", "n", true, 1}} {
			id := s.turn(test.question).ID
			if err := s.store.TakeOver(ctx, s.operator(), id, human("Ola")); err != nil {
				s.Fatal(err)
			}
			told := func(want int) {
				s.Helper()
				if _, letters, err := s.store.OpenMail(ctx, s.visitor, id, 0, false); err != nil || len(letters) != want {
					s.Errorf("%s: %+v, %v, want %d events", test.name, letters, err, want)
				}
			}
			told(1)
			if test.leaves {
				if err := s.store.PageLeft(ctx, s.visitor, id); err != nil {
					s.Fatal(err)
				}
			}
			if _, err := s.store.PageArrived(ctx, s.visitor, id); err != nil {
				s.Fatal(err)
			}
			told(test.again)
		}
	})
}

// TestPageLeavesAtTheEndOfAReply: what is written to a page while it says that it
// leaves is given to the next one.
func TestPageLeavesAtTheEndOfAReply(t *testing.T) {
	onBoth(t, func(s scene) {
		ctx := context.Background()
		id := s.turn("m").ID
		awaited, err := s.store.Awaited(ctx, s.visitor, id)
		if err != nil || !awaited.Missed() {
			s.Fatalf("awaited %+v, %v", awaited, err)
		}
		h := held{s.table, make(chan struct{})}
		left := make(chan error, 1)
		go func() { left <- s.over(h).PageLeft(ctx, s.visitor, id) }()
		synctest.Wait() // it stands before its first write
		if err := s.store.Written(ctx, s.visitor, awaited, awaited.Entry.Seq); err != nil {
			s.Fatal(err)
		}
		close(h.until)
		if err := <-left; err != nil {
			s.Fatal(err)
		}
		if err := s.store.Written(ctx, s.visitor, awaited, awaited.Entry.Seq); err != nil { // it comes late
			s.Fatal(err)
		}
		if next, err := s.store.Awaited(ctx, s.visitor, id); err != nil || next.Entry.Seq != awaited.Entry.Seq {
			s.Errorf("the next page is given %+v, %v", next.Entry, err)
		}
	})
}

// TestPageIsKilled: a page that ends without a word, before it has shown that it
// received a reply, is followed by one that is given it.
func TestPageIsKilled(t *testing.T) {
	onBoth(t, func(s scene) {
		ctx := context.Background()
		for _, shows := range []bool{false, true} {
			id := s.turn(parley.EntryID(map[bool]string{false: "m", true: "n"}[shows])).ID
			awaited, err := s.store.Awaited(ctx, s.visitor, id)
			if err != nil {
				s.Fatal(err)
			}
			if err := s.store.Written(ctx, s.visitor, awaited, awaited.Entry.Seq); err != nil {
				s.Fatal(err)
			}
			if shows {
				if _, _, err := s.store.OpenMail(ctx, s.visitor, id, 0, false); err != nil {
					s.Fatal(err)
				}
			}
			time.Sleep(10 * time.Second)
			if next, err := s.store.PageArrived(ctx, s.visitor, id); err != nil || next.Missed() == shows {
				s.Errorf("of a page that has shown that it received the reply: %v; the next is given %+v, %v", shows, next.Entry, err)
			}
		}
	})
}
