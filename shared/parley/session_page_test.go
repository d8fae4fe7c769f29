package parley_test

import (
	"context"
	"testing"

	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/table/meter"
)

// TestPageMark: a dialect's mark of a page holds what was noted under the conditions
// that held, and costs one unit once it stands.
func TestPageMark(t *testing.T) {
	onBoth(t, func(s scene) {
		ctx, id := context.Background(), s.turn("m").ID
		units := meter.New(meter.Config{Table: s.table})
		store := s.over(units)
		_, mark, err := store.PeekPage(ctx, s.visitor, id, true)
		s.want("peek", err, "")
		early := mark
		for n, test := range []struct {
			change  parley.PageChange
			seen, n int64
			flag    bool
		}{
			{parley.PageChange{Same: map[string]int64{"seen": 1}, Add: map[string]int64{"n": 9}}, 0, 0, false},
			{parley.PageChange{Same: map[string]int64{"seen": 0}, Add: map[string]int64{"n": 1}, Flag: map[string]bool{"flag": true}}, 0, 1, true},
			{parley.PageChange{Same: map[string]int64{"seen": 0, "n": 1}, Below: map[string]int64{"seen": 5}, Set: map[string]int64{"seen": 4}}, 4, 1, true},
			{parley.PageChange{Same: map[string]int64{"seen": 0}, Add: map[string]int64{"n": 9}}, 4, 1, true},
			{parley.PageChange{Below: map[string]int64{"seen": 4}, Add: map[string]int64{"n": 9}}, 4, 1, true},
			{parley.PageChange{Below: map[string]int64{"seen": 5}, Add: map[string]int64{"n": 2}, Flag: map[string]bool{"flag": false}}, 4, 3, false},
		} {
			units.Reset()
			s.want("change", store.ChangePage(ctx, &mark, test.change), "")
			if c := units.Counts(); n > 1 && c.WriteUnits() > 1 {
				s.Errorf("change %d costs %d units", n, c.WriteUnits())
			}
			_, got, err := store.PeekPage(ctx, s.visitor, id, true)
			s.want("peek", err, "")
			if got.Number("seen") != test.seen || got.Number("n") != test.n || got.Flag("flag") != test.flag {
				s.Errorf("after change %d: seen %d, n %d, flag %v, want %+v", n, got.Number("seen"), got.Number("n"), got.Flag("flag"), test)
			}
		}
		s.want("erase", store.Erase(ctx, s.visitor, id), "")
		s.unchanged("a change of what has been erased", func() {
			for _, m := range []parley.PageMark{early, mark} {
				s.want("change", store.ChangePage(ctx, &m, parley.PageChange{Add: map[string]int64{"n": 1}}), "")
			}
		})
		s.erased("with a page mark", id)
	})
}

// TestPageIsOpened: opening a page is a sign of it, and peeking is none.
func TestPageIsOpened(t *testing.T) {
	onBolt(t, func(s scene) {
		ctx, id := context.Background(), s.turn("m").ID
		s.want("close", s.store.Close(ctx, s.visitor, id), "")
		if got, _, err := s.store.PeekPage(ctx, s.visitor, id, true); err != nil || got.State != parley.StateClosed {
			s.Errorf("peek: %+v, %v", got, err)
		}
		if got, _, err := s.store.OpenPage(ctx, s.operator(), id); err != nil || got.State != parley.StateClosed {
			s.Errorf("opened by an operator: %+v, %v", got, err)
		}
		if got, _, err := s.store.OpenPage(ctx, s.visitor, id); err != nil || got.State != parley.StateOpen {
			s.Errorf("opened: %+v, %v", got, err)
		}
	})
}

// TestEntriesOfASession: both readers tell every entry that a session had when it was
// opened, in order, internal ones too.
func TestEntriesOfASession(t *testing.T) {
	onBolt(t, func(s scene) {
		ctx, id := context.Background(), s.turn("m").ID
		_, err := s.store.Reply(ctx, s.operator(), human("Ola"), parley.ReplyRequest{ID: "note", Session: id, Content: "a note", Internal: true})
		s.want("note", err, "")
		for n := range parley.MaxPage {
			parleytest.Turn(s, s.store, s.visitor, parley.EntryID("m"+string(rune('0'+n%10))+string(rune('a'+n/10))), id)
		}
		session := s.session(id)
		parleytest.Turn(s, s.store, s.visitor, "later", id)
		at := parley.Seq(1)
		for e, err := range s.store.EntriesAfter(ctx, session, 1) {
			if at++; err != nil || e.Seq != at {
				s.Fatalf("after %d comes %d, %v", at-1, e.Seq, err)
			}
		}
		if at != session.Seq {
			s.Errorf("entries up to %d of %d", at, session.Seq)
		}
		for range s.store.EntriesAfter(ctx, session, session.Seq) {
			s.Error("there is an entry after the newest")
		}
		before := parley.Seq(7)
		for e, err := range s.store.EntriesBefore(ctx, session, before, 4) {
			if before--; err != nil || e.Seq != before {
				s.Fatalf("before %d comes %d, %v", before+1, e.Seq, err)
			}
		}
		if before != 3 {
			s.Errorf("entries down to %d, want 3", before)
		}
		for range s.store.EntriesBefore(ctx, session, 1, 4) {
			s.Error("there is an entry before the first")
		}
	})
}
