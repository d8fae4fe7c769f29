package openai_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"parley/shared/agent"
	"parley/shared/agent/openai"
)

func TestReply(t *testing.T) {
	counted := agent.Usage{Input: 11, Output: 2}
	tests := []struct {
		name    string
		noTools bool
		answer  answer
		text    string
		result  agent.Result // Usage zero: estimated
		err     error
	}{
		{name: "complete", answer: complete, text: "Hello.", result: agent.Result{Usage: counted}},
		{name: "role first, thoughts, heartbeats", answer: func(w *wire) {
			w.raw(": PROCESSING\n\nevent: message\n")
			w.raw("data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n")
			w.raw("data: {\"choices\":[{\"delta\":{\"reasoning_content\":\"hm\"}}]}\n\n")
			complete(w)
		}, text: "Hello.", result: agent.Result{Usage: counted}},
		{name: "many heartbeats", answer: func(w *wire) {
			w.raw("%s", strings.Repeat(": waiting\n\n", 1000))
			complete(w)
		}, text: "Hello.", result: agent.Result{Usage: counted}},
		{name: "usage in the last chunk", answer: func(w *wire) {
			w.text("Hi")
			w.raw("data: {\"choices\":[{\"delta\":{\"content\":\"!\"},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":11,\"completion_tokens\":2}}\n\n")
			w.done()
		}, text: "Hi!", result: agent.Result{Usage: counted}},
		{name: "no usage", answer: func(w *wire) { w.text("Hi"); w.finish("stop"); w.done() }, text: "Hi"},
		{name: "no usage, no DONE", answer: func(w *wire) { w.text("Hi"); w.finish("stop") }, text: "Hi"},
		{name: "aborted after the finish", answer: func(w *wire) { w.text("Hi"); w.finish("stop"); w.abort() }, text: "Hi"},
		{name: "split code point on the wire", answer: func(w *wire) {
			w.raw("data: {\"choices\":[{\"delta\":{\"content\":\"日\xe6\x9c")
			w.raw("\xac\"}}]}\n\n")
			w.text("語")
			complete(w)
		}, text: "日本語Hello.", result: agent.Result{Usage: counted}},
		{name: "CRLF", answer: func(w *wire) {
			w.raw("data: {\"choices\":[{\"delta\":{\"content\":\"Hi\"},\"finish_reason\":\"stop\"}]}\r\n\r\ndata: [DONE]\r\n\r\n")
		}, text: "Hi"},
		{name: "truncated", answer: func(w *wire) { w.text("Hi"); w.finish("length"); w.usage(11, 2); w.done() },
			text: "Hi", result: agent.Result{Usage: counted, Truncated: true}},
		{name: "markers split over deltas", noTools: true, answer: func(w *wire) {
			w.text("One moment.", "\n\n[HAND", "OVER", "]", "\n[good", "bye]")
			w.finish("stop")
			w.usage(11, 2)
			w.done()
		}, text: "One moment.", result: agent.Result{Usage: counted, Handover: true, Goodbye: true}},
		{name: "marker alone", noTools: true, answer: func(w *wire) { w.text("[RESOLVED]"); w.finish("stop"); w.usage(11, 2) },
			result: agent.Result{Usage: counted, LikelyResolved: true}},
		{name: "refusal text", answer: func(w *wire) {
			w.raw("data: {\"choices\":[{\"delta\":{\"refusal\":\"I cannot.\"},\"finish_reason\":\"stop\"}]}\n\n")
		}, text: "I cannot."},

		{name: "clean end without finish", answer: func(w *wire) { w.text("Hel") }, text: "Hel", err: agent.ErrCut},
		{name: "DONE without finish", answer: func(w *wire) { w.text("Hel"); w.done() }, text: "Hel", err: agent.ErrCut},
		{name: "aborted", answer: func(w *wire) { w.text("Hel"); w.abort() }, text: "Hel", err: agent.ErrCut},
		{name: "torn line", answer: func(w *wire) {
			w.text("Hel")
			w.raw("data: {\"choices\":[{\"delta\":{\"content\":\"lo\"},\"finish_reason\":\"stop\"}]}")
		}, text: "Hel", err: agent.ErrCut},
		{name: "no stream at all", answer: func(w *wire) { w.refuse(200, "", `{"choices":[]}`) }, err: agent.ErrCut},
		{name: "held text goes with the cut", noTools: true, answer: func(w *wire) { w.text("Hel", "\n[HAND") }, text: "Hel", err: agent.ErrCut},
		{name: "empty", answer: func(w *wire) { w.finish("stop"); w.done() }, err: agent.ErrProvider},
		{name: "only thoughts", answer: func(w *wire) {
			w.raw("data: {\"choices\":[{\"delta\":{\"reasoning_content\":\"hm\"}}]}\n\n")
			w.finish("length")
		}, err: agent.ErrProvider},
		{name: "content filter", answer: func(w *wire) { w.text("Hel"); w.finish("content_filter") }, text: "Hel", err: agent.ErrProvider},
		{name: "tool call", answer: func(w *wire) { w.finish("tool_calls") }, err: agent.ErrProvider},
		{name: "error as finish", answer: func(w *wire) { w.text("Hel"); w.finish("error") }, text: "Hel", err: agent.ErrProvider},
		{name: "error in the stream", answer: func(w *wire) {
			w.text("Hel")
			w.raw(": heartbeat\n\nevent: error\ndata: {\"error\":{\"message\":\"broke\",\"type\":\"server_error\"}}\n\n")
			w.hang()
		}, text: "Hel", err: agent.ErrProvider},
		{name: "throttled in the stream before text", answer: func(w *wire) {
			w.raw("data: {\"error\":{\"message\":\"slow down\",\"type\":\"requests\",\"code\":\"rate_limit_exceeded\"}}\n\n")
			w.hang()
		}, err: agent.ErrThrottled},
		{name: "throttled in the stream after text", answer: func(w *wire) {
			w.text("Hel")
			w.raw("data: {\"error\":{\"message\":\"slow down\",\"code\":429}}\n\n")
			w.hang()
		}, text: "Hel", err: agent.ErrProvider},
		{name: "no JSON", answer: func(w *wire) { w.text("Hel"); w.raw("data: {oops\n\n"); w.hang() }, text: "Hel", err: agent.ErrProvider},
		{name: "wrong type", answer: func(w *wire) { w.raw("data: {\"choices\":7}\n\n"); w.hang() }, err: agent.ErrProvider},
		{name: "endless line", answer: func(w *wire) {
			w.raw("data: %s", strings.Repeat("x", 2<<20))
			w.hang()
		}, err: agent.ErrProvider},
		{name: "more than the cap", answer: func(w *wire) {
			for range 100 {
				w.text(strings.Repeat("x", 33))
			}
			w.hang()
		}, text: strings.Repeat("x", 96*33), err: agent.ErrProvider},
		{name: "wrong key", answer: func(w *wire) {
			w.refuse(401, "", `{"error":{"message":"Incorrect API key provided: `+key+`","type":"invalid_request_error","code":"invalid_api_key"}}`)
		}, err: agent.ErrProvider},
		{name: "refused with a page", answer: func(w *wire) { w.refuse(400, "", "<html>"+key+"</html>") }, err: agent.ErrProvider},
		{name: "refused with the question", answer: func(w *wire) {
			w.refuse(400, "", `{"error":{"message":"bad input: private question","type":"invalid_request_error","param":"messages"}}`)
		}, err: agent.ErrProvider},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var text strings.Builder
			c := question("private question")
			c.Persona.NoTools = test.noTools
			result, err := newAgent(t, serve(t, test.answer), nil).Reply(t.Context(), c, func(delta string) error {
				text.WriteString(delta)
				return nil
			})
			if text.String() != test.text {
				t.Errorf("emitted %q, want %q", text.String(), test.text)
			}
			if !errors.Is(err, test.err) {
				t.Fatalf("error = %v, want %v", err, test.err)
			}
			if err != nil {
				if strings.Contains(err.Error(), key) || strings.Contains(err.Error(), "private question") {
					t.Errorf("error %q tells the key or the question", err)
				}
				return
			}
			if test.result.Usage == (agent.Usage{}) {
				if !result.Usage.Estimated || result.Usage.Input < 100 || result.Usage.Output == 0 {
					t.Errorf("usage = %+v, want an estimate", result.Usage)
				}
				result.Usage = agent.Usage{}
			}
			result.Reason = ""
			if result.Usage != test.result.Usage || result.Truncated != test.result.Truncated || result.Handover != test.result.Handover ||
				result.Goodbye != test.result.Goodbye || result.LikelyResolved != test.result.LikelyResolved {
				t.Errorf("result = %+v, want %+v", result, test.result)
			}
		})
	}
}

