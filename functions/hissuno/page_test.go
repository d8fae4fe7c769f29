package hissuno

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"parley/shared/api"
	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/table"
	"parley/shared/table/meter"
	"parley/shared/token"
)

// site is where a test's visitor is, in virtual time.
type site struct {
	*testing.T
	function
	table   *parleytest.Listed
	store   *parley.Store
	visitor parley.Caller
}

// pageOf is a page that asks about a session.
func (f function) pageOf(c parley.Caller, id parley.SessionID) page {
	return page{function: f, caller: c, id: id}
}

var ola = parley.Author{Kind: parley.AuthorHuman, ID: "ola", Name: "Ola"}

// onBoth plays test on both tables, onBolt on the embedded one.
func onBoth(t *testing.T, test func(s site)) {
	parleytest.OnBothTables(t, func(t *testing.T, tbl *parleytest.Listed) { test(newSite(t, tbl, tbl)) })
}

func onBolt(t *testing.T, test func(s site)) {
	parleytest.OnBolt(t, func(t *testing.T, tbl *parleytest.Listed) { test(newSite(t, tbl, tbl)) })
}

// newSite reaches the table over another one, which may meter or hold its calls.
func newSite(t *testing.T, tbl *parleytest.Listed, over table.Table) site {
	s := site{T: t, table: tbl, store: parleytest.Store(t, parley.Config{Table: over, ProjectLife: -1})}
	p := parleytest.Settings()
	p.Budgets = parley.Budgets{MessagesPerMinute: 1e6, VisitorTokens: 1e9, AddressTokens: 1e9, ProjectTokens: 1e12, IdentifyPerHour: 6000}
	parleytest.Put(t, s.store, p)
	s.visitor = parleytest.Visitor(t, s.store)
	s.function = s.over(s.store)
	return s
}

