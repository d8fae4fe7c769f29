package bedrock_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"parley/shared/agent"
	"parley/shared/agent/bedrock"
)

func TestReply(t *testing.T) {
	counted := agent.Usage{Input: 15, Output: 2} // 11 and 4 read from the cache
	tests := []struct {
		name    string
		noTools bool
		answer  answer
		text    string
		result  agent.Result // Usage zero: estimated
		err     error
		says    string
	}{
		{name: "complete", answer: complete, text: "Hello.", result: agent.Result{Usage: counted}},
		{name: "thoughts", answer: func(w *wire) { w.start(); w.thought("hm"); w.text("Hello."); w.stop("end_turn"); w.usage(11, 2) },
			text: "Hello.", result: agent.Result{Usage: counted}},
		{name: "no usage", answer: func(w *wire) { w.text("Hi"); w.stop("end_turn") }, text: "Hi"},
		{name: "aborted after the stop", answer: func(w *wire) { w.text("Hi"); w.stop("stop_sequence"); w.abort() }, text: "Hi"},
		{name: "exception after the stop", answer: func(w *wire) {
			w.text("Hi")
			w.stop("end_turn")
			w.exception("internalServerException", `{"message":"late"}`)
		}, text: "Hi"},
		{name: "code point cut by the network", answer: func(w *wire) {
			data := textFrame(w.t, "日本語")
			w.raw(data[:len(data)-9])
			w.raw(data[len(data)-9:])
			complete(w)
		}, text: "日本語Hello.", result: agent.Result{Usage: counted}},
		{name: "truncated", answer: func(w *wire) { w.text("Hi"); w.stop("max_tokens"); w.usage(11, 2) },
			text: "Hi", result: agent.Result{Usage: counted, Truncated: true}},
		{name: "context window full", answer: func(w *wire) { w.text("Hi"); w.stop("model_context_window_exceeded"); w.usage(11, 2) },
			text: "Hi", result: agent.Result{Usage: counted, Truncated: true}},
		{name: "guardrail", answer: func(w *wire) { w.text("I cannot."); w.stop("guardrail_intervened"); w.usage(11, 2) },
			text: "I cannot.", result: agent.Result{Usage: counted}},
		{name: "markers split over deltas", noTools: true, answer: func(w *wire) {
			w.text("One moment.", "\n\n[HAND", "OVER", "]", "\n[good", "bye]")
			w.stop("end_turn")
			w.usage(11, 2)
		}, text: "One moment.", result: agent.Result{Usage: counted, Handover: true, Goodbye: true}},

		{name: "clean end without stop", answer: func(w *wire) { w.start(); w.text("Hel") }, text: "Hel", err: agent.ErrCut},
		{name: "torn frame", answer: func(w *wire) { w.text("Hel"); w.raw(textFrame(w.t, "lo")[:20]) }, text: "Hel", err: agent.ErrCut},
		{name: "damaged frame", answer: func(w *wire) {
			w.text("Hel")
			data := textFrame(w.t, "lo")
			data[len(data)-10] ^= 1
			w.raw(data)
			w.hang()
		}, text: "Hel", err: agent.ErrCut},
		{name: "aborted", answer: func(w *wire) { w.text("Hel"); w.abort() }, text: "Hel", err: agent.ErrCut},
		{name: "empty stream", answer: func(w *wire) { w.start() }, err: agent.ErrCut},
		{name: "empty", answer: func(w *wire) { w.start(); w.stop("end_turn"); w.usage(11, 0) }, err: agent.ErrProvider, says: "empty reply"},
		{name: "content filtered", answer: func(w *wire) { w.text("Hel"); w.stop("content_filtered") }, text: "Hel",
			err: agent.ErrProvider, says: "content_filtered"},
		{name: "tool use", answer: func(w *wire) { w.stop("tool_use") }, err: agent.ErrProvider, says: "a call that it did not make"},
		{name: "exception in the stream", answer: func(w *wire) {
			w.text("Hel")
			w.exception("modelStreamErrorException", `{"message":"private question broke it"}`)
			w.hang()
		}, text: "Hel", err: agent.ErrProvider, says: "ModelStreamErrorException"},
		{name: "throttled in the stream before text", answer: func(w *wire) {
			w.start()
			w.exception("throttlingException", `{"message":"slow down"}`)
			w.hang()
		}, err: agent.ErrThrottled},
		{name: "throttled in the stream after text", answer: func(w *wire) {
			w.text("Hel")
			w.exception("throttlingException", `{"message":"slow down"}`)
			w.hang()
		}, text: "Hel", err: agent.ErrProvider},
		{name: "more than the cap", answer: func(w *wire) {
			for range 100 {
				w.text(strings.Repeat("x", 33))
			}
			w.hang()
		}, text: strings.Repeat("x", 96*33), err: agent.ErrProvider},
		{name: "no access", answer: func(w *wire) { w.refuse(403, "AccessDeniedException", "You don't have access to the model.") },
			err: agent.ErrProvider, says: "AccessDeniedException: You don't have access to the model. (request req-1)"},
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
				if said := err.Error(); !strings.Contains(said, test.says) || strings.Contains(said, secret) || strings.Contains(said, "private question") {
					t.Errorf("error %q: want %q in it, and neither the secret nor the question", said, test.says)
				}
				return
			}
			if test.result.Usage == (agent.Usage{}) {
				if !result.Usage.Estimated || result.Usage.Input < 100 || result.Usage.Output == 0 {
					t.Errorf("usage = %+v, want an estimate", result.Usage)
				}
				result.Usage = agent.Usage{}
			}
			if result.Usage != test.result.Usage || result.Truncated != test.result.Truncated ||
				result.Handover != test.result.Handover || result.Goodbye != test.result.Goodbye {
				t.Errorf("result = %+v, want %+v", result, test.result)
			}
		})
	}
}

