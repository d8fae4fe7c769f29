package parley_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/table"
	"parley/shared/table/fault"
)

// deaths are operations during which a process dies. Afterwards the client may
// repeat itself, and sweeps come.
var deaths = []struct {
	name string
	// prepare returns what the dying process does.
	prepare func(s scene) func(*parley.Store) error
	// after checks what must be true whether or not it was done.
	after func(s scene, done bool)
}{
	{"close", func(s scene) func(*parley.Store) error {
		parleytest.Sweep(s, s.store)
		id := s.turn("m").ID
		return func(store *parley.Store) error { return store.Close(context.Background(), s.visitor, id) }
	}, func(s scene, done bool) {
		if done {
			s.stands("closed", s.only(), parley.StateClosed, 1, false)
		}
	}},
	{"settling", func(s scene) func(*parley.Store) error {
		parleytest.Sweep(s, s.store)
		s.close(s.turn("m").ID)
		await(31 * time.Second)
		return func(store *parley.Store) error {
			_, err := store.Sweep(context.Background(), parley.SweepHelp{Revive: nothingToRevive})
			return err
		}
	}, func(s scene, _ bool) { s.stands("settled", s.only(), parley.StateClosed, 1, false) }},
	{"asking", func(s scene) func(*parley.Store) error {
		s.settings(idling(60, 600))
		s.turn("m")
		await(61 * time.Second)
		return func(store *parley.Store) error {
			_, err := store.Sweep(context.Background(), parley.SweepHelp{Revive: nothingToRevive})
			return err
		}
	}, func(s scene, _ bool) { s.silent("asked", s.only(), 1, parley.StateOpen, 0) }},
	{"closing what is idle", func(s scene) func(*parley.Store) error {
		s.settings(idling(60, 60))
		s.turn("m")
		s.minutes(2)
		await(61 * time.Second)
		return func(store *parley.Store) error {
			_, err := store.Sweep(context.Background(), parley.SweepHelp{Revive: nothingToRevive})
			return err
		}
	}, func(s scene, _ bool) { s.silent("idle", s.only(), 1, parley.StateClosed, 1) }},
	{"goodbye", func(s scene) func(*parley.Store) error {
		parleytest.Sweep(s, s.store)
		claim := s.send(say("m", "")).Claim
		return func(store *parley.Store) error {
			_, err := store.EndRun(context.Background(), claim.Ref, nil, parley.End{Next: 1, Of: "m", Status: parley.StatusDone,
				Text: "bye", Unflushed: "bye", Goodbye: true})
			if parley.Code(err) == "run_over" {
				return nil
			}
			return err
		}
	}, func(s scene, done bool) {
		if done {
			s.stands("said goodbye", s.only(), parley.StateClosed, 1, false)
		}
	}},
	{"resolve", func(s scene) func(*parley.Store) error {
		id := s.turn("m").ID
		s.close(id)
		return func(store *parley.Store) error {
			return store.Resolve(context.Background(), s.visitor, id, human("me"))
		}
	}, func(s scene, done bool) {
		if done {
			s.stands("resolved", s.only(), parley.StateResolved, 1, false)
		}
	}},
	{"rate", func(s scene) func(*parley.Store) error {
		await(23*time.Hour + 50*time.Minute)
		parleytest.Sweep(s, s.store)
		id := s.turn("m").ID
		s.rate(id, 2, "")
		await(20 * time.Minute) // another day
		return func(store *parley.Store) error {
			_, err := store.Rate(context.Background(), s.visitor, id, 4, "")
			return err
		}
	}, func(s scene, done bool) {
		if got := s.session(s.only()).Score; got != 4 && done || got != 4 && got != 2 {
			s.Errorf("the score is %d", got)
		}
	}},
	{"identify", func(s scene) func(*parley.Store) error {
		parleytest.Sweep(s, s.store)
		for n := range 3 {
			s.turn(parley.EntryID(fmt.Sprint(n)))
		}
		return func(store *parley.Store) error {
			_, err := store.Identify(context.Background(), parley.IdentifyRequest{Caller: s.visitor, Identity: &parley.Identity{External: "ann"}})
			if parley.Code(err) == "token_revoked" { // it was done: the page asks for a new visitor
				return nil
			}
			return err
		}
	}, func(s scene, done bool) {
		ann := parleytest.Contact(s, s.store, parley.Caller{Project: "demo"}, "ann")
		if got := s.pages(s.store, ann, 2); done && len(got) != 3 {
			s.Errorf("the contact has %d sessions", len(got))
		}
	}},
	{"moving sessions", func(s scene) func(*parley.Store) error {
		parleytest.Sweep(s, s.store)
		for n := range 2 {
			s.turn(parley.EntryID(fmt.Sprint(n)))
		}
		parleytest.Contact(s, s.store, s.visitor, "ann")
		await(61 * time.Second)
		return func(store *parley.Store) error {
			_, err := store.Sweep(context.Background(), parley.SweepHelp{Revive: nothingToRevive})
			return err
		}
	}, func(s scene, _ bool) {
		ann := parleytest.Contact(s, s.store, parley.Caller{Project: "demo"}, "ann")
		got := s.pages(s.store, ann, 100)
		if len(got) != 2 {
			s.Errorf("the contact has %d sessions", len(got))
		}
		for _, id := range got {
			if session, err := s.store.Session(context.Background(), ann, id); err != nil || session.Owner.Contact != ann.Contact || s.identified(id) != 1 {
				s.Errorf("a session is %+v, %v, identified %d times", session, err, s.identified(id))
			}
		}
	}},
	{"cancel", func(s scene) func(*parley.Store) error {
		id := s.send(say("m", "")).Session.ID
		s.send(say("m2", id))
		return func(store *parley.Store) error {
			_, err := store.Cancel(context.Background(), s.visitor, id, "")
			return err
		}
	}, func(s scene, done bool) {
		if got := s.session(s.only()); done && (got.Run != nil || len(got.Queue) > 0) {
			s.Errorf("the session has %v, %v", got.Run, got.Queue)
		}
	}},
	{"takeover", func(s scene) func(*parley.Store) error {
		id := s.send(say("m", "")).Session.ID
		s.send(say("m2", id))
		return func(store *parley.Store) error {
			return store.TakeOver(context.Background(), s.operator(), id, human("Ola"))
		}
	}, func(s scene, done bool) {
		if got := s.session(s.only()); (got.Run == nil) != (got.Holder == parley.HolderHuman) || done && got.Run != nil {
			s.Errorf("%s has the session, its run is %v", got.Holder, got.Run)
		}
	}},
	{"reply that takes over", func(s scene) func(*parley.Store) error {
		claim := s.send(say("m", "")).Claim
		parleytest.Append(s, s.store, claim, "I am ")
		id := claim.Ref.Session
		s.send(say("m2", id))
		return func(store *parley.Store) error {
			_, err := store.Reply(context.Background(), s.operator(), human("Ola"), parley.ReplyRequest{ID: "r", Session: id, Content: "Hello"})
			return err
		}
	}, func(s scene, done bool) {
		got := s.session(s.only())
		if said := got.Last.Text == "Hello"; done != said && done || said != (got.Holder == parley.HolderHuman) || said && got.Run != nil {
			s.Errorf("%s has the session, its last message is %q, its run %v", got.Holder, got.Last.Text, got.Run)
		}
	}},
	{"first answer", func(s scene) func(*parley.Store) error {
		claim := s.send(say("m", "")).Claim
		if _, err := s.store.EndRun(context.Background(), claim.Ref, nil, parley.End{Next: 1, Of: "m", Status: parley.StatusDone,
			Text: "wait", Unflushed: "wait", Handover: true}); err != nil {
			s.Fatal(err)
		}
		return func(store *parley.Store) error {
			_, err := store.Reply(context.Background(), s.operator(), human("Ola"), parley.ReplyRequest{ID: "r", Session: claim.Ref.Session, Content: "Hello"})
			return err
		}
	}, func(s scene, done bool) {
		days, err := s.store.Figures(context.Background(), s.operator(), time.Now(), time.Now())
		if err != nil {
			s.Fatal(err)
		}
		said := int64(0)
		if s.session(s.only()).Last.Text == "Hello" {
			said = 1
		}
		if days[0].Answers.Count != said || done && said == 0 || days[0].Sessions != 1 {
			s.Errorf("answers %d of %d, sessions %d", days[0].Answers.Count, said, days[0].Sessions)
		}
	}},
	{"message with attachments", func(s scene) func(*parley.Store) error {
		files := []parley.FileID{s.upload("a.txt"), s.upload("b.txt")}
		return func(store *parley.Store) error {
			r := say("m", "")
			r.Attachments = files
			_, err := store.Send(context.Background(), s.visitor, r)
			return err
		}
	}, func(s scene, done bool) {
		attached := 0
		for k, item := range s.table.Dump(s) {
			if strings.HasPrefix(k.PK, "demo/file/") && item.String("state") == string(parley.FileAttached) {
				attached++
			}
		}
		if sessions := len(s.pages(s.store, s.visitor, 10)); attached != 2*sessions || done && sessions != 1 {
			s.Errorf("%d files are attached in %d sessions", attached, sessions)
		}
	}},
}

