package openai_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/shared/agent"
	"parley/shared/agent/openai"
)

const lookup = `{"type":"object","properties":{"order":{"type":"string"}},"required":["order"]}`

// using is a question to an agent with tools. What it has carried out is noted
// in made, and comes out as use says; nil answers every call alike.
func using(made *[]string, use func(context.Context, agent.Call) (agent.Outcome, error)) agent.Conversation {
	c := question("Where is order 7?")
	c.Tools = []agent.Tool{{Name: "find_order", Description: "Finds an order.", Parameters: json.RawMessage(lookup)},
		{Name: "refund", Description: "Pays back.", Parameters: json.RawMessage(`{"type":"object"}`)}}
	c.Use = func(ctx context.Context, call agent.Call) (agent.Outcome, error) {
		*made = append(*made, call.Tool+string(call.Arguments))
		if use != nil {
			return use(ctx, call)
		}
		return agent.Outcome{Text: `{"state":"sent"}`}, nil
	}
	return c
}

// wants is an answer that makes one call.
func wants(id, name, arguments string) answer {
	return func(w *wire) {
		quoted, _ := json.Marshal(arguments)
		w.calls(fmt.Sprintf(`{"index":0,"id":%q,"type":"function","function":{"name":%q,"arguments":%s}}`, id, name, quoted))
		w.finish("tool_calls")
		w.usage(20, 5)
		w.done()
	}
}

