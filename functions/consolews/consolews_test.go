package consolews_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"parley/functions/consolews"
	"parley/shared/live"
	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/socket"
	"parley/shared/table/meter"
)

// wire keeps what connections are sent.
type wire struct {
	mu     sync.Mutex
	frames map[string][]map[string]any
	closed map[string]bool
}

func (w *wire) Post(_ context.Context, to socket.Ref, frame []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed[to.ID] {
		return socket.ErrGone
	}
	var f map[string]any
	if err := json.Unmarshal(frame, &f); err != nil {
		return err
	}
	w.frames[to.ID] = append(w.frames[to.ID], f)
	return nil
}

func (w *wire) Close(_ context.Context, to socket.Ref) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed[to.ID] = true
	return nil
}

func (w *wire) Active(context.Context, socket.Ref) (time.Time, error) { return time.Time{}, nil }

// take returns what a connection was sent since.
func (w *wire) take(id string) (types []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, f := range w.frames[id] {
		types = append(types, f["type"].(string))
	}
	w.frames[id] = nil
	return types
}

type desk struct {
	*testing.T
	store   *parley.Store
	meter   *meter.Table
	live    *live.Live
	wire    *wire
	handler socket.Handler
	key     parley.PrivateKey
}

func newDesk(t *testing.T) desk {
	m := meter.New(meter.Config{Table: parleytest.Table(t)})
	d := desk{T: t, store: parleytest.Store(t, parley.Config{Table: m}), meter: m,
		wire: &wire{frames: map[string][]map[string]any{}, closed: map[string]bool{}}}
	parleytest.Put(t, d.store, parleytest.Settings())
	if err := d.store.PutOperator(t.Context(), parleytest.Project, parley.Operator{ID: "op", Name: "Ola"}); err != nil {
		t.Fatal(err)
	}
	var err error
	if d.key, _, err = d.store.AddPrivateKey(t.Context(), parleytest.Project, parley.PrivateKey{Name: "desk", Scopes: parley.Scopes(), Operator: "op"}); err != nil {
		t.Fatal(err)
	}
	if d.live, err = live.New(live.Config{Store: d.store, Poster: d.wire, Speakers: live.Speakers()}); err != nil {
		t.Fatal(err)
	}
	d.handler = consolews.New(consolews.Config{Store: d.store, Live: d.live})
	return d
}

func (d desk) ticket() string {
	d.Helper()
	return d.ticketOf(parleytest.Operator(), d.key)
}

func (d desk) ticketOf(c parley.Caller, key parley.PrivateKey) string {
	d.Helper()
	text, _, err := d.store.NewConsoleTicket(d.Context(), c, key)
	if err != nil {
		d.Fatal(err)
	}
	return text
}

// connect returns the status of a connection that is asked for with a ticket.
func (d desk) connect(id, ticket string) int {
	a := d.handler(d.Context(), socket.Event{Kind: socket.Connect, Ref: socket.Ref{API: live.ConsoleAPI, ID: id},
		Query: url.Values{"ticket": {ticket}}})
	return a.Status
}

// say returns the type and the code of the answer to a frame.
func (d desk) say(id, frame string) string {
	d.Helper()
	a := d.handler(d.Context(), socket.Event{Kind: socket.Message, Ref: socket.Ref{API: live.ConsoleAPI, ID: id}, Frame: []byte(frame)})
	var out struct{ Type, Code string }
	if err := json.Unmarshal(a.Frame, &out); err != nil {
		d.Fatalf("%s = %q", frame, a.Frame)
	}
	if out.Code != "" {
		return out.Type + " " + out.Code
	}
	return out.Type
}