func TestReplySendsThePrompt(t *testing.T) {
	s := serve(t, complete)
	c := agent.Conversation{
		Persona:   agent.Persona{Name: "Ada", Instructions: "We sell bicycles.", Model: "large"},
		MaxTokens: 77,
		Turns: []agent.Turn{
			{Role: agent.Visitor, Text: "Where is my order?"},
			{Role: agent.Human, Text: "I look it up."},
			{Role: agent.Visitor, Text: "Thank you."},
		},
	}
	a := newAgent(t, s, func(c *openai.Config) {
		c.Relay.Ground = func(query, _ string) []agent.Passage {
			return []agent.Passage{{Source: agent.Source{Title: "Orders", URL: "/orders"}, Text: "asked: " + query}}
		}
	})
	if _, err := a.Reply(t.Context(), c, func(string) error { return nil }); err != nil {
		t.Fatal(err)
	}
	sent := s.requests[0]
	if sent.Model != "large" || !sent.Stream || !sent.StreamOptions.IncludeUsage || sent.MaxTokens != 77 || sent.MaxCompletionTokens != 0 {
		t.Errorf("sent %+v, want a stream of model large with usage and max_tokens 77", sent)
	}
	var roles []string
	for _, m := range sent.Messages {
		roles = append(roles, m.Role+": "+m.Content)
	}
	if got := strings.Join(roles[1:], "\n"); got != "user: Where is my order?\nassistant: ⟦colleague⟧I look it up.⟦/colleague⟧\nuser: Thank you." {
		t.Errorf("messages =\n%s", got)
	}
	for _, want := range []string{"system: We sell bicycles.", "You are Ada", "asked: Where is my order?\nThank you."} {
		if !strings.Contains(roles[0], want) {
			t.Errorf("system prompt lacks %q:\n%s", want, roles[0])
		}
	}
}

