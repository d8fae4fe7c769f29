package parley_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/table"
)

// operations are everything that a caller can do to a session.
var operations = []struct {
	name string
	do   func(ctx context.Context, s *parley.Store, c parley.Caller, id parley.SessionID) error
}{
	{"send", func(ctx context.Context, s *parley.Store, c parley.Caller, id parley.SessionID) error {
		_, err := s.Send(ctx, c, say("sent", id))
		return err
	}},
	{"supersede", func(ctx context.Context, s *parley.Store, c parley.Caller, id parley.SessionID) error {
		_, err := s.Send(ctx, c, ifBusy("superseding", id, parley.BusySupersede))
		return err
	}},
	{"retry", func(ctx context.Context, s *parley.Store, c parley.Caller, id parley.SessionID) error {
		_, err := s.Send(ctx, c, parley.SendRequest{ID: "again", Session: id, Retry: "failed"})
		return err
	}},
	{"session", func(ctx context.Context, s *parley.Store, c parley.Caller, id parley.SessionID) error {
		_, err := s.Session(ctx, c, id)
		return err
	}},
	{"since", func(ctx context.Context, s *parley.Store, c parley.Caller, id parley.SessionID) error {
		_, err := s.Since(ctx, c, id, 0)
		return err
	}},
	{"peek", func(ctx context.Context, s *parley.Store, c parley.Caller, id parley.SessionID) error {
		_, err := s.Peek(ctx, c, id, 0)
		return err
	}},
	{"open page", func(ctx context.Context, s *parley.Store, c parley.Caller, id parley.SessionID) error {
		_, _, err := s.OpenPage(ctx, c, id)
		return err
	}},
	{"peek page", func(ctx context.Context, s *parley.Store, c parley.Caller, id parley.SessionID) error {
		_, _, err := s.PeekPage(ctx, c, id, false)
		return err
	}},
	{"transcript", func(ctx context.Context, s *parley.Store, c parley.Caller, id parley.SessionID) error {
		_, _, _, err := s.Transcript(ctx, c, id, parley.PageRequest{})
		return err
	}},
	{"full transcript", func(ctx context.Context, s *parley.Store, c parley.Caller, id parley.SessionID) error {
		_, err := s.FullTranscript(ctx, c, id, 1e6)
		return err
	}},
	{"full transcript after", func(ctx context.Context, s *parley.Store, c parley.Caller, id parley.SessionID) error {
		_, _, err := s.FullTranscriptAfter(ctx, c, id, 0, 0)
		return err
	}},
	{"open run", func(ctx context.Context, s *parley.Store, c parley.Caller, id parley.SessionID) error {
		_, err := s.OpenRun(ctx, c, id, "running")
		return err
	}},
	{"cancel", func(ctx context.Context, s *parley.Store, c parley.Caller, id parley.SessionID) error {
		_, err := s.Cancel(ctx, c, id, "")
		return err
	}},
	{"cancel one", func(ctx context.Context, s *parley.Store, c parley.Caller, id parley.SessionID) error {
		_, err := s.Cancel(ctx, c, id, "running")
		return err
	}},
	{"close", func(ctx context.Context, s *parley.Store, c parley.Caller, id parley.SessionID) error {
		return s.Close(ctx, c, id)
	}},
	{"resolve", func(ctx context.Context, s *parley.Store, c parley.Caller, id parley.SessionID) error {
		return s.Resolve(ctx, c, id, human("Ola"))
	}},
	{"rate", func(ctx context.Context, s *parley.Store, c parley.Caller, id parley.SessionID) error {
		_, err := s.Rate(ctx, c, id, 1, "bad")
		return err
	}},
	{"rating", func(ctx context.Context, s *parley.Store, c parley.Caller, id parley.SessionID) error {
		_, err := s.Rating(ctx, c, id)
		return err
	}},
	{"erase", func(ctx context.Context, s *parley.Store, c parley.Caller, id parley.SessionID) error {
		return s.Erase(ctx, c, id)
	}},
}

// lively returns a session in which every operation would change something: a
// failed run, a rated one, one that runs, one that waits, and a close that has
// not stuck, so that even a look at it would show.
func (s scene) lively() parley.SessionID {
	s.Helper()
	ctx := context.Background()
	id := s.turn("opening").ID
	s.fail(s.send(say("failed", id)).Claim)
	if _, err := s.store.Rate(ctx, s.visitor, id, 5, "good"); err != nil {
		s.Fatal(err)
	}
	s.send(say("running", id))
	s.send(say("waiting", id))
	if err := s.store.Close(ctx, s.visitor, id); err != nil {
		s.Fatal(err)
	}
	return id
}

