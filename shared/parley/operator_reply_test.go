package parley_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"parley/shared/parley"
	"parley/shared/parleytest"
)

// operatorNamed is a caller who acts as an operator.
func operatorNamed(id parley.OperatorID) parley.Caller {
	return parley.Caller{Project: "demo", Operator: id}
}

// server is a caller with a key of the project's server.
var server = parley.Caller{Project: "demo", Server: true}

// answer is a message of Ola's.
func (s scene) answer(id parley.EntryID, session parley.SessionID) parley.Replied {
	s.Helper()
	return s.replies(parley.ReplyRequest{ID: id, Session: session, Content: "from Ola"})
}

func (s scene) replies(r parley.ReplyRequest) parley.Replied {
	s.Helper()
	got, err := s.store.Reply(context.Background(), operatorNamed("ola"), ola.Author(), r)
	if err != nil {
		s.Fatalf("reply %s: %v", r.ID, err)
	}
	return got
}

func (s scene) lines(id parley.SessionID, want ...string) {
	s.Helper()
	if got := s.brief(id); !slices.Equal(got, want) {
		s.Errorf("entries %q, want %q", got, want)
	}
}

// TestReplyTakesOver: whoever writes has the session; what the agent was writing
// is kept as far as it came, and nothing is added to it (invariant 8).
func TestReplyTakesOver(t *testing.T) {
	onBoth(t, func(s scene) {
		sent := s.send(say("m", ""))
		id := sent.Session.ID
		parleytest.Append(s, s.store, sent.Claim, "I am ")
		s.send(say("m2", id))
		got := s.answer("r", id)
		if got.Replayed || got.Message.Author != ola.Author() || got.Session.Holder != parley.HolderHuman || got.Session.Operator != "ola" || got.Session.Run != nil || len(got.Session.Queue) > 0 {
			s.Errorf("replied = %+v in %+v", got, got.Session)
		}
		s.lines(id, `1 user "question m"`, `2 user "question m2"`, `3 ai "I am " taken_over`, `4 no_reply "" taken_over`,
			`5 taken_over ""`, `6 human "from Ola"`)
		if err := s.store.Append(context.Background(), sent.Claim.Ref, parley.LogEntry{N: sent.Claim.Next, By: sent.Claim.Epoch, Kind: parley.LogText, Text: "late"}); err == nil {
			s.Error("the agent could add to its reply")
		}
		// The next message asks no agent, and the next reply takes nothing over.
		if sent := s.send(say("m3", id)); sent.Ref.Run != "" {
			s.Errorf("an agent is asked: %+v", sent.Ref)
		}
		s.answer("r2", id)
		if got := s.session(id); got.Seq != 8 || got.Last.Kind != parley.AuthorHuman || got.Messages != 6 {
			s.Errorf("session = %+v", got)
		}
		s.consistent()
	})
}

// TestReplyBesideTheAgent: whoever wants that leaves the session to the agent.
func TestReplyBesideTheAgent(t *testing.T) {
	onBoth(t, func(s scene) {
		sent := s.send(say("m", ""))
		id := sent.Session.ID
		got := s.replies(parley.ReplyRequest{ID: "r", Session: id, Content: "Psst", KeepHolder: true})
		if got.Session.Holder != parley.HolderAI || got.Session.Run == nil {
			s.Errorf("session = %+v", got.Session)
		}
		s.reply(sent.Claim, "An ", "answer")
		s.lines(id, `1 user "question m"`, `2 joined ""`, `3 human "Psst"`, `4 ai "An answer" done`)
		s.consistent()
	})
}

