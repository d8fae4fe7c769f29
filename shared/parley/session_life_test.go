package parley_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/table"
)

// asks sends a message whose answer asks for a person.
func (s scene) asks(id parley.EntryID, session parley.SessionID) *parley.Session {
	s.Helper()
	return s.handOver(s.send(say(id, session)).Claim)
}

// handOver ends a run with an answer that asks for a person.
func (s scene) handOver(claim *parley.Claim) *parley.Session {
	s.Helper()
	ended, err := s.store.EndRun(context.Background(), claim.Ref, nil, parley.End{Next: claim.Next, Of: claim.First.Of,
		Status: parley.StatusDone, Text: "One moment.", Unflushed: "One moment.", Handover: true})
	if err != nil {
		s.Fatal(err)
	}
	return ended.Session
}

// waits fails the test unless the session is open and somebody is waited for in it.
func (s scene) waits(what string, id parley.SessionID) *parley.Session {
	s.Helper()
	got := s.session(id)
	if got.State != parley.StateOpen || got.Holder != parley.HolderWaiting || got.Closes > 0 {
		s.Errorf("%s: the session is %s, of %s, with %d closes; want open and waiting", what, got.State, got.Holder, got.Closes)
	}
	if !slices.Contains(s.listed(parley.StateOpen, parley.HolderWaiting), id) {
		s.Errorf("%s: the session is not among those that wait", what)
	}
	return got
}

// listed returns the ids that a list of the project's sessions has.
func (s scene) listed(state parley.State, holder parley.Holder) (ids []parley.SessionID) {
	s.Helper()
	items, _, err := s.store.Inbox(context.Background(), s.operator(), parley.InboxRequest{States: []parley.State{state}, Holder: holder})
	if err != nil {
		s.Fatal(err)
	}
	for _, item := range items {
		ids = append(ids, item.Session.ID)
	}
	return ids
}

// TestOperatorCloses: an operator's close is one like every other: it has a number
// in the order, is reviewed, and asks for a rating where the project wants that.
func TestOperatorCloses(t *testing.T) {
	onBoth(t, func(s scene) {
		p := generous()
		p.CSAT = parley.CSATOnClose
		s.settings(p)
		ctx := context.Background()
		for name, pending := range map[string]bool{"open": false, "closing": true} {
			id := s.turn(parley.EntryID("m-" + name)).ID
			if pending {
				s.close(id)
			}
			s.want(name, s.store.CloseNow(ctx, operatorNamed("ola"), id, ola.Author()), "")
			s.stands(name, id, parley.StateClosed, 1, false)
			entries := parleytest.Entries(s, s.store, s.operator(), id)
			closed, asked := entries[len(entries)-2], entries[len(entries)-1]
			if closed.Event != parley.EventClosed || closed.Close != 1 || closed.Reason != string(parley.CloseByStaff) || closed.Author != ola.Author() {
				s.Errorf("%s: the close is %+v", name, closed)
			}
			if asked.Event != parley.EventRatingAsked {
				s.Errorf("%s: no rating was asked for: %q", name, s.brief(id))
			}
			var woken []parley.Follower
			await(2 * time.Minute)
			if _, err := s.store.Sweep(ctx, parley.SweepHelp{Wake: func(_ context.Context, f parley.Following) error {
				if f.Session == id {
					woken = append(woken, f.Follower)
				}
				return nil
			}}); err != nil {
				s.Fatal(err)
			}
			if !slices.Contains(woken, parley.FollowerReview) {
				s.Errorf("%s: nobody is to review it", name)
			}
		}
	})
}