// only returns the scene's only session.
func (s scene) only() parley.SessionID {
	s.Helper()
	ids := s.naive(s.visitor.Visitor)
	if len(ids) != 1 {
		s.Fatalf("the sessions are %q", ids)
	}
	return ids[0]
}

func (s scene) identified(id parley.SessionID) int { return s.events(id, parley.EventIdentified) }

// TestDeathAtEveryCall lets the process die before and after every call to the
// table, once with a client that repeats itself and once without.
func TestDeathAtEveryCall(t *testing.T) {
	for _, d := range deaths {
		t.Run(d.name, func(t *testing.T) {
			for _, kind := range []fault.Kind{fault.CrashBefore, fault.CrashAfter} {
				for call, more := 1, true; more; call++ {
					for _, repeats := range []bool{false, true} {
						onBolt(t, func(s scene) {
							do := d.prepare(s)
							network := fault.NewNetwork(fault.NetworkConfig{Table: s.table})
							p := network.Process(fault.Config{Plan: map[int]fault.Kind{call: kind}})
							done := do(s.over(p)) == nil
							if repeats {
								s.want("the same again", do(s.store), "")
							}
							more = p.Calls() >= call
							for range 10 {
								await(30 * time.Second)
								parleytest.Sweep(s, s.store)
							}
							d.after(s, done || repeats)
							s.consistent()
						})
						if t.Failed() {
							t.Fatalf("after a crash of kind %d at call %d, repeated %v", kind, call, repeats)
						}
					}
				}
			}
		})
	}
}