func TestCalls(t *testing.T) {
	const both = `find_order{"order":"7"} refund{"amount":12345678901234567890}`
	tests := []struct {
		name string
		// first is the answer that calls; "Hello." follows it.
		first answer
		made  string // what was carried out
		text  string
		told  string // what the model is then told of all its calls
	}{
		{name: "pieces by index, interleaved, between texts", first: func(w *wire) {
			w.text("One moment.")
			w.calls(`{"index":0,"id":"a","type":"function","function":{"name":"find_order","arguments":""}}`,
				`{"index":0,"function":{"arguments":"{\"ord"}}`,
				`{"index":1,"id":"b","type":"function","function":{"name":"refund","arguments":"{\"amount\":"}}`,
				`{"index":0,"function":{"arguments":"er\":\"7\"}"}},{"index":1,"function":{"arguments":"12345678901234567890}"}}`)
			w.finish("tool_calls")
			w.usage(20, 5)
			w.done()
		}, made: both, text: "One moment.\n\nHello.", told: `a={"state":"sent"} b={"state":"sent"}`},
		{name: "it stops instead", first: func(w *wire) {
			w.calls(`{"index":0,"id":"a","function":{"name":"find_order","arguments":"{\"order\":\"7\"}"}}`)
			w.finish("stop")
			w.usage(20, 5)
			w.done()
		}, made: `find_order{"order":"7"}`, text: "Hello.", told: `a={"state":"sent"}`},
		{name: "whole calls without index", first: func(w *wire) {
			w.calls(`{"id":"a","function":{"name":"find_order","arguments":"{\"order\":\"7\"}"}},{"id":"b","function":{"name":"refund","arguments":"{\"amount\":12345678901234567890}"}}`)
			w.finish("tool_calls")
			w.usage(20, 5)
			w.done()
		}, made: both, text: "Hello.", told: `a={"state":"sent"} b={"state":"sent"}`},
		{name: "all with index 0", first: func(w *wire) {
			w.calls(`{"index":0,"id":"a","function":{"name":"find_order","arguments":"{\"order\":\"7\"}"}}`,
				`{"index":0,"id":"b","function":{"name":"refund","arguments":"{\"amount\":12345678901234567890}"}}`)
			w.finish("tool_calls")
			w.usage(20, 5)
			w.done()
		}, made: both, text: "Hello.", told: `a={"state":"sent"} b={"state":"sent"}`},
		{name: "no ids at all", first: func(w *wire) {
			w.calls(`{"function":{"name":"find_order","arguments":"{\"order\":\"7\"}"}}`, `{"function":{"name":"refund","arguments":"{\"amount\":12345678901234567890}"}}`)
			w.finish("tool_calls")
			w.usage(20, 5)
			w.done()
		}, made: both, text: "Hello.", told: `call_1_1={"state":"sent"} call_1_2={"state":"sent"}`},
		{name: "no arguments", first: wants("a", "refund", ""), made: "refund{}", text: "Hello.", told: `a={"state":"sent"}`},
		{name: "cut arguments", first: wants("a", "find_order", `{"order":`), text: "Hello.",
			told: "a=Error: Not carried out: the arguments are no JSON object."},
		{name: "arguments that are a list", first: wants("a", "find_order", `["7"]`), text: "Hello.",
			told: "a=Error: Not carried out: the arguments are no JSON object."},
		{name: "long arguments", first: wants("a", "find_order", `{"order":"`+strings.Repeat("7", 2*agent.MaxArgumentBytes/3)+strings.Repeat("8", agent.MaxArgumentBytes)+`"}`),
			text: "Hello.", told: "a=Error: Not carried out: the arguments are longer than 4096 bytes."},
		{name: "a tool that there is not", first: wants("a", "drop tables", `{}`), text: "Hello.",
			told: "a=Error: Not carried out: there is no tool of this name."},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := serve(t, test.first, complete)
			var made []string
			c := using(&made, nil)
			c.MaxTokens = 500
			var text strings.Builder
			result, err := newAgent(t, s, nil).Reply(t.Context(), c, func(delta string) error { text.WriteString(delta); return nil })
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(made, " "); got != test.made || text.String() != test.text || len(result.Calls) != len(made) {
				t.Errorf("made %s, said %q, %d calls in the result; want %s, %q", got, text.String(), len(result.Calls), test.made, test.text)
			}
			if want := (agent.Usage{Input: 31, Output: 7}); result.Usage != want {
				t.Errorf("usage %+v, want %+v", result.Usage, want)
			}
			second := s.requests[1]
			var told []string
			for i, m := range second.Messages {
				if m.Role == "tool" {
					told = append(told, m.ToolCallID+"="+m.Content)
				}
				for _, call := range m.ToolCalls {
					if !json.Valid([]byte(call.Function.Arguments)) || call.Type != "function" || second.Messages[i+1].Role != "tool" {
						t.Errorf("told of the call %+v", call)
					}
				}
			}
			if got := strings.Join(told, " "); got != test.told {
				t.Errorf("the model is told %s, want %s", got, test.told)
			}
			if second.MaxTokens != 495 || !strings.Contains(string(s.requests[0].Tools), lookup) || string(second.Tools) != string(s.requests[0].Tools) {
				t.Errorf("asked again for %d tokens with tools %s", second.MaxTokens, second.Tools)
			}
		})
	}
}

