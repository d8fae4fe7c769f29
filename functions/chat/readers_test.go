package chat_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"parley/functions/chat"
	"parley/functions/internal/functiontest"
	"parley/shared/agent/agenttest"
	"parley/shared/parley"
)

// slowly says two words, half a minute apart.
func slowly() *agenttest.Script {
	return agenttest.New(agenttest.Always(agenttest.Step{Delta: "One,"}, agenttest.Step{Delay: 30 * time.Second, Delta: " two."}))
}

// requests are many that are served at the same time.
type requests struct {
	h    http.Handler
	held atomic.Int64
	done chan *httptest.ResponseRecorder
}

func (q *requests) begin(r *http.Request) {
	q.held.Add(1)
	go func() {
		w := httptest.NewRecorder()
		q.h.ServeHTTP(w, r)
		q.held.Add(-1)
		q.done <- w
	}()
}

// TestReadersHeld: however many ask for a reply while it is written, and in whatever
// way, a few are kept open besides the request that generates it; the others get
// what there is, and are told to come back. Who does has the rest in the end.
func TestReadersHeld(t *testing.T) {
	const many = 200
	tests := []struct {
		name    string
		request func(k *functiontest.Kit, token, session, ticket string) *http.Request
		whole   bool
	}{
		{"with a token", func(k *functiontest.Kit, token, session, _ string) *http.Request {
			return k.Request(http.MethodGet, "/chat/"+session+"/runs/m1", token, "")
		}, false},
		{"with a ticket", func(_ *functiontest.Kit, _, session, ticket string) *http.Request {
			return httptest.NewRequest(http.MethodGet, "/chat/"+session+"/runs/m1?ticket="+ticket, nil)
		}, false},
		{"by the same message", func(k *functiontest.Kit, token, _, _ string) *http.Request {
			return k.Request(http.MethodPost, "/chat", token, hello)
		}, false},
		{"by the same message, whole", func(k *functiontest.Kit, token, _, _ string) *http.Request {
			r := k.Request(http.MethodPost, "/chat", token, hello)
			r.Header.Set("Accept", "application/json")
			return r
		}, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := functiontest.New(t, parley.Config{})
				_, token := k.Visitor(t)
				h := function(t, k, slowly(), chat.Config{})
				first := &requests{h: h, done: make(chan *httptest.ResponseRecorder, 1)}
				first.begin(k.Request(http.MethodPost, "/chat", token, hello))
				time.Sleep(time.Second)
				again := httptest.NewRecorder()
				ctx, leave := context.WithTimeout(t.Context(), 100*time.Millisecond)
				defer leave()
				h.ServeHTTP(again, k.Request(http.MethodPost, "/chat", token, hello).WithContext(ctx))
				var accepted struct {
					Session struct{ ID string }
					Ticket  string
				}
				got, _ := events(t, again)
				if len(got) < 2 || json.Unmarshal([]byte(got[0].Data), &accepted) != nil || got[1].Name != "text" {
					t.Fatalf("events = %v", got)
				}

				q := &requests{h: h, done: make(chan *httptest.ResponseRecorder, many)}
				for range many {
					q.begin(test.request(k, token, accepted.Session.ID, accepted.Ticket))
				}
				time.Sleep(3 * time.Second)
				if held := q.held.Load(); held != 4 {
					t.Errorf("%d of %d readers are held, want 4", held, many)
				}
				for range many - 4 {
					w := <-q.done
					if test.whole {
						if body := w.Body.String(); !strings.Contains(body, `"end":null,"text":"One,"`) {
							t.Fatalf("who may not stay is answered %s", body)
						}
						continue
					}
					got, r := events(t, w)
					if last := got[len(got)-1]; last.Name != "text" || last.Data != `{"delta":"One,"}` || r.Retry() != 2*time.Second {
						t.Fatalf("who may not stay gets %v and retry %v", got, r.Retry())
					}
				}
				time.Sleep(40 * time.Second)
				if held := q.held.Load(); held != 0 || first.held.Load() != 0 {
					t.Errorf("%d readers are held after the end", held)
				}
				w := httptest.NewRecorder()
				r := k.Request(http.MethodGet, "/chat/"+accepted.Session.ID+"/runs/m1", token, "")
				r.Header.Set("Last-Event-ID", "m1/4")
				h.ServeHTTP(w, r)
				if got, _ := events(t, w); len(got) != 2 || got[0].Data != `{"delta":" two."}` || got[1].Name != "end" {
					t.Errorf("who comes back gets %v", got)
				}
			})
		})
	}
}

// TestQueuedMessages: a message that waits for its turn is answered soon that it is
// stored, in a stream or whole, and replied to in its turn all the same. One whose
// turn comes meanwhile streams its reply to the end.
func TestQueuedMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := functiontest.New(t, parley.Config{})
		caller, token := k.Visitor(t)
		h := function(t, k, slowly(), chat.Config{})
		(&requests{h: h, done: make(chan *httptest.ResponseRecorder, 1)}).begin(k.Request(http.MethodPost, "/chat", token, hello))
		time.Sleep(time.Second)
		sessions, _, err := k.Store.Sessions(t.Context(), caller, parley.PageRequest{})
		if err != nil || len(sessions) != 1 {
			t.Fatal(sessions, err)
		}
		session := sessions[0].ID
		ask := func(id, accept string) (*httptest.ResponseRecorder, time.Duration) {
			r := k.Request(http.MethodPost, "/chat", token, fmt.Sprintf(`{"messageId":%q,"sessionId":%q,"content":"And then?"}`, id, session))
			r.Header.Set("Accept", accept)
			w, began := httptest.NewRecorder(), time.Now()
			h.ServeHTTP(w, r)
			return w, time.Since(began)
		}

		time.Sleep(27 * time.Second) // the first reply ends in 2 s
		w, _ := ask("near", "text/event-stream")
		got, _ := events(t, w)
		if len(got) != 4 || got[1].Data != `{"delta":"One,"}` || got[2].Data != `{"delta":" two."}` || got[3].Name != "end" {
			t.Errorf("a message whose turn comes soon gets %v", got)
		}

		(&requests{h: h, done: make(chan *httptest.ResponseRecorder, 1)}).begin(
			k.Request(http.MethodPost, "/chat", token, fmt.Sprintf(`{"messageId":"m2","sessionId":%q,"content":"And then?"}`, session)))
		time.Sleep(time.Second)
		w, took := ask("streamed", "text/event-stream")
		got, r := events(t, w)
		if len(got) != 1 || got[0].Name != "accepted" || r.Retry() != 2*time.Second || took < 5*time.Second || took > 6*time.Second {
			t.Errorf("a queued message gets %v and retry %v after %v, want some 5 s", got, r.Retry(), took)
		}
		w, took = ask("whole", "application/json")
		if body := w.Body.String(); !strings.Contains(body, `"run":"whole","end":null,"text":""`) || took < 5*time.Second || took > 6*time.Second {
			t.Errorf("a queued message, whole, is answered %s after %v, want some 5 s", body, took)
		}

		time.Sleep(5 * time.Minute)
		_, entries, _, err := k.Store.Transcript(t.Context(), caller, session, parley.PageRequest{})
		replies := 0
		for _, e := range entries {
			if e.Author.Kind == parley.AuthorAI && e.Text == "One, two." {
				replies++
			}
		}
		if err != nil || replies != 5 {
			t.Errorf("%d replies to 5 messages, %v", replies, err)
		}
	})
}