func TestReplySendsThePrompt(t *testing.T) {
	s := serve(t, complete)
	c := agent.Conversation{
		Persona:   agent.Persona{Name: "Ada", Instructions: "We sell bicycles.", Model: "eu.vendor.large-v1:0"},
		MaxTokens: 77,
		Turns: []agent.Turn{
			{Role: agent.AI, Text: "Hi, how can I help?"},
			{Role: agent.Visitor, Text: "Where is"},
			{Role: agent.Visitor, Text: "my order?"},
		},
	}
	a := newAgent(t, s, func(c *bedrock.Config) {
		c.Relay.Ground = func(query, _ string) []agent.Passage {
			return []agent.Passage{{Source: agent.Source{Title: "Orders", URL: "/orders"}, Text: "asked: " + query}}
		}
	})
	if _, err := a.Reply(t.Context(), c, func(string) error { return nil }); err != nil {
		t.Fatal(err)
	}
	sent := s.requests[0]
	if sent.Model != "eu.vendor.large-v1:0" || sent.InferenceConfig.MaxTokens != 77 || len(sent.System) != 1 {
		t.Fatalf("sent %+v, want the persona's model and 77 tokens", sent)
	}
	var said []string
	for _, m := range sent.Messages {
		said = append(said, m.Role+": "+m.Content[0].Text)
	}
	if got := strings.Join(said, "|"); got != "user: (The visitor has opened the chat.)|assistant: Hi, how can I help?|user: Where is\n\nmy order?" {
		t.Errorf("messages = %s", got)
	}
	for _, want := range []string{"We sell bicycles.", "You are Ada", "asked: Where is\nmy order?"} {
		if !strings.Contains(sent.System[0].Text, want) {
			t.Errorf("system prompt lacks %q:\n%s", want, sent.System[0].Text)
		}
	}
}