// TestAccess: only a ticket that is whole, fresh, unused and of a key that stands opens
// a socket, and a socket is over for who has lost the key.
func TestAccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		once := d.ticket()
		if got := d.connect("a=", once); got != http.StatusOK {
			t.Fatalf("connect = %d", got)
		}
		late := d.ticket()
		time.Sleep(parley.ConsoleTicketLife)
		for name, ticket := range map[string]string{"none": "", "used": once, "expired": late, "cut": d.ticket()[1:], "forged": "x", "a key": d.key.ID} {
			if got := d.connect("b=", ticket); got != http.StatusUnauthorized {
				t.Errorf("connect with %s = %d", name, got)
			}
		}
		session := parleytest.Turn(t, d.store, parleytest.Visitor(t, d.store), "m1", "")
		elsewhere := parleytest.Settings()
		elsewhere.ID, elsewhere.PublicKeys = "other", []string{parley.NewPublicKey(true)}
		parleytest.Put(t, d.store, elsewhere)
		foreign := parleytest.Turn(t, d.store, parleytest.VisitorOf(t, d.store, "other"), "m2", "")
		for frame, want := range map[string]string{
			`{"watch": "` + string(session.ID) + `"}`: "watching", `{"watch": "nothing"}`: "error not_found",
			`{"watch": "` + string(foreign.ID) + `"}`: "error not_found", `{"ping": true}`: "pong",
			`{`: "error invalid_json", `{"seen": -1}`: "error invalid_field", `{}`: "error invalid_field", `[]`: "error invalid_json",
		} {
			if got := d.say("a=", frame); got != want {
				t.Errorf("%s = %s, want %s", frame, got, want)
			}
		}
		if got := d.say("nobody=", `{"watch": ""}`); got != "error connection_over" {
			t.Errorf("a frame of nobody's = %s", got)
		}
		unused := d.ticket()
		if err := d.store.RemovePrivateKey(t.Context(), parleytest.Project, d.key.ID); err != nil {
			t.Fatal(err)
		}
		if got := d.say("a=", `{"watch": ""}`); got != "error connection_over" || !d.wire.closed["a="] {
			t.Errorf("a frame after the key = %s, closed: %v", got, d.wire.closed)
		}
		if got := d.connect("c=", unused); got != http.StatusUnauthorized {
			t.Errorf("connect after the key = %d", got)
		}
	})
}

// TestAccessAfterwards: a socket is over once it has expired, of which nobody told, and
// for whoever acts as an operator who was removed, by a key of their own or the server's.
func TestAccessAfterwards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		session := parleytest.Turn(t, d.store, parleytest.Visitor(t, d.store), "m1", "")
		server, _, err := d.store.AddPrivateKey(t.Context(), parleytest.Project, parley.PrivateKey{Name: "server", Scopes: parley.Scopes()})
		if err != nil {
			t.Fatal(err)
		}
		named := parleytest.Operator()
		named.Server = true
		over := func(why string, ids ...string) {
			t.Helper()
			for _, id := range ids {
				for _, frame := range []string{`{"watch": "` + string(session.ID) + `"}`, `{"typing": true}`, `{"seen": 1}`} {
					if got := d.say(id, frame); got != "error connection_over" {
						t.Errorf("%s: %s on %s = %s", why, frame, id, got)
					}
				}
				if !d.wire.closed[id] {
					t.Errorf("%s: %s stays", why, id)
				}
			}
		}
		opened := func(ids ...string) {
			t.Helper()
			for i, ticket := range []string{d.ticket(), d.ticketOf(named, server)}[:len(ids)] {
				if got := d.connect(ids[i], ticket); got != http.StatusOK {
					t.Fatalf("connect = %d", got)
				}
				if got := d.say(ids[i], `{"watch": "`+string(session.ID)+`"}`); got != "watching" {
					t.Fatalf("watch = %s", got)
				}
			}
		}
		opened("a=")
		time.Sleep(parley.ConnectionLife)
		over("expired", "a=")
		opened("b=", "c=")
		unused := d.ticketOf(named, server)
		if err := d.store.RemoveOperator(t.Context(), parleytest.Project, "op"); err != nil {
			t.Fatal(err)
		}
		over("removed", "b=", "c=")
		if got := d.connect("d=", unused); got != http.StatusUnauthorized {
			t.Errorf("connect as who was removed = %d", got)
		}
	})
}