// over returns the function over a store.
func (s site) over(store *parley.Store) function {
	s.Helper()
	keys, err := token.New(token.Config{Masters: [][]byte{[]byte(strings.Repeat("m", token.MinMasterBytes))}})
	s.fatal(err)
	calls, err := api.New(api.Config{Store: store, Keys: keys, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	s.fatal(err)
	return function{Config{API: calls, Now: time.Now}}
}

func (s site) fatal(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// turn is an answered message, which begins a session where that is "".
func (s site) turn(question parley.EntryID, session parley.SessionID) parley.SessionID {
	s.Helper()
	return parleytest.Turn(s, s.store, s.visitor, question, session).ID
}

// says has the operator write, and takes the session over where the agent has it.
func (s site) says(id parley.SessionID, text string) {
	s.Helper()
	_, err := s.store.Reply(s.Context(), parleytest.Operator(), ola, parley.ReplyRequest{ID: parley.EntryID(string(id) + text), Session: id, Content: text})
	s.fatal(err)
}

func (s site) takeOver(id parley.SessionID) {
	s.Helper()
	s.fatal(s.store.TakeOver(s.Context(), parleytest.Operator(), id, ola))
}

// asks is a page's request for updates: after an entry, or anew. It returns the
// entry to go on from.
func (s site) asks(id parley.SessionID, after parley.Seq, resumed bool, want ...string) parley.Seq {
	s.Helper()
	u := updates{page: s.pageOf(s.visitor, id)}
	told, err := u.begin(s.Context(), after, resumed)
	s.fatal(err)
	s.told(fmt.Sprintf("after %d, resumed %v", after, resumed), told, want...)
	return u.upto
}

func (s site) told(what string, told []parley.Entry, want ...string) {
	s.Helper()
	got := []string{}
	for _, e := range told {
		got = append(got, string(e.Event)+e.Text)
	}
	if !slices.Equal(got, want) && len(got)+len(want) > 0 {
		s.Errorf("%s: %q, want %q", what, got, want)
	}
}

// anew is a page's request for updates from nothing.
func (s site) anew(id parley.SessionID, want ...string) parley.Seq {
	s.Helper()
	return s.asks(id, 0, false, want...)
}

// loaded is what a page asks when it is loaded, left its beacon.
func (s site) loaded(id parley.SessionID) awaited {
	s.Helper()
	p := s.pageOf(s.visitor, id)
	a, err := p.arrives(s.Context())
	s.fatal(err)
	return a
}

func (s site) left(id parley.SessionID) {
	s.Helper()
	p := s.pageOf(s.visitor, id)
	s.fatal(p.leaves(s.Context()))
}

// reads is a page that reads the reply of which it has heard nothing yet, up to
// before its last event.
func (s site) reads(id parley.SessionID) (page, awaited) {
	s.Helper()
	p := s.pageOf(s.visitor, id)
	a, err := p.awaits(s.Context())
	s.fatal(err)
	return p, a
}

// hasRead is reads with the last event.
func (s site) hasRead(id parley.SessionID) awaited {
	s.Helper()
	p, a := s.reads(id)
	if !a.isMissed() {
		s.Fatalf("there is no reply to read: %+v", a)
	}
	s.fatal(p.replyWritten(s.Context(), a.missed.Seq, 0))
	return a
}

// mark is the page mark as it stands.
func (s site) mark(id parley.SessionID) table.Item {
	s.Helper()
	return s.table.Dump(s)[table.Key{PK: "demo/session/" + string(id), SK: "mark/page/"}]
}

// TestUpdates: a page is given each message under the same id until it has shown
// that it received it, and a notice once, however it asks.
func TestUpdates(t *testing.T) {
	parleytest.OnBothTables(t, func(t *testing.T, tbl *parleytest.Listed) {
		units := meter.New(meter.Config{Table: tbl})
		s := newSite(t, tbl, units)
		id := s.turn("m", "")

		upto := s.anew(id)
		s.says(id, "one")
		s.says(id, "two")
		s.asks(id, upto, true, "taken_over", "one", "two") // on the connection that it resumes
		s.anew(id, "one", "two")                           // at once: it has the notice
		upto = s.anew(id, "one", "two")                    // which says nothing of messages
		s.asks(id, upto, true)
		s.says(id, "three")
		s.anew(id, "three")
		time.Sleep(askedAtOnce + time.Second) // so late that nothing need have arrived
		s.anew(id, "three")
		upto = s.asks(id, upto+1, true)

		units.Reset()
		s.asks(id, upto, true)
		if c := units.Counts(); c.WriteUnits() != 0 || c.ReadUnits() > 1.5 {
			t.Errorf("a page that has everything costs %d write and %g read units", c.WriteUnits(), c.ReadUnits())
		}
		s.fatal(s.store.Resolve(context.Background(), parleytest.Operator(), id, ola))
		s.says(id, "four")
		upto = s.asks(id, upto, true, "four") // which reopened it
		s.fatal(s.store.Close(context.Background(), s.visitor, id))
		s.asks(id, upto+1, true) // a sign of the page
		if got, err := s.store.Session(context.Background(), parleytest.Operator(), id); err != nil || got.State != parley.StateOpen {
			t.Errorf("a page that asks on has a session that is %s, %v", got.State, err)
		}
	})
}

// TestPageIsLoaded: a page that asks for its updates before it says that it has been
// loaded is one page, and one that comes after another has left is a new one.
func TestPageIsLoaded(t *testing.T) {
	onBoth(t, func(s site) {
		for _, test := range []struct {
			question parley.EntryID
			leaves   bool
			again    []string
		}{{"the same page", false, nil}, {"another page", true, []string{"taken_over"}}} {
			id := s.turn(test.question, "")
			s.takeOver(id)
			s.anew(id, "taken_over")
			if test.leaves {
				s.left(id)
			}
			s.loaded(id)
			s.anew(id, test.again...)
		}
	})
}

// TestPageLeavesAtTheEndOfAReply: what is written to a page while it says that it
// leaves is given to the next one.
func TestPageLeavesAtTheEndOfAReply(t *testing.T) {
	onBoth(t, func(s site) {
		id := s.turn("m", "")
		reader, awaited := s.reads(id)
		if !awaited.isMissed() {
			s.Fatalf("awaited %+v", awaited)
		}
		late, _ := s.reads(id)
		h := held{s.table, make(chan struct{})}
		leaving := s
		leaving.function = s.over(parleytest.Store(s, parley.Config{Table: h}))
		left := make(chan error, 1)
		go func() {
			p := leaving.pageOf(s.visitor, id)
			left <- p.leaves(context.Background())
		}()
		synctest.Wait() // it stands before its first write
		s.fatal(reader.replyWritten(s.Context(), awaited.missed.Seq, 0))
		close(h.until)
		s.fatal(<-left)
		s.fatal(late.replyWritten(s.Context(), awaited.missed.Seq, 0))
		if _, next := s.reads(id); next.missed.Seq != awaited.missed.Seq {
			s.Errorf("the next page is given %+v", next.missed)
		}
	})
}

// held is a table whose writes wait until they are let go.
type held struct {
	table.Table
	until chan struct{}
}

func (h held) Write(ctx context.Context, actions ...table.Action) error {
	<-h.until
	return h.Table.Write(ctx, actions...)
}

// TestPageIsKilled: a page that ends without a word, before it has shown that it
// received a reply, is followed by one that is given it.
func TestPageIsKilled(t *testing.T) {
	onBoth(t, func(s site) {
		for _, test := range []struct {
			name  parley.EntryID
			shows bool
			after time.Duration
			again bool
		}{
			{"killed at once", false, 10 * time.Second, true},
			{"shows it", true, 10 * time.Second, false},
			{"killed, as long ago as matters", false, replyUnshown, true},
			{"killed longer ago", false, replyUnshown + time.Millisecond, false},
		} {
			id := s.turn(test.name, "")
			s.hasRead(id)
			if test.shows {
				s.anew(id)
			}
			time.Sleep(test.after)
			if next := s.loaded(id); next.isMissed() != test.again {
				s.Errorf("%s: the next page is given %+v", test.name, next.missed)
			}
		}
	})
}