func TestCallsThatEndBadly(t *testing.T) {
	broken := errors.New("fenced")
	again := func(w *wire) { w.text("Hm."); wants("a", "find_order", `{"order":"7"}`)(w) }
	counting := func() answer {
		n := 0
		return func(w *wire) { n++; wants("a", "refund", fmt.Sprintf(`{"n":%d}`, n))(w) }
	}
	tests := []struct {
		name    string
		answers []answer
		change  func(c *agent.Conversation, cancel func())
		err     error
		made    int
		asked   int
		text    string
		usage   agent.Usage
	}{
		{name: "the same call again and again", answers: []answer{again}, err: agent.ErrLoop, made: 1, asked: agent.MaxRounds + 1,
			text: strings.TrimSpace(strings.Repeat("Hm.\n\n", agent.MaxRounds+1)), usage: agent.Usage{Input: 120, Output: 30}},
		{name: "another call again and again", answers: []answer{counting()}, err: agent.ErrLoop, made: agent.MaxRounds, asked: agent.MaxRounds + 1,
			usage: agent.Usage{Input: 120, Output: 30}},
		{name: "more than was set aside", answers: []answer{counting()}, change: func(c *agent.Conversation, _ func()) { c.MaxSpend = 500 },
			err: agent.ErrLoop, made: 1, asked: 1, usage: agent.Usage{Input: 20, Output: 5}},
		{name: "cut between the rounds", answers: []answer{again, func(w *wire) { w.raw(": beat\n\n"); w.abort() }}, err: agent.ErrCut, made: 1, asked: 2, text: "Hm."},
		{name: "cut within a call", answers: []answer{func(w *wire) {
			w.text("Hm.")
			w.calls(`{"index":0,"id":"a","function":{"name":"refund","arguments":"{}"}}`)
			w.abort()
		}}, err: agent.ErrCut, asked: 1, text: "Hm."},
		{name: "no capacity in the second round", answers: []answer{again, throttled}, err: agent.ErrProvider, made: 1, asked: 3, text: "Hm."},
		{name: "what carries them out has failed", answers: []answer{again}, change: func(c *agent.Conversation, _ func()) {
			c.Use = func(context.Context, agent.Call) (agent.Outcome, error) { return agent.Outcome{}, broken }
		}, err: broken, asked: 1, text: "Hm.", usage: agent.Usage{Input: 20, Output: 5}},
		{name: "cancelled meanwhile", answers: []answer{again}, change: func(c *agent.Conversation, cancel func()) {
			c.Use = func(ctx context.Context, _ agent.Call) (agent.Outcome, error) {
				cancel()
				<-ctx.Done()
				return agent.Outcome{}, ctx.Err()
			}
		}, err: context.Canceled, asked: 1, text: "Hm.", usage: agent.Usage{Input: 20, Output: 5}},
		{name: "a call without tools", answers: []answer{again}, change: func(c *agent.Conversation, _ func()) { c.Tools = nil },
			err: agent.ErrProvider, asked: 1, text: "Hm."},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := serve(t, test.answers...)
			var made []string
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			c := using(&made, nil)
			if test.change != nil {
				test.change(&c, cancel)
			}
			var text strings.Builder
			result, err := newAgent(t, s, nil).Reply(ctx, c, func(delta string) error { text.WriteString(delta); return nil })
			if !errors.Is(err, test.err) || len(made) != test.made || len(result.Calls) != test.made || s.calls() != test.asked || text.String() != test.text {
				t.Errorf("%v, %d made, %d in the result, asked %d times, said %q; want %v, %d, asked %d times, %q",
					err, len(made), len(result.Calls), s.calls(), text.String(), test.err, test.made, test.asked, test.text)
			}
			if test.usage != (agent.Usage{}) && result.Usage != test.usage || test.made > 0 && result.Usage.Input < 20 {
				t.Errorf("usage %+v, want %+v", result.Usage, test.usage)
			}
			if last := s.requests[s.calls()-1]; test.asked > agent.MaxRounds && last.ToolChoice != "none" {
				t.Errorf("the last round may call: tool_choice %q", last.ToolChoice)
			}
		})
	}
}

// A round that makes too many calls has the first of them carried out.
func TestTooManyCallsAtOnce(t *testing.T) {
	s := serve(t, func(w *wire) {
		for i := range agent.MaxCalls + 2 {
			w.calls(fmt.Sprintf(`{"index":%d,"id":"c%d","function":{"name":"refund","arguments":"{\"n\":%d}"}}`, i, i, i))
		}
		w.finish("tool_calls")
	}, complete)
	var made []string
	c := using(&made, nil)
	c.MaxTokens = 1000
	if _, err := newAgent(t, s, nil).Reply(t.Context(), c, func(string) error { return nil }); err != nil || len(made) != agent.MaxCalls {
		t.Fatalf("%d made, %v", len(made), err)
	}
	messages := s.requests[1].Messages
	if last := messages[len(messages)-1]; last.ToolCallID != "c9" || !strings.Contains(last.Content, "too many calls") {
		t.Errorf("told of the last call: %+v", last)
	}
}