// TestTold: a console is told what happens in the session that it looks at, and of
// others what its lists show; a key that is removed is told nothing more.
func TestTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		for _, id := range []string{"a=", "b="} {
			if got := d.connect(id, d.ticket()); got != http.StatusOK {
				t.Fatalf("connect = %d", got)
			}
		}
		visitor := parleytest.Visitor(t, d.store)
		session := parleytest.Turn(t, d.store, visitor, "m1", "")
		if got := d.say("a=", `{"watch": "`+string(session.ID)+`"}`); got != "watching" {
			t.Fatalf("watch = %s", got)
		}
		tell := func(after parley.Seq, a, b int) {
			t.Helper()
			w := live.Window{Project: parleytest.Project, Session: session.ID, After: after, Upto: 99}
			if err := d.live.Consoles(t.Context(), w); err != nil {
				t.Fatal(err)
			}
			if watching, listing := d.wire.take("a="), d.wire.take("b="); len(watching) != a || len(listing) != b {
				t.Errorf("after %d: told %q and %q, want %d and %d", after, watching, listing, a, b)
			}
		}
		tell(0, 1, 0) // what the AI and the visitor say is for who looks
		by := parley.Operator{ID: "op", Name: "Ola"}.Author()
		if err := d.store.TakeOver(t.Context(), parleytest.Operator(), session.ID, by); err != nil {
			t.Fatal(err)
		}
		tell(2, 1, 1)
		now, err := d.store.Session(t.Context(), visitor, session.ID)
		if err != nil {
			t.Fatal(err)
		}
		d.live.Typing(t.Context(), now, visitor.Author(), true)
		if a, b := d.wire.take("a="), d.wire.take("b="); len(a) != 1 || a[0] != "typing" || len(b) != 1 {
			t.Errorf("the visitor types: told %q and %q", a, b)
		}
		if got := d.say("a=", `{"typing": true}`); got != "done" {
			t.Errorf("typing = %s", got)
		}
		if err := d.live.Dismiss(t.Context(), parleytest.Project, d.key.ID, ""); err != nil {
			t.Fatal(err)
		}
		tell(0, 0, 0)
		if !d.wire.closed["a="] || !d.wire.closed["b="] {
			t.Errorf("closed %v", d.wire.closed)
		}
	})
}

// TestOtherProject: a ticket of another project opens a console of that one, which can
// look at nothing here and is told nothing of it; and no ticket is made with a key of
// another project.
func TestOtherProject(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		elsewhere := parleytest.Settings()
		elsewhere.ID, elsewhere.PublicKeys = "other", []string{parley.NewPublicKey(true)}
		parleytest.Put(t, d.store, elsewhere)
		foreign, _, err := d.store.AddPrivateKey(t.Context(), "other", parley.PrivateKey{Name: "desk", Scopes: parley.Scopes()})
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := d.store.NewConsoleTicket(t.Context(), parleytest.Operator(), foreign); !errors.Is(err, parley.ErrDenied) {
			t.Errorf("a ticket by another project's key: %v", err)
		}
		if got := d.connect("a=", d.ticket()); got != http.StatusOK {
			t.Fatalf("connect = %d", got)
		}
		if got := d.connect("f=", d.ticketOf(parley.Caller{Project: "other", Server: true}, foreign)); got != http.StatusOK {
			t.Fatalf("connect = %d", got)
		}
		visitor := parleytest.Visitor(t, d.store)
		session := parleytest.Turn(t, d.store, visitor, "m1", "")
		if err := d.store.TakeOver(t.Context(), parleytest.Operator(), session.ID, parley.Author{Kind: parley.AuthorHuman, ID: "op"}); err != nil {
			t.Fatal(err)
		}
		for frame, want := range map[string]string{`{"watch": "` + string(session.ID) + `"}`: "error not_found",
			`{"typing": true}`: "error not_found", `{"seen": 1}`: "error not_found"} {
			if got := d.say("f=", frame); got != want {
				t.Errorf("%s of another project's = %s, want %s", frame, got, want)
			}
		}
		now, err := d.store.Session(t.Context(), visitor, session.ID)
		if err != nil {
			t.Fatal(err)
		}
		d.live.Typing(t.Context(), now, visitor.Author(), true)
		if err := d.live.Consoles(t.Context(), live.Window{Project: parleytest.Project, Session: session.ID, Upto: now.Seq, Moved: true}); err != nil {
			t.Fatal(err)
		}
		if ours, theirs := d.wire.take("a="), d.wire.take("f="); len(ours) != 2 || len(theirs) != 0 {
			t.Errorf("told %q, another project %q", ours, theirs)
		}
	})
}

