package hissuno_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"parley/functions/hissuno"
	"parley/functions/internal/functiontest"
	"parley/shared/agent/agenttest"
	"parley/shared/parley"
)

// held are requests that have not ended.
type held struct {
	http.Handler
	n    atomic.Int64
	done chan *httptest.ResponseRecorder
}

func (h *held) begin(r *http.Request) {
	h.n.Add(1)
	go func() {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		h.n.Add(-1)
		h.done <- w
	}()
}

// TestReadersHeld: of all who ask for a reply the first one generates it, and a few
// are kept open besides; the others get what there is, and are told to come back.
// So are those who wait for updates, where waiting is on.
func TestReadersHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const many = 100
		k := functiontest.New(t, parley.Config{})
		script := agenttest.New(agenttest.Always(agenttest.Step{Delta: "One,"}, agenttest.Step{Delay: 30 * time.Second, Delta: " two."}))
		handler := hissuno.New(hissuno.Config{API: k.API, Engine: k.Engine(t, script, nil), Hold: 50 * time.Second})
		query := "?" + url.Values{"projectId": {k.Key}, "sessionId": {session}}.Encode()
		sent := httptest.NewRecorder()
		handler.ServeHTTP(sent, httptest.NewRequest(http.MethodPost, "/hissuno/chat",
			strings.NewReader(fmt.Sprintf(`{"projectId":%q,"sessionId":%q,"messages":[{"role":"user","content":"Hello"}]}`, k.Key, session))))
		first := &held{Handler: handler, done: make(chan *httptest.ResponseRecorder, 1)}
		first.begin(httptest.NewRequest(http.MethodGet, "/hissuno/chat/stream"+query, nil))
		time.Sleep(time.Second)

		streams := &held{Handler: handler, done: make(chan *httptest.ResponseRecorder, many)}
		for range many {
			streams.begin(httptest.NewRequest(http.MethodGet, "/hissuno/chat/stream"+query, nil))
		}
		time.Sleep(time.Second)
		if n := streams.n.Load(); n != 4 || first.n.Load() != 1 {
			t.Errorf("%d of %d readers are held, want 4", n, many)
		}
		for range many - 4 {
			if got := (<-streams.done).Body.String(); !strings.HasSuffix(got, "retry: 2000\n\n") || !strings.Contains(got, `"One,"`) || strings.Contains(got, "message-complete") {
				t.Fatalf("who may not stay gets %q", got)
			}
		}
		time.Sleep(40 * time.Second)
		for range 4 {
			if got := (<-streams.done).Body.String(); !strings.Contains(got, " two.") || !strings.Contains(got, "message-complete") {
				t.Errorf("who may stay gets %q", got)
			}
		}

		updates := &held{Handler: handler, done: make(chan *httptest.ResponseRecorder, many)}
		for range many {
			updates.begin(httptest.NewRequest(http.MethodGet, "/hissuno/chat/updates"+query, nil))
		}
		time.Sleep(time.Second)
		if n := updates.n.Load(); n != 4 {
			t.Errorf("%d of %d requests for updates are held, want 4", n, many)
		}
		if got := (<-updates.done).Body.String(); !strings.Contains(got, "connected") || !strings.Contains(got, "retry: ") {
			t.Errorf("who may not wait gets %q", got)
		}
		time.Sleep(time.Minute)
		if n := updates.n.Load(); n != 0 {
			t.Errorf("%d are held after the time of a hold", n)
		}
	})
}