// TestReplyIsStoredOnce: the same id changes nothing the second time, and with
// another content, author or session it is refused (invariant 1).
func TestReplyIsStoredOnce(t *testing.T) {
	onBoth(t, func(s scene) {
		ctx := context.Background()
		id, other := s.turn("m").ID, s.turn("n").ID
		first := s.answer("r", id)
		s.unchanged("the same again", func() {
			again := s.answer("r", id)
			if !again.Replayed || again.Message.Seq != first.Message.Seq || again.Message.Text != first.Message.Text {
				s.Errorf("again = %+v, want %+v", again, first)
			}
		})
		s.unchanged("the id for something else", func() {
			for name, r := range map[string]parley.ReplyRequest{
				"text":      {ID: "r", Session: id, Content: "else"},
				"session":   {ID: "r", Session: other, Content: "from Ola"},
				"note":      {ID: "r", Session: id, Content: "from Ola", Internal: true},
				"visitor's": {ID: "m", Session: id, Content: "question m"},
			} {
				_, err := s.store.Reply(ctx, operatorNamed("ola"), ola.Author(), r)
				s.want(name, err, "message_id_conflict")
			}
			_, err := s.store.Reply(ctx, operatorNamed("ben"), human("Ben"), parley.ReplyRequest{ID: "r", Session: id, Content: "from Ola"})
			s.want("another's", err, "message_id_conflict")
			_, err = s.store.Send(ctx, s.visitor, parleytest.Say("r", id, "from Ola"))
			s.want("by a visitor", err, "message_id_conflict")
		})
	})
}

func TestNotes(t *testing.T) {
	onBoth(t, func(s scene) {
		ctx := context.Background()
		sent := s.send(say("m", ""))
		id := sent.Session.ID
		note := parley.ReplyRequest{ID: "n", Session: id, Content: "Pays late", Internal: true}
		got := s.replies(note)
		if !got.Message.Internal || got.Session.Holder != parley.HolderAI || got.Session.Run == nil || got.Session.Last.Seq != 1 || got.Session.Messages != 1 {
			s.Errorf("noted = %+v in %+v", got.Message, got.Session)
		}
		if again := s.replies(note); !again.Replayed {
			s.Error("a note was stored twice")
		}
		s.reply(sent.Claim, "An answer")
		for _, e := range parleytest.Entries(s, s.store, s.visitor, id) {
			if e.Internal {
				s.Errorf("the visitor is shown %+v", e)
			}
		}
		changes, err := s.store.Since(ctx, s.visitor, id, 0)
		if err != nil || len(changes.Entries) != 2 || changes.Upto != 3 {
			s.Errorf("changes = %+v, %v", changes, err)
		}
		// A note in spam is no message to anybody.
		s.want("spam", s.store.MarkSpam(ctx, s.operator(), id, human("me")), "")
		s.replies(parley.ReplyRequest{ID: "n2", Session: id, Content: "Told him so", Internal: true})
		if got := s.session(id); got.State != parley.StateSpam {
			s.Errorf("a note made the session %s", got.State)
		}
	})
}

// TestReplyOpens: what is closed is open again, what is spam refuses.
func TestReplyOpens(t *testing.T) {
	onBoth(t, func(s scene) {
		ctx := context.Background()
		end := map[string]func(id parley.SessionID) error{
			"closing":  func(id parley.SessionID) error { return s.store.Close(ctx, s.visitor, id) },
			"closed":   func(id parley.SessionID) error { return s.store.CloseNow(ctx, s.operator(), id, human("me")) },
			"resolved": func(id parley.SessionID) error { return s.store.Resolve(ctx, s.operator(), id, human("me")) },
			"archived": func(id parley.SessionID) error { return s.store.Archive(ctx, s.operator(), id, true) },
		}
		for name, do := range end {
			id := s.turn(parley.EntryID(name)).ID
			s.want(name, do(id), "")
			s.answer(parley.EntryID("r"+name), id)
			reopened := 0
			if name == "closed" || name == "resolved" {
				reopened = 1
			}
			if got := s.session(id); got.State != parley.StateOpen || got.Archived || got.Settles != 0 || s.events(id, parley.EventReopened) != reopened {
				s.Errorf("%s, then answered: %+v, %q", name, got, s.brief(id))
			}
		}
		id := s.turn("spam").ID
		s.want("spam", s.store.MarkSpam(ctx, s.operator(), id, human("me")), "")
		s.unchanged("an answer to spam", func() {
			_, err := s.store.Reply(ctx, operatorNamed("ola"), ola.Author(), parley.ReplyRequest{ID: "r", Session: id, Content: "No"})
			s.want("an answer to spam", err, "session_closed")
		})
		s.consistent()
	})
}