// TestNobodyWaitsUnseen: while a person is waited for, or has the session, no
// page, no silence and no goodbye ends it.
func TestNobodyWaitsUnseen(t *testing.T) {
	t.Run("the page leaves", func(t *testing.T) { onBoth(t, leavesWaiting) })
	t.Run("the page leaves before it is asked for one", func(t *testing.T) { onBoth(t, leavesBeforeHandover) })
	t.Run("the page leaves who talks with a person", func(t *testing.T) { onBoth(t, leavesHuman) })
	t.Run("a person takes over what is closing", func(t *testing.T) { onBoth(t, takesOverClosing) })
	t.Run("silence", func(t *testing.T) { onBolt(t, silenceWaiting) })
	t.Run("handed back", func(t *testing.T) { onBoth(t, handedBackToNobody) })
}

func leavesWaiting(s scene) {
	s.settings(generous())
	id := s.asks("m", "").ID
	await(time.Minute)
	left := time.Now().UnixMilli()
	s.close(id)
	if got := s.waits("left", id); got.Left != left {
		s.Errorf("left at %d, want %d", got.Left, left)
	}
	await(time.Second)
	s.unchanged("leaving again", func() { s.close(id) })
	s.minutes(30)
	s.waits("half an hour later", id)
	if _, err := s.store.Since(context.Background(), s.visitor, id, 0); err != nil {
		s.Fatal(err)
	}
	if got := s.waits("back", id); got.Left != 0 {
		s.Error("the page is back, and counts as left")
	}
	s.unchanged("another sign", func() {
		if _, err := s.store.Since(context.Background(), s.visitor, id, 0); err != nil {
			s.Fatal(err)
		}
	})
	s.close(id)
	s.send(say("m2", id))
	if got := s.waits("a message", id); got.Left != 0 {
		s.Error("who writes counts as left")
	}
	s.consistent()
}

// leavesBeforeHandover: the page may leave while the agent still writes the answer
// that asks for a person, and its close may have settled by then.
func leavesBeforeHandover(s scene) {
	s.settings(generous())
	for _, minutes := range []int{0, 2} {
		claim := s.send(say(parley.EntryID(time.Duration(minutes).String()), "")).Claim
		id := claim.Ref.Session
		left := time.Now().UnixMilli()
		s.close(id)
		s.minutes(minutes)
		s.handOver(claim)
		got := s.session(id)
		if got.State != parley.StateOpen || got.Holder != parley.HolderWaiting || got.Left != left || got.Settles > 0 {
			s.Errorf("after %d minutes: %+v", minutes, got)
		}
		s.minutes(2)
		if got := s.session(id); got.State != parley.StateOpen {
			s.Errorf("%d minutes, and 2 later: %s", minutes, got.State)
		}
	}
	s.consistent()
}

func leavesHuman(s scene) {
	s.settings(generous())
	id := s.turn("m").ID
	s.answer("r", id)
	s.close(id)
	s.minutes(5)
	if got := s.session(id); got.State != parley.StateOpen || got.Left == 0 {
		s.Errorf("session = %+v", got)
	}
	if got := s.listed(parley.StateOpen, parley.HolderHuman); !slices.Contains(got, id) {
		s.Errorf("with people are %q", got)
	}
	s.want("resolve", s.store.Resolve(context.Background(), s.operator(), id, human("me")), "")
	s.stands("a person resolves it", id, parley.StateResolved, 1, false)
}

func takesOverClosing(s scene) {
	s.settings(generous())
	id := s.turn("m").ID
	s.close(id)
	s.want("take over", s.store.TakeOver(context.Background(), operatorNamed("ola"), id, ola.Author()), "")
	s.minutes(5)
	if got := s.session(id); got.State != parley.StateOpen || got.Holder != parley.HolderHuman || got.Left == 0 {
		s.Errorf("session = %+v", got)
	}
}

func silenceWaiting(s scene) {
	s.settings(idling(60, 60))
	id := s.asks("m", "").ID
	s.minutes(60)
	s.waits("after an hour", id)
}

