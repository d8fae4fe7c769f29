package parley_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/socket"
	"parley/shared/table/fault"
)

// chathub is a connection of the scene's visitor as its dialect makes it.
func (s scene) chathub(id string, session parley.SessionID) parley.Connection {
	s.Helper()
	c := parley.Connection{Ref: socket.Ref{API: "chathub", ID: id}, Project: parleytest.Project, Channel: parley.ChannelChatHub,
		Caller: s.visitor, Session: session, Language: "de", Metadata: map[string]string{"plan": "gold"},
		Token: s.store.TokenHash(parleytest.Project, "guide", "user_1")}
	return c
}

func (s scene) connect(c parley.Connection) parley.Connection {
	s.Helper()
	if err := s.store.Connect(context.Background(), c); err != nil {
		s.Fatalf("connect %s: %v", c.ID, err)
	}
	got, err := s.store.ConnectionOf(context.Background(), c.Ref)
	if err != nil {
		s.Fatalf("connection %s: %v", c.ID, err)
	}
	return got
}

func (s scene) ready(c parley.Connection) parley.Line {
	s.Helper()
	was, err := s.store.Attach(context.Background(), c)
	if err != nil {
		s.Fatalf("attach %s: %v", c.ID, err)
	}
	return was
}

func (s scene) line(id parley.SessionID) parley.Line {
	s.Helper()
	l, err := s.store.LineOf(context.Background(), parleytest.Project, id)
	if err != nil {
		s.Fatalf("line: %v", err)
	}
	return l
}

// TestReconnect: a client that drops and comes back goes on where it was, and is told
// which connection it had.
func TestReconnect(t *testing.T) {
	onBoth(t, func(s scene) {
		ctx := context.Background()
		first := s.connect(s.chathub("one=", "h1"))
		if first.Ready || first.Language != "de" || first.Metadata["plan"] != "gold" || first.Caller.Visitor != s.visitor.Visitor || first.Session != "h1" ||
			first.Caller.Address != "" {
			s.Errorf("connection = %+v", first)
		}
		if l := s.line("h1"); l.Connection.ID != "" {
			s.Errorf("line before the first record = %+v", l)
		}
		if was := s.ready(first); was.Connection.ID != "" {
			s.Errorf("line before = %+v", was)
		}
		if got, err := s.store.ConnectionOf(ctx, first.Ref); err != nil || !got.Ready {
			s.Errorf("attached = %+v, %v", got, err)
		}
		if to, ok := s.line("h1").Current(); !ok || to != first.Ref {
			s.Errorf("current = %v, %v", to, ok)
		}
		s.want("disconnect", s.store.Disconnect(ctx, first.Ref, false), "")
		if _, ok := s.line("h1").Current(); ok {
			s.Error("somebody is there")
		}
		id, l, err := s.store.Newest(ctx, parleytest.Project, first.Token)
		if err != nil || id != "h1" || l.Left.IsZero() || l.Meant {
			s.Errorf("newest = %v, %+v, %v", id, l, err)
		}
		second := s.chathub("two=", id)
		second.After = l.Connection
		second = s.connect(second)
		if was := s.ready(second); was.Connection != first.Ref || was.Left.IsZero() {
			s.Errorf("line = %+v", was)
		}
		s.want("a late disconnect", s.store.Disconnect(ctx, first.Ref, false), "")
		if to, ok := s.line("h1").Current(); !ok || to != second.Ref {
			s.Errorf("current = %v, %v", to, ok)
		}
	})
}