// unknown are ids of which there is no session, malformed what is no id.
var (
	unknown   = []parley.SessionID{"opening/entry~"}
	malformed = []parley.SessionID{"", "\x00", parley.SessionID(strings.Repeat("x", 129))}
)

// TestInvariant9OnlyTheOwner lets everybody else do everything to a session:
// they get the answer that they would get if it did not exist, and change nothing.
func TestInvariant9OnlyTheOwner(t *testing.T) {
	onBoth(t, func(s scene) {
		other := generous()
		other.ID, other.PublicKeys = "other", []string{"pk_test_other"}
		parleytest.Put(s, s.store, other)
		id := s.lively()
		contact := parleytest.Contact(s, s.store, parleytest.Visitor(s, s.store), "somebody")
		mine := s.visitor
		forged := mine
		forged.Contact = contact.Contact
		elsewhere := mine
		elsewhere.Project = "other"
		for _, test := range []struct {
			name   string
			caller parley.Caller
			code   string
		}{
			{"another visitor", parleytest.Visitor(s, s.store), "not_found"},
			{"a contact", contact, "not_found"},
			{"a visitor of another project", parleytest.VisitorOf(s, s.store, "other"), "not_found"},
			{"an operator of another project", parley.Caller{Project: "other", Operator: "op"}, "not_found"},
			{"the same visitor in another project", elsewhere, "token_revoked"},
			{"somebody who is nobody", parley.Caller{Project: "demo"}, "token_revoked"},
			{"a visitor who says to be a contact", forged, "token_revoked"},
		} {
			s.unchanged(test.name, func() { s.refused(test.name, test.caller, id, test.code) })
		}
		if err := s.store.RevokeVisitor(context.Background(), "demo", mine.Visitor); err != nil {
			s.Fatal(err)
		}
		s.unchanged("a revoked token", func() { s.refused("a revoked token", mine, id, "token_revoked") })
		mine.Generation++
		if err := s.store.BlockVisitor(context.Background(), "demo", mine.Visitor, true); err != nil {
			s.Fatal(err)
		}
		s.unchanged("a blocked visitor", func() { s.refused("a blocked visitor", mine, id, "blocked") })
	})
}

// refused does everything to a session and to unknown ones, with equal errors.
func (s scene) refused(who string, c parley.Caller, id parley.SessionID, code string) {
	s.Helper()
	ctx := context.Background()
	for _, op := range operations {
		sends := strings.Contains("send supersede retry", op.name)
		want := code
		if sends && c.Operator != "" {
			want = "token_revoked" // an operator is no visitor
		}
		got := op.do(ctx, s.store, c, id)
		s.want(who+": "+op.name, got, want)
		for _, u := range unknown {
			if err := op.do(ctx, s.store, c, u); fmt.Sprint(err) != fmt.Sprint(got) {
				s.Errorf("%s: %s = %v, of an unknown session %v", who, op.name, got, err)
			}
		}
		for _, m := range malformed {
			if !sends || m != "" { // which would begin a session
				s.want(who+": malformed: "+op.name, op.do(ctx, s.store, c, m), "not_found")
			}
		}
	}
	if sessions, _, err := s.store.Sessions(ctx, c, parley.PageRequest{}); len(sessions) > 0 {
		s.Errorf("%s: Sessions = %v, %v", who, sessions, err)
	}
}

// TestOwnerMayDoEverything is the other side: an owner's operations work, before
// the visitor is a contact's, while its sessions are being moved, and after; and
// those of the contact's other visitors do from then on.
func TestOwnerMayDoEverything(t *testing.T) {
	for _, op := range operations {
		t.Run(op.name, func(t *testing.T) {
			onBolt(t, func(s scene) {
				s.want("as a visitor", op.do(context.Background(), s.store, s.visitor, s.lively()), "")
			})
			for _, moved := range []bool{false, true} {
				for _, own := range []bool{false, true} {
					onBolt(t, func(s scene) { ownsAsContact(s, op.do, moved, own) })
				}
			}
		})
	}
}