// handedBackToNobody: with the agent the session closes as it would have when the
// page left.
func handedBackToNobody(s scene) {
	s.settings(generous())
	ctx := context.Background()
	id, there := s.asks("m", "").ID, s.asks("n", "").ID
	s.close(id)
	s.minutes(5)
	for _, id := range []parley.SessionID{id, there} {
		s.want("hand back", s.store.HandBack(ctx, s.operator(), id, human("me")), "")
	}
	s.stands("handed back", id, parley.StateClosed, 0, true)
	s.minutes(2)
	s.stands("settled", id, parley.StateClosed, 1, false)
	s.stands("whose page is there", there, parley.StateOpen, 0, false)
}

// TestUnanswered: where the project wants it, a session ends in which nobody
// answered; the visitor is told, and the agent answers again.
func TestUnanswered(t *testing.T) {
	onBoth(t, func(s scene) {
		p := generous()
		p.UnansweredCloseSeconds = 600
		p.Texts = map[string]string{"unanswered": "Nobody came."}
		s.settings(p)
		ctx := context.Background()
		id, answered, taken := s.asks("m", "").ID, s.asks("n", "").ID, s.asks("o", "").ID
		s.minutes(9)
		s.waits("after 9 minutes", id)
		s.answer("r", answered)
		s.want("take over", s.store.TakeOver(ctx, operatorNamed("ola"), taken, ola.Author()), "")
		s.minutes(2)
		lines := s.brief(id)
		if want := []string{`4 system "Nobody came."`, `5 handed_back ""`, `6 closed ""`}; !slices.Equal(lines[3:], want) {
			s.Errorf("entries %q, want at their end %q", lines, want)
		}
		entries := parleytest.Entries(s, s.store, s.operator(), id)
		if last := entries[5]; last.Reason != string(parley.CloseByUnanswered) || last.Close != 1 {
			s.Errorf("the close is %+v", last)
		}
		s.minutes(20)
		s.stands("unanswered", id, parley.StateClosed, 1, false)
		s.stands("answered", answered, parley.StateOpen, 0, false)
		s.stands("taken over by somebody who said nothing", taken, parley.StateClosed, 1, false)
		if sent := s.send(say("again", id)); sent.Claim == nil {
			s.Errorf("no agent answers who comes back: %+v", sent.Session)
		} else {
			s.handOver(sent.Claim)
		}
		s.minutes(9)
		if got := s.session(id); got.State != parley.StateOpen {
			s.Error("who asked again has not their whole time")
		}
		s.minutes(2)
		s.stands("unanswered again", id, parley.StateClosed, 2, false)
		s.consistent()
	})
}

// TestRetryOfWhatFailed: only the newest run of a message, which failed, is tried again.
func TestRetryOfWhatFailed(t *testing.T) {
	onBolt(t, func(s scene) {
		id := s.turn("done").ID
		s.fail(s.send(say("failed", id)).Claim)
		s.fail(s.send(parley.SendRequest{ID: "second", Session: id, Retry: "failed", Claim: true}).Claim)
		elsewhere := s.send(say("m", ""))
		s.fail(elsewhere.Claim)
		for run, code := range map[parley.RunID]string{"done": "not_retryable", "failed": "not_retryable", "m": "not_found", "unknown": "not_found"} {
			s.onlyPaced("a retry of "+string(run), func() {
				_, err := s.store.Send(context.Background(), s.visitor, parley.SendRequest{ID: "again", Session: id, Retry: run})
				s.want("a retry of "+string(run), err, code)
			})
		}
		s.send(parley.SendRequest{ID: "third", Session: id, Retry: "second", Claim: true})
	})
}

// TestRetryNeedsTheAgent: what failed is not tried again where people have the session.
func TestRetryNeedsTheAgent(t *testing.T) {
	onBolt(t, func(s scene) {
		sent := s.send(say("m", ""))
		s.fail(sent.Claim)
		s.want("take over", s.store.TakeOver(context.Background(), s.operator(), sent.Session.ID, human("Ola")), "")
		r := parley.SendRequest{ID: "again", Session: sent.Session.ID, Retry: "m"}
		s.onlyPaced("a retry", func() {
			_, err := s.store.Send(context.Background(), s.visitor, r)
			s.want("it", err, "not_retryable")
		})
	})
}