// TestStates: each state is entered at once, and asking for what is so changes nothing.
func TestStates(t *testing.T) {
	onBoth(t, func(s scene) {
		ctx := context.Background()
		me := human("me")
		calls := map[string]func(id parley.SessionID) error{
			"open":     func(id parley.SessionID) error { return s.store.Reopen(ctx, s.operator(), id, me) },
			"closed":   func(id parley.SessionID) error { return s.store.CloseNow(ctx, s.operator(), id, me) },
			"resolved": func(id parley.SessionID) error { return s.store.Resolve(ctx, s.operator(), id, me) },
			"spam":     func(id parley.SessionID) error { return s.store.MarkSpam(ctx, s.operator(), id, me) },
		}
		id := s.turn("m").ID
		steps := []struct {
			to     parley.State
			closes int
			event  string
		}{
			{"closed", 1, `closed ""`}, {"open", 1, `reopened ""`}, {"resolved", 2, `resolved ""`}, {"closed", 3, `closed ""`},
			{"spam", 3, `spam ""`}, {"resolved", 4, `resolved ""`}, {"spam", 4, `spam ""`}, {"open", 4, `reopened ""`},
		}
		for i, step := range steps {
			s.want(string(step.to), calls[string(step.to)](id), "")
			got, lines := s.session(id), s.brief(id)
			if got.State != step.to || got.Closes != step.closes || lines[len(lines)-1] != fmt.Sprintf("%d %s", i+3, step.event) {
				s.Errorf("step %d: %+v, %q", i, got, lines)
			}
			s.unchanged("the same again", func() { s.want("the same again", calls[string(step.to)](id), "") })
		}
		for _, e := range parleytest.Entries(s, s.store, s.visitor, id) {
			if e.Event == parley.EventSpam {
				s.Error("the visitor is told of spam")
			}
		}
		s.consistent()
	})
}

// TestSpamEndsTheReply: nothing is said to spam any more, and nothing taken from it.
func TestSpamEndsTheReply(t *testing.T) {
	onBoth(t, func(s scene) {
		ctx := context.Background()
		sent := s.send(say("m", ""))
		id := sent.Session.ID
		s.send(say("m2", id))
		s.want("spam", s.store.MarkSpam(ctx, s.operator(), id, human("me")), "")
		if got := s.session(id); got.Run != nil || len(got.Queue) > 0 {
			s.Errorf("session = %+v", got)
		}
		s.unchanged("a message to spam", func() {
			_, err := s.store.Send(ctx, s.visitor, say("m3", id))
			s.want("a message to spam", err, "session_closed")
		})
		s.consistent()
	})
}

// TestArchive: what is archived is open still, and a message brings it back.
func TestArchive(t *testing.T) {
	onBoth(t, func(s scene) {
		ctx := context.Background()
		id := s.turn("m").ID
		s.want("archive", s.store.Archive(ctx, s.operator(), id, true), "")
		s.unchanged("archive again", func() { s.want("archive again", s.store.Archive(ctx, s.operator(), id, true), "") })
		if got := s.session(id); !got.Archived || got.State != parley.StateOpen {
			s.Errorf("session = %+v", got)
		}
		s.send(say("m2", id))
		if got := s.session(id); got.Archived || got.Seq != 3 {
			s.Errorf("after a message: %+v", got)
		}
		s.consistent()
	})
}