// TestTwoTabs: two pages with one token that name no session each have their own, and
// neither takes it from the other, whatever comes in which order. A page that names its
// session takes it from an older connection, and never from a newer one.
func TestTwoTabs(t *testing.T) {
	onBoth(t, func(s scene) {
		ctx := context.Background()
		one := s.connect(s.chathub("one=", "h1"))
		s.ready(one)
		await(time.Second)
		two := s.chathub("two=", "h1")
		two.After = socket.Ref{API: "chathub", ID: "gone="} // as the line was a moment ago
		two = s.connect(two)
		s.unchanged("taking it from the first", func() {
			_, err := s.store.Attach(ctx, two)
			s.want("the second tab", err, "session_connected")
		})
		two.Session = "h2"
		if was := s.ready(two); was.Connection.ID != "" {
			s.Errorf("line of the second = %+v", was)
		}
		if got, err := s.store.ConnectionOf(ctx, two.Ref); err != nil || got.Session != "h2" || !got.Ready {
			s.Errorf("the second = %+v, %v", got, err)
		}
		if got, err := s.store.VisitorConnections(ctx, parleytest.Project, s.visitor.Visitor); err != nil || len(got) != 2 || got[1].Session != "h2" {
			s.Errorf("connections = %+v, %v", got, err)
		}
		for id, ref := range map[parley.SessionID]socket.Ref{"h1": one.Ref, "h2": two.Ref} {
			if to, ok := s.line(id).Current(); !ok || to != ref {
				s.Errorf("current of %s = %v, %v", id, to, ok)
			}
		}
		// Both drop at the same time, and both are told that the newest session is free.
		for _, c := range []parley.Connection{one, two} {
			s.want("disconnect", s.store.Disconnect(ctx, c.Ref, false), "")
		}
		var back []parley.Connection
		for _, id := range []string{"three=", "four="} {
			newest, l, err := s.store.Newest(ctx, parleytest.Project, one.Token)
			if err != nil || newest != "h2" || l.Left.IsZero() {
				s.Fatalf("newest = %q, %+v, %v", newest, l, err)
			}
			c := s.chathub(id, newest)
			c.After = l.Connection
			back = append(back, s.connect(c))
		}
		s.ready(back[1])
		_, err := s.store.Attach(ctx, back[0])
		s.want("who was slower", err, "session_connected")
		if to, ok := s.line("h2").Current(); !ok || to != back[1].Ref {
			s.Errorf("current = %v, %v", to, ok)
		}

		await(time.Second)
		named := s.connect(s.chathub("named=", "h2"))
		if was := s.ready(named); was.Connection != back[1].Ref {
			s.Errorf("line = %+v", was)
		}
		late := s.chathub("late=", "h2")
		late.Connected = time.Now().Add(-time.Minute)
		_, err = s.store.Attach(ctx, s.connect(late))
		s.want("the first record of an older connection", err, "session_connected")
		s.want("disconnect", s.store.Disconnect(ctx, named.Ref, false), "")
		s.ready(late) // nobody is there now
	})
}

// TestHowItLeft: a client that says that it leaves is known to have meant it, though
// the end of its connection is told first, or twice, or not at all; and nothing that is
// told late is taken for another connection's.
func TestHowItLeft(t *testing.T) {
	onBoth(t, func(s scene) {
		ctx := context.Background()
		for _, test := range []struct {
			name  string
			told  []bool // meant
			after time.Duration
			meant bool
		}{
			{"cut", []bool{false}, 0, false},
			{"meant", []bool{true}, 0, true},
			{"meant, and told again", []bool{true, false}, 0, true},
			{"the word comes after the end", []bool{false, true}, time.Second, true},
			{"the word comes much too late", []bool{false, true}, 2 * time.Minute, false},
		} {
			session := parley.SessionID("h " + test.name)
			c := s.connect(s.chathub(test.name, session))
			s.ready(c)
			left := time.Now()
			for n, meant := range test.told {
				if n > 0 {
					await(test.after)
				}
				s.want(test.name, s.store.Disconnect(ctx, c.Ref, meant), "")
			}
			if l := s.line(session); l.Meant != test.meant || l.Left.Sub(left) > time.Second || l.Connection != c.Ref {
				s.Errorf("%s: line = %+v", test.name, l)
			}
			next := s.connect(s.chathub(test.name+" next", session))
			s.ready(next)
			s.unchanged("the end of the one before", func() {
				s.want("disconnect", s.store.Disconnect(ctx, c.Ref, false), "")
			})
			if l := s.line(session); !l.Left.IsZero() || l.Meant {
				s.Errorf("%s: the next line = %+v", test.name, l)
			}
		}
		// Nobody told that it has ended.
		c := s.connect(s.chathub("lost", "h"))
		s.ready(c)
		await(2*time.Hour + 4*time.Minute)
		if _, ok := s.line("h").Current(); !ok {
			s.Error("it has left early")
		}
		await(time.Minute)
		if to, ok := s.line("h").Current(); ok {
			s.Errorf("%v is there after its time", to)
		}
		if _, _, err := s.store.Newest(ctx, parleytest.Project, c.Token); !is(err, parley.ErrNotFound) {
			s.Errorf("newest = %v", err)
		}
	})
}

