// Package agenttest is the test kit for code that calls agents: an agent that
// follows a script. Benchmarks use it too, to get the same reply every time.
package agenttest

import (
	"context"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"parley/shared/agent"
)

// Step is one thing that a scripted agent does. Its fields apply in the order
// in which they stand here; each zero value is left out.
type Step struct {
	// Delay is waited first. The reply's context ends the wait.
	Delay time.Duration
	// Until is waited for next: the step goes on when it is closed or receives.
	// The reply's context ends the wait.
	Until <-chan struct{}
	// Delta is text to emit.
	Delta string
	// Call is carried out by the conversation's Use; its Outcome is recorded.
	Call *agent.Call
	// Err ends the reply with this error.
	Err error
	// Result ends the reply as complete.
	Result *agent.Result
}

// Say returns a step for each delta, without delays.
func Say(deltas ...string) []Step {
	steps := make([]Step, len(deltas))
	for i, delta := range deltas {
		steps[i].Delta = delta
	}
	return steps
}

// Evenly cuts text at code points into n pieces of about equal length that
// arrive evenly over total: each after total/n. Fewer code points than n make fewer steps.
func Evenly(text string, n int, total time.Duration) []Step {
	n = min(n, utf8.RuneCountInString(text))
	steps := make([]Step, 0, n)
	runes := []rune(text)
	for i := range n {
		piece := string(runes[i*len(runes)/n : (i+1)*len(runes)/n])
		steps = append(steps, Step{Delay: total / time.Duration(n), Delta: piece})
	}
	return steps
}

// Always returns a script that answers every conversation with the same steps.
func Always(steps ...Step) func(agent.Conversation) []Step {
	return func(agent.Conversation) []Step { return steps }
}

// Call is one reply that was asked of a Script.
type Call struct {
	// Conversation is what the agent was given.
	Conversation agent.Conversation
	// Text is what it emitted, the delta that emit refused included.
	Text string
	// Ended is whether Reply returned, and Err what it returned.
	Ended bool
	Err   error
	// Used are the calls that the agent had carried out, with their outcomes.
	Used []agent.Call
}

// Script is an agent that follows a script. It is safe for concurrent use.
type Script struct {
	steps func(agent.Conversation) []Step

	mu      sync.Mutex
	calls   []Call
	changed chan struct{} // closed and replaced whenever calls changes
}

var _ agent.Agent = (*Script)(nil)

// New returns an agent that calls steps once for each reply, possibly
// concurrently. A reply whose steps run out is complete, with a zero result.
func New(steps func(agent.Conversation) []Step) *Script {
	return &Script{steps: steps, changed: make(chan struct{})}
}

// Reply carries out the script. Like any agent it ends with the error of emit
// or, at its next wait or delta, with that of ctx.
func (s *Script) Reply(ctx context.Context, c agent.Conversation, emit func(string) error) (agent.Result, error) {
	id := s.begin(c)
	steps := s.steps(c)
	use := func(call agent.Call) error {
		var err error
		if call.Outcome, err = c.Use(ctx, call); err == nil {
			s.change(func() { s.calls[id].Used = append(s.calls[id].Used, call) })
		}
		return err
	}
	result, err := s.follow(ctx, steps, use, func(delta string) error {
		s.change(func() { s.calls[id].Text += delta })
		return emit(delta)
	})
	s.change(func() { s.calls[id].Ended, s.calls[id].Err = true, err })
	return result, err
}

func (s *Script) follow(ctx context.Context, steps []Step, use func(agent.Call) error, emit func(string) error) (agent.Result, error) {
	for _, step := range steps {
		if err := wait(ctx, step); err != nil {
			return agent.Result{}, err
		}
		if step.Delta != "" {
			if err := emit(step.Delta); err != nil {
				return agent.Result{}, err
			}
		}
		if step.Call != nil {
			if err := use(*step.Call); err != nil {
				return agent.Result{}, err
			}
		}
		if step.Err != nil {
			return agent.Result{}, step.Err
		}
		if step.Result != nil {
			return *step.Result, nil
		}
	}
	return agent.Result{}, nil
}

func wait(ctx context.Context, step Step) error {
	if step.Delay > 0 {
		timer := time.NewTimer(step.Delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	if step.Until != nil {
		select {
		case <-step.Until:
		case <-ctx.Done():
		}
	}
	return ctx.Err()
}

// begin records a call and returns its index.
func (s *Script) begin(c agent.Conversation) (id int) {
	s.change(func() {
		id = len(s.calls)
		s.calls = append(s.calls, Call{Conversation: c})
	})
	return id
}

func (s *Script) change(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
	close(s.changed)
	s.changed = make(chan struct{})
}

// Calls returns how many replies were asked for.
func (s *Script) Calls() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.calls)
}

// Record returns a copy of all calls, in the order in which they began.
func (s *Script) Record() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Call(nil), s.calls...)
}

// Await waits until the record satisfies done, e.g. until a second reply began
// or the first one emitted something. It returns the context's error if that ends first.
func (s *Script) Await(ctx context.Context, done func([]Call) bool) error {
	for {
		s.mu.Lock()
		changed := s.changed
		calls := append([]Call(nil), s.calls...)
		s.mu.Unlock()
		if done(calls) {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Text joins what the steps would emit if nothing stopped them.
func Text(steps []Step) string {
	var b strings.Builder
	for _, step := range steps {
		b.WriteString(step.Delta)
	}
	return b.String()
}
