package chathub_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"parley/functions/chathub"
	"parley/functions/internal/functiontest"
	"parley/shared/api"
	"parley/shared/live"
	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/run"
	"parley/shared/socket"
	"parley/shared/table"
	"parley/shared/table/meter"
)

// nobody reaches no connection.
type nobody struct{}

func (nobody) Post(context.Context, socket.Ref, []byte) error { return socket.ErrGone }
func (nobody) Close(context.Context, socket.Ref) error        { return nil }
func (nobody) Active(context.Context, socket.Ref) (time.Time, error) {
	return time.Time{}, socket.ErrGone
}

// distant is a table at the other end of a network, so that calls which go out
// together are seen to.
type distant struct{ table.Table }

const roundTrip = 5 * time.Millisecond

func (d distant) Get(ctx context.Context, consistent bool, keys ...table.Key) ([]table.Item, error) {
	time.Sleep(roundTrip)
	return d.Table.Get(ctx, consistent, keys...)
}

func (d distant) Query(ctx context.Context, q table.Query) (table.Page, error) {
	time.Sleep(roundTrip)
	return d.Table.Query(ctx, q)
}

func (d distant) Write(ctx context.Context, actions ...table.Action) error {
	time.Sleep(roundTrip)
	return d.Table.Write(ctx, actions...)
}

// TestCalls pins what frames cost: calls of the table that wait for one another, and
// units.
func TestCalls(t *testing.T) { synctest.Test(t, testCalls) }

func testCalls(t *testing.T) {
	k := functiontest.New(t, parley.Config{})
	m := meter.New(meter.Config{Table: distant{k.Table}})
	store := parleytest.Store(t, parley.Config{Table: m, Derive: k.Keys.Derive})
	calls, err := api.New(api.Config{Store: store, Keys: k.Keys, Log: k.API.Log})
	if err != nil {
		t.Fatal(err)
	}
	runs, err := run.NewDispatcher(run.Config{Store: store, Respond: func(context.Context, parley.RunRef) error { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	now, typed := time.Now(), 0
	hub := chathub.New(chathub.Config{API: calls, Runs: runs, Sockets: nobody{}, Now: func() time.Time { return now },
		Typing: func(context.Context, *parley.Session, parley.Author, bool) { typed++ }})
	kid, _, err := k.Store.AddSigningKey(t.Context(), parleytest.Project)
	if err != nil {
		t.Fatal(err)
	}
	signed := func(sub string) string {
		t.Helper()
		identity := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"sub": sub, "exp": now.Add(time.Hour).Unix()})
		identity.Header["kid"] = kid
		text, err := identity.SignedString([]byte(k.Keys.SigningSecret(parleytest.Project, kid)))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	e := socket.Event{Kind: socket.Connect, Ref: socket.Ref{API: chathub.API, ID: ""}, Connected: now, Header: http.Header{},
		Query: url.Values{"agentId": {"demo.guide"}, "access_token": {signed("ann")}}, Address: "192.0.2.1"}
	connect := func(id string) {
		t.Helper()
		e.ID = id
		if a := hub.Socket(t.Context(), e); a.Status != http.StatusOK {
			t.Fatalf("connect = %d", a.Status)
		}
	}
	send := `{"type":1,"target":"SendMessageAsync","arguments":[{"content":"Hi"}],"invocationId":"0"}`
	n := 0
	frame := func(text string) meter.Counts {
		t.Helper()
		m.Reset()
		n++
		a := hub.Socket(t.Context(), socket.Event{Kind: socket.Message, Ref: e.Ref, Connected: e.Connected, Address: e.Address, MessageID: fmt.Sprint(n), Frame: []byte(text + "\x1e")})
		if len(a.Frame) == 0 || strings.Contains(string(a.Frame), "error") {
			t.Fatalf("%s is answered %q", text, a.Frame)
		}
		return m.Counts()
	}
	// The first message of an address takes a share of its budget of the day.
	connect("a=")
	frame(send)
	e.Query.Set("access_token", signed("bob"))
	connect("b=")
	if c := frame(`{"protocol":"json","version":1}`); c.Calls != 0 {
		t.Errorf("a handshake makes %d calls", c.Calls)
	}
	frame(`{"type":6}`)
	if c := frame(`{"type":6}`); c.Calls != 1 || c.ReadUnits() != 0.5 || c.WriteUnits() != 0 {
		t.Errorf("an early ping costs %+v", c)
	}
	if c := frame(send); c.Waves != 2 {
		t.Errorf("the first message takes %d waves, want 2: %+v", c.Waves, c)
	}
	if c := frame(send); c.Waves != 3 {
		t.Errorf("a later message takes %d waves, want 3: %+v", c.Waves, c)
	}
	now = now.Add(30 * time.Second)
	if c := frame(`{"type":6}`); c.Calls != 0 {
		t.Errorf("a later ping makes %d calls", c.Calls)
	}
	types := `{"type":1,"target":"TypingAsync"}`
	for i := range live.TypingPerSecond {
		if c := frame(types); c.WriteUnits() != 0 || typed != i+1 {
			t.Errorf("typing costs %+v, told %d times", c, typed)
		}
	}
	for range 20 {
		if c := frame(types); c.Calls != 0 || typed != live.TypingPerSecond {
			t.Errorf("too much typing makes %d calls, and is told %d times", c.Calls, typed)
		}
	}
	now = now.Add(time.Second)
	if frame(types); typed != live.TypingPerSecond+1 {
		t.Errorf("a second later it is told %d times", typed)
	}
	now = now.Add(time.Second)
	for range live.CallsPerSecond {
		frame(`{"type":1,"target":"CancelAsync","invocationId":"1"}`)
	}
	for record, want := range map[string]string{
		send: "rate_limited", `{"type":1,"target":"EndSessionAsync","invocationId":"2"}`: "rate_limited",
		`{"type":1,"target":"CancelAsync"}`: `"code":"rate_limited"`, `{"type":6}`: `{"type":6}`,
	} {
		m.Reset()
		a := hub.Socket(t.Context(), socket.Event{Kind: socket.Message, Ref: e.Ref, Connected: now, Address: e.Address, MessageID: "more", Frame: []byte(record + "\x1e")})
		if c := m.Counts(); c.Calls != 0 || !strings.Contains(string(a.Frame), want) {
			t.Errorf("%s beyond the limit makes %d calls and is answered %q", record, c.Calls, a.Frame)
		}
	}
	now = now.Add(time.Second)
	frame(send)
}
