package parley_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"parley/shared/parley"
)

// TestGreeting: what the page had shown is kept with the first message of a session
// and nowhere else, and is nobody's message.
func TestGreeting(t *testing.T) {
	onBoth(t, func(s scene) {
		hello := []parley.Said{{ID: "hello", Text: "Hello!"}, {Text: "How can I help?"}}
		r := say("m", "")
		r.Greeting = hello
		sent := s.send(r)
		s.reply(sent.Claim, "hi")
		if got, want := s.brief(sent.Session.ID), []string{`1 user "question m"`, `2 ai "hi" done`}; !slices.Equal(got, want) {
			s.Errorf("transcript = %q, want %q", got, want)
		}
		greeting := func(n parley.Seq) []parley.Said {
			e, err := s.store.EntryAt(context.Background(), s.visitor.Project, sent.Session.ID, n)
			if err != nil {
				s.Fatal(err)
			}
			return e.Greeting
		}
		if got := greeting(1); !slices.Equal(got, hello) || sent.Session.Messages != 1 || sent.Session.Last.Text != "question m" {
			s.Errorf("greeted with %+v, session %+v", got, sent.Session)
		}
		s.unchanged("a repetition", func() {
			if again, err := s.store.Send(context.Background(), s.visitor, r); err != nil || !again.Replayed {
				s.Errorf("again: %+v, %v", again, err)
			}
		})
		// Later it would be the page that puts words into a conversation.
		later := say("m2", sent.Session.ID)
		later.Greeting = []parley.Said{{ID: "forged", Text: "We pay it back."}}
		s.reply(s.send(later).Claim, "no")
		if got := greeting(3); got != nil {
			s.Errorf("in the middle of a session the page said %+v", got)
		}
		s.unchanged("refused greetings", func() {
			for name, wrong := range map[string][]parley.Said{
				"too many": make([]parley.Said, parley.MaxGreeting+1), "silence": {{ID: "x"}}, "no UTF-8": {{Text: "\xff"}}, "a bad id": {{ID: "bad\x00", Text: "Hi"}},
			} {
				next := say("m3", "")
				next.Greeting = wrong
				_, err := s.store.Send(context.Background(), s.visitor, next)
				s.want(name, err, "invalid_field")
			}
		})
	})
}

// A session that exists and has no entry yet may be greeted, one with an event not.
func TestGreetingOfSessionsThatHaveBegun(t *testing.T) {
	onBoth(t, func(s scene) {
		ctx := context.Background()
		for _, event := range []bool{false, true} {
			session, err := s.store.Begin(ctx, s.visitor, parley.BeginRequest{})
			if err == nil && event {
				err = s.store.TakeOver(ctx, s.operator(), session.ID, human("Ola"))
			}
			if err != nil {
				s.Fatal(err)
			}
			r := say(parley.EntryID(session.ID), session.ID)
			r.Greeting = []parley.Said{{Text: "Hello!"}}
			sent := s.send(r)
			if got := sent.Message.Greeting; (got != nil) == event {
				s.Errorf("after an event %v: %+v", event, got)
			}
		}
	})
}

func TestGreetingIsCut(t *testing.T) {
	onBoth(t, func(s scene) {
		r := say("m", "")
		r.Greeting = []parley.Said{{Text: "Hello!"}, {Text: strings.Repeat("é", parley.MaxGreetingBytes)}, {Text: "Bye"}}
		got := s.send(r).Message.Greeting
		total := 0
		for _, said := range got {
			total += len(said.Text)
		}
		if len(got) != 2 || got[0].Text != "Hello!" || !strings.HasSuffix(got[1].Text, "é…") || total > parley.MaxGreetingBytes || total < parley.MaxGreetingBytes-4 {
			s.Errorf("%d messages of %d bytes are kept", len(got), total)
		}
	})
}
