package hooks_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"parley/functions/hooks"
	"parley/functions/internal/emf"
	"parley/functions/internal/functiontest"
	"parley/shared/outbound"
	"parley/shared/parley"
	"parley/shared/parleytest"
)

// TestNetwork: what becomes of a webhook at a real server, which is asked once.
func TestNetwork(t *testing.T) {
	var elsewhere atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	t.Cleanup(other.Close)
	huge := strings.Repeat("a", 1<<20)
	tests := []struct {
		name   string
		answer http.HandlerFunc
		want   counts
		log    string
	}{
		{"takes it", func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) }, counts{WebhooksDelivered: 1}, ""},
		{"takes it with a huge answer", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, huge) }, counts{WebhooksDelivered: 1}, ""},
		{"takes it and does not end", func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusOK)
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}, counts{WebhooksDelivered: 1}, ""},
		{"hangs", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, counts{WebhooksRetried: 1}, "no answer in time"},
		{"breaks off", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, counts{WebhooksRetried: 1}, "the connection broke"},
		{"fails with a huge answer", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusInternalServerError)
			io.WriteString(w, huge)
		}, counts{WebhooksRetried: 1}, "answered 500"},
		{"redirects", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
		}, counts{WebhooksRetried: 1}, "answered 307"},
		{"is gone", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGone) }, counts{WebhooksFailed: 1}, "answered 410"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var asked atomic.Int32
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body) // only then the server notices that its client has left
				if err != nil {
					return
				}
				r.Body = io.NopCloser(bytes.NewReader(body))
				asked.Add(1)
				test.answer(w, r)
			}))
			t.Cleanup(server.Close)
			metrics, log := deliverOnce(t, server.URL)
			var got counts
			if err := json.Unmarshal(metrics, &got); err != nil || got != test.want || asked.Load() != 1 {
				t.Errorf("counts = %s, %v, asked %d times", metrics, err, asked.Load())
			}
			if !strings.Contains(log, test.log) || strings.Contains(log, "secretpath") || strings.Contains(log, "Hello") {
				t.Errorf("log = %s", log)
			}
		})
	}
	if elsewhere.Load() != 0 {
		t.Error("a redirect was followed")
	}
}

type counts struct{ WebhooksDelivered, WebhooksRetried, WebhooksFailed int }

// deliverOnce has one message delivered to a real server.
func deliverOnce(t *testing.T, address string) (metrics []byte, log string) {
	t.Helper()
	k := functiontest.New(t, parley.Config{ProjectLife: -1})
	client, err := outbound.New(outbound.Config{Private: true, Header: 300 * time.Millisecond, Whole: 500 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	var written, lines bytes.Buffer
	h := hooks.New(hooks.Config{Store: k.Store, Do: client.Do, Files: address, Metrics: emf.Log{Writer: &written}, Log: slog.New(slog.NewTextHandler(&lines, nil))})
	if _, _, err := k.Store.PutHook(t.Context(), parleytest.Operator(), parley.Hook{URL: address + "/secretpath?key=secretpath", Events: []parley.HookEvent{parley.HookMessage}}); err != nil {
		t.Fatal(err)
	}
	caller, _ := k.Visitor(t)
	sent := parleytest.Send(t, k.Store, caller, parleytest.Say("m", "", "Hello"))
	if err := h(t.Context(), hooks.Event{Project: "demo", Session: sent.Session.ID}); err != nil {
		t.Error(err)
	}
	return written.Bytes(), lines.String()
}