func ownsAsContact(s scene, do func(context.Context, *parley.Store, parley.Caller, parley.SessionID) error, moved, own bool) {
	id := s.lively()
	old := s.visitor
	s.visitor = parleytest.Contact(s, s.store, old, "ann")
	friend := parleytest.Contact(s, s.store, parley.Caller{Project: "demo"}, "ann")
	stranger := parleytest.Contact(s, s.store, parley.Caller{Project: "demo"}, "bob")
	if friend.Contact != s.visitor.Contact || stranger.Contact == friend.Contact {
		s.Fatalf("contacts are %q, %q, %q", s.visitor.Contact, friend.Contact, stranger.Contact)
	}
	if moved {
		await(2 * time.Minute)
		parleytest.Sweep(s, s.store)
	}
	if got := s.session(id).Owner.Contact; (got == friend.Contact) != moved {
		s.Fatalf("the session's contact is %q, moved %v", got, moved)
	}
	s.unchanged("the old token", func() { s.want("with the old token", do(context.Background(), s.store, old, id), "token_revoked") })
	s.unchanged("another contact", func() {
		s.want("as another contact", do(context.Background(), s.store, stranger, id), "not_found")
	})
	for name, c := range map[string]parley.Caller{"the visitor": s.visitor, "a friend": friend} {
		listed, _, err := s.store.Sessions(context.Background(), c, parley.PageRequest{})
		if err != nil || len(listed) != 1 || listed[0].ID != id {
			s.Errorf("Sessions of %s = %v, %v", name, listed, err)
		}
	}
	if own {
		s.want("as the visitor", do(context.Background(), s.store, s.visitor, id), "")
	} else {
		s.want("as the contact's other visitor", do(context.Background(), s.store, friend, id), "")
	}
}

// staffOperations are what only a private key may do.
var staffOperations = []struct {
	name string
	do   func(ctx context.Context, s *parley.Store, c parley.Caller, id parley.SessionID) error
}{
	{"take over", func(ctx context.Context, s *parley.Store, c parley.Caller, id parley.SessionID) error {
		return s.TakeOver(ctx, c, id, human("Ola"))
	}},
	{"hand back", func(ctx context.Context, s *parley.Store, c parley.Caller, id parley.SessionID) error {
		return s.HandBack(ctx, c, id, human("Ola"))
	}},
	{"reply", func(ctx context.Context, s *parley.Store, c parley.Caller, id parley.SessionID) error {
		_, err := s.Reply(ctx, c, human("Ola"), parley.ReplyRequest{ID: "reply", Session: id, Content: "Hello"})
		return err
	}},
	{"note", func(ctx context.Context, s *parley.Store, c parley.Caller, id parley.SessionID) error {
		_, err := s.Reply(ctx, c, human("Ola"), parley.ReplyRequest{ID: "note", Session: id, Content: "Hello", Internal: true})
		return err
	}},
	{"reopen", func(ctx context.Context, s *parley.Store, c parley.Caller, id parley.SessionID) error {
		return s.Reopen(ctx, c, id, human("Ola"))
	}},
	{"close now", func(ctx context.Context, s *parley.Store, c parley.Caller, id parley.SessionID) error {
		return s.CloseNow(ctx, c, id, human("Ola"))
	}},
	{"spam", func(ctx context.Context, s *parley.Store, c parley.Caller, id parley.SessionID) error {
		return s.MarkSpam(ctx, c, id, human("Ola"))
	}},
	{"archive", func(ctx context.Context, s *parley.Store, c parley.Caller, id parley.SessionID) error {
		return s.Archive(ctx, c, id, true)
	}},
	{"typing", func(ctx context.Context, s *parley.Store, c parley.Caller, id parley.SessionID) error {
		_, _, err := s.SetTyping(ctx, c, id, human("Ola"), true)
		return err
	}},
	{"attributes", func(ctx context.Context, s *parley.Store, c parley.Caller, id parley.SessionID) error {
		return s.SetAttributes(ctx, c, id, map[string]string{"plan": "gold"})
	}},
	{"reviews", func(ctx context.Context, s *parley.Store, c parley.Caller, id parley.SessionID) error {
		_, err := s.Reviews(ctx, c, id)
		return err
	}},
	{"read", func(ctx context.Context, s *parley.Store, c parley.Caller, id parley.SessionID) error {
		_, err := s.ReadSession(ctx, c, id, parley.PageRequest{})
		return err
	}},
}

