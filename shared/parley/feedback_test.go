package parley_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/shared/parley"
	"parley/shared/parleytest"
)

// TestFeedback: it is kept of whoever gives it, and on a session only of its owner.
func TestFeedback(t *testing.T) {
	ctx := context.Background()
	onBoth(t, func(s scene) {
		c, other := s.bare(), s.bare()
		s.opens(c, "mine", "hello")
		given, err := s.store.GiveFeedback(ctx, c, parley.Feedback{Session: "mine", Score: 4, Comment: "fine", Source: "widget", Visitor: other.Visitor, At: 1})
		if err != nil || given.ID == "" || given.Visitor != c.Visitor || given.At < time.Now().Add(-time.Minute).UnixMilli() {
			s.Errorf("feedback = %+v, %v", given, err)
		}
		_, err = s.store.GiveFeedback(ctx, c, parley.Feedback{Score: 5})
		s.want("on no session", err, "")
		s.unchanged("what is refused", func() {
			for code, f := range map[string]parley.Feedback{
				"invalid_field": {Score: parley.MaxScore + 1},
				"too_large":     {Score: 1, Comment: strings.Repeat("x", parley.MaxFeedbackBytes+1)},
				"not_found":     {Score: 1, Session: "none"},
			} {
				_, err := s.store.GiveFeedback(ctx, c, f)
				s.want(fmt.Sprintf("%+.40v", f), err, code)
			}
			_, err := s.store.GiveFeedback(ctx, other, parley.Feedback{Score: 1, Session: "mine"})
			s.want("on somebody else's", err, "not_found")
		})
		off := generous()
		off.CSAT = parley.CSATOff
		parleytest.Put(s, s.store, off)
		_, err = s.over(s.table).GiveFeedback(ctx, c, parley.Feedback{Score: 5})
		s.want("where nobody is asked", err, "csat_off")
	})
}

// TestErasedBareSessionIsGone: of an erased session of a bare visitor nothing is left
// that anybody said in it, feedback on it included.
func TestErasedBareSessionIsGone(t *testing.T) {
	ctx := context.Background()
	onBoth(t, func(s scene) {
		c := s.bare()
		said := parley.Said{ID: "welcome", Text: secret, By: parley.Author{Kind: parley.AuthorTeam}}
		sent, err := s.store.Send(ctx, c, parley.SendRequest{ID: "m1", Session: "mine", Begins: true, Channel: parley.ChannelCossistant, Content: secret,
			Greeting: []parley.Said{said}, Metadata: map[string]string{"name": secret}, Page: parley.Page{URL: "https://shop.example/" + secret}, Claim: true})
		if err != nil {
			s.Fatal(err)
		}
		s.reply(sent.Claim, secret)
		if _, _, err := s.store.NoteIdentified(ctx, c, "mine", "told"); err != nil {
			s.Fatal(err)
		}
		if _, err := s.store.GiveFeedback(ctx, c, parley.Feedback{Session: "mine", Score: 4, Comment: secret}); err != nil {
			s.Fatal(err)
		}
		if _, err := s.store.Rate(ctx, c, "mine", 4, secret); err != nil {
			s.Fatal(err)
		}
		if err := s.store.Erase(ctx, c, "mine"); err != nil {
			s.Fatal(err)
		}
		parleytest.Sweep(s, s.store)
		for k, item := range s.table.Dump(s) {
			for name, value := range item {
				if text := fmt.Sprint(value); strings.Contains(text, secret) {
					s.Errorf("%v holds %s = %q", k, name, text)
				}
			}
			if strings.HasPrefix(k.SK, "feedback/") && !item.Bool("erased") {
				s.Errorf("%v is left: %v", k, item)
			}
		}
		if got := s.recent(c); len(got) != 0 {
			s.Errorf("it lists %q", got)
		}
		_, err = s.store.GiveFeedback(ctx, c, parley.Feedback{Session: "mine", Score: 4})
		s.want("feedback on it", err, "not_found")
	})
}

