package agenttest_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"parley/shared/agent"
	"parley/shared/agent/agenttest"
)

func collect(into *[]string) func(string) error {
	return func(delta string) error {
		*into = append(*into, delta)
		return nil
	}
}

func TestReplyFollowsTheSteps(t *testing.T) {
	broken := errors.New("broken")
	want := agent.Result{Handover: true}
	tests := []struct {
		name   string
		steps  []agenttest.Step
		deltas []string
		result agent.Result
		err    error
	}{
		{name: "steps run out", steps: agenttest.Say("a", "b"), deltas: []string{"a", "b"}},
		{name: "result", steps: []agenttest.Step{{Delta: "a"}, {Delta: "b", Result: &want}, {Delta: "c"}},
			deltas: []string{"a", "b"}, result: want},
		{name: "error", steps: []agenttest.Step{{Delta: "a"}, {Err: broken}, {Delta: "c"}}, deltas: []string{"a"}, err: broken},
		{name: "nothing"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			script := agenttest.New(agenttest.Always(test.steps...))
			var deltas []string
			result, err := script.Reply(t.Context(), agent.Conversation{Mode: agent.Mode{ID: "m"}}, collect(&deltas))
			if !errors.Is(err, test.err) || result.Handover != test.result.Handover {
				t.Errorf("Reply = %+v, %v, want %+v, %v", result, err, test.result, test.err)
			}
			if !slices.Equal(deltas, test.deltas) {
				t.Errorf("emitted %q, want %q", deltas, test.deltas)
			}
			calls := script.Record()
			if script.Calls() != 1 || !calls[0].Ended || calls[0].Conversation.Mode.ID != "m" || !errors.Is(calls[0].Err, test.err) {
				t.Errorf("recorded %+v, want one ended call of mode m with error %v", calls, test.err)
			}
		})
	}
}

func TestEvenlyKeepsTextAndTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const text = "naïve café, 日本語"
		steps := agenttest.Evenly(text, 4, time.Second)
		if len(steps) != 4 || agenttest.Text(steps) != text {
			t.Fatalf("Evenly = %+v, want 4 steps that join to %q", steps, text)
		}
		var deltas []string
		start := time.Now()
		if _, err := agenttest.New(agenttest.Always(steps...)).Reply(t.Context(), agent.Conversation{}, collect(&deltas)); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took != time.Second || len(deltas) != 4 {
			t.Errorf("%d deltas in %v, want 4 in 1s", len(deltas), took)
		}
	})
	if steps := agenttest.Evenly("ab", 5, time.Second); len(steps) != 2 {
		t.Errorf("Evenly of 2 code points gave %d steps, want 2", len(steps))
	}
}

func TestReplyWaitsUntilReleased(t *testing.T) {
	release := make(chan struct{})
	script := agenttest.New(agenttest.Always(agenttest.Step{Delta: "a"}, agenttest.Step{Until: release, Delta: "b"}))
	var group sync.WaitGroup
	group.Go(func() {
		if _, err := script.Reply(context.Background(), agent.Conversation{}, func(string) error { return nil }); err != nil {
			t.Error(err)
		}
	})
	if err := script.Await(t.Context(), func(c []agenttest.Call) bool { return len(c) == 1 && c[0].Text == "a" }); err != nil {
		t.Fatal(err)
	}
	if script.Record()[0].Ended {
		t.Error("the reply ended before it was released")
	}
	close(release)
	group.Wait()
	if got := script.Record()[0].Text; got != "ab" {
		t.Errorf("emitted %q, want %q", got, "ab")
	}
}

func TestReplyStops(t *testing.T) {
	refused := errors.New("refused")
	t.Run("emit error", func(t *testing.T) {
		script := agenttest.New(agenttest.Always(agenttest.Say("a", "b")...))
		_, err := script.Reply(t.Context(), agent.Conversation{}, func(string) error { return refused })
		if err != refused || script.Record()[0].Text != "a" {
			t.Errorf("Reply = %v after %q, want %v after %q", err, script.Record()[0].Text, refused, "a")
		}
	})
	for name, step := range map[string]agenttest.Step{
		"delay": {Delay: time.Hour}, "until": {Until: make(chan struct{})}, "delta": {Delta: "a"},
	} {
		t.Run("cancelled at "+name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			script := agenttest.New(agenttest.Always(step))
			_, err := script.Reply(ctx, agent.Conversation{}, func(string) error { return nil })
			if !errors.Is(err, context.Canceled) || script.Record()[0].Text != "" {
				t.Errorf("Reply = %v after %q, want %v and no text", err, script.Record()[0].Text, context.Canceled)
			}
		})
	}
}

func TestAwaitEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	script := agenttest.New(agenttest.Always())
	if err := script.Await(ctx, func([]agenttest.Call) bool { return false }); !errors.Is(err, context.Canceled) {
		t.Errorf("Await = %v, want %v", err, context.Canceled)
	}
}