// TestOperatorsOnly: what operators do is not for visitors, and for operators of
// the project only.
func TestOperatorsOnly(t *testing.T) {
	onBolt(t, func(s scene) {
		ctx := context.Background()
		other := generous()
		other.ID, other.PublicKeys = "other", []string{"pk_test_other"}
		parleytest.Put(s, s.store, other)
		id := s.lively()
		for _, op := range staffOperations {
			s.unchanged(op.name, func() {
				s.want("a visitor: "+op.name, op.do(ctx, s.store, s.visitor, id), "operators_only")
				for _, elsewhere := range []parley.Caller{{Project: "other", Operator: "op"}, {Project: "other", Server: true}} {
					s.want("an operator of another project: "+op.name, op.do(ctx, s.store, elsewhere, id), "not_found")
				}
				for _, u := range append(unknown, malformed...) {
					s.want(op.name+" of nothing", op.do(ctx, s.store, s.operator(), u), "not_found")
				}
			})
		}
		s.unchanged("lists", func() {
			_, _, err := s.store.Inbox(ctx, s.visitor, parley.InboxRequest{})
			s.want("inbox", err, "operators_only")
			_, _, err = s.store.Ratings(ctx, s.visitor, parley.PageRequest{})
			s.want("ratings", err, "operators_only")
			_, err = s.store.Figures(ctx, s.visitor, time.Now(), time.Now())
			s.want("figures", err, "operators_only")
		})
		if err := s.store.Erase(ctx, s.visitor, id); err != nil {
			s.Fatal(err)
		}
		for _, op := range staffOperations {
			s.unchanged(op.name, func() { s.want(op.name+" of what is erased", op.do(ctx, s.store, s.operator(), id), "not_found") })
		}
	})
}

// TestRunsAreOfTheirSession: a run is found in its own session only.
func TestRunsAreOfTheirSession(t *testing.T) {
	onBolt(t, func(s scene) {
		ctx := context.Background()
		one, two := s.turn("one").ID, s.turn("two").ID
		if ref, err := s.store.OpenRun(ctx, s.visitor, one, "one"); err != nil || ref.Run != "one" {
			s.Errorf("OpenRun = %v, %v", ref, err)
		}
		if err := s.store.TakeOver(ctx, s.operator(), two, human("Ola")); err != nil {
			s.Fatal(err)
		}
		s.send(say("no run", two))
		for _, run := range []parley.RunID{"two", "unknown", "", "\x00", "no run"} {
			_, err := s.store.OpenRun(ctx, s.visitor, one, run)
			s.want("open run "+string(run), err, "not_found")
		}
		s.send(say("running", one))
		stopped, err := s.store.Cancel(ctx, s.visitor, two, "running")
		if err != nil || stopped.Entry != nil || s.session(one).Run == nil {
			s.Errorf("Cancel of another session's run = %+v, %v", stopped, err)
		}
	})
}

// TestCancelOfOneOfSeveral: who cancels the run that is active alone has the message behind
// it answered, and who cancels where nothing is active changes nothing.
func TestCancelOfOneOfSeveral(t *testing.T) {
	onBolt(t, func(s scene) {
		ctx := context.Background()
		id := s.turn("m").ID
		s.unchanged("nothing is active", func() {
			stopped, err := s.store.CancelActive(ctx, s.visitor, id)
			if err != nil || stopped.Entry != nil || stopped.Session == nil {
				s.Errorf("CancelActive = %+v, %v", stopped, err)
			}
		})
		s.send(say("one", id))
		s.send(say("two", id))
		s.send(say("three", id))
		for _, way := range []struct {
			cancel func() (parley.Stopped, error)
			ended  string
			next   parley.RunID
		}{
			{func() (parley.Stopped, error) { return s.store.Cancel(ctx, s.visitor, id, "one") }, "one", "two"},
			{func() (parley.Stopped, error) { return s.store.CancelActive(ctx, s.visitor, id) }, "two", "three"},
		} {
			stopped, err := way.cancel()
			if err != nil || stopped.Entry == nil || string(stopped.Entry.Run) != way.ended {
				s.Fatalf("cancelling %s = %+v, %v", way.ended, stopped, err)
			}
			if run := s.session(id).Run; run == nil || run.ID != way.next {
				s.Errorf("after %s is cancelled %+v is active, want %s", way.ended, run, way.next)
			}
		}
	})
}

// TestTokenIsCheckedWhereItIsUsed: a token that is revoked, or a visitor who is
// blocked, after a call has read and before it writes.
func TestTokenIsCheckedWhereItIsUsed(t *testing.T) {
	writes := operations[:0:0]
	for _, op := range operations {
		switch op.name {
		case "send", "supersede", "retry", "cancel", "cancel one", "close", "resolve", "rate", "erase":
			writes = append(writes, op)
		}
	}
	for name, revoke := range map[string]func(s scene) error{
		"token_revoked": func(s scene) error { return s.store.RevokeVisitor(context.Background(), "demo", s.visitor.Visitor) },
		"blocked": func(s scene) error {
			return s.store.BlockVisitor(context.Background(), "demo", s.visitor.Visitor, true)
		},
	} {
		for _, op := range writes {
			t.Run(name+", "+op.name, func(t *testing.T) {
				onBolt(t, func(s scene) {
					id := s.lively()
					if _, err := s.store.Session(context.Background(), s.visitor, id); err != nil { // open again
						s.Fatal(err)
					}
					h := held{s.table, make(chan struct{})}
					result := make(chan error, 1)
					go func() { result <- op.do(context.Background(), s.over(h), s.visitor, id) }()
					synctest.Wait() // it stands before its write
					if err := revoke(s); err != nil {
						s.Fatal(err)
					}
					s.onlyPaced(op.name, func() {
						close(h.until)
						s.want(op.name, <-result, name)
					})
				})
			})
		}
	}
}