// TestAttachIsForTheOwner: a session that is somebody else's, and one of a caller who
// may no more, gets no connection.
func TestAttachIsForTheOwner(t *testing.T) {
	onBoth(t, func(s scene) {
		ctx := context.Background()
		s.beginHub()
		stranger := s.chathub("stranger=", "h")
		stranger.Caller = parleytest.Visitor(s, s.store)
		s.connect(stranger)
		revoked := s.chathub("revoked=", "h")
		revoked.Caller.Generation = 7
		s.connect(revoked)
		unknown := s.chathub("unknown=", "h")
		ended := s.connect(s.chathub("ended=", "h"))
		s.want("disconnect", s.store.Disconnect(ctx, ended.Ref, false), "")
		for _, test := range []struct {
			c    parley.Connection
			code string
		}{{stranger, "not_found"}, {revoked, "token_revoked"}, {unknown, "not_found"}, {ended, "not_found"}} {
			s.unchanged(test.c.ID, func() {
				_, err := s.store.Attach(ctx, test.c)
				s.want(test.c.ID, err, test.code)
			})
		}
		mine := s.connect(s.chathub("mine=", "h"))
		if err := s.store.BlockVisitor(ctx, parleytest.Project, s.visitor.Visitor, true); err != nil {
			s.Fatal(err)
		}
		_, err := s.store.Attach(ctx, mine)
		s.want("blocked", err, "blocked")
		if l := s.line("h"); l.Connection.ID != "" {
			s.Errorf("line = %+v", l)
		}
	})
}

// TestAttachAgain: who died in Attach calls it again, at any point, and is then there.
func TestAttachAgain(t *testing.T) {
	for _, kind := range []fault.Kind{fault.CrashBefore, fault.CrashAfter} {
		onBolt(t, func(s scene) { attachAgain(s, kind) })
	}
}

func attachAgain(s scene, kind fault.Kind) {
	ctx := context.Background()
	for call := 1; ; call++ {
		session := parley.SessionID(fmt.Sprint("h", call))
		first := s.connect(s.chathub(fmt.Sprint("first", call), session))
		s.ready(first)
		s.want("disconnect", s.store.Disconnect(ctx, first.Ref, false), "")
		c := s.connect(s.chathub(fmt.Sprint("c", call), session))
		p := fault.NewNetwork(fault.NetworkConfig{Table: s.table}).Process(fault.Config{Plan: map[int]fault.Kind{call: kind}})
		_, died := s.over(p).Attach(ctx, c)
		if was := s.ready(c); was.Connection != c.Ref && was.Connection != first.Ref {
			s.Errorf("call %d: line = %+v", call, was)
		}
		if to, ok := s.line(session).Current(); !ok || to != c.Ref {
			s.Errorf("call %d: current = %v, %v", call, to, ok)
		}
		if got, err := s.store.ConnectionOf(ctx, c.Ref); err != nil || !got.Ready {
			s.Errorf("call %d: connection = %+v, %v", call, got, err)
		}
		if died == nil {
			if call < 4 {
				s.Errorf("only %d calls", call)
			}
			return
		}
	}
}