func TestReasoningModelsGetTheirOwnCap(t *testing.T) {
	s := serve(t, complete)
	c := question("Hi")
	c.Persona.Model = "gpt-5-mini"
	if _, err := newAgent(t, s, nil).Reply(t.Context(), c, func(string) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if sent := s.requests[0]; sent.MaxTokens != 0 || sent.MaxCompletionTokens != 100 {
		t.Errorf("sent max_tokens %d, max_completion_tokens %d, want 0 and 100", sent.MaxTokens, sent.MaxCompletionTokens)
	}
}

func TestRetriesBeforeTheStreamOpens(t *testing.T) {
	failing := func(w *wire) { w.refuse(500, "Retry-After: 0", "") }
	tests := []struct {
		name     string
		attempts int
		answers  []answer
		calls    int
		err      error
	}{
		{"throttled once", 2, []answer{throttled, complete}, 2, nil},
		{"throttled to the end", 3, []answer{throttled}, 3, agent.ErrThrottled},
		{"failed once", 0, []answer{failing, complete}, 2, nil},
		{"failed to the end", 0, []answer{failing}, 2, agent.ErrProvider},
		{"one attempt", 1, []answer{throttled, complete}, 1, agent.ErrThrottled},
		{"unavailable", 1, []answer{func(w *wire) { w.refuse(503, "", "") }}, 1, agent.ErrThrottled},
		{"asked to wait too long", 2, []answer{func(w *wire) { w.refuse(429, "Retry-After: 60", "") }, complete}, 1, agent.ErrThrottled},
		{"refused", 2, []answer{func(w *wire) { w.refuse(400, "", "") }, complete}, 1, agent.ErrProvider},
		{"cut stream", 2, []answer{func(w *wire) { w.text("Hel") }, complete}, 1, agent.ErrCut},
		{"aborted without an answer", 2, []answer{(*wire).abort, complete}, 1, agent.ErrProvider},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := serve(t, test.answers...)
			a := newAgent(t, s, func(c *openai.Config) { c.Attempts = test.attempts })
			_, err := a.Reply(t.Context(), question("Hi"), func(string) error { return nil })
			if !errors.Is(err, test.err) || s.calls() != test.calls {
				t.Errorf("%d calls, then %v; want %d, then %v", s.calls(), err, test.calls, test.err)
			}
			for _, sent := range s.requests {
				if len(sent.Messages) != 2 {
					t.Errorf("a request had %d messages, want 2", len(sent.Messages))
				}
			}
		})
	}
}

