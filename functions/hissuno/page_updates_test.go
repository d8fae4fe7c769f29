package hissuno

import (
	"context"
	"fmt"
	"testing"
	"time"

	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/table"
)

// TestNoticeIsProven: asking anew at once proves a notice, for this page and the
// next. Later the page is not given it again, but the next one is, as long as a
// message beside it is not proven either.
func TestNoticeIsProven(t *testing.T) {
	onBolt(t, func(s site) {
		for _, test := range []struct {
			after time.Duration
			next  []string
		}{{askedAtOnce, []string{"one"}}, {askedAtOnce + time.Millisecond, []string{"taken_over", "one"}}} {
			id := s.turn(parley.EntryID(test.after.String()), "")
			s.says(id, "one")
			s.anew(id, "taken_over", "one")
			time.Sleep(test.after)
			s.anew(id, "one")
			s.left(id)
			s.loaded(id)
			s.anew(id, test.next...)
		}
	})
}

// TestNoticeComesFirst: a notice is given only as the first update of a connection.
func TestNoticeComesFirst(t *testing.T) {
	onBolt(t, func(s site) {
		id := s.turn("m", "")
		s.says(id, "one")
		upto := s.anew(id, "taken_over", "one")
		s.says(id, "two")
		s.fatal(s.store.Resolve(s.Context(), parleytest.Operator(), id, ola))
		upto = s.asks(id, upto, true, "two")
		s.asks(id, upto, true, "resolved")
		s.asks(id, upto+1, true)
		held := updates{page: s.pageOf(s.visitor, id)}
		told, err := held.begin(s.Context(), upto+1, true)
		s.fatal(err)
		s.told("a connection that is held", told)
		s.says(id, "three")
		for _, want := range [][]string{{"three"}, nil} {
			told, err = held.next(s.Context())
			s.fatal(err)
			s.told("a connection that is held", told, want...)
		}
	})
}

// TestNoticeSaysHowItIs: of what happened while no page asked, only the newest
// notice of a kind is given, and none that is not so any more.
func TestNoticeSaysHowItIs(t *testing.T) {
	onBolt(t, func(s site) {
		ctx, operator := s.Context(), parleytest.Operator()
		handsBack := func(id parley.SessionID) { s.fatal(s.store.HandBack(ctx, operator, id, ola)) }
		for name, test := range map[string]struct {
			happens func(parley.SessionID)
			want    [][]string // of connections that follow each other
		}{
			"taken over twice": {func(id parley.SessionID) { s.takeOver(id); handsBack(id); s.takeOver(id) },
				[][]string{{"taken_over"}, nil}},
			"taken over and back":   {func(id parley.SessionID) { s.takeOver(id); handsBack(id) }, [][]string{nil}},
			"taken over and closed": {func(id parley.SessionID) { s.takeOver(id); s.resolve(id) }, [][]string{{"taken_over"}, {"resolved"}, nil}},
			"closed and reopened":   {func(id parley.SessionID) { s.resolve(id); s.turn("again", id) }, [][]string{nil}},
			"closed, reopened and closed": {func(id parley.SessionID) { s.resolve(id); s.turn("once more", id); s.resolve(id) },
				[][]string{{"resolved"}, nil}},
			"left": {func(id parley.SessionID) {
				s.left(id)
				time.Sleep(time.Hour)
				_, _, err := s.store.Look(ctx, parleytest.Project, id)
				s.fatal(err)
				if got, err := s.store.Session(ctx, operator, id); err != nil || !got.Over() {
					s.Errorf("of a page that left an hour ago, the session is %+v, %v", got, err)
				}
			}, [][]string{nil}},
		} {
			id := s.turn(parley.EntryID(name), "")
			upto := s.anew(id)
			test.happens(id)
			for n, want := range test.want {
				u := updates{page: s.pageOf(s.visitor, id)}
				told, err := u.begin(ctx, upto, true)
				s.fatal(err)
				s.told(fmt.Sprintf("%s: connection %d", name, n+1), told, want...)
				upto = u.upto
			}
		}
	})
}

