package updates_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"parley/functions/internal/functiontest"
	"parley/functions/updates"
	"parley/shared/api"
	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/sse"
)

// held is the answer to one request for updates.
type held struct {
	names    []string
	comments int
	retry    time.Duration
	took     time.Duration
}

// ask asks a function for what came after a number.
func ask(t *testing.T, k *functiontest.Kit, c api.Updates, r *http.Request) held {
	t.Helper()
	c.API = k.API
	h := updates.New(c)
	w := httptest.NewRecorder()
	began := time.Now()
	h.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		t.Fatalf("updates = %d %s", w.Code, w.Body)
	}
	out := held{took: time.Since(began)}
	stream := sse.NewReader(w.Body)
	for {
		e, err := stream.Next()
		if err != nil {
			out.comments, out.retry = stream.Comments(), stream.Retry()
			return out
		}
		out.names = append(out.names, e.Name)
	}
}

// TestRetry: the livelier a session, the sooner a client asks again.
func TestRetry(t *testing.T) {
	tests := []struct {
		name  string
		after time.Duration
		human bool
		want  time.Duration
	}{
		{"just changed", time.Second, false, 1500 * time.Millisecond},
		{"changed 119 s ago", 119 * time.Second, false, 1500 * time.Millisecond},
		{"changed 121 s ago", 121 * time.Second, false, 5 * time.Second},
		{"changed 599 s ago", 599 * time.Second, false, 5 * time.Second},
		{"changed 601 s ago", 601 * time.Second, false, 20 * time.Second},
		{"a human has it", time.Hour, true, 1500 * time.Millisecond},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := functiontest.New(t, parley.Config{})
				caller, token := k.Visitor(t)
				session := parleytest.Turn(t, k.Store, caller, "m1", "")
				if test.human {
					if err := k.Store.TakeOver(t.Context(), parleytest.Operator(), session.ID, parley.Author{Kind: parley.AuthorHuman}); err != nil {
						t.Fatal(err)
					}
				}
				time.Sleep(test.after) // virtual
				got := ask(t, k, api.Updates{}, k.Request(http.MethodGet, "/updates/"+string(session.ID)+"?after=2", token, ""))
				if got.retry != test.want || got.took != 0 {
					t.Errorf("retry %v after %v, want %v at once", got.retry, got.took, test.want)
				}
			})
		})
	}
}

// TestHold: a held request tells what comes, shows that it lives, ends in its
// time, and is no sign of the page but for its beginning.
func TestHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := functiontest.New(t, parley.Config{})
		caller, token := k.Visitor(t)
		session := parleytest.Turn(t, k.Store, caller, "m1", "")
		request := k.Request(http.MethodGet, "/updates/"+string(session.ID)+"?after=2", token, "")
		done := make(chan held, 1)
		go func() { done <- ask(t, k, api.Updates{Hold: 52 * time.Second}, request) }()
		time.Sleep(25 * time.Second) // virtual
		if err := k.Store.Close(t.Context(), caller, session.ID); err != nil {
			t.Fatal(err)
		}
		got := <-done
		if strings.Join(got.names, " ") != "state state" || got.comments != 4 || got.took != 52*time.Second || got.retry != 1500*time.Millisecond {
			t.Errorf("held = %+v; want two states, four heartbeats, 52 s", got)
		}
		list, _, err := k.Store.Sessions(t.Context(), caller, parley.PageRequest{})
		if err != nil || list[0].State != parley.StateClosed {
			t.Errorf("session = %+v, %v; want it closed", list, err)
		}
	})
}

// TestHoldTyping: whoever asks is told at first and on each change who types, while
// people have the session, and it costs what was not asked nothing.
func TestHoldTyping(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := functiontest.New(t, parley.Config{})
		caller, token := k.Visitor(t)
		session := parleytest.Turn(t, k.Store, caller, "m1", "")
		grace := parley.Author{Kind: parley.AuthorHuman, ID: "op", Name: "Grace"}
		if err := k.Store.TakeOver(t.Context(), parleytest.Operator(), session.ID, grace); err != nil {
			t.Fatal(err)
		}
		request := k.Request(http.MethodGet, "/updates/"+string(session.ID)+"?after=9&typing=1", token, "")
		done := make(chan held, 1)
		go func() { done <- ask(t, k, api.Updates{Hold: 30 * time.Second}, request) }()
		types := func(typing bool) {
			if _, _, err := k.Store.SetTyping(t.Context(), parleytest.Operator(), session.ID, grace, typing); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Second) // virtual
		types(true)
		time.Sleep(3 * time.Second)
		types(true)
		time.Sleep(10 * time.Second) // it ends by itself
		types(true)
		time.Sleep(time.Second)
		types(false)
		time.Sleep(time.Second)
		if err := k.Store.HandBack(t.Context(), parleytest.Operator(), session.ID, grace); err != nil {
			t.Fatal(err)
		}
		got := <-done
		if names := strings.Join(got.names, " "); names != "state typing typing typing typing typing typing state" {
			t.Errorf("held = %q; want nobody, twice somebody, nobody, somebody, nobody", names)
		}
	})
}

// TestLeft: nobody is waited for who has left.
func TestLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := functiontest.New(t, parley.Config{})
		caller, token := k.Visitor(t)
		session := parleytest.Turn(t, k.Store, caller, "m1", "")
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		got := ask(t, k, api.Updates{Hold: 55 * time.Second},
			k.Request(http.MethodGet, "/updates/"+string(session.ID), token, "").WithContext(ctx))
		if strings.Join(got.names, " ") != "entry entry state" || got.took != 3*time.Second {
			t.Errorf("held = %+v; want it to end with the request", got)
		}
	})
}

// gone is the connection of a reader who has left, before the host has noticed.
type gone struct{ *httptest.ResponseRecorder }

func (gone) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

// TestLeftUnnoticed: that a client has left is no error in the log.
func TestLeftUnnoticed(t *testing.T) {
	var logged bytes.Buffer
	k := functiontest.New(t, parley.Config{})
	calls, err := api.New(api.Config{Store: k.Store, Keys: k.Keys, Log: slog.New(slog.NewTextHandler(&logged, nil))})
	if err != nil {
		t.Fatal(err)
	}
	h := updates.New(api.Updates{API: calls})
	caller, token := k.Visitor(t)
	session := parleytest.Turn(t, k.Store, caller, "m1", "")
	h.ServeHTTP(gone{httptest.NewRecorder()}, k.Request(http.MethodGet, "/updates/"+string(session.ID), token, ""))
	if text := logged.String(); strings.Contains(text, "ERROR") || !strings.Contains(text, "msg=request") {
		t.Errorf("logged %s", text)
	}
}

func TestNew(t *testing.T) {
	functiontest.Lacking(t, func() { updates.New(api.Updates{}) })
}
