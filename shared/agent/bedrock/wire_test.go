package bedrock_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"parley/shared/agent"
	"parley/shared/agent/bedrock"
)

const secret = "secret-access-key-0123456789"

// request is what the server was sent.
type request struct {
	Model    string
	System   []struct{ Text string }
	Messages []struct {
		Role    string
		Content []block
	}
	InferenceConfig struct{ MaxTokens int }
	ToolConfig      *struct {
		Tools []struct {
			ToolSpec struct {
				Name, Description string
				InputSchema       struct{ JSON json.RawMessage }
			}
		}
	}
}

// asked is the text of the newest message, empty for one of no text.
func (r request) asked() string {
	if len(r.Messages) == 0 || len(r.Messages[len(r.Messages)-1].Content) == 0 {
		return ""
	}
	return r.Messages[len(r.Messages)-1].Content[0].Text
}

// block is a content block; what does not stand in it is zero.
type block struct {
	Text    string
	ToolUse *struct {
		ToolUseID, Name string
		Input           json.RawMessage
	}
	ToolResult *struct {
		ToolUseID, Status string
		Content           []struct{ Text string }
	}
}

// server speaks the wire of ConverseStream: each request is answered by the
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
	t     *testing.T
	gone  <-chan struct{}
	asked string // the newest text of a user
}

func serve(t *testing.T, answers ...answer) *server {
	t.Helper()
	s := &server{left: make(chan struct{})}
	var once sync.Once
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var sent request
		if err := json.NewDecoder(r.Body).Decode(&sent); err != nil {
			t.Errorf("request body: %v", err)
		}
		path, _ := url.PathUnescape(r.URL.EscapedPath())
		model, ok := strings.CutSuffix(strings.TrimPrefix(path, "/model/"), "/converse-stream")
		if sent.Model = model; !ok || !strings.Contains(r.Header.Get("Authorization"), "/eu-central-1/bedrock/") {
			t.Errorf("%s with Authorization %q", r.URL.Path, r.Header.Get("Authorization"))
		}
		s.mu.Lock()
		n := min(len(s.requests), len(answers)-1)
		s.requests = append(s.requests, sent)
		s.mu.Unlock()
		answers[n](&wire{w, t, r.Context().Done(), sent.asked()})
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

// frame is one message of the event stream encoding.
func frame(t testing.TB, kind, name, payload string) []byte {
	t.Helper()
	message := eventstream.Message{Payload: []byte(payload)}
	message.Headers.Set(":message-type", eventstream.StringValue(kind))
	message.Headers.Set(":"+kind+"-type", eventstream.StringValue(name))
	message.Headers.Set(":content-type", eventstream.StringValue("application/json"))
	var b bytes.Buffer
	if err := eventstream.NewEncoder().Encode(&b, message); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// raw writes bytes of the stream and flushes them.
func (w *wire) raw(data []byte) {
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/vnd.amazon.eventstream")
	}
	w.Write(data)
	w.ResponseWriter.(http.Flusher).Flush()
}

func (w *wire) event(name, payload string) { w.raw(frame(w.t, "event", name, payload)) }

func (w *wire) exception(name, payload string) { w.raw(frame(w.t, "exception", name, payload)) }

func (w *wire) start() { w.event("messageStart", `{"role":"assistant"}`) }

// textFrame is one piece of text.
func textFrame(t testing.TB, text string) []byte {
	quoted, _ := json.Marshal(text)
	return frame(t, "event", "contentBlockDelta", fmt.Sprintf(`{"contentBlockIndex":0,"delta":{"text":%s}}`, quoted))
}

func (w *wire) text(deltas ...string) {
	for _, delta := range deltas {
		w.raw(textFrame(w.t, delta))
	}
}

func (w *wire) thought(text string) {
	w.event("contentBlockDelta", `{"contentBlockIndex":0,"delta":{"reasoningContent":{"text":"`+text+`"}}}`)
}

// call writes a block that calls a tool, its arguments in pieces.
func (w *wire) call(block int, id, name string, pieces ...string) {
	w.event("contentBlockStart", fmt.Sprintf(`{"contentBlockIndex":%d,"start":{"toolUse":{"toolUseId":%q,"name":%q}}}`, block, id, name))
	for _, piece := range pieces {
		quoted, _ := json.Marshal(piece)
		w.event("contentBlockDelta", fmt.Sprintf(`{"contentBlockIndex":%d,"delta":{"toolUse":{"input":%s}}}`, block, quoted))
	}
	w.event("contentBlockStop", fmt.Sprintf(`{"contentBlockIndex":%d}`, block))
}

func (w *wire) stop(reason string) {
	w.event("contentBlockStop", `{"contentBlockIndex":0}`)
	w.event("messageStop", `{"stopReason":"`+reason+`"}`)
}

func (w *wire) usage(input, output int) {
	w.event("metadata", fmt.Sprintf(`{"usage":{"inputTokens":%d,"outputTokens":%d,"totalTokens":%d,"cacheReadInputTokens":4},"metrics":{"latencyMs":1}}`,
		input, output, input+output))
}

// hang waits until the client has gone.
func (w *wire) hang() { <-w.gone }

// abort breaks the connection off.
func (w *wire) abort() { panic(http.ErrAbortHandler) }

// refuse answers with an exception instead of a stream.
func (w *wire) refuse(status int, exception, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Amzn-ErrorType", exception)
	w.Header().Set("X-Amzn-RequestId", "req-1")
	w.WriteHeader(status)
	fmt.Fprintf(w.ResponseWriter, `{"message":%q}`, message)
}

// complete is an answer that says "Hello."
func complete(w *wire) {
	w.start()
	w.text("Hello", ".")
	w.stop("end_turn")
	w.usage(11, 2)
}

func throttled(w *wire) { w.refuse(429, "ThrottlingException", "Too many tokens") }

func newAgent(t *testing.T, s *server, change func(*bedrock.Config)) *bedrock.Agent {
	t.Helper()
	config := bedrock.Config{
		AWS: aws.Config{
			Region:       "eu-central-1",
			BaseEndpoint: aws.String(s.URL),
			Credentials:  credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", secret, ""),
		},
		Model: "vendor.small-v1:0",
		Relay: agent.Relay{FirstToken: 5 * time.Second, BetweenTokens: 5 * time.Second},
	}
	if change != nil {
		change(&config)
	}
	a, err := bedrock.New(config)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func question(text string) agent.Conversation {
	return agent.Conversation{Turns: []agent.Turn{{Role: agent.Visitor, Text: text}}, MaxTokens: 100}
}