// TestLooksAgain: while a reply is written the session is looked at every minute, and
// before that where its close settles before.
func TestLooksAgain(t *testing.T) {
	onBolt(t, func(s scene) {
		for seconds, want := range map[int]time.Duration{30: 30 * time.Second, 600: time.Minute} {
			p := generous()
			p.SettleSeconds = seconds
			parleytest.Put(s, s.store, p)
			id := s.send(say(parley.EntryID(fmt.Sprint("m", seconds)), "")).Session.ID
			s.close(id)
			_, again, err := s.store.Look(context.Background(), parleytest.Project, id)
			if err != nil || time.Until(again) != want {
				s.Errorf("looks again in %v, %v, want %v", time.Until(again), err, want)
			}
		}
	})
}

// TestReopenedWaitsAnew: whoever waited when the session was resolved, and writes
// again, has their whole time again.
func TestReopenedWaitsAnew(t *testing.T) {
	onBolt(t, func(s scene) {
		p := generous()
		p.UnansweredCloseSeconds = 600
		s.settings(p)
		id := s.asks("m", "").ID
		s.minutes(5)
		s.want("resolve", s.store.Resolve(context.Background(), s.visitor, id, parley.Author{Kind: parley.AuthorUser}), "")
		s.minutes(30)
		s.stands("resolved", id, parley.StateResolved, 1, false)
		s.send(say("again", id))
		s.minutes(9)
		s.stands("written to", id, parley.StateOpen, 1, false)
		s.minutes(3)
		s.stands("unanswered", id, parley.StateClosed, 2, false)
	})
}

// overtaken is a table over which something happens right after one read, counted from 1.
type overtaken struct {
	table.Table
	nth   int
	reads atomic.Int32 // some are done beside each other
	do    func()
}

func (o *overtaken) read() {
	if int(o.reads.Add(1)) == o.nth {
		o.do()
	}
}

func (o *overtaken) Get(ctx context.Context, consistent bool, keys ...table.Key) ([]table.Item, error) {
	items, err := o.Table.Get(ctx, consistent, keys...)
	o.read()
	return items, err
}

func (o *overtaken) Query(ctx context.Context, q table.Query) (table.Page, error) {
	page, err := o.Table.Query(ctx, q)
	o.read()
	return page, err
}

