package parley_test

import (
	"context"
	"testing"
	"time"

	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/table/meter"
)

// typist is who a visitor sees typing; nil is nobody.
func (s scene) typist(id parley.SessionID) *parley.Author {
	s.Helper()
	got, err := s.store.PeekWithTyping(context.Background(), s.visitor, id, 1<<40)
	if err != nil {
		s.Fatal(err)
	}
	if got.Typing == nil {
		return nil
	}
	return &got.Typing.By
}

// types has an operator type, or stop, and returns whether that is news.
func (s scene) types(by parley.Operator, id parley.SessionID, typing bool) bool {
	s.Helper()
	_, news, err := s.store.SetTyping(context.Background(), operatorNamed(by.ID), id, by.Author(), typing)
	if err != nil {
		s.Fatal(err)
	}
	return news
}

// TestTyping: an operator is seen typing for as long as they say so, at most until
// they have written.
func TestTyping(t *testing.T) {
	onBolt(t, func(s scene) {
		ben := parley.Operator{ID: "ben", Name: "Ben"}
		id := s.turn("m").ID
		s.unchanged("typing where the AI answers", func() {
			if s.types(ola, id, true) || s.typist(id) != nil {
				s.Error("somebody types where nobody looks")
			}
		})
		s.want("take over", s.store.TakeOver(context.Background(), operatorNamed(ola.ID), id, ola.Author()), "")
		await(time.Second)

		if !s.types(ola, id, true) {
			s.Error("the first word is no news")
		}
		if who := s.typist(id); who == nil || *who != ola.Author() {
			s.Errorf("types: %+v, want Ola", who)
		}
		await(parley.TypingLife - time.Millisecond)
		if s.typist(id) == nil {
			s.Error("over before its time")
		}
		await(time.Millisecond)
		if who := s.typist(id); who != nil {
			s.Errorf("types after its time: %+v", who)
		}

		s.types(ola, id, true)
		s.unchanged("typing on at once, and another's stopping", func() {
			if s.types(ola, id, true) || s.types(ben, id, false) {
				s.Error("news of what is known")
			}
		})
		await(time.Second - time.Millisecond)
		s.unchanged("typing on within a second", func() {
			if s.types(ola, id, true) {
				s.Error("typing on within a second is news")
			}
		})
		await(time.Millisecond)
		if !s.types(ola, id, true) {
			s.Error("typing on after a second is no news")
		}
		await(4 * time.Second)
		if s.typist(id) == nil {
			s.Error("who types on is not seen")
		}
		if !s.types(ola, id, false) || s.typist(id) != nil {
			s.Error("who has stopped is seen typing")
		}

		s.types(ola, id, true)
		s.answer("r", id)
		if who := s.typist(id); who != nil {
			s.Errorf("types after the message: %+v", who)
		}
		await(time.Second)
		s.types(ben, id, true)
		if who := s.typist(id); who == nil || who.Name != "Ben" {
			s.Errorf("types after another's message: %+v, want Ben", who)
		}
		s.want("hand back", s.store.HandBack(context.Background(), s.operator(), id, human("me")), "")
		if who := s.typist(id); who != nil {
			s.Errorf("types where the AI answers again: %+v", who)
		}
	})
}

// TestTypingIsErased: nothing is left of it with the session, and it needs an operator.
func TestTypingIsErased(t *testing.T) {
	onBolt(t, func(s scene) {
		ctx := context.Background()
		id := s.turn("m").ID
		_, _, err := s.store.SetTyping(ctx, s.visitor, id, human("me"), true)
		s.want("a visitor's", err, "operators_only")
		s.want("take over", s.store.TakeOver(ctx, operatorNamed(ola.ID), id, ola.Author()), "")
		s.types(ola, id, true)
		s.want("erase", s.store.Erase(ctx, s.operator(), id), "")
		for key := range s.table.Dump(s) {
			if key.SK == "typing" {
				s.Errorf("%v is left", key)
			}
		}
		_, _, err = s.store.SetTyping(ctx, operatorNamed(ola.ID), id, ola.Author(), true)
		s.want("in an erased session", err, "not_found")
	})
}

// TestTypingCosts: a write unit a word, half a read unit more for whoever looks, and
// no wave.
func TestTypingCosts(t *testing.T) {
	onBolt(t, func(s scene) {
		ctx := context.Background()
		id := s.turn("m").ID
		s.want("take over", s.store.TakeOver(ctx, operatorNamed(ola.ID), id, ola.Author()), "")
		m := meter.New(meter.Config{Table: s.table})
		store := parleytest.Store(s, parley.Config{Table: m})
		if _, _, err := store.SetTyping(ctx, operatorNamed(ola.ID), id, ola.Author(), true); err != nil {
			s.Fatal(err)
		}
		if c := m.Counts(); c.WriteUnits() != 1 || c.ReadUnits() != 1 || c.Waves != 2 {
			s.Errorf("a word costs %v write and %v read units in %d waves, want 1 and 1 in 2", c.WriteUnits(), c.ReadUnits(), c.Waves)
		}
		cost := func(look func(context.Context, parley.Caller, parley.SessionID, parley.Seq) (parley.Changes, error)) meter.Counts {
			m.Reset()
			if _, err := look(ctx, s.visitor, id, 1<<40); err != nil {
				s.Fatal(err)
			}
			return m.Counts()
		}
		without, with := cost(store.Peek), cost(store.PeekWithTyping)
		if with.ReadUnits() != without.ReadUnits()+0.5 || with.Waves != without.Waves || with.WriteUnits() != 0 {
			s.Errorf("looking costs %v units in %d waves, without typing %v in %d", with.ReadUnits(), with.Waves, without.ReadUnits(), without.Waves)
		}
	})
}
