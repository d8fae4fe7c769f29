package hissuno

import (
	"testing"
	"time"

	"parley/shared/parley"
	"parley/shared/parleytest"
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
			"another was cancelled": {func(id parley.SessionID) {
				claim := parleytest.Send(s, s.store, s.visitor, parleytest.Say("stop", id, "Stop!")).Claim
				parleytest.Append(s, s.store, claim, "One,")
				_, err := s.store.Cancel(s.Context(), s.visitor, id, "")
				s.fatal(err)
			}, false},
		} {
			id := s.turn(parley.EntryID(name), "")
			test.happens(id)
			if _, a := s.reads(id); a.isMissed() != test.missed {
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

// TestReplyUnwritten: a reply whose end could not be written is given to the next
// page; one that was written since is not taken back with it.
func TestReplyUnwritten(t *testing.T) {
	onBoth(t, func(s site) {
		id := s.turn("m", "")
		first, a := s.reads(id)
		s.fatal(first.replyWritten(s.Context(), a.missed.Seq))
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
		s.fatal(first.replyWritten(s.Context(), a.missed.Seq))
		if _, next := s.reads(id); next.isMissed() {
			s.Errorf("after an earlier one, another is given again: %+v", next.missed)
		}
	})
}
