package main

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"parley/local/bundle"
	"parley/shared/parley"
)

// receiver is an endpoint that remembers what visitors have said.
type receiver struct {
	*httptest.Server
	mu   sync.Mutex
	said map[string]bool
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{said: map[string]bool{}}
	r.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) {
		var hook struct{ Entry entry }
		if err := json.NewDecoder(q.Body).Decode(&hook); err != nil {
			return // cut by the kill: it comes again
		}
		if hook.Entry.Author.Kind == parley.AuthorUser {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.said[hook.Entry.Text] = true
		}
	}))
	t.Cleanup(r.Close)
	return r
}

// missing returns what has not been delivered.
func (r *receiver) missing(sent []string) (missing []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, text := range sent {
		if !r.said[text] {
			missing = append(missing, text)
		}
	}
	return missing
}

// TestKillLosesNoWebhook: whatever was answered before a kill is delivered after
// the next start, be the kill at once or up to 20 ms later.
func TestKillLosesNoWebhook(t *testing.T) {
	t.Parallel()
	const rounds, messages = 15, 5
	folder, hooked := t.TempDir(), newReceiver(t)
	var sent []string
	for round := range rounds {
		p := start(t, folder)
		if round == 0 {
			p.call(p.private, "POST", "/project/hooks", object{"url": hooked.URL, "events": []string{"message"}}, nil)
		}
		v := newVisitor(t, p.page, p.key)
		var streams []*stream
		for n := range messages {
			text := fmt.Sprintf("Message %d of round %d", n, round)
			streams = append(streams, v.send(map[string]any{"messageId": fmt.Sprintf("m%d-%d", round, n), "content": text}))
			sent = append(sent, text)
		}
		for _, s := range streams {
			for s.session == "" {
				if !s.next() {
					t.Fatal("a message was not accepted")
				}
			}
		}
		<-time.After(time.Duration(round) * 20 * time.Millisecond / rounds)
		p.kill(syscall.SIGKILL)
	}
	serveLater(t, filepath.Join(folder, ".parley"))
	defer func() {
		if t.Failed() {
			t.Errorf("not delivered: %q", hooked.missing(sent))
		}
	}()
	waitFor(t, "delivery of what was sent before the kills", func() bool { return len(hooked.missing(sent)) == 0 })
}

// serveLater serves a folder in this process until the test ends, minutes later
// by its clock: what the killed ones had begun to deliver, they hold no more.
func serveLater(t *testing.T, folder string) {
	t.Helper()
	b, err := bundle.Open(t.Context(), bundle.Config{Folder: folder, Log: slog.New(slog.DiscardHandler),
		Now: func() time.Time { return time.Now().Add(2 * parley.FollowLease) }})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- b.Serve(t.Context()) }()
	t.Cleanup(func() { // the test's context has ended
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
}