// TestBlocked: people may look at the session of a visitor whom they have blocked, and
// are told what happens in it.
func TestBlocked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		if got := d.connect("a=", d.ticket()); got != http.StatusOK {
			t.Fatalf("connect = %d", got)
		}
		visitor := parleytest.Visitor(t, d.store)
		session := parleytest.Turn(t, d.store, visitor, "m1", "")
		if err := d.store.BlockVisitor(t.Context(), parleytest.Project, visitor.Visitor, true); err != nil {
			t.Fatal(err)
		}
		if got := d.say("a=", `{"watch": "`+string(session.ID)+`"}`); got != "watching" {
			t.Errorf("watch = %s", got)
		}
		if err := d.live.Consoles(t.Context(), live.Window{Project: parleytest.Project, Session: session.ID, Upto: session.Seq}); err != nil {
			t.Fatal(err)
		}
		if got := d.wire.take("a="); len(got) != 1 || got[0] != "news" {
			t.Errorf("told %q", got)
		}
	})
}

// TestTypingIsPaced: what a console says too often of typing is answered, and nothing
// is read or told for it; others are heard.
func TestTypingIsPaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		session := parleytest.Turn(t, d.store, parleytest.Visitor(t, d.store), "m1", "")
		for _, id := range []string{"a=", "b="} {
			if got := d.connect(id, d.ticket()); got != http.StatusOK {
				t.Fatalf("connect = %d", got)
			}
			if got := d.say(id, `{"watch": "`+string(session.ID)+`"}`); got != "watching" {
				t.Fatalf("watch = %s", got)
			}
		}
		reads := func(id string) bool {
			d.meter.Reset()
			if got := d.say(id, `{"typing": true}`); got != "done" {
				t.Errorf("typing = %s", got)
			}
			return d.meter.Counts().Calls > 0
		}
		heard := func(times int) (n int) {
			for range times {
				if reads("a=") {
					n++
				}
			}
			return n
		}
		if n := heard(50); n != live.TypingPerSecond {
			t.Errorf("%d of 50 are heard", n)
		}
		if !reads("b=") {
			t.Error("another is not heard")
		}
		time.Sleep(time.Second)
		if n := heard(50); n != live.TypingPerSecond {
			t.Errorf("%d of 50 are heard a second later", n)
		}
	})
}

// What an open console asks in an hour while nothing happens, with a session of its
// operator's open: as the paces of inbox.js, follow.js and updates say. unit.js counts it.
const (
	looksBefore, looksNow     = 900, 60  // at the list that is shown, and again at those who wait
	updatesBefore, updatesNow = 2400, 60 // of the session, without news
)

