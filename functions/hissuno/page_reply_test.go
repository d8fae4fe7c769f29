package hissuno

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/table/meter"
)

// TestMissedReply: a page is given the reply to the visitor's newest message, if no
// page has it, if it is whole, and for a while.
func TestMissedReply(t *testing.T) {
	onBolt(t, func(s site) {
		for name, test := range map[string]struct {
			happens func(parley.SessionID)
			missed  bool
		}{
			"it ended":              {func(parley.SessionID) {}, true},
			"as long ago as it may": {func(id parley.SessionID) { s.ages(id, replyLife) }, true},
			"longer ago":            {func(id parley.SessionID) { s.ages(id, replyLife+time.Millisecond) }, false},
			"a page has it":         {func(id parley.SessionID) { s.hasRead(id) }, false},
			"the visitor went on": {func(id parley.SessionID) {
				s.takeOver(id)
				parleytest.Send(s, s.store, s.visitor, parleytest.Say("and", id, "And?"))
			}, false},
			"a person went on": {func(id parley.SessionID) { s.says(id, "I am Ola") }, true},
			"a page has it, and a person went on": {func(id parley.SessionID) {
				s.hasRead(id)
				s.says(id, "I am Ola again")
			}, false},
			"another was cancelled": {func(id parley.SessionID) {
				claim := parleytest.Send(s, s.store, s.visitor, parleytest.Say("stop", id, "Stop!")).Claim
				parleytest.Append(s, s.store, claim, "One,")
				_, err := s.store.Cancel(s.Context(), s.visitor, id, "")
				s.fatal(err)
			}, false},
		} {
			id := s.turn(parley.EntryID(name), "")
			test.happens(id)
			if _, a := s.reads(id); a.isMissed() != test.missed || test.missed && a.missed.Author.Kind != parley.AuthorAI {
				s.Errorf("%s: %+v", name, a.missed)
			}
		}
	})
}

// ages waits until the newest entry has an age.
func (s site) ages(id parley.SessionID, age time.Duration) {
	s.Helper()
	entries := parleytest.Entries(s, s.store, parleytest.Operator(), id)
	time.Sleep(time.Until(entries[len(entries)-1].Time().Add(age)))
}

// acknowledged is a message that is answered with a sentence, since a person has the
// session.
func (s site) acknowledged(id parley.SessionID, message parley.EntryID) {
	s.Helper()
	r := parleytest.Say(message, id, "Are you there?")
	r.Acknowledge = true
	parleytest.Send(s, s.store, s.visitor, r)
}

// TestAcknowledgementIsAReply: a page reads an acknowledgement as it does a reply, and
// is not told of it besides.
func TestAcknowledgementIsAReply(t *testing.T) {
	onBolt(t, func(s site) {
		id := s.turn("m", "")
		s.takeOver(id)
		upto := s.anew(id, "taken_over")
		s.acknowledged(id, "n")
		s.asks(id, upto, true)
		_, a := s.reads(id)
		if !a.isMissed() || a.run != "" || a.missed.Author.Kind != parley.AuthorSystem {
			s.Errorf("the page reads %+v", a)
		}
	})
}

// TestReplyIsProven: a page that asks anew has the reply whose end was written to it,
// which is noted once. One that goes on after an event need not have it.
func TestReplyIsProven(t *testing.T) {
	parleytest.OnBothTables(t, func(t *testing.T, tbl *parleytest.Listed) {
		units := meter.New(meter.Config{Table: tbl})
		s := newSite(t, tbl, units)
		for name, test := range map[string]struct {
			asks func(parley.SessionID)
			has  bool
		}{
			"it goes on": {func(id parley.SessionID) { s.asks(id, 0, true) }, false},
			"it asks anew": {func(id parley.SessionID) {
				s.anew(id)
				units.Reset()
				s.anew(id)
				if c := units.Counts(); c.WriteUnits() != 0 {
					s.Errorf("asking anew again costs %d units", c.WriteUnits())
				}
			}, true},
		} {
			id := s.turn(parley.EntryID(name), "")
			units.Reset()
			s.anew(id)
			if c := units.Counts(); c.WriteUnits() != 0 {
				s.Errorf("asking anew costs %d units where there is no reply to prove", c.WriteUnits())
			}
			s.hasRead(id)
			test.asks(id)
			if next := s.loaded(id); next.isMissed() == test.has {
				s.Errorf("%s: the next page is given %+v", name, next.missed)
			}
		}
	})
}

