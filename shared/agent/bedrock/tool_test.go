package bedrock_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"parley/shared/agent"
)

const lookup = `{"type":"object","properties":{"order":{"type":"string"}},"required":["order"]}`

// using is a question to an agent with tools; what it has carried out is noted
// in made.
func using(made *[]string) agent.Conversation {
	c := question("Where is order 7?")
	c.MaxTokens = 500
	c.Tools = []agent.Tool{{Name: "find_order", Description: "Finds an order.", Parameters: json.RawMessage(lookup)},
		{Name: "refund", Description: "Pays back.", Parameters: json.RawMessage(`{"type":"object"}`)}}
	c.Use = func(_ context.Context, call agent.Call) (agent.Outcome, error) {
		*made = append(*made, call.Tool+string(call.Arguments))
		return agent.Outcome{Text: `{"state":"sent"}`, Failed: call.Tool == "refund"}, nil
	}
	return c
}

func (w *wire) calling() {
	w.event("messageStop", `{"stopReason":"tool_use"}`)
	w.usage(20, 5)
}

func TestCalls(t *testing.T) {
	s := serve(t, func(w *wire) {
		w.start()
		w.text("One moment.")
		w.call(1, "t1", "find_order", "", `{"ord`, `er":"7"}`)
		w.call(2, "t2", "refund", `{"amount":12345678901234567890,"why":["late",1.50]}`)
		w.call(3, "t3", "find_order", `{"order":`)
		w.call(4, "t4", "drop tables", `{}`)
		w.call(5, "t5", "refund")
		w.calling()
	}, complete)
	var made []string
	var text strings.Builder
	result, err := newAgent(t, s, nil).Reply(t.Context(), using(&made), func(delta string) error { text.WriteString(delta); return nil })
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(made, " "), `find_order{"order":"7"} refund{"amount":12345678901234567890,"why":["late",1.50]} refund{}`; got != want {
		t.Errorf("made %s, want %s", got, want)
	}
	if text.String() != "One moment.\n\nHello." || len(result.Calls) != 3 {
		t.Errorf("said %q, result %+v", text.String(), result)
	}
	if want := (agent.Usage{Input: 20 + 4 + 11 + 4, Output: 7}); result.Usage != want {
		t.Errorf("usage %+v, want %+v", result.Usage, want)
	}
	second := s.requests[1]
	if len(second.Messages) != 3 || second.InferenceConfig.MaxTokens != 495 || second.ToolConfig == nil || len(second.ToolConfig.Tools) != 2+len(agent.ControlTools()) {
		t.Fatalf("asked again with %+v", second)
	}
	if spec := second.ToolConfig.Tools[0].ToolSpec; spec.Name != "find_order" || !sameJSON(spec.InputSchema.JSON, lookup) {
		t.Errorf("the tool is told as %+v", spec)
	}
	var said []string
	for _, b := range second.Messages[1].Content {
		if said = append(said, b.Text); b.ToolUse != nil {
			said[len(said)-1] = b.ToolUse.ToolUseID + " " + b.ToolUse.Name + " " + string(b.ToolUse.Input)
		}
	}
	if got, want := strings.Join(said, "\n"), "One moment.\nt1 find_order {\"order\":\"7\"}\n"+
		"t2 refund {\"amount\":12345678901234567890,\"why\":[\"late\",1.50]}\nt3 find_order {}\nt4 unknown {}\nt5 refund {}"; second.Messages[1].Role != "assistant" || got != want {
		t.Errorf("told that it said\n%s\nwant\n%s", got, want)
	}
	var told []string
	for _, b := range second.Messages[2].Content {
		told = append(told, fmt.Sprint(b.ToolResult.ToolUseID, " ", b.ToolResult.Status, " ", b.ToolResult.Content[0].Text))
	}
	if got, want := strings.Join(told, "\n"), `t1 success {"state":"sent"}
t2 error {"state":"sent"}
t3 error Not carried out: the arguments are no JSON object.
t4 error Not carried out: there is no tool of this name.
t5 error {"state":"sent"}`; second.Messages[2].Role != "user" || got != want {
		t.Errorf("told\n%s\nwant\n%s", got, want)
	}
}