// A call that the output limit cut is not carried out.
func TestATruncatedCallIsNone(t *testing.T) {
	s := serve(t, func(w *wire) {
		w.text("Hm.")
		w.calls(`{"index":0,"id":"a","function":{"name":"refund","arguments":"{}"}}`)
		w.finish("length")
		w.usage(20, 100)
	})
	var made []string
	result, err := newAgent(t, s, nil).Reply(t.Context(), using(&made, nil), func(string) error { return nil })
	if err != nil || !result.Truncated || len(made) != 0 || s.calls() != 1 {
		t.Errorf("%+v, %v, made %q in %d rounds", result, err, made, s.calls())
	}
}

// Outcomes are told whole up to a bound on all of them; the time that a tool
// takes is not the provider's.
func TestLongOutcomesAreCut(t *testing.T) {
	s := serve(t, wants("a", "refund", `{"n":1}`), wants("b", "refund", `{"n":2}`), wants("c", "refund", `{"n":3}`), complete)
	const between = time.Second
	var slow sync.Once
	var made []string
	c := using(&made, func(context.Context, agent.Call) (agent.Outcome, error) {
		slow.Do(func() { time.Sleep(between + between/5) })
		return agent.Outcome{Text: strings.Repeat("é", 10_000)}, nil
	})
	a := newAgent(t, s, func(c *openai.Config) { c.Relay.FirstToken, c.Relay.BetweenTokens = 5*time.Second, between })
	result, err := a.Reply(t.Context(), c, func(string) error { return nil })
	if err != nil || len(result.Calls) != 3 || len(result.Calls[2].Text) != 20_000 {
		t.Fatalf("%d calls, %v", len(result.Calls), err)
	}
	total := 0
	for _, m := range s.requests[3].Messages {
		if m.Role == "tool" {
			total += len(m.Content)
		}
	}
	if total < 32<<10-10 || total > 32<<10+100 {
		t.Errorf("the model is told %d bytes of outcomes, want about 32 KiB", total)
	}
}

