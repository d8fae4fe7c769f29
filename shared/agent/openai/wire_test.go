package openai_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/shared/agent"
	"parley/shared/agent/openai"
)

const key = "sk-secret-0123456789"

// request is what the server was sent.
type request struct {
	Model               string
	Messages            []message
	Tools               json.RawMessage
	ToolChoice          string `json:"tool_choice"`
	Stream              bool
	MaxTokens           int `json:"max_tokens"`
	MaxCompletionTokens int `json:"max_completion_tokens"`
	StreamOptions       struct {
		IncludeUsage bool `json:"include_usage"`
	} `json:"stream_options"`
}

type message struct {
	Role, Content string
	ToolCallID    string `json:"tool_call_id"`
	ToolCalls     []struct {
		ID, Type string
		Function struct{ Name, Arguments string }
	} `json:"tool_calls"`
}

// server speaks the wire of chat completions: each request is answered by the
// next of its answers, the last one over and over.
type server struct {
	*httptest.Server
	mu       sync.Mutex
	requests []request
	left     chan struct{} // closed when a client has gone before its answer's end
}

type answer func(w *wire)

// wire is one answer being written.
type wire struct {
	http.ResponseWriter
	gone <-chan struct{}
}

func serve(t *testing.T, answers ...answer) *server {
	t.Helper()
	s := &server{left: make(chan struct{})}
	var once sync.Once
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/chat/completions" || r.Method != http.MethodPost || r.Header.Get("Authorization") != "Bearer "+key {
			t.Errorf("%s %s with Authorization %q", r.Method, r.URL.Path, r.Header.Get("Authorization"))
		}
		var sent request
		if err := json.NewDecoder(r.Body).Decode(&sent); err != nil {
			t.Errorf("request body: %v", err)
		}
		s.mu.Lock()
		n := min(len(s.requests), len(answers)-1)
		s.requests = append(s.requests, sent)
		s.mu.Unlock()
		answers[n](&wire{w, r.Context().Done()})
		if r.Context().Err() != nil {
			once.Do(func() { close(s.left) })
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *server) calls() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.requests)
}

// raw writes bytes of the stream and flushes them.
func (w *wire) raw(format string, args ...any) {
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "text/event-stream")
	}
	fmt.Fprintf(w.ResponseWriter, format, args...)
	w.ResponseWriter.(http.Flusher).Flush()
}

// text writes one chunk a delta.
func (w *wire) text(deltas ...string) {
	for _, delta := range deltas {
		quoted, _ := json.Marshal(delta)
		w.raw("data: {\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"content\":%s},\"finish_reason\":null}]}\n\n", quoted)
	}
}

// calls writes one chunk a piece of a call, as JSON of tool_calls' elements.
func (w *wire) calls(pieces ...string) {
	for _, piece := range pieces {
		w.raw("data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[%s]},\"finish_reason\":null}]}\n\n", piece)
	}
}

func (w *wire) finish(reason string) {
	w.raw("data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":%q}]}\n\n", reason)
}

func (w *wire) usage(input, output int) {
	w.raw("data: {\"choices\":[],\"usage\":{\"prompt_tokens\":%d,\"completion_tokens\":%d}}\n\n", input, output)
}

func (w *wire) done() { w.raw("data: [DONE]\n\n") }

// hang waits until the client has gone.
func (w *wire) hang() { <-w.gone }

// abort breaks the connection off.
func (w *wire) abort() { panic(http.ErrAbortHandler) }

// refuse answers with a status and an error document.
func (w *wire) refuse(status int, header, document string) {
	if name, value, ok := strings.Cut(header, ": "); ok {
		w.Header().Set(name, value)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	fmt.Fprint(w.ResponseWriter, document)
}

// complete is an answer that says "Hello."
func complete(w *wire) {
	w.text("Hello", ".")
	w.finish("stop")
	w.usage(11, 2)
	w.done()
}

// throttled is an answer without capacity.
func throttled(w *wire) {
	w.refuse(429, "Retry-After: 0.01", `{"error":{"message":"slow down","type":"requests","code":"rate_limit_exceeded"}}`)
}

func newAgent(t *testing.T, s *server, change func(*openai.Config)) *openai.Agent {
	t.Helper()
	config := openai.Config{BaseURL: s.URL + "/v1", Key: key, Model: "small", Relay: agent.Relay{FirstToken: 5 * time.Second, BetweenTokens: 5 * time.Second}}
	if change != nil {
		change(&config)
	}
	a, err := openai.New(config)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func question(text string) agent.Conversation {
	return agent.Conversation{Turns: []agent.Turn{{Role: agent.Visitor, Text: text}}, MaxTokens: 100}
}
