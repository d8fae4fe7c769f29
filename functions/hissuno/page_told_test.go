package hissuno

import (
	"testing"

	"parley/shared/parley"
	"parley/shared/parleytest"
)

// TestOfWhatPagesAreNotTold: notes are among people, and how a reply failed is told by
// the stream that it was asked for on.
func TestOfWhatPagesAreNotTold(t *testing.T) {
	onBolt(t, func(s site) {
		id := s.turn("m", "")
		upto := s.anew(id)
		_, err := s.store.Reply(s.Context(), parleytest.Operator(), ola,
			parley.ReplyRequest{ID: "note", Session: id, Content: "A difficult customer", Internal: true})
		s.fatal(err)
		claim := parleytest.Send(s, s.store, s.visitor, parleytest.Say("n", id, "And?")).Claim
		_, err = s.store.EndRun(s.Context(), claim.Ref, nil, parley.End{Next: claim.Next, Of: claim.First.Of,
			Status: parley.StatusFailed, System: true, Text: "Sorry", Unflushed: "Sorry"})
		s.fatal(err)
		if next := s.asks(id, upto, true); next < upto+3 {
			s.Errorf("the page is told up to %d, want %d", next, upto+3)
		}
	})
}

// TestPageThatSaysTooMuch: a page that claims to have more than there is misses
// nothing of what comes.
func TestPageThatSaysTooMuch(t *testing.T) {
	onBolt(t, func(s site) {
		id := s.turn("m", "")
		if upto := s.asks(id, 1000, true); upto != 2 {
			s.Errorf("it goes on after %d, want 2", upto)
		}
		s.says(id, "one")
		s.anew(id, "taken_over", "one")
	})
}

// TestPageGoesOnFarBehind: what is proven is noted of a page that goes on after many
// entries of which nothing was noted.
func TestPageGoesOnFarBehind(t *testing.T) {
	onBolt(t, func(s site) {
		id := s.turn("0", "")
		for n := range provenLag / 2 {
			s.turn(parley.EntryID(rune('a'+n)), id)
		}
		newest := parley.Seq(2 + provenLag)
		s.asks(id, newest, true)
		if got := parley.Seq(s.mark(id).Int("got")); got != newest {
			s.Errorf("what is proven is noted as %d, want %d", got, newest)
		}
	})
}

// TestHeldForAPageThatLeft: what comes is held back from a page that has left, and is
// given to the next, which asks anew in the same moment.
func TestHeldForAPageThatLeft(t *testing.T) {
	onBolt(t, func(s site) {
		id := s.turn("m", "")
		held := updates{page: s.pageOf(s.visitor, id)}
		_, err := held.begin(s.Context(), 0, false)
		s.fatal(err)
		s.left(id)
		s.loaded(id)
		s.takeOver(id)
		if told, err := held.next(s.Context()); err != errGone || len(told) > 0 {
			s.Errorf("on the connection of the page that left: %v, %v", told, err)
		}
		s.anew(id, "taken_over")
	})
}

// TestPageSaysLess: what is proven stays so, also where a connection that was cut goes
// on from before it.
func TestPageSaysLess(t *testing.T) {
	onBolt(t, func(s site) {
		id := s.turn("m", "")
		s.says(id, "one")
		s.anew(id, "taken_over", "one")
		s.asks(id, 4, true)
		s.asks(id, 3, true, "one")
		if got := s.mark(id).Int("got"); got != 4 {
			s.Errorf("what is proven is noted as %d, want 4", got)
		}
	})
}