// TestReplyStoredInTheLastMoment: a page that has sent its beacon may still have stored
// the reply whose end was written before, and shows that by asking anew. What asks
// together with the next page is that page.
func TestReplyStoredInTheLastMoment(t *testing.T) {
	onBoth(t, func(s site) {
		for name, test := range map[string]struct {
			asks  []time.Duration // before the next page is loaded, each after the one before
			loads time.Duration   // after the last
			again bool
		}{
			"it asks nothing":             {nil, time.Second, true},
			"it asks":                     {[]time.Duration{time.Millisecond}, together + time.Millisecond, false},
			"the next one asks":           {[]time.Duration{time.Second}, together, true},
			"it asks, and then the next":  {[]time.Duration{time.Millisecond, 50 * time.Millisecond}, time.Millisecond, false},
			"it asks, and the next later": {[]time.Duration{time.Millisecond}, 5 * time.Minute, false},
		} {
			id := s.turn(parley.EntryID(name), "")
			s.hasRead(id)
			s.left(id)
			for _, after := range test.asks {
				time.Sleep(after)
				s.anew(id)
			}
			time.Sleep(test.loads)
			if next := s.loaded(id); next.isMissed() != test.again {
				s.Errorf("%s: the next page is given %+v", name, next.missed)
			}
			if test.again {
				s.hasRead(id)
			}
			s.anew(id)
			if next := s.loaded(id); next.isMissed() {
				s.Errorf("%s: the page after that is given %+v", name, next.missed)
			}
		}
	})
}

// TestReplyEndsMeanwhile: a request does not prove a reply whose end was written after
// it was read what had been.
func TestReplyEndsMeanwhile(t *testing.T) {
	onBoth(t, func(s site) {
		id := s.turn("m", "")
		s.hasRead(id)
		h := held{s.table, make(chan struct{})}
		asking := updates{page: s.over(parleytest.Store(s, parley.Config{Table: h})).pageOf(s.visitor, id)}
		asked := make(chan error, 1)
		go func() {
			_, err := asking.begin(context.Background(), 0, false)
			asked <- err
		}()
		synctest.Wait() // it stands before its write
		s.turn("n", id)
		s.hasRead(id)
		close(h.until)
		s.fatal(<-asked)
		if next := s.loaded(id); !next.isMissed() {
			s.Error("the second reply is taken to have arrived")
		}
	})
}

// TestReplyUnwritten: a reply whose end could not be written is given to the next
// page; one that was written since is not taken back with it.
func TestReplyUnwritten(t *testing.T) {
	onBoth(t, func(s site) {
		id := s.turn("m", "")
		first, a := s.reads(id)
		s.fatal(first.replyWritten(s.Context(), a.missed.Seq, 0))
		s.fatal(first.replyUnwritten(s.Context(), a.missed.Seq))
		if _, again := s.reads(id); again.missed.Seq != a.missed.Seq {
			s.Errorf("it is not given again: %+v", again.missed)
		}
		s.turn("n", id)
		s.hasRead(id)
		s.fatal(first.replyUnwritten(s.Context(), a.missed.Seq))
		if _, next := s.reads(id); next.isMissed() {
			s.Errorf("another is given again: %+v", next.missed)
		}
		// An earlier reply that comes to its end late does not make the later one missed.
		s.fatal(first.replyWritten(s.Context(), a.missed.Seq, 0))
		if _, next := s.reads(id); next.isMissed() {
			s.Errorf("after an earlier one, another is given again: %+v", next.missed)
		}
	})
}
