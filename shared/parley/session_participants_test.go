package parley_test

import (
	"context"
	"slices"
	"sync"
	"testing"

	"parley/shared/parley"
	"parley/shared/parleytest"
)

// joins are the authors of the entries by which operators came to take part.
func (s scene) joins(id parley.SessionID) (who []string) {
	s.Helper()
	for _, e := range parleytest.Entries(s, s.store, s.operator(), id) {
		if e.Joins {
			who = append(who, string(e.Event)+" "+e.Author.Name)
		}
	}
	return who
}

// participants are those whom operators are shown.
func (s scene) participants(id parley.SessionID) []parley.OperatorID {
	s.Helper()
	d, err := s.store.ReadSession(context.Background(), s.operator(), id, parley.PageRequest{})
	if err != nil {
		s.Fatal(err)
	}
	return d.Participants
}

// TestJoined: an operator takes part from their first message or takeover on, and
// that is told once, in the same transaction.
func TestJoined(t *testing.T) {
	onBoth(t, func(s scene) {
		ctx := context.Background()
		write := func(c parley.Caller, by parley.Author, r parley.ReplyRequest) {
			s.Helper()
			if _, err := s.store.Reply(ctx, c, by, r); err != nil {
				s.Fatal(err)
			}
		}
		id := s.turn("m").ID
		ben := parley.Operator{ID: "ben", Name: "Ben"}.Author()
		write(operatorNamed("ben"), ben, parley.ReplyRequest{ID: "note", Session: id, Content: "Mind the gap", Internal: true})
		write(server, human("Robot"), parley.ReplyRequest{ID: "robot", Session: id, Content: "Beep", KeepHolder: true})
		if got := s.participants(id); len(got) > 0 {
			s.Errorf("a note and a server that names nobody joined: %q", got)
		}
		s.answer("r", id)
		s.answer("r2", id)
		write(operatorNamed("ben"), ben, parley.ReplyRequest{ID: "b", Session: id, Content: "And I am Ben"})
		write(operatorNamed("ben"), ben, parley.ReplyRequest{ID: "b", Session: id, Content: "And I am Ben"})
		s.want("hand back", s.store.HandBack(ctx, s.operator(), id, human("me")), "")
		s.want("take over", s.store.TakeOver(ctx, operatorNamed("ola"), id, ola.Author()), "")
		if got, want := s.joins(id), []string{"taken_over Ola", "joined Ben"}; !slices.Equal(got, want) {
			s.Errorf("joined: %q, want %q in %q", got, want, s.brief(id))
		}
		if got, want := s.participants(id), []parley.OperatorID{"ben", "ola"}; !slices.Equal(got, want) {
			s.Errorf("participants %q, want %q", got, want)
		}
		s.want("erase", s.store.Erase(ctx, s.operator(), id), "")
		s.consistent()
	})
}

// TestJoinedOnce: of two messages at once only one tells that their author joined.
func TestJoinedOnce(t *testing.T) {
	onBoth(t, func(s scene) {
		id := s.turn("m").ID
		var both sync.WaitGroup
		for _, message := range []parley.EntryID{"a", "b", "c"} {
			both.Go(func() { s.answer(message, id) })
		}
		both.Wait()
		if got := s.joins(id); !slices.Equal(got, []string{"taken_over Ola"}) {
			s.Errorf("joined: %q in %q", got, s.brief(id))
		}
		if got := s.session(id).Messages; got != 5 {
			s.Errorf("%d messages, want 5", got)
		}
	})
}
