package main

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"parley/local/bundle"
	"parley/shared/parley"
	"parley/shared/sse"
)

// receiver is an endpoint that remembers in which sessions an agent has spoken.
type receiver struct {
	*httptest.Server
	mu       sync.Mutex
	answered map[string]bool
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{answered: map[string]bool{}}
	r.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) {
		var hook struct {
			Session string
			Entry   entry
		}
		if err := json.NewDecoder(q.Body).Decode(&hook); err != nil {
			return // cut by the kill: it comes again
		}
		if hook.Entry.Author.Kind == parley.AuthorAI {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.answered[hook.Session] = true
		}
	}))
	t.Cleanup(r.Close)
	return r
}

// missing returns the sessions whose answer has not been delivered.
func (r *receiver) missing(sessions []string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(sessions), func(id string) bool { return r.answered[id] })
}

// answered sends a message and returns the session if its whole answer came
// before the connection broke, "" otherwise.
func (v *visitor) answered(id string) (session string) {
	body := fmt.Sprintf(`{"messageId": %q, "content": "What is Parley?"}`, id)
	r, err := http.NewRequest("POST", v.base+"/chat", strings.NewReader(body))
	if err != nil {
		return ""
	}
	r.Header.Set("Parley-Key", v.key)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+v.token)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return ""
	}
	defer response.Body.Close()
	for events := sse.NewReader(response.Body); ; {
		e, err := events.Next()
		if err != nil {
			return ""
		}
		var data struct{ Session struct{ ID string } }
		switch e.Name {
		case "accepted":
			if json.Unmarshal([]byte(e.Data), &data) == nil {
				session = data.Session.ID
			}
		case "end":
			return session
		}
	}
}

// TestKillLosesNoWebhook: an answer that a visitor has seen is delivered after
// the next start, be the kill at once or up to 20 ms later.
func TestKillLosesNoWebhook(t *testing.T) {
	t.Parallel()
	const rounds, messages = 15, 5
	folder, hooked := t.TempDir(), newReceiver(t)
	var sessions []string
	for round := range rounds {
		p := start(t, folder)
		if round == 0 {
			p.call(p.private, "POST", "/project/hooks", object{"url": hooked.URL, "events": []string{"message"}}, nil)
		}
		v := newVisitor(t, p.page, p.key)
		answered := make(chan string, messages)
		for n := range messages {
			go func() { answered <- v.answered(fmt.Sprintf("m%d-%d", round, n)) }()
		}
		got := []string{<-answered}
		<-time.After(time.Duration(round) * 20 * time.Millisecond / rounds)
		p.kill(syscall.SIGKILL)
		for len(got) < messages {
			got = append(got, <-answered)
		}
		sessions = append(sessions, slices.DeleteFunc(got, func(id string) bool { return id == "" })...)
	}
	if len(sessions) < rounds {
		t.Fatalf("only %q were answered", sessions)
	}
	serveLater(t, filepath.Join(folder, ".parley"))
	defer func() {
		if t.Failed() {
			t.Errorf("not delivered: %q", hooked.missing(sessions))
		}
	}()
	waitFor(t, "delivery of what was answered before the kills", func() bool { return len(hooked.missing(sessions)) == 0 })
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