func sameJSON(a json.RawMessage, b string) bool {
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal([]byte(b), &y) == nil && fmt.Sprint(x) == fmt.Sprint(y)
}

func TestCallsThatEndBadly(t *testing.T) {
	n := 0
	loop := func(w *wire) {
		n++
		w.call(0, fmt.Sprint("t", n), "refund", fmt.Sprintf(`{"n":%d}`, n))
		w.calling()
	}
	tests := []struct {
		name    string
		answers []answer
		err     error
		made    int
		asked   int
	}{
		{"a loop", []answer{loop}, agent.ErrLoop, agent.MaxRounds, agent.MaxRounds + 1},
		{"cut between the rounds", []answer{loop, func(w *wire) { w.start(); w.abort() }}, agent.ErrCut, 1, 2},
		{"cut within a call", []answer{func(w *wire) { w.call(0, "t", "refund", `{}`); w.abort() }}, agent.ErrCut, 0, 1},
		{"no capacity in the second round", []answer{loop, throttled}, agent.ErrProvider, 1, 3},
		{"truncated in a call", []answer{func(w *wire) { w.text("Hm."); w.call(1, "t", "refund", `{`); w.stop("max_tokens"); w.usage(9, 9) }}, nil, 0, 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := serve(t, test.answers...)
			var made []string
			result, err := newAgent(t, s, nil).Reply(t.Context(), using(&made), func(string) error { return nil })
			if !errors.Is(err, test.err) || len(made) != test.made || len(result.Calls) != test.made || s.calls() != test.asked {
				t.Errorf("%v, %d made, asked %d times; want %v, %d, %d times", err, len(made), s.calls(), test.err, test.made, test.asked)
			}
			if test.made > 0 && result.Usage.Input < 24*test.made {
				t.Errorf("usage %+v for %d rounds", result.Usage, test.asked)
			}
			if err == nil && !result.Truncated {
				t.Errorf("the reply counts as whole: %+v", result)
			}
		})
	}
}

// Control travels as calls, which end the reply: nothing goes back to the model.
func TestControlCalls(t *testing.T) {
	s := serve(t, func(w *wire) {
		w.start()
		w.text("One moment.")
		w.call(1, "t1", "hand_over", `{"reason":"Wants a `, `refund."}`)
		w.call(2, "t2", "mark_solved")
		w.calling()
	})
	var text strings.Builder
	result, err := newAgent(t, s, nil).Reply(t.Context(), question("Refund?"), func(delta string) error { text.WriteString(delta); return nil })
	if err != nil || text.String() != "One moment." || !result.Handover || result.Reason != "Wants a refund." || !result.LikelyResolved || result.Goodbye ||
		len(result.Calls) != 0 || s.calls() != 1 || result.Usage != (agent.Usage{Input: 24, Output: 5}) {
		t.Errorf("said %q, %+v, %v in %d rounds", text.String(), result, err, s.calls())
	}
	if tools := s.requests[0].ToolConfig.Tools; len(tools) != 3 || tools[0].ToolSpec.Name != "hand_over" || len(tools[0].ToolSpec.InputSchema.JSON) == 0 {
		t.Errorf("offered %+v", tools)
	}
}

// A model that takes no tools is offered none.
func TestNoTools(t *testing.T) {
	s := serve(t, func(w *wire) { w.start(); w.text("Bye.\n[GOODBYE]"); w.stop("end_turn"); w.usage(11, 2) })
	c := question("Bye")
	c.Persona.NoTools = true
	result, err := newAgent(t, s, nil).Reply(t.Context(), c, func(string) error { return nil })
	if err != nil || !result.Goodbye || s.requests[0].ToolConfig != nil {
		t.Errorf("%+v, %v, offered %+v", result, err, s.requests[0].ToolConfig)
	}
}
