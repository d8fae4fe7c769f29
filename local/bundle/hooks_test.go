package bundle

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/token"
)

// TestHooks: on a laptop webhooks go to a server on it, and what failed comes
// again with the sweep.
func TestHooks(t *testing.T) {
	got := make(chan string, 10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var hook struct{ Type string }
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = json.Unmarshal(body, &hook)
		}
		if err != nil || r.Header.Get("Parley-Signature") == "" {
			t.Errorf("webhook %s, %v", body, err)
		}
		if len(got) == 0 {
			w.WriteHeader(http.StatusGone)
		}
		got <- hook.Type
	}))
	t.Cleanup(server.Close)
	b, err := Open(t.Context(), Config{Folder: filepath.Join(t.TempDir(), "data"), Port: 0, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- b.Serve(t.Context()) }()

	keys, err := token.New(token.Config{Masters: [][]byte{b.folder.secret}})
	if err != nil {
		t.Fatal(err)
	}
	store := parleytest.Store(t, parley.Config{Table: b.folder.table, Derive: keys.Derive})
	op := parley.Caller{Project: DemoProject, Operator: "op"}
	hook, _, err := store.PutHook(t.Context(), op, parley.Hook{URL: server.URL, Events: []parley.HookEvent{parley.HookStarted, parley.HookMessage}})
	if err != nil {
		t.Fatal(err)
	}
	sent := parleytest.Send(t, store, parleytest.VisitorOf(t, store, DemoProject), parleytest.Say("m", "", "Hello"))
	wait(t, "both webhooks", func() bool { return len(got) == 2 })
	wait(t, "the replay", func() bool { return store.ReplayHook(t.Context(), op, hook.ID, sent.Session.ID, 0) == nil })
	if err := b.sweep(t.Context()); err != nil {
		t.Error(err)
	}
	wait(t, "both again", func() bool { return len(got) == 4 })
	for _, want := range []string{"session.started", "message", "session.started", "message"} {
		if kind := <-got; kind != want {
			t.Errorf("webhook %s, want %s", kind, want)
		}
	}
	if err := b.wake(t.Context(), parley.Following{Project: DemoProject, Session: sent.Session.ID, Follower: "nobody"}); err == nil {
		t.Error("a follower that nobody knows was woken")
	}
}

// wait waits for a condition.
func wait(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("no %s", what)
		}
	}
}

// TestChangeIsKeptUntilDelivered: what happened stays in the feed while it is
// being delivered, so that a kill does not lose it, and not for longer.
func TestChangeIsKeptUntilDelivered(t *testing.T) {
	asked, answer := make(chan bool, 1), make(chan bool)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- true
		<-answer
	}))
	t.Cleanup(server.Close)
	b, err := Open(t.Context(), Config{Folder: filepath.Join(t.TempDir(), "data"), Port: 0, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- b.Serve(t.Context()) }()
	keys, err := token.New(token.Config{Masters: [][]byte{b.folder.secret}})
	if err != nil {
		t.Fatal(err)
	}
	store := parleytest.Store(t, parley.Config{Table: b.folder.table, Derive: keys.Derive})
	op := parley.Caller{Project: DemoProject, Operator: "op"}
	if _, _, err := store.PutHook(t.Context(), op, parley.Hook{URL: server.URL, Events: []parley.HookEvent{parley.HookMessage}}); err != nil {
		t.Fatal(err)
	}
	parleytest.Send(t, store, parleytest.VisitorOf(t, store, DemoProject), parleytest.Say("m", "", "Hello"))
	<-asked
	// kept counts what the feed keeps of sessions, and of all else.
	kept := func() (sessions, others int) {
		records, err := b.folder.table.Changes(t.Context(), 0, 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range records {
			if r.New == nil {
				others++
			} else if _, _, ok := parley.HeadOf(r.New.Key()); ok {
				sessions++
			} else {
				others++
			}
		}
		return sessions, others
	}
	wait(t, "removal of all that nobody delivers", func() bool { _, others := kept(); return others == 0 })
	if sessions, _ := kept(); sessions == 0 {
		t.Error("the feed does not keep what is being delivered")
	}
	close(answer)
	wait(t, "removal of what was delivered", func() bool { sessions, others := kept(); return sessions+others == 0 })
}