// consistent checks the whole table.
func (s scene) consistent() {
	s.Helper()
	all := s.table.Dump(s)
	for k, item := range all {
		id, isSession := strings.CutPrefix(k.PK, "demo/session/")
		if !isSession || k.SK != "entry~" || item.Bool("erased") {
			continue
		}
		var session parley.Session
		if err := json.Unmarshal([]byte(item.String("data")), &session); err != nil {
			s.Fatal(err)
		}
		session.ID = parley.SessionID(id)
		s.consistentSession(all, &session)
		owner := "demo/visitor/" + string(session.Owner.Visitor)
		if session.Owner.Contact != "" {
			owner = "demo/contact/" + string(session.Owner.Contact)
		}
		list := string(session.State)
		if session.Archived {
			list = "archived"
		}
		if item.String("op") != owner || !strings.HasPrefix(item.String("wp"), fmt.Sprintf("demo/inbox/%s-%s/", list, session.Holder)) {
			s.Errorf("session %s of %s, %s, %s is listed under %s, %s", id, owner, session.State, session.Holder, item.String("op"), item.String("wp"))
		}
		if lag := session.At - session.Indexed; lag < 0 || lag >= (15*time.Minute).Milliseconds() {
			s.Errorf("session %s is listed %d ms behind its activity", id, lag)
		}
	}
	s.totalsEqualRatings("in the end", time.Now(), time.Now().Add(-24*time.Hour))
}

// consistentSession checks a session's order against its item, its runs and its jobs.
func (s scene) consistentSession(all map[table.Key]table.Item, session *parley.Session) {
	s.Helper()
	ctx := context.Background()
	closes, at := 0, int64(0)
	active := map[parley.RunID]bool{}
	for n := parley.Seq(1); n <= session.Seq; n++ {
		e, err := s.store.EntryAt(ctx, "demo", session.ID, n)
		if err != nil || e.At <= at {
			s.Errorf("session %s, entry %d: %d after %d, %v", session.ID, n, e.At, at, err)
			return
		}
		at = e.At
		if e.Event == parley.EventClosed || e.Event == parley.EventResolved {
			closes++
		}
		if e.Author.Kind == parley.AuthorUser && e.IsMessage() {
			active[parley.RunID(e.ID)] = s.log(parley.RunRef{Project: "demo", Session: session.ID, Run: parley.RunID(e.ID)})[0] != parley.LogNone
		}
		if e.Run != "" {
			if log := s.log(parley.RunRef{Project: "demo", Session: session.ID, Run: e.Run}); log[len(log)-1] != parley.LogEnd || e.Of == "" {
				s.Errorf("session %s: %s has an outcome of %q, its log is %q", session.ID, e.Run, e.Of, log)
			}
			delete(active, e.Run)
		}
	}
	if _, more := all[table.Key{PK: "demo/session/" + string(session.ID), SK: fmt.Sprintf("entry/%010d", session.Seq+1)}]; more || at != session.At {
		s.Errorf("session %s ends with entry %d at %d, or not", session.ID, session.Seq, session.At)
	}
	runs := session.Queue
	if session.Run != nil {
		runs = append(runs, *session.Run)
	}
	for _, run := range runs {
		if !active[run.ID] {
			s.Errorf("session %s has the run %s, which nothing began", session.ID, run.ID)
		}
		delete(active, run.ID)
	}
	for run, lost := range active {
		if lost {
			s.Errorf("session %s has lost the run %s", session.ID, run)
		}
	}
	_, look := all[table.Key{PK: "demo/session/" + string(session.ID), SK: "job/look"}]
	if closes != session.Closes || session.Settles > 0 && !look {
		s.Errorf("session %s counts %d closes of %d, settles at %d, will be looked at: %v", session.ID, session.Closes, closes, session.Settles, look)
	}
}