func TestRetriesBeforeTheStreamOpens(t *testing.T) {
	failing := func(w *wire) { w.refuse(500, "InternalServerException", "oops") }
	tests := []struct {
		name     string
		attempts int
		answers  []answer
		calls    int
		err      error
	}{
		{"throttled once", 0, []answer{throttled, complete}, 2, nil},
		{"throttled to the end", 0, []answer{throttled}, 2, agent.ErrThrottled},
		{"one attempt", 1, []answer{throttled, complete}, 1, agent.ErrThrottled},
		{"model not ready", 1, []answer{func(w *wire) { w.refuse(429, "ModelNotReadyException", "") }}, 1, agent.ErrThrottled},
		{"failed once", 2, []answer{failing, complete}, 2, nil},
		{"failed to the end", 2, []answer{failing}, 2, agent.ErrProvider},
		{"refused", 2, []answer{func(w *wire) { w.refuse(400, "ValidationException", "bad model") }, complete}, 1, agent.ErrProvider},
		{"cut stream", 2, []answer{func(w *wire) { w.text("Hel") }, complete}, 1, agent.ErrCut},
		{"aborted without an answer", 2, []answer{(*wire).abort, complete}, 1, agent.ErrProvider},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := serve(t, test.answers...)
			a := newAgent(t, s, func(c *bedrock.Config) { c.Attempts = test.attempts })
			_, err := a.Reply(t.Context(), question("Hi"), func(string) error { return nil })
			if !errors.Is(err, test.err) || s.calls() != test.calls {
				t.Errorf("%d calls, then %v; want %d, then %v", s.calls(), err, test.calls, test.err)
			}
		})
	}
}

func TestRetriesAConnectionThatDoesNotComeAbout(t *testing.T) {
	s := serve(t, complete)
	closed := httptest.NewServer(nil)
	closed.Close()
	var dials int
	dialer := &net.Dialer{}
	a := newAgent(t, s, func(c *bedrock.Config) {
		c.AWS.HTTPClient = &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			if dials++; dials == 1 {
				addr = closed.Listener.Addr().String()
			}
			return dialer.DialContext(ctx, network, addr)
		}}}
	})
	if _, err := a.Reply(t.Context(), question("Hi"), func(string) error { return nil }); err != nil || dials != 2 {
		t.Errorf("Reply = %v after %d dials, want nil after 2", err, dials)
	}
}

func TestDeadlines(t *testing.T) {
	const short = 60 * time.Millisecond
	tests := []struct {
		name    string
		answer  answer
		limit   func(*bedrock.Config)
		message string
	}{
		{"no answer", (*wire).hang, func(c *bedrock.Config) { c.Relay.FirstToken = short }, "no first token within 60ms"},
		{"only a start", func(w *wire) { w.start(); w.hang() }, func(c *bedrock.Config) { c.Relay.FirstToken = short }, "no first token within 60ms"},
		{"between tokens", func(w *wire) { w.text("Hel"); w.hang() }, func(c *bedrock.Config) { c.Relay.BetweenTokens = short },
			"no further token within 60ms"},
		{"while waiting for the second try", throttled, func(c *bedrock.Config) { c.Relay.FirstToken = short }, "no first token within 60ms"},
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
		limit func(*bedrock.Config)
		emit  func(cancel func()) error
		want  error
	}{
		{"cancelled", nil, func(cancel func()) error { cancel(); return nil }, context.Canceled},
		{"emit refused", nil, func(func()) error { return gone }, gone},
		{"timed out", func(c *bedrock.Config) { c.Relay.BetweenTokens = 60 * time.Millisecond }, func(func()) error { return nil }, agent.ErrTimeout},
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
	for name, config := range map[string]bedrock.Config{
		"no model":  {AWS: aws.Config{Region: "eu-central-1"}},
		"no region": {Model: "m"},
	} {
		if _, err := bedrock.New(config); err == nil {
			t.Errorf("New with %s gave no error", name)
		}
	}
}

// TestManyAtOnce has one agent answer many at once, each of whom gets the text
// that the model wrote for them and no other; what they share, the race detector
// finds.
func TestManyAtOnce(t *testing.T) {
	const replies, deltas = 8, 100
	s := serve(t, func(w *wire) {
		w.start()
		for range deltas {
			w.text(w.asked + " ")
		}
		w.stop("end_turn")
		w.usage(1, deltas)
	})
	a := newAgent(t, s, nil)
	var wg sync.WaitGroup
	for n := range replies {
		wg.Go(func() {
			asked := fmt.Sprintf("Question %d?", n)
			var text strings.Builder
			c := question(asked)
			c.MaxTokens = 10 * deltas
			_, err := a.Reply(t.Context(), c, func(delta string) error { text.WriteString(delta); return nil })
			if want := strings.Repeat(asked+" ", deltas); err != nil || strings.TrimSpace(text.String()) != strings.TrimSpace(want) {
				t.Errorf("%q was answered %q, %v", asked, text.String(), err)
			}
		})
	}
	wg.Wait()
}
