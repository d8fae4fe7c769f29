package parley_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/table"
)

// scene is where a test plays: a project, and a visitor who may send as often
// as it likes, in virtual time.
type scene struct {
	*testing.T
	table   *parleytest.Listed
	bucket  *parleytest.Bucket
	store   *parley.Store
	visitor parley.Caller
}

// onBoth plays test on both tables.
func onBoth(t *testing.T, test func(s scene)) {
	parleytest.OnBothTables(t, func(t *testing.T, tbl *parleytest.Listed) { test(newScene(t, tbl)) })
}

// onBolt plays test on the embedded table.
func onBolt(t *testing.T, test func(s scene)) {
	parleytest.OnBolt(t, func(t *testing.T, tbl *parleytest.Listed) { test(newScene(t, tbl)) })
}

func newScene(t *testing.T, tbl *parleytest.Listed) scene {
	s := scene{T: t, table: tbl, bucket: parleytest.NewBucket(t)}
	s.store = s.over(tbl)
	parleytest.Put(t, s.store, generous())
	s.visitor = parleytest.Visitor(t, s.store)
	s.visitor.Address = "203.0.113.7"
	return s
}

// generous are settings that let a visitor do all that a test wants.
func generous() parley.Project {
	p := parleytest.Settings()
	p.Budgets = parley.Budgets{MessagesPerMinute: 1e6, VisitorTokens: 1e9, AddressTokens: 1e9, ProjectTokens: 1e12,
		UploadsPerHour: 6000, IdentifyPerHour: 6000, VisitorMessages: 1e6, VisitorBytes: 1e9, AddressMessages: 1e6, AddressBytes: 1e9}
	return p
}

// over returns another store of the scene: another process, over its own view of the table.
func (s scene) over(tbl table.Table) *parley.Store {
	s.Helper()
	return parleytest.Store(s, parley.Config{Table: tbl, Bucket: s.bucket})
}

// operator returns a caller of the scene's project that may do anything.
func (s scene) operator() parley.Caller { return parleytest.Operator() }

func (s scene) send(r parley.SendRequest) parley.Sent {
	s.Helper()
	return parleytest.Send(s, s.store, s.visitor, r)
}

func (s scene) reply(claim *parley.Claim, chunks ...string) parley.Ended {
	s.Helper()
	return parleytest.Reply(s, s.store, claim, chunks...)
}

// turn begins a session with one answered message.
func (s scene) turn(id parley.EntryID) *parley.Session {
	s.Helper()
	return parleytest.Turn(s, s.store, s.visitor, id, "")
}

func (s scene) session(id parley.SessionID) *parley.Session {
	s.Helper()
	got, err := s.store.Peek(context.Background(), s.visitor, id, 1<<40)
	if err != nil {
		s.Fatalf("session: %v", err)
	}
	return got.Session
}

func (s scene) brief(id parley.SessionID) []string {
	s.Helper()
	return parleytest.Brief(parleytest.Entries(s, s.store, s.operator(), id))
}

// log returns the kinds of a run's log.
func (s scene) log(ref parley.RunRef) (kinds []parley.LogKind) {
	s.Helper()
	entries, err := s.store.ReadLog(context.Background(), ref, 0, true)
	if err != nil {
		s.Fatalf("log: %v", err)
	}
	for _, e := range entries {
		kinds = append(kinds, e.Kind)
	}
	return kinds
}

// unchanged fails the test unless do leaves the table as it was.
func (s scene) unchanged(what string, do func()) {
	s.Helper()
	before := s.table.Dump(s)
	do()
	if changed := parleytest.Differences(before, s.table.Dump(s)); len(changed) > 0 {
		s.Errorf("%s changed %q", what, changed)
	}
}

// onlyPaced is unchanged for what is counted against the visitor's pace before it is
// refused.
func (s scene) onlyPaced(what string, do func()) {
	s.Helper()
	before := s.table.Dump(s)
	do()
	for _, key := range parleytest.Differences(before, s.table.Dump(s)) {
		if !strings.HasPrefix(key, "demo/count/changes/") {
			s.Errorf("%s changed %q", what, key)
		}
	}
}

// want fails the test unless err has this code; "" means no error.
func (s scene) want(what string, err error, code string) {
	s.Helper()
	if parley.Code(err) != code || code == "" && err != nil {
		s.Errorf("%s = %v, want %q", what, err, code)
	}
}

// say is a message whose sender generates the reply itself.
func say(id parley.EntryID, session parley.SessionID) parley.SendRequest {
	return parleytest.Say(id, session, "question "+string(id))
}

// ifBusy is a message that says what it wants when it meets a run.
func ifBusy(id parley.EntryID, session parley.SessionID, wish parley.Busy) parley.SendRequest {
	r := say(id, session)
	r.IfBusy = wish
	return r
}

// fail ends a claimed run without an answer.
func (s scene) fail(claim *parley.Claim) {
	s.Helper()
	_, err := s.store.EndRun(context.Background(), claim.Ref, nil, parley.End{Next: claim.Next, Of: claim.First.Of,
		Status: parley.StatusFailed, System: true, Text: "sorry", Unflushed: "sorry"})
	if err != nil {
		s.Fatal(err)
	}
}

func human(name string) parley.Author {
	return parley.Author{Kind: parley.AuthorHuman, ID: "op", Name: name}
}

// await sleeps in virtual time.
func await(d time.Duration) { time.Sleep(d) }

func is(err, kind error) bool { return errors.Is(err, kind) }