// TestLineRaces: connections of one session come and go at the same time. What is
// current is one that is there, or nobody; when all have gone nobody is.
func TestLineRaces(t *testing.T) {
	onBolt(t, func(s scene) {
		ctx := context.Background()
		const tabs = 6
		for round := range 20 {
			session := parley.SessionID(fmt.Sprint("h", round))
			var all [tabs]parley.Connection
			for i := range all {
				all[i] = s.connect(s.chathub(fmt.Sprint(round, "-", i), session))
			}
			inParallel(tabs, func(i int) {
				c := all[i]
				if _, err := s.store.Attach(ctx, c); err != nil && !is(err, parley.ErrConflict) && !is(err, parley.ErrNotFound) {
					s.Errorf("attach = %v", err)
				}
				if i%2 == round%2 {
					s.want("disconnect", s.store.Disconnect(ctx, c.Ref, false), "")
				}
			})()
			if to, ok := s.line(session).Current(); ok {
				if _, err := s.store.ConnectionOf(ctx, to); err != nil {
					s.Errorf("round %d: %v is current, and %v", round, to, err)
				}
			}
			inParallel(tabs, func(i int) {
				s.want("disconnect", s.store.Disconnect(ctx, all[i].Ref, false), "")
				if _, err := s.store.Attach(ctx, all[i]); !is(err, parley.ErrNotFound) {
					s.Errorf("attach after the end = %v", err)
				}
			})()
			if to, ok := s.line(session).Current(); ok {
				s.Errorf("round %d: %v is current after all have ended", round, to)
			}
		}
	})
}

// TestBegins: a message that begins the session of its connection is stored in one
// wave, and one that meets it goes on with it.
func TestBegins(t *testing.T) {
	onBoth(t, func(s scene) {
		r := say("m1", "hub-session")
		r.Channel, r.Begins = parley.ChannelChatHub, true
		first := s.send(r)
		if first.Session.ID != "hub-session" || first.Session.Channel != parley.ChannelChatHub {
			s.Fatalf("first = %+v", first.Session)
		}
		s.reply(first.Claim, "an answer")
		if again := s.send(r); !again.Replayed || again.Ref.Run != "m1" {
			s.Errorf("again = %+v", again)
		}
		r.ID = "m2"
		if next := s.send(r); next.Session.ID != "hub-session" || next.Message.Seq != 3 {
			s.Errorf("next = %+v", next)
		}
		other := parleytest.Visitor(s, s.store)
		r.ID = "m3"
		_, err := s.store.Send(context.Background(), other, r)
		s.want("somebody else's", err, "session_id_conflict")
		session, err := s.store.End(context.Background(), s.visitor, "hub-session")
		if err != nil || !session.Over() || session.Run != nil {
			s.Fatalf("end = %+v, %v", session, err)
		}
		r.ID = "m4"
		_, err = s.store.Send(context.Background(), s.visitor, r)
		s.want("a message after the end", err, "session_closed")
	})
}

// TestBegunIsNoted: the message that begins a connection's session says so with it, as
// it does of no other session and of no connection that has ended; it is stored anyway.
func TestBegunIsNoted(t *testing.T) {
	onBoth(t, func(s scene) {
		ctx := context.Background()
		send := func(c parley.Connection, id parley.EntryID) {
			s.Helper()
			r := say(id, c.Session)
			r.Channel, r.Begins, r.On = parley.ChannelChatHub, true, c.Ref
			if sent := s.send(r); sent.Message.ID != id || sent.Replayed {
				s.Errorf("sent = %+v", sent)
			}
		}
		begun := func(c parley.Connection) bool {
			s.Helper()
			got, err := s.store.ConnectionOf(ctx, c.Ref)
			s.want("connection", err, "")
			return got.Begun
		}
		c := s.connect(s.chathub("one=", "h1"))
		s.ready(c)
		send(c, "m1")
		if !begun(c) {
			s.Error("the connection does not know that its session has begun")
		}
		other := s.connect(s.chathub("two=", "h2"))
		other.Session = "h3" // as it was before another frame was faster
		send(other, "m2")
		if begun(other) {
			s.Error("the connection takes another session for its own")
		}
		left := s.connect(s.chathub("three=", "h4"))
		s.ready(left)
		s.want("disconnect", s.store.Disconnect(ctx, left.Ref, false), "")
		send(left, "m3")
		_, err := s.store.ConnectionOf(ctx, left.Ref)
		s.want("a connection that has ended", err, "not_found")
	})
}