// Control travels as calls. They end the reply, unless the model calls other tools
// in the same round.
func TestControlCalls(t *testing.T) {
	call := func(index int, name, arguments string) string {
		quoted, _ := json.Marshal(arguments)
		return fmt.Sprintf(`{"index":%d,"id":"c%d","type":"function","function":{"name":%q,"arguments":%s}}`, index, index, name, quoted)
	}
	calling := func(text, finish string, calls ...string) answer {
		return func(w *wire) {
			if text != "" {
				w.text(text)
			}
			w.calls(calls...)
			w.finish(finish)
			w.usage(20, 5)
			w.done()
		}
	}
	long := strings.Repeat("word ", 200)
	const noReason = "The AI agent asked for a human."
	tests := []struct {
		name   string
		answer answer
		text   string
		want   agent.Result
		made   int
		rounds int
	}{
		{name: "a handover", answer: calling("One moment.", "tool_calls", call(0, "hand_over", `{"reason":"Wants\n a refund."}`)),
			text: "One moment.", want: agent.Result{Handover: true, Reason: "Wants a refund."}, rounds: 1},
		{name: "without text", answer: calling("", "tool_calls", call(0, "hand_over", "")), want: agent.Result{Handover: true, Reason: noReason}, rounds: 1},
		{name: "it stops instead", answer: calling("Bye.", "stop", call(0, "end_conversation", "{}")), text: "Bye.", want: agent.Result{Goodbye: true}, rounds: 1},
		{name: "several", answer: calling("Bye.", "tool_calls", call(0, "mark_solved", "{}"), call(1, "end_conversation", "{}")),
			text: "Bye.", want: agent.Result{Goodbye: true, LikelyResolved: true}, rounds: 1},
		{name: "unreadable arguments", answer: calling("Soon.", "tool_calls", call(0, "hand_over", `{"reason":`)), text: "Soon.",
			want: agent.Result{Handover: true, Reason: noReason}, rounds: 1},
		{name: "a reason of another type", answer: calling("Soon.", "tool_calls", call(0, "hand_over", `{"reason":7}`)), text: "Soon.",
			want: agent.Result{Handover: true, Reason: noReason}, rounds: 1},
		{name: "a long reason", answer: calling("Soon.", "tool_calls", call(0, "hand_over", `{"reason":"`+long+`"}`)), text: "Soon.",
			want: agent.Result{Handover: true, Reason: strings.TrimSpace(long[:300]) + "…"}, rounds: 1},
		{name: "with an action", answer: calling("I look.", "tool_calls", call(0, "hand_over", `{"reason":"Late."}`), call(1, "find_order", `{"order":"7"}`)),
			text: "I look.\n\nHello.", want: agent.Result{Handover: true, Reason: "Late."}, made: 1, rounds: 2},
		{name: "cut by the limit", answer: calling("I would", "length", call(0, "end_conversation", "{}")), text: "I would", rounds: 1},
		{name: "quoted", answer: func(w *wire) { w.text("It calls hand_over.\n[HANDOVER]"); w.finish("stop"); w.usage(20, 5); w.done() },
			text: "It calls hand_over.\n[HANDOVER]", rounds: 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := serve(t, test.answer, complete)
			var made []string
			c := using(&made, nil)
			c.MaxTokens = 500
			var text strings.Builder
			got, err := newAgent(t, s, nil).Reply(t.Context(), c, func(delta string) error { text.WriteString(delta); return nil })
			if err != nil || text.String() != test.text || s.calls() != test.rounds || len(made) != test.made || len(got.Calls) != test.made {
				t.Errorf("said %q, %v in %d rounds, made %q; want %q in %d", text.String(), err, s.calls(), made, test.text, test.rounds)
			}
			if got.Handover != test.want.Handover || got.Reason != test.want.Reason || got.Goodbye != test.want.Goodbye || got.LikelyResolved != test.want.LikelyResolved {
				t.Errorf("result %+v, want %+v", got, test.want)
			}
			usage := agent.Usage{Input: 20, Output: 5}
			if test.rounds == 2 {
				usage = agent.Usage{Input: 31, Output: 7}
			}
			if got.Usage != usage {
				t.Errorf("usage %+v, want %+v", got.Usage, usage)
			}
			if !strings.Contains(string(s.requests[0].Tools), `"hand_over"`) {
				t.Errorf("offered %s", s.requests[0].Tools)
			}
		})
	}
}

// A model that takes no tools is offered none, and whoever reads the log is told
// what to do about one that says so.
func TestNoTools(t *testing.T) {
	s := serve(t, func(w *wire) { w.text("Bye.\n[GOODBYE]"); w.finish("stop"); w.usage(11, 2); w.done() },
		func(w *wire) {
			w.refuse(400, "", `{"error":{"message":"gemma does not support tools: private question","type":"api_error"}}`)
		})
	a := newAgent(t, s, nil)
	c := question("private question")
	c.Persona.NoTools = true
	result, err := a.Reply(t.Context(), c, func(string) error { return nil })
	if err != nil || !result.Goodbye || s.requests[0].Tools != nil {
		t.Errorf("%+v, %v, offered %s", result, err, s.requests[0].Tools)
	}
	c.Persona.NoTools = false
	_, err = a.Reply(t.Context(), c, func(string) error { return nil })
	if !errors.Is(err, agent.ErrProvider) || !strings.Contains(err.Error(), "no_tools") || strings.Contains(err.Error(), "private") {
		t.Errorf("of a model without tools: %v", err)
	}
}
