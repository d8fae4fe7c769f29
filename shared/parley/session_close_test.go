package parley_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/table"
)

const grace = 30 * time.Second // the default of a project

func (s scene) close(id parley.SessionID) {
	s.Helper()
	if err := s.store.Close(context.Background(), s.visitor, id); err != nil {
		s.Fatalf("close: %v", err)
	}
}

// stands fails the test unless the session is in this state, after so many
// closes that stuck, and with a close pending or not.
func (s scene) stands(what string, id parley.SessionID, state parley.State, closes int, pending bool) {
	s.Helper()
	got := s.session(id)
	if got.State != state || got.Closes != closes || (got.Settles > 0) != pending {
		s.Errorf("%s: the session is %s, %d closes, settles %d, want %s, %d, pending %v", what, got.State, got.Closes, got.Settles, state, closes, pending)
	}
}

// events counts the events of a kind in a session.
func (s scene) events(id parley.SessionID, kind parley.Event) (n int) {
	s.Helper()
	for _, e := range parleytest.Entries(s, s.store, s.operator(), id) {
		if e.Event == kind {
			n++
		}
	}
	return n
}

// TestInvariant7CloseIsAHint: closing is idempotent, kills nothing, is undone by
// a sign of the page, and sticks once, under a number.
func TestInvariant7CloseIsAHint(t *testing.T) {
	t.Run("kills no run", func(t *testing.T) { onBoth(t, closeKillsNoRun) })
	t.Run("twice", func(t *testing.T) { onBoth(t, closeTwice) })
	t.Run("sticks once", func(t *testing.T) { onBoth(t, closeSticksOnce) })
	t.Run("goodbye", func(t *testing.T) { onBoth(t, goodbye) })
	t.Run("resolve", func(t *testing.T) { onBoth(t, resolve) })
	for name, sign := range signs {
		t.Run(name, func(t *testing.T) { onBoth(t, func(s scene) { signOfThePage(s, sign) }) })
	}
	for name, look := range noSigns {
		t.Run(name, func(t *testing.T) { onBoth(t, func(s scene) { noSignOfThePage(s, look) }) })
	}
}

func closeKillsNoRun(s scene) {
	id := s.turn("opening").ID
	sent := s.send(say("m", id))
	s.send(say("waiting", id))
	parleytest.Append(s, s.store, sent.Claim, "the ")
	s.close(id)
	await(time.Minute)
	parleytest.Sweep(s, s.store)
	s.stands("after the grace period", id, parley.StateClosed, 1, false)
	ended := s.reply(sent.Claim, "reply")
	if ended.Session.Run == nil || ended.Session.Run.ID != "waiting" {
		s.Errorf("the next run is %+v", ended.Session.Run)
	}
	if got := s.brief(id); !slices.Contains(got, `6 ai "reply" done`) {
		s.Errorf("the reply is not in %q", got)
	}
}

func closeTwice(s scene) {
	id := s.turn("opening").ID
	s.close(id)
	settles := s.session(id).Settles
	await(10 * time.Second)
	s.unchanged("closing again", func() { s.close(id) })
	if want := time.Now().Add(grace - 10*time.Second).UnixMilli(); settles != want {
		s.Errorf("the close sticks at %d, want %d", settles, want)
	}
	await(time.Minute)
	parleytest.Sweep(s, s.store)
	s.unchanged("closing what is closed", func() { s.close(id) })
	s.stands("closed three times", id, parley.StateClosed, 1, false)
}

func closeSticksOnce(s scene) {
	id := s.turn("opening").ID
	for n := 1; n <= 2; n++ {
		s.close(id)
		await(grace - time.Second)
		parleytest.Sweep(s, s.store)
		s.stands("within the grace period", id, parley.StateClosed, n-1, true)
		await(2 * time.Second)
		var sweeps sync.WaitGroup
		for range 4 { // at once, by processes of their own
			sweeps.Go(func() { parleytest.Sweep(s, s.over(s.table)) })
		}
		sweeps.Wait()
		s.stands("after it", id, parley.StateClosed, n, false)
		s.unchanged("another sweep", func() {
			parleytest.Sweep(s, s.store)
		})
		if got := s.events(id, parley.EventClosed); got != n {
			s.Errorf("%d closes are in the order, want %d: %q", got, n, s.brief(id))
		}
		for k := range s.table.Dump(s) {
			if k.SK == "job/look" {
				s.Errorf("%v is left", k)
			}
		}
		if _, err := s.store.Since(context.Background(), s.visitor, id, 0); err != nil {
			s.Fatal(err)
		}
		s.stands("looked at", id, parley.StateClosed, n, false)
		sent := s.send(say(parley.EntryID(rune('a'+n)), id))
		s.stands("written to", id, parley.StateOpen, n, false)
		s.reply(sent.Claim, "reply")
		if got := s.events(id, parley.EventReopened); got != n {
			s.Errorf("%d reopenings are in the order, want %d", got, n)
		}
	}
}