// TestDoubt: what a client may have lost, and since when, is known after each connection
// that it did not say it ends, until it has been given again and was heard after that.
func TestDoubt(t *testing.T) {
	onBoth(t, func(s scene) {
		ctx := context.Background()
		made := 0
		next := func() (parley.Connection, parley.Line) {
			made++
			c := s.connect(s.chathub(fmt.Sprint("c", made), "h"))
			return c, s.ready(c)
		}
		want := func(what string, silent socket.Ref, heard time.Time, doubtful bool) parley.Line {
			s.Helper()
			l := s.line("h")
			if l.Silent != silent || !l.Heard.Equal(heard) || l.Doubtful() != doubtful || l.Ended.IsZero() != (silent.ID == "") {
				s.Errorf("%s: line = %+v", what, l)
			}
			return l
		}
		at := func(d time.Duration) time.Time { return time.Now().Add(d).UTC().Truncate(time.Millisecond) }
		one, was := next()
		s.want("heard of none", s.store.NoteHeard(ctx, one, was, at(0)), "")
		want("the first connection", socket.Ref{}, time.Time{}, false)
		s.want("disconnect", s.store.Disconnect(ctx, one.Ref, true), "")
		two, was := next()
		s.want("heard of one that was ended", s.store.NoteHeard(ctx, two, was, at(0)), "")
		want("after one that its client has ended", socket.Ref{}, time.Time{}, false)

		s.want("disconnect", s.store.Disconnect(ctx, two.Ref, false), "")
		three, was := next()
		want("after one that broke off", two.Ref, time.Time{}, true)
		heard := at(-time.Minute)
		s.want("heard", s.store.NoteHeard(ctx, three, was, heard), "")
		want("when it was heard", two.Ref, heard, true)
		s.want("heard late", s.store.NoteHeard(ctx, two, was, at(0)), "")
		want("heard by who is replaced", two.Ref, heard, true)

		four, was := next() // three has not left
		s.want("heard", s.store.NoteHeard(ctx, four, was, at(0)), "")
		l := want("with one in doubt before", two.Ref, heard, true)
		s.want("said again", s.store.SaidAgain(ctx, parleytest.Project, "h", l), "")
		want("said again", two.Ref, heard, false)
		five, was := next()
		want("after it was said again to one that broke off", two.Ref, heard, true)
		s.want("heard before that", s.store.NoteHeard(ctx, five, was, was.Again.Add(-time.Second)), "")
		want("heard before it was said again", two.Ref, heard, true)
		s.want("said again", s.store.SaidAgain(ctx, parleytest.Project, "h", s.line("h")), "")
		s.want("said again of another line", s.store.SaidAgain(ctx, parleytest.Project, "h", l), "")
		six, was := next()
		after := was.Again.Add(time.Second)
		s.want("heard after that", s.store.NoteHeard(ctx, six, was, after), "")
		want("heard after it was said again", two.Ref, after, true)

		s.want("disconnect", s.store.Disconnect(ctx, six.Ref, true), "")
		next()
		want("ended by its client while in doubt", two.Ref, after, true)
		s.want("said again", s.store.SaidAgain(ctx, parleytest.Project, "h", s.line("h")), "")
		s.want("disconnect", s.store.Disconnect(ctx, s.line("h").Connection, true), "")
		next()
		want("ended by its client after it was said again", socket.Ref{}, time.Time{}, false)
	})
}
