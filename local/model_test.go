package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
)

// model is a server that speaks OpenAI's chat completions and says what a test
// tells it to, when it does. Reviews it gives by itself.
type model struct {
	*httptest.Server
	// calls counts the replies that were asked for.
	calls atomic.Int64
	// says has the text of replies under way; "" ends one.
	says chan string
	// left is told of each reply that was dropped before its end.
	left chan struct{}
}

func newModel(t *testing.T) *model {
	m := &model{says: make(chan string), left: make(chan struct{}, 10)}
	m.Server = httptest.NewServer(http.HandlerFunc(m.complete))
	t.Cleanup(m.Server.Close)
	return m
}

func (m *model) complete(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.WriteHeader(http.StatusOK)
	c := http.NewResponseController(w)
	c.Flush()
	if bytes.Contains(body, []byte("You review conversations")) {
		say(w, review)
		end(w)
		return
	}
	m.calls.Add(1)
	for {
		select {
		case <-r.Context().Done():
			select {
			case m.left <- struct{}{}:
			default: // nobody asks
			}
			return
		case text := <-m.says:
			if text == "" {
				end(w)
				return
			}
			say(w, text)
			c.Flush()
		}
	}
}

// review is what the model finds of every conversation that has ended.
const review = `{"summary": "They <b>found</b> it.", "outcome": "resolved", "sentiment": "positive", "tags": ["parcels"]}`

func say(w http.ResponseWriter, text string) {
	fmt.Fprintf(w, `data: {"choices":[{"index":0,"delta":{"content":%q}}]}`+"\n\n", text)
}

func end(w http.ResponseWriter) {
	fmt.Fprint(w, `data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`+"\n\ndata: [DONE]\n\n")
}

// env makes Parley ask the model.
func (m *model) env() []string {
	return []string{"AGENT=openai", "MODEL=m", "OPENAI_BASE_URL=" + m.URL + "/v1"}
}

// untilLeft says a text again and again, until the reply under way is dropped.
func (m *model) untilLeft(text string) {
	for {
		select {
		case m.says <- text:
		case <-m.left:
			return
		}
	}
}