// TestNoteIdentified: the event is there once however often it is sent, and nobody
// else's id tells it.
func TestNoteIdentified(t *testing.T) {
	ctx := context.Background()
	onBoth(t, func(s scene) {
		c, other := s.bare(), s.bare()
		s.opens(c, "mine", "hello")
		s.opens(other, "theirs", "hello")
		for range 2 {
			_, e, err := s.store.NoteIdentified(ctx, c, "mine", "told")
			if err != nil || e.ID != "told" || e.Event != parley.EventIdentified || e.Seq != 2 {
				s.Errorf("told = %+v, %v", e, err)
			}
		}
		if n := s.events("mine", parley.EventIdentified); n != 1 {
			s.Errorf("it is there %d times", n)
		}
		s.onlyPaced("what is refused", func() {
			_, _, err := s.store.NoteIdentified(ctx, c, "theirs", "other")
			s.want("in somebody else's session", err, "not_found")
			_, _, err = s.store.NoteIdentified(ctx, c, "mine", "first-mine")
			s.want("under a message's id", err, "message_id_conflict")
			_, _, err = s.store.NoteIdentified(ctx, other, "theirs", "told")
			s.want("under another session's event's", err, "message_id_conflict")
		})
	})
}

// TestRecent: the newest first, at most MaxRecent, with what the caller has seen and
// the newest message that it may read.
func TestRecent(t *testing.T) {
	ctx := context.Background()
	onBolt(t, func(s scene) {
		c := s.bare()
		var want []parley.SessionID
		for n := range parley.MaxRecent + 3 {
			id := parley.SessionID(fmt.Sprintf("s%03d", n))
			s.opens(c, id, fmt.Sprint("question ", n))
			want = append(want, id)
			await(time.Second)
		}
		slices.Reverse(want)
		if got := s.recent(c); !slices.Equal(got, want[:parley.MaxRecent]) {
			s.Errorf("recent = %q", got)
		}
		newest := want[0]
		if _, err := s.store.MoveMark(ctx, c, newest, parley.MarkSeen, 1); err != nil {
			s.Fatal(err)
		}
		if _, err := s.store.Reply(ctx, s.operator(), parley.Author{Kind: parley.AuthorHuman, ID: "op"}, parley.ReplyRequest{ID: "note", Session: newest, Content: secret, Internal: true}); err != nil {
			s.Fatal(err)
		}
		sessions, err := s.store.Recent(ctx, c)
		if err != nil {
			s.Fatal(err)
		}
		glimpses, err := s.store.Glimpses(ctx, c, sessions[:2])
		if err != nil || len(glimpses) != 2 {
			s.Fatalf("glimpses = %+v, %v", glimpses, err)
		}
		if g := glimpses[0]; g.Last == nil || !strings.HasPrefix(g.Last.Text, "question") || g.Seen.Upto != 1 || g.Seen.At == 0 {
			s.Errorf("glimpse = %+v", g)
		}
		if g := glimpses[1]; g.Last == nil || g.Seen.Upto != 0 {
			s.Errorf("glimpse of one not seen = %+v", g)
		}
		if got := s.recent(s.bare()); len(got) != 0 {
			s.Errorf("another lists %q", got)
		}
	})
}

// TestFeedbackIsBounded: a visitor says what it thinks within bounds, field by field.
func TestFeedbackIsBounded(t *testing.T) {
	x := func(n int) string { return strings.Repeat("x", n) }
	onBolt(t, func(s scene) {
		c := s.bare()
		for name, test := range map[string]struct {
			given parley.Feedback
			code  string
		}{
			"all there may be":   {parley.Feedback{Score: parley.MaxScore, Comment: x(parley.MaxFeedbackBytes), Topic: x(parley.MaxNameBytes), Trigger: x(parley.MaxNameBytes), Source: x(parley.MaxNameBytes)}, ""},
			"the least score":    {parley.Feedback{Score: parley.MinScore}, ""},
			"a lesser score":     {parley.Feedback{Score: parley.MinScore - 1}, "invalid_field"},
			"a greater score":    {parley.Feedback{Score: parley.MaxScore + 1}, "invalid_field"},
			"a longer comment":   {parley.Feedback{Score: 3, Comment: x(parley.MaxFeedbackBytes + 1)}, "too_large"},
			"a longer topic":     {parley.Feedback{Score: 3, Topic: x(parley.MaxNameBytes + 1)}, "too_large"},
			"a longer trigger":   {parley.Feedback{Score: 3, Trigger: x(parley.MaxNameBytes + 1)}, "too_large"},
			"a longer source":    {parley.Feedback{Score: 3, Source: x(parley.MaxNameBytes + 1)}, "too_large"},
			"a comment no UTF-8": {parley.Feedback{Score: 3, Comment: "\xff"}, "invalid_field"},
			"a session of none":  {parley.Feedback{Score: 3, Session: "nobodys"}, "not_found"},
		} {
			_, err := s.store.GiveFeedback(context.Background(), c, test.given)
			s.want(name, err, test.code)
		}
	})
}