// TestDoneMeanwhile: what somebody else does to a session after it was read is not done
// to it once more.
func TestDoneMeanwhile(t *testing.T) {
	ctx := context.Background()
	open := func(s scene, id parley.EntryID) parley.SessionID { return s.turn(id).ID }
	running := func(s scene, id parley.EntryID) parley.SessionID { return s.send(say(id, "")).Session.ID }
	waiting := func(s scene, id parley.EntryID) parley.SessionID { return s.asks(id, "").ID }
	closing := func(s scene, id parley.EntryID) parley.SessionID {
		session := open(s, id)
		s.close(session)
		return session
	}
	later := func(d time.Duration, before func(scene, parley.EntryID) parley.SessionID) func(scene, parley.EntryID) parley.SessionID {
		return func(s scene, id parley.EntryID) parley.SessionID {
			session := before(s, id)
			await(d)
			return session
		}
	}
	resolve := func(s *parley.Store, c parley.Caller, id parley.SessionID) error {
		return s.Resolve(ctx, c, id, human("Ola"))
	}
	resolved := func(s scene, id parley.EntryID) parley.SessionID {
		session := open(s, id)
		s.want("resolve", resolve(s.store, s.operator(), session), "")
		return session
	}
	unmet := func(s scene, id parley.EntryID) parley.SessionID {
		session := open(s, id)
		s.answer("r"+id, session)
		return session
	}
	look := func(s *parley.Store, _ parley.Caller, id parley.SessionID) error {
		_, _, err := s.Look(ctx, parleytest.Project, id)
		return err
	}
	end := func(s *parley.Store, c parley.Caller, id parley.SessionID) error {
		_, err := s.End(ctx, c, id)
		return err
	}
	cancel := func(s *parley.Store, c parley.Caller, id parley.SessionID) error {
		_, err := s.Cancel(ctx, c, id, "")
		return err
	}
	for name, test := range map[string]struct {
		before func(scene, parley.EntryID) parley.SessionID
		staff  bool
		do     func(*parley.Store, parley.Caller, parley.SessionID) error
	}{
		"the page leaves": {open, false, func(s *parley.Store, c parley.Caller, id parley.SessionID) error { return s.Close(ctx, c, id) }},
		"the page of who waits leaves": {waiting, false, func(s *parley.Store, c parley.Caller, id parley.SessionID) error {
			return s.Close(ctx, c, id)
		}},
		"the page is back": {closing, false, func(s *parley.Store, c parley.Caller, id parley.SessionID) error {
			_, err := s.Since(ctx, c, id, 0)
			return err
		}},
		"the page meets an answer": {unmet, false, func(s *parley.Store, c parley.Caller, id parley.SessionID) error {
			_, err := s.FullTranscript(ctx, c, id, 1e6)
			return err
		}},
		"a close settles":                  {later(time.Minute, closing), true, look},
		"silence":                          {later(10*time.Minute, open), true, look},
		"long silence":                     {later(30*time.Minute, open), true, look},
		"nobody came":                      {later(time.Hour, waiting), true, look},
		"the visitor ends":                 {open, false, end},
		"the visitor ends what is written": {running, false, end},
		"cancel":                           {running, false, cancel},
		"resolve":                          {open, true, resolve},
		"close": {open, true, func(s *parley.Store, c parley.Caller, id parley.SessionID) error {
			return s.CloseNow(ctx, c, id, human("Ola"))
		}},
		"spam": {running, true, func(s *parley.Store, c parley.Caller, id parley.SessionID) error {
			return s.MarkSpam(ctx, c, id, human("Ola"))
		}},
		"take over": {running, true, func(s *parley.Store, c parley.Caller, id parley.SessionID) error {
			return s.TakeOver(ctx, c, id, human("Ola"))
		}},
		"hand back": {waiting, true, func(s *parley.Store, c parley.Caller, id parley.SessionID) error {
			return s.HandBack(ctx, c, id, human("Ola"))
		}},
		"reopen": {resolved, true, func(s *parley.Store, c parley.Caller, id parley.SessionID) error {
			return s.Reopen(ctx, c, id, human("Ola"))
		}},
		"archive": {open, true, func(s *parley.Store, c parley.Caller, id parley.SessionID) error {
			return s.Archive(ctx, c, id, true)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			onBolt(t, func(s scene) {
				p := idling(60, 60)
				p.UnansweredCloseSeconds, p.ReplyMail = 600, parley.ReplyMail{Enabled: true, Page: "https://shop.example/"}
				parleytest.Put(s, s.store, p)
				c := s.visitor
				if test.staff {
					c = operatorNamed("op")
				}
				for n := 1; ; n++ {
					id := test.before(s, parley.EntryID(fmt.Sprint("m", n)))
					var after map[table.Key]table.Item
					tbl := &overtaken{Table: s.table, nth: n, do: func() {
						s.want("first", test.do(s.over(s.table), c, id), "")
						after = s.table.Dump(s)
					}}
					s.want("second", test.do(s.over(tbl), c, id), "")
					if after == nil {
						return
					}
					for _, key := range parleytest.Differences(after, s.table.Dump(s)) {
						if !strings.HasPrefix(key, "demo/count/") {
							s.Errorf("done after read %d it changed %q", n, key)
						}
					}
				}
			})
		})
	}
}