func (s site) resolve(id parley.SessionID) {
	s.Helper()
	s.fatal(s.store.Resolve(s.Context(), parleytest.Operator(), id, ola))
}

// TestPersonHasIt: a page is told that a person has the session when the agent had
// it before, and not of each person anew.
func TestPersonHasIt(t *testing.T) {
	onBolt(t, func(s site) {
		relieved := parley.Caller{Project: parleytest.Project, Operator: "kim"}
		kim := parley.Author{Kind: parley.AuthorHuman, ID: "kim", Name: "Kim"}
		id := s.turn("m", "")
		upto := s.anew(id)
		s.takeOver(id)
		upto = s.asks(id, upto, true, "taken_over")
		s.fatal(s.store.TakeOver(s.Context(), relieved, id, kim))
		upto = s.asks(id, upto, true)
		s.fatal(s.store.HandBack(s.Context(), parleytest.Operator(), id, ola))
		upto = s.asks(id, upto, true)
		s.takeOver(id)
		s.asks(id, upto, true, "taken_over")
		if entries := parleytest.Entries(s, s.store, parleytest.Operator(), id); len(entries) != 6 {
			s.Errorf("what happened: %q", parleytest.Brief(entries))
		}
	})
}

// TestFarBack: what a page is told does not depend on how long a session is, until it
// is so long that the page is told once more that a person has it.
func TestFarBack(t *testing.T) {
	onBolt(t, func(s site) {
		for _, between := range []int{lookBack - 1, lookBack} {
			id := s.turn(parley.EntryID(fmt.Sprint(between)), "")
			s.takeOver(id)
			var want []string
			for n := range between {
				want = append(want, fmt.Sprint("note ", n))
				s.says(id, want[n])
			}
			s.fatal(s.store.TakeOver(s.Context(), parley.Caller{Project: parleytest.Project, Operator: "kim"}, id,
				parley.Author{Kind: parley.AuthorHuman, ID: "kim"}))
			if between < lookBack {
				s.anew(id, append([]string{"taken_over"}, want...)...)
				continue
			}
			u := updates{page: s.pageOf(s.visitor, id)}
			_, err := u.begin(s.Context(), 0, false)
			s.fatal(err)
			if has, err := u.agentHadIt(s.Context(), u.session.Seq); !has || err != nil {
				s.Errorf("after %d entries, the agent is taken to have had it: %v, %v", between, has, err)
			}
		}
	})
}

// TestProvenLag: what is proven is noted before an answer would have to look at many
// entries, and not each time.
func TestProvenLag(t *testing.T) {
	onBolt(t, func(s site) {
		id := s.turn("0", "")
		s.hasRead(id)
		upto := s.anew(id) // proves the reply
		proven := upto
		for n := range provenLag {
			if got := parley.Seq(s.mark(id).Int("got")); got != proven {
				s.Errorf("with %d entries more, what is proven is noted as %d, want %d", upto-proven, got, proven)
			}
			s.turn(parley.EntryID(fmt.Sprint(n+1)), id)
			if upto = s.asks(id, upto, true); upto-proven >= provenLag {
				s.asks(id, upto, true)
				proven = upto
			}
		}
		if proven == 2 {
			s.Error("it was never noted")
		}
	})
}