// signs are what a page does that is still there.
var signs = map[string]func(s scene, id parley.SessionID) error{
	"a message": func(s scene, id parley.SessionID) error {
		_, err := s.store.Send(context.Background(), s.visitor, say("sign", id))
		return err
	},
	"a look at updates": func(s scene, id parley.SessionID) error {
		_, err := s.store.Since(context.Background(), s.visitor, id, 99)
		return err
	},
	"a look at the status": func(s scene, id parley.SessionID) error {
		_, err := s.store.Session(context.Background(), s.visitor, id)
		return err
	},
	"a look at the history": func(s scene, id parley.SessionID) error {
		_, _, _, err := s.store.Transcript(context.Background(), s.visitor, id, parley.PageRequest{})
		return err
	},
	"a stream": func(s scene, id parley.SessionID) error {
		_, err := s.store.OpenRun(context.Background(), s.visitor, id, "opening")
		return err
	},
}

func signOfThePage(s scene, sign func(scene, parley.SessionID) error) {
	id := s.turn("opening").ID
	s.close(id)
	await(grace - time.Second)
	s.want("sign", sign(s, id), "")
	s.stands("after a sign", id, parley.StateOpen, 0, false)
	if n := s.events(id, parley.EventReopened); n != 0 {
		s.Errorf("%d reopenings of what was never closed", n)
	}
	for range 3 {
		await(time.Minute)
		parleytest.Sweep(s, s.store)
	}
	s.stands("much later", id, parley.StateOpen, 0, false)
	s.close(id)
	await(time.Minute)
	parleytest.Sweep(s, s.store)
	s.stands("closed at last", id, parley.StateClosed, 1, false)
}

// noSigns are looks by which nobody shows that the page is there.
var noSigns = map[string]func(s scene, id parley.SessionID) error{
	"an open request": func(s scene, id parley.SessionID) error {
		_, err := s.store.Peek(context.Background(), s.visitor, id, 0)
		return err
	},
	"the list": func(s scene, id parley.SessionID) error {
		_, _, err := s.store.Sessions(context.Background(), s.visitor, parley.PageRequest{})
		return err
	},
	"an operator's look": func(s scene, id parley.SessionID) error {
		_, _, _, err := s.store.Transcript(context.Background(), s.operator(), id, parley.PageRequest{})
		return err
	},
	"a rating": func(s scene, id parley.SessionID) error {
		_, err := s.store.Rate(context.Background(), s.visitor, id, 3, "")
		return err
	},
}

func noSignOfThePage(s scene, look func(scene, parley.SessionID) error) {
	id := s.turn("opening").ID
	s.close(id)
	s.want("look", look(s, id), "")
	s.stands("after a look", id, parley.StateClosed, 0, true)
}

func goodbye(s scene) {
	say1 := func(id parley.EntryID, session parley.SessionID, more ...parley.EntryID) parley.SessionID {
		claim := s.send(say(id, session)).Claim
		for _, m := range more {
			s.send(say(m, claim.Ref.Session))
		}
		_, err := s.store.EndRun(context.Background(), claim.Ref, nil, parley.End{Next: claim.Next, Of: id,
			Status: parley.StatusDone, Text: "bye", Unflushed: "bye", Goodbye: true})
		if err != nil {
			s.Fatal(err)
		}
		return claim.Ref.Session
	}
	id := say1("m", "")
	s.stands("after a goodbye", id, parley.StateClosed, 0, true)
	if _, err := s.store.Session(context.Background(), s.visitor, id); err != nil {
		s.Fatal(err)
	}
	s.stands("the page is still there", id, parley.StateOpen, 0, false)
	say1("m2", id)
	await(time.Minute)
	parleytest.Sweep(s, s.store)
	s.stands("after the grace period", id, parley.StateClosed, 1, false)
	asked := say1("m3", "", "m4")
	s.stands("somebody still asks", asked, parley.StateOpen, 0, false)
}

func resolve(s scene) {
	ctx := context.Background()
	id := s.turn("opening").ID
	s.close(id)
	for range 2 {
		if err := s.store.Resolve(ctx, s.visitor, id, human("me")); err != nil {
			s.Fatal(err)
		}
	}
	s.stands("resolved at once", id, parley.StateResolved, 1, false)
	s.unchanged("closing what is resolved", func() { s.close(id) })
	if _, err := s.store.Session(ctx, s.visitor, id); err != nil {
		s.Fatal(err)
	}
	await(time.Minute)
	parleytest.Sweep(s, s.store)
	s.stands("much later", id, parley.StateResolved, 1, false)
	if n := s.events(id, parley.EventResolved); n != 1 {
		s.Errorf("%d events, want 1", n)
	}
	s.send(say("m", id))
	s.stands("written to", id, parley.StateOpen, 1, false)
	s.otherDialect(id)
}

