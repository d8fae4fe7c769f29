package agent_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"parley/shared/agent"
)

// script is a stream whose events come after delays of its own.
type script struct {
	ctx    context.Context
	steps  []step
	closed *bool
}

type step struct {
	after time.Duration
	event agent.Event
}

func (s *script) Close() error { *s.closed = true; return nil }

func (s *script) Next() (agent.Event, error) {
	if len(s.steps) == 0 {
		return agent.Event{}, io.EOF
	}
	next := s.steps[0]
	s.steps = s.steps[1:]
	select {
	case <-time.After(next.after):
		return next.event, nil
	case <-s.ctx.Done():
		return agent.Event{}, agent.ErrCut
	}
}

func TestRelayDeadlines(t *testing.T) {
	text, thought, other, end := agent.Event{Text: "a"}, agent.Event{Thinking: true}, agent.Event{}, agent.Event{End: true}
	const first, between = 20 * time.Second, 15 * time.Second
	tests := []struct {
		name  string
		open  time.Duration
		emit  time.Duration
		steps []step
		took  time.Duration
		err   error
	}{
		{name: "just in time", open: 9 * time.Second, steps: []step{{10 * time.Second, text}, {14 * time.Second, text}, {14 * time.Second, end}},
			took: 47 * time.Second},
		{name: "opening counts", open: 9 * time.Second, steps: []step{{12 * time.Second, text}}, took: first, err: agent.ErrTimeout},
		{name: "never opens", open: time.Hour, took: first, err: agent.ErrTimeout},
		{name: "thoughts are tokens", steps: []step{{14 * time.Second, thought}, {14 * time.Second, thought}, {14 * time.Second, text}, {0, end}},
			took: 42 * time.Second},
		{name: "others are none", steps: []step{{10 * time.Second, other}, {11 * time.Second, text}}, took: first, err: agent.ErrTimeout},
		{name: "others between", steps: []step{{0, text}, {10 * time.Second, other}, {6 * time.Second, text}}, took: between, err: agent.ErrTimeout},
		{name: "a slow reader is not the provider's fault", emit: time.Minute, steps: []step{{0, text}, {time.Second, text}, {0, end}},
			took: 2*time.Minute + time.Second},
		{name: "usage that does not come", steps: []step{{0, text}, {0, end}, {time.Hour, other}}, took: 2 * time.Second},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				closed := false
				relay := agent.Relay{Open: func(ctx context.Context, p agent.Prompt) (agent.Stream, error) {
					select {
					case <-time.After(test.open):
					case <-ctx.Done():
						return nil, agent.ErrProvider
					}
					return &script{ctx, test.steps, &closed}, nil
				}}
				start := time.Now()
				result, err := relay.Reply(t.Context(), ask("Hi"), func(string) error { time.Sleep(test.emit); return nil })
				if took := time.Since(start); !errors.Is(err, test.err) || took != test.took {
					t.Errorf("Reply = %v after %v, want %v after %v", err, took, test.err, test.took)
				}
				if test.open < first && !closed {
					t.Error("the stream was not closed")
				}
				if err == nil && !result.Usage.Estimated {
					t.Errorf("usage = %+v, want an estimate", result.Usage)
				}
			})
		})
	}
}

func ask(text string) agent.Conversation {
	return agent.Conversation{Turns: []agent.Turn{{Role: agent.Visitor, Text: text}}, MaxTokens: 100}
}

// saying is a relay whose model says text at once and is done.
func saying(text string) agent.Relay {
	return agent.Relay{Open: func(ctx context.Context, p agent.Prompt) (agent.Stream, error) {
		return &script{ctx, []step{{0, agent.Event{Text: text, End: true, Usage: &agent.Usage{Input: 1}}}}, new(bool)}, nil
	}}
}

func TestRelaySourcesAreWhatTheReplyLinks(t *testing.T) {
	relay := saying("See [Costs](/docs/a.md#costs) and /docs/b.md.")
	relay.Ground = func(string, string) []agent.Passage {
		var found []agent.Passage
		for _, url := range []string{"/docs/b.md", "/docs/a.md#costs", "/docs/a.md", ""} {
			found = append(found, agent.Passage{Source: agent.Source{Title: "T", URL: url}})
		}
		return found
	}
	result, err := relay.Reply(t.Context(), ask("Hi"), func(string) error { return nil })
	if want := []agent.Source{{Title: "T", URL: "/docs/a.md#costs"}}; err != nil || !slices.Equal(result.Sources, want) {
		t.Errorf("sources = %v, %v, want %v", result.Sources, err, want)
	}
}

func TestRelayGroundsShortQuestionsInTheOneBefore(t *testing.T) {
	turns := func(texts ...string) []agent.Turn {
		var all []agent.Turn
		for _, text := range texts {
			all = append(all, agent.Turn{Role: agent.Visitor, Text: text}, agent.Turn{Role: agent.AI, Text: "reply"})
		}
		return all[:len(all)-1]
	}
	tests := []struct {
		turns []agent.Turn
		want  string
	}{
		{turns("how do I rate a chat?"), "how do I rate a chat?"},
		{turns("how do I rate a chat?", "and on phones?"), "how do I rate a chat?\nand on phones?"},
		{turns("how do I rate a chat?", "what does it cost to run?"), "what does it cost to run?"},
		{turns("costs?"), "costs?"},
		{turns("one", "two", "three"), "two\nthree"},
	}
	for _, test := range tests {
		var got string
		relay := saying("Hello")
		relay.Ground = func(query, _ string) []agent.Passage { got = query; return nil }
		c := ask("")
		c.Turns = test.turns
		if _, err := relay.Reply(t.Context(), c, func(string) error { return nil }); err != nil || got != test.want {
			t.Errorf("grounded in %q, %v, want %q", got, err, test.want)
		}
	}
}

func TestRelayRefusesWhatCannotBeAnswered(t *testing.T) {
	relay := saying("Hello")
	for name, c := range map[string]agent.Conversation{
		"no turns":  {MaxTokens: 1},
		"no tokens": {Turns: []agent.Turn{{Role: agent.Visitor, Text: "Hi"}}},
	} {
		if _, err := relay.Reply(t.Context(), c, func(string) error { return nil }); !errors.Is(err, agent.ErrProvider) {
			t.Errorf("Reply with %s = %v, want %v", name, err, agent.ErrProvider)
		}
	}
}

// A marker at the end counts where the model takes no tools, and nowhere else.
func TestRelayMarkers(t *testing.T) {
	const said = "The marker is [HANDOVER].\n[GOODBYE]"
	for noTools, want := range map[bool]string{true: "The marker is [HANDOVER].", false: said} {
		var text strings.Builder
		relay := saying(said)
		c := ask("Hi")
		c.Persona.NoTools = noTools
		result, err := relay.Reply(t.Context(), c, func(delta string) error {
			text.WriteString(delta)
			return nil
		})
		if err != nil || text.String() != want || result.Goodbye != noTools || result.Handover {
			t.Errorf("without tools %v: Reply = %q, %+v, %v, want %q", noTools, text.String(), result, err, want)
		}
	}
}