func TestRetriesAConnectionThatDoesNotComeAbout(t *testing.T) {
	s := serve(t, complete)
	var dials int
	dialer := &net.Dialer{}
	a := newAgent(t, s, func(c *openai.Config) {
		c.HTTPClient = &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			if dials++; dials == 1 {
				addr = closedPort(t)
			}
			return dialer.DialContext(ctx, network, addr)
		}}}
	})
	if _, err := a.Reply(t.Context(), question("Hi"), func(string) error { return nil }); err != nil || dials != 2 {
		t.Errorf("Reply = %v after %d dials, want nil after 2", err, dials)
	}
}

// closedPort is an address where nobody listens.
func closedPort(t *testing.T) string {
	s := httptest.NewServer(nil)
	s.Close()
	return s.Listener.Addr().String()
}

func TestDeadlines(t *testing.T) {
	const short = 60 * time.Millisecond
	tests := []struct {
		name    string
		answer  answer
		limit   func(*openai.Config)
		message string
	}{
		{"no answer", (*wire).hang, func(c *openai.Config) { c.Relay.FirstToken = short }, "no first token within 60ms"},
		{"only a role", func(w *wire) {
			w.raw("data: {\"choices\":[{\"delta\":{\"role\":\"assistant\"}}]}\n\n")
			w.hang()
		}, func(c *openai.Config) { c.Relay.FirstToken = short }, "no first token within 60ms"},
		{"between tokens", func(w *wire) { w.text("Hel"); w.hang() }, func(c *openai.Config) { c.Relay.BetweenTokens = short },
			"no further token within 60ms"},
		{"while waiting for the second try", func(w *wire) { w.refuse(429, "Retry-After: 2", "") },
			func(c *openai.Config) { c.Relay.FirstToken = short }, "no first token within 60ms"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := serve(t, test.answer)
			_, err := newAgent(t, s, test.limit).Reply(t.Context(), question("Hi"), func(string) error { return nil })
			if !errors.Is(err, agent.ErrTimeout) || !strings.Contains(err.Error(), test.message) {
				t.Errorf("Reply = %v, want %v: %s", err, agent.ErrTimeout, test.message)
			}
		})
	}
}

func TestTheServerSeesThatNobodyListens(t *testing.T) {
	gone := errors.New("gone")
	tests := []struct {
		name  string
		limit func(*openai.Config)
		emit  func(cancel func()) error
		want  error
	}{
		{"cancelled", nil, func(cancel func()) error { cancel(); return nil }, context.Canceled},
		{"emit refused", nil, func(func()) error { return gone }, gone},
		{"timed out", func(c *openai.Config) { c.Relay.BetweenTokens = 60 * time.Millisecond }, func(func()) error { return nil }, agent.ErrTimeout},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := serve(t, func(w *wire) { w.text("Hel"); w.hang() })
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			emitted := 0
			_, err := newAgent(t, s, test.limit).Reply(ctx, question("Hi"), func(string) error {
				emitted++
				return test.emit(cancel)
			})
			if !errors.Is(err, test.want) || emitted != 1 {
				t.Errorf("Reply = %v after %d deltas, want %v after 1", err, emitted, test.want)
			}
			select {
			case <-s.left:
			case <-time.After(5 * time.Second):
				t.Error("the server still has the connection after 5s")
			}
		})
	}
}

func TestNewRefuses(t *testing.T) {
	for name, config := range map[string]openai.Config{
		"no model":     {},
		"relative URL": {Model: "m", BaseURL: "api/v1"},
		"other scheme": {Model: "m", BaseURL: "ftp://host/v1"},
		"no host":      {Model: "m", BaseURL: "http:///v1"},
	} {
		if _, err := openai.New(config); err == nil {
			t.Errorf("New with %s gave no error", name)
		}
	}
	if _, err := openai.New(openai.Config{Model: "m"}); err != nil {
		t.Errorf("New with a model alone = %v", err)
	}
}