// otherDialect: in some dialects a resolved session takes no message.
func (s scene) otherDialect(id parley.SessionID) {
	r := say("cossistant", "")
	r.Channel = parley.ChannelCossistant
	sent := s.send(r)
	s.reply(sent.Claim, "reply")
	if err := s.store.Resolve(context.Background(), s.visitor, sent.Session.ID, human("me")); err != nil {
		s.Fatal(err)
	}
	s.unchanged("a message to a resolved session", func() {
		_, err := s.store.Send(context.Background(), s.visitor, say("too late", sent.Session.ID))
		s.want("send", err, "session_closed")
	})
}

// delayed is a table whose first call takes long.
type delayed struct {
	table.Table
	by   time.Duration
	once *sync.Once
}

func (d delayed) Get(ctx context.Context, consistent bool, keys ...table.Key) ([]table.Item, error) {
	d.once.Do(func() { time.Sleep(d.by) })
	return d.Table.Get(ctx, consistent, keys...)
}

// TestSlowSweep: a sweep that another one has overtaken has not failed, and does
// not put back how far that one has looked.
func TestSlowSweep(t *testing.T) {
	onBolt(t, func(s scene) {
		id := s.turn("opening").ID
		s.close(id)
		var slow sync.WaitGroup
		slow.Go(func() {
			parleytest.Sweep(s, s.over(delayed{s.table, 5 * time.Minute, new(sync.Once)}))
		})
		await(2 * time.Minute)
		parleytest.Sweep(s, s.store)
		before := s.table.Dump(s)[table.Key{PK: "~/sweep", SK: "-"}]
		slow.Wait()
		if after := s.table.Dump(s)[table.Key{PK: "~/sweep", SK: "-"}]; !after.Equal(before) {
			s.Errorf("the sweep has looked until %v, before it was %v", after, before)
		}
		s.stands("swept", id, parley.StateClosed, 1, false)
	})
}

// TestSweepCatchesUp: after an outage the sweep does everything that became due meanwhile.
func TestSweepCatchesUp(t *testing.T) {
	onBolt(t, func(s scene) {
		parleytest.Sweep(s, s.store)
		id := s.turn("opening").ID
		s.close(id)
		await(11 * time.Hour)
		for range 3 {
			parleytest.Sweep(s, s.store)
		}
		s.stands("after the outage", id, parley.StateClosed, 1, false)
	})
}

// TestSettlesOnTime: a pending close sticks when its grace period is over, and not before.
func TestSettlesOnTime(t *testing.T) {
	onBolt(t, func(s scene) {
		id := s.turn("m").ID
		s.close(id)
		look := func() {
			s.Helper()
			if _, _, err := s.store.Look(context.Background(), parleytest.Project, id); err != nil {
				s.Fatal(err)
			}
		}
		await(time.Until(time.UnixMilli(s.session(id).Settles)) - time.Millisecond)
		look()
		s.stands("a millisecond before its time", id, parley.StateClosed, 0, true)
		await(time.Millisecond)
		look()
		s.stands("at its time", id, parley.StateClosed, 1, false)
	})
}

// TestHandoverOfClosed: an agent that asks for a person does not open again what staff
// has closed, for nobody's page has left there.
func TestHandoverOfClosed(t *testing.T) {
	onBolt(t, func(s scene) {
		claim := s.send(say("m", "")).Claim
		id := claim.Ref.Session
		s.want("closing", s.store.CloseNow(context.Background(), s.operator(), id, human("Ola")), "")
		_, err := s.store.EndRun(context.Background(), claim.Ref, nil, parley.End{Next: claim.Next, Of: claim.First.Of, Status: parley.StatusDone,
			Text: "ok", Unflushed: "ok", Handover: true})
		s.want("the handover", err, "")
		s.stands("after the handover", id, parley.StateClosed, 1, false)
	})
}

// TestLookForNobody: of a project or a session that is unknown nothing is due; a run of
// which nothing was ever written is due once its Lease is over.
func TestLookForNobody(t *testing.T) {
	onBolt(t, func(s scene) {
		ctx := context.Background()
		id := s.turn("m").ID
		for _, of := range []parley.RunRef{{Project: "nobody", Session: id}, {Project: parleytest.Project, Session: "nobody"}} {
			dead, again, err := s.store.Look(ctx, of.Project, of.Session)
			if dead.Run != "" || !again.IsZero() || err != nil {
				s.Errorf("looking at %v = %v, %v, %v", of, dead, again, err)
			}
		}
		_, err := s.store.Send(ctx, s.visitor, parley.SendRequest{ID: "unclaimed", Session: id, Content: "hello"})
		s.want("a message", err, "")
		await(parley.Lease - time.Millisecond)
		for _, want := range []parley.RunID{"", "unclaimed"} {
			if dead, _, err := s.store.Look(ctx, parleytest.Project, id); err != nil || dead.Run != want {
				s.Errorf("the silent run = %q, %v, want %q", dead.Run, err, want)
			}
			await(time.Millisecond)
		}
	})
}