// TestShutMeanwhile: whoever is blocked, and whatever is done to a session that is erased,
// while a call is under way, changes nothing any more and is told so.
func TestShutMeanwhile(t *testing.T) {
	ctx := context.Background()
	for what, shut := range map[string]struct {
		do    func(h helped)
		code  string
		calls []string
	}{
		"blocked": {func(h helped) {
			for _, v := range []parley.VisitorID{h.contact.Visitor, h.bare.Visitor} {
				h.want("block", h.store.BlockVisitor(ctx, parleytest.Project, v, true), "")
			}
		}, "blocked", []string{"send", "vote", "mark", "rate", "rate once", "begin", "checkpoint", "close", "resolve", "end of a session",
			"feedback", "introduce", "metadata", "keep", "note who it is", "prove", "grant an upload", "connect"}},
		"erased": {func(h helped) {
			for _, id := range []parley.SessionID{h.session.ID, h.opened} {
				h.want("erase", h.store.Erase(ctx, h.operator(), id), "")
			}
		}, "not_found", []string{"send", "mark", "rate", "rate once", "checkpoint", "close", "resolve", "end of a session", "reply", "hand back",
			"archive", "attributes", "close now", "spam", "note who it is", "change a page", "link of a mail", "review", "note who was told", "mailed"}},
	} {
		for _, name := range shut.calls {
			t.Run(what+"/"+name, func(t *testing.T) {
				for n, done := 1, false; !done; n++ {
					onBolt(t, func(s scene) {
						h := s.helped()
						var after map[table.Key]table.Item
						tbl := &overtaken{Table: s.table, nth: n, do: func() {
							shut.do(h)
							after = s.table.Dump(s)
						}}
						err := changing[name](ctx, h, s.over(tbl))
						if done = after == nil; done {
							s.want("undisturbed", err, "")
							return
						}
						s.want(fmt.Sprint("after read ", n), err, shut.code)
						for _, key := range parleytest.Differences(after, s.table.Dump(s)) {
							if !strings.HasPrefix(key, "demo/count/") {
								s.Errorf("after read %d it changed %q", n, key)
							}
						}
					})
				}
			})
		}
	}
}

// TestSignedInMeanwhile: with the token from before, nothing more is done as soon as its
// visitor is a contact's.
func TestSignedInMeanwhile(t *testing.T) {
	for n, done := 1, false; !done; n++ {
		onBolt(t, func(s scene) {
			id := s.turn("m").ID
			done = true
			slow := s.over(&overtaken{Table: s.table, nth: n, do: func() {
				done = false
				parleytest.Contact(s, s.store, s.visitor, "ann")
			}})
			_, err := slow.Rate(context.Background(), s.visitor, id, 5, "")
			s.want(fmt.Sprint("after read ", n), err, map[bool]string{false: "token_revoked", true: ""}[done])
		})
	}
}

// TestVisitorsOnly: only a visitor ends a session as its visitor.
func TestVisitorsOnly(t *testing.T) {
	onBolt(t, func(s scene) {
		id := s.turn("m").ID
		s.unchanged("an operator's end", func() {
			_, err := s.store.End(context.Background(), s.operator(), id)
			s.want("it", err, "visitors_only")
		})
	})
}

// TestBeginNeedsToken: where a project serves signed-in visitors only, nobody else begins
// a session.
func TestBeginNeedsToken(t *testing.T) {
	onBolt(t, func(s scene) {
		ann := parleytest.Contact(s, s.store, s.visitor, "ann")
		stranger := parleytest.Visitor(s, s.store)
		p := generous()
		p.TokenRequired = true
		parleytest.Put(s, s.store, p)
		begin := func(c parley.Caller) error {
			_, err := s.store.Begin(context.Background(), c, parley.BeginRequest{Channel: parley.ChannelOpenCX})
			return err
		}
		s.unchanged("a stranger", func() { s.want("it", begin(stranger), "identity_required") })
		s.want("Ann", begin(ann), "")
	})
}
