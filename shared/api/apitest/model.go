package apitest

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// ModelServer is a model behind OpenAI's chat completions that says what tests
// tell it to. It knows a script by the visitor's question; to any other question
// it says Echo.
type ModelServer struct {
	// URL is what PARLEY_BASE_URL is to be.
	URL string

	mu      sync.Mutex
	scripts map[string]*script
}

// Step is one thing that the model does. Its fields apply in the order in which
// they stand here; each zero value is left out.
type Step struct {
	// Until is waited for; it is closed to let the model go on.
	Until <-chan struct{}
	// Status refuses the request, as the first step only.
	Status int
	// Text is said.
	Text string
	// Call is the tool that is called with Arguments; the steps that follow are
	// for the request that tells what came of it.
	Call, Arguments string
	// Cut ends the answer without saying that it is complete; Full, as cut by its
	// limit of tokens.
	Cut, Full bool
}

type script struct {
	answers [][]Step
	asked   int
	heard   Heard
}

// Heard is what a request said to the model.
type Heard struct {
	// System is the prompt, Question the newest message of a user.
	System, Question string
	// Said is what the model is told that it has said itself.
	Said []string
	// Tools are the names of what it was offered, Results what came of its calls.
	Tools, Results []string
	rounds         int
}

// Echo is the model's answer to a question without a script.
func Echo(question string) string { return "You asked: " + question }

// NewModelServer starts a model. It ends with the test.
func NewModelServer(t testing.TB) *ModelServer {
	m := &ModelServer{scripts: map[string]*script{}}
	server := httptest.NewServer(http.HandlerFunc(m.serve))
	t.Cleanup(server.Close)
	m.URL = server.URL + "/v1"
	return m
}

// Script says how a question is answered: the first time by the first of the
// answers, and so on, the last one over and over. No other question may end like it.
func (m *ModelServer) Script(question string, answers ...[]Step) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.scripts[question] = &script{answers: answers}
}

// Asked returns how often a question that has a script was asked.
func (m *ModelServer) Asked(question string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.scripts[question].asked
}

// Heard returns the newest request with a question that has a script.
func (m *ModelServer) Heard(question string) Heard {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.scripts[question].heard
}

func (m *ModelServer) answer(h Heard) []Step {
	m.mu.Lock()
	defer m.mu.Unlock()
	var s *script
	question := h.Question
	for known, candidate := range m.scripts {
		// A message that nobody answered stands before the question.
		if strings.HasSuffix(question, known) {
			s = candidate
		}
	}
	if s == nil {
		text := Echo(question)
		half := strings.LastIndexByte(text[:len(text)/2], ' ') + 1
		return []Step{{Text: text[:half]}, {Text: text[half:]}}
	}
	if s.heard = h; h.rounds == 0 {
		s.asked++
	}
	return after(s.answers[min(s.asked, len(s.answers))-1], h.rounds)
}

// after are the steps behind so many calls.
func after(steps []Step, calls int) []Step {
	for i, step := range steps {
		if calls == 0 {
			return steps[i:]
		}
		if step.Call != "" {
			calls--
		}
	}
	return nil
}

// chat is a request to the model.
type chat struct {
	Messages []struct {
		Role, Content string
	}
	Tools []struct{ Function struct{ Name string } }
}

func (c chat) heard() Heard {
	var h Heard
	for _, m := range c.Messages {
		switch m.Role {
		case "system":
			h.System = m.Content
		case "assistant":
			h.Said = append(h.Said, m.Content)
		case "user":
			h.Question, h.Results, h.rounds = m.Content, nil, 0
		case "tool":
			h.Results = append(h.Results, m.Content)
			h.rounds++
		}
	}
	for _, t := range c.Tools {
		h.Tools = append(h.Tools, t.Function.Name)
	}
	return h
}

func (m *ModelServer) serve(w http.ResponseWriter, r *http.Request) {
	var in chat
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || len(in.Messages) == 0 {
		http.Error(w, "no messages", http.StatusBadRequest)
		return
	}
	steps := m.answer(in.heard())
	finish := "stop"
	for _, s := range steps {
		if s.Until != nil {
			_ = http.NewResponseController(w).Flush() // the client sees the headers, or has left
			select {
			case <-s.Until:
			case <-r.Context().Done():
				return
			}
		}
		if s.Status != 0 {
			http.Error(w, `{"error":{"message":"refused by the script"}}`, s.Status)
			return
		}
		if s.Text != "" {
			chunk(w, map[string]any{"content": s.Text}, nil)
		}
		if s.Full {
			finish = "length"
		}
		if s.Cut {
			panic(http.ErrAbortHandler)
		}
		if s.Call != "" {
			chunk(w, map[string]any{"tool_calls": []any{map[string]any{"index": 0, "id": rand.Text(), "type": "function",
				"function": map[string]any{"name": s.Call, "arguments": s.Arguments}}}}, nil)
			chunk(w, map[string]any{}, "tool_calls")
			fmt.Fprint(w, "data: [DONE]\n\n")
			return
		}
	}
	chunk(w, map[string]any{}, finish)
	fmt.Fprint(w, "data: [DONE]\n\n")
}

// chunk writes one piece of an answer
// (https://platform.openai.com/docs/api-reference/chat-streaming).
func chunk(w http.ResponseWriter, delta map[string]any, finish any) {
	w.Header().Set("Content-Type", "text/event-stream")
	b, _ := json.Marshal(map[string]any{"object": "chat.completion.chunk", "created": time.Now().Unix(),
		"choices": []any{map[string]any{"index": 0, "delta": delta, "finish_reason": finish}}}) // strings always encode
	fmt.Fprintf(w, "data: %s\n\n", b)
	_ = http.NewResponseController(w).Flush() // a client that left is noticed at the next wait
}