// TestCostOfAnHour pins that what consoles are told writes nothing, and that an hour of
// an open console costs at most a quarter of one that asks for everything: in requests,
// and in read units of lists of 30 sessions, with everything that it is told in a
// lively hour.
func TestCostOfAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		by := parley.Operator{ID: "op", Name: "Ola"}.Author()
		var session *parley.Session
		var visitor parley.Caller
		for n := range 30 {
			visitor = parleytest.Visitor(t, d.store)
			session = parleytest.Turn(t, d.store, visitor, parley.EntryID(fmt.Sprint("m", n)), "")
			if err := d.store.TakeOver(t.Context(), parleytest.Operator(), session.ID, by); err != nil {
				t.Fatal(err)
			}
		}
		session, err := d.store.Session(t.Context(), visitor, session.ID)
		if err != nil {
			t.Fatal(err)
		}
		units := func(what string, do func() error) float64 {
			t.Helper()
			d.meter.Reset()
			if err := do(); err != nil {
				t.Fatal(err)
			}
			c := d.meter.Counts()
			if c.WriteUnits() != 0 {
				t.Errorf("%s takes %d write units", what, c.WriteUnits())
			}
			return c.ReadUnits()
		}
		inbox := func(h parley.Holder) float64 {
			return units("the inbox", func() error {
				_, _, err := d.store.Inbox(t.Context(), parleytest.Operator(), parley.InboxRequest{Holder: h, PageRequest: parley.PageRequest{Limit: 30}})
				return err
			})
		}
		look := inbox(parley.HolderHuman) + inbox(parley.HolderWaiting)
		updates := units("updates", func() error {
			_, err := d.store.Peek(t.Context(), parleytest.Operator(), session.ID, session.Seq)
			return err
		})
		before := looksBefore*look + updatesBefore*updates

		if got := d.connect("a=", d.ticket()); got != http.StatusOK {
			t.Fatalf("connect = %d", got)
		}
		if got := d.say("a=", `{"watch": "`+string(session.ID)+`"}`); got != "watching" {
			t.Fatalf("watch = %s", got)
		}
		w := live.Window{Project: parleytest.Project, Session: session.ID, After: session.Seq, Upto: session.Seq, Moved: true}
		told := units("telling", func() error { return d.live.Consoles(t.Context(), w) })
		types := units("typing", func() error { d.live.Typing(t.Context(), session, visitor.Author(), true); return nil })
		if got := d.wire.take("a="); len(got) != 2 {
			t.Errorf("told %q", got)
		}
		const changes, typed = 120, 120 // of the team's sessions in an hour: a lively one
		now := looksNow*look + updatesNow*updates
		lively := now + changes*told + typed*types
		t.Logf("an hour before: %d requests, %.0f read units; now: %d requests, %.0f read units, and %.1f for each change and %.1f for typing that is told: %.0f in a lively one",
			2*looksBefore+updatesBefore, before, 2*looksNow+updatesNow, now, told, types, lively)
		if 4*lively > before || 4*(2*looksNow+updatesNow) > 2*looksBefore+updatesBefore {
			t.Errorf("a lively hour costs %.0f read units, before %.0f", lively, before)
		}
	})
}

// TestFramesArePaced: what a console wants too often is refused, and nothing is read for
// it; pings and others are answered.
func TestFramesArePaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		for _, id := range []string{"a=", "b="} {
			if got := d.connect(id, d.ticket()); got != http.StatusOK {
				t.Fatalf("connect = %d", got)
			}
		}
		for n := range live.CallsPerSecond {
			if got := d.say("a=", `{"watch": ""}`); got != "watching" {
				t.Fatalf("watch %d = %s", n, got)
			}
		}
		d.meter.Reset()
		for _, frame := range []string{`{"watch": ""}`, `{"seen": 1}`, `{}`} {
			if got := d.say("a=", frame); got != "error rate_limited" {
				t.Errorf("%s = %s", frame, got)
			}
		}
		if n := d.meter.Counts().Calls; n != 0 {
			t.Errorf("what is refused makes %d calls", n)
		}
		if ping, other := d.say("a=", `{"ping": true}`), d.say("b=", `{"watch": ""}`); ping != "pong" || other != "watching" {
			t.Errorf("ping = %s, another's watch = %s", ping, other)
		}
		time.Sleep(time.Second)
		if got := d.say("a=", `{"watch": ""}`); got != "watching" {
			t.Errorf("watch a second later = %s", got)
		}
	})
}