// TestServerActs: a server's key does what an operator's does, and may name nobody.
func TestServerActs(t *testing.T) {
	onBoth(t, func(s scene) {
		ctx := context.Background()
		id := s.turn("m").ID
		shop := parley.Author{Kind: parley.AuthorHuman, Name: "Shop"}
		got, err := s.store.Reply(ctx, server, shop, parley.ReplyRequest{ID: "r", Session: id, Content: "Hello"})
		if err != nil || got.Session.Holder != parley.HolderHuman || got.Session.Operator != "" {
			s.Errorf("replied = %+v, %v", got, err)
		}
		s.unchanged("taking over again", func() { s.want("taking over again", s.store.TakeOver(ctx, server, id, shop), "") })
		s.want("hand over", s.store.TakeOver(ctx, operatorNamed("ola"), id, ola.Author()), "")
		if got := s.session(id); got.Operator != "ola" {
			s.Errorf("%q has the session", got.Operator)
		}
		s.want("hand back", s.store.HandBack(ctx, server, id, shop), "")
		if sent := s.send(say("m2", id)); sent.Ref.Run == "" {
			s.Error("the agent is not asked again")
		}
	})
}

// TestWaiting: how long a human was waited for is known, once for each time that
// one was asked for.
func TestWaiting(t *testing.T) {
	onBoth(t, func(s scene) {
		ctx := context.Background()
		handover := func(m parley.EntryID, id parley.SessionID) parley.SessionID {
			claim := s.send(say(m, id)).Claim
			ended, err := s.store.EndRun(ctx, claim.Ref, nil, parley.End{Next: 1, Of: claim.First.Of, Status: parley.StatusDone,
				Text: "A colleague comes", Unflushed: "A colleague comes", Handover: true})
			if err != nil {
				s.Fatal(err)
			}
			return ended.Session.ID
		}
		figures := func() parley.Figures {
			days, err := s.store.Figures(ctx, s.operator(), time.Now(), time.Now())
			if err != nil {
				s.Fatal(err)
			}
			return days[0]
		}
		id := handover("m", "")
		if got := s.session(id); got.WaitingSince == 0 || got.Holder != parley.HolderWaiting {
			s.Errorf("session = %+v", got)
		}
		await(90 * time.Second)
		s.replies(parley.ReplyRequest{ID: "n", Session: id, Content: "a note", Internal: true})
		s.want("take over", s.store.TakeOver(ctx, operatorNamed("ola"), id, ola.Author()), "")
		await(30 * time.Second)
		s.answer("r", id)
		s.answer("r2", id)
		want := parley.Answers{Count: 1, Waited: 2 * time.Minute, Within: [4]int64{0, 1, 1, 1}}
		got := figures().Answers
		if off := got.Waited - want.Waited; off < 0 || off > time.Second {
			s.Errorf("waited %v, want %v", got.Waited, want.Waited)
		}
		if got.Waited = want.Waited; got != want {
			s.Errorf("answers = %+v, want %+v", got, want)
		}
		if got := s.session(id); got.WaitingSince != 0 {
			s.Errorf("somebody still waits since %d", got.WaitingSince)
		}
		// Handed back and over once more: another wait.
		s.want("hand back", s.store.HandBack(ctx, s.operator(), id, human("me")), "")
		handover("m2", id)
		await(time.Second)
		s.answer("r3", id)
		if got := figures().Answers; got.Count != 2 || got.Within != [4]int64{1, 2, 2, 2} {
			s.Errorf("answers = %+v", got)
		}
		// Nobody came: the agent has it again.
		other := handover("m3", "")
		s.want("hand back", s.store.HandBack(ctx, s.operator(), other, human("me")), "")
		s.answer("r4", other)
		// Nobody was asked for.
		s.answer("r5", s.turn("m4").ID)
		if got := figures().Answers; got.Count != 2 {
			s.Errorf("answers = %+v", got)
		}
		s.consistent()
	})
}