// TestPageMarkAsStored pins how a page mark is stored: marks of earlier releases are
// read.
func TestPageMarkAsStored(t *testing.T) {
	onBoth(t, func(s site) {
		id := s.turn("m", "")
		s.hasRead(id)
		s.anew(id)
		s.left(id)
		s.loaded(id)
		s.says(id, "Hello")
		at := time.Now().UnixMilli()
		s.anew(id, "taken_over", "Hello")
		want := table.Item{table.PK: "demo/session/" + string(id), table.SK: "mark/page/", "loads": int64(3), "reply": int64(2), "reply_at": at,
			"sure": true, "got": int64(2), "sent": int64(4), "first": int64(3), "sent_at": at, "sent_loads": int64(3)}
		if got := s.mark(id); !got.Equal(want) {
			s.Errorf("the mark is %v, want %v", got, want)
		}
		s.fatal(s.store.HandBack(s.Context(), parleytest.Operator(), id, ola))
		s.turn("n", id)
		s.hasRead(id)
		if got := s.mark(id); got["sure"] != nil || got.Int("reply") != 7 {
			s.Errorf("after another reply the mark is %v", got)
		}
	})
}

// TestPageThatStays: a page that says that it leaves, and stays, is there when it asks
// on, also where a person has the session.
func TestPageThatStays(t *testing.T) {
	onBolt(t, func(s site) {
		for name, test := range map[string]struct {
			happens func(parley.SessionID)
			told    []string
		}{"with the agent": {func(parley.SessionID) {}, nil}, "with a person": {s.takeOver, []string{"taken_over"}}} {
			id := s.turn(parley.EntryID(name), "")
			test.happens(id)
			upto := s.anew(id, test.told...)
			s.asks(id, upto, true)
			s.left(id)
			s.asks(id, upto, true)
			got, err := s.store.Session(s.Context(), parleytest.Operator(), id)
			s.fatal(err)
			if got.Left != 0 || got.State != parley.StateOpen {
				s.Errorf("%s: the page left at %d, the session is %s", name, got.Left, got.State)
			}
		}
	})
}

// TestPageMeetsAnAnswer: a page that has everything and asks on has met what a person
// answered, so that it is not mailed.
func TestPageMeetsAnAnswer(t *testing.T) {
	onBolt(t, func(s site) {
		p := parleytest.Settings()
		p.Budgets = parley.Budgets{MessagesPerMinute: 1e6, VisitorTokens: 1e9, AddressTokens: 1e9, ProjectTokens: 1e12}
		p.ReplyMail = parley.ReplyMail{Enabled: true, Page: "https://shop.example/"}
		parleytest.Put(s, s.store, p)
		id := s.turn("m", "")
		s.says(id, "Hello")
		unmet := func() parley.Seq {
			got, err := s.store.Session(s.Context(), parleytest.Operator(), id)
			s.fatal(err)
			return got.Unmet
		}
		if unmet() == 0 {
			t.Fatal("the answer waits for no page")
		}
		got, err := s.store.Session(s.Context(), parleytest.Operator(), id)
		s.fatal(err)
		s.asks(id, got.Seq, true)
		if n := unmet(); n != 0 {
			t.Errorf("entry %d waits for a page, and one has asked", n)
		}
	})
}

// TestHeldThroughAFailure: a connection that could not be served for a moment goes on
// for the page that opened it.
func TestHeldThroughAFailure(t *testing.T) {
	parleytest.OnBolt(t, func(t *testing.T, tbl *parleytest.Listed) {
		flaky := &failing{Table: tbl}
		s := newSite(t, tbl, flaky)
		id := s.turn("m", "")
		s.left(id)
		s.loaded(id)
		held := updates{page: s.pageOf(s.visitor, id)}
		_, err := held.begin(s.Context(), 0, false)
		s.fatal(err)
		s.takeOver(id)
		flaky.fails = true
		if _, err := held.next(s.Context()); err == nil {
			t.Fatal("a table that is not there was read")
		}
		flaky.fails = false
		told, err := held.next(s.Context())
		s.fatal(err)
		s.told("held", told, "taken_over")
		s.anew(id) // it has shown that it received it
	})
}

// failing is a table that cannot be read while it fails.
type failing struct {
	table.Table
	fails bool
}

func (f *failing) Get(ctx context.Context, consistent bool, keys ...table.Key) ([]table.Item, error) {
	if f.fails {
		return nil, table.ErrUnavailable
	}
	return f.Table.Get(ctx, consistent, keys...)
}
