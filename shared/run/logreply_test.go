package run_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"parley/shared/agent"
	"parley/shared/agent/agenttest"
	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/run"
)

// TestReplyLine: each reply leaves one line, with its times since the message, how it
// ended and what kind of failure that was; and nothing of its text.
func TestReplyLine(t *testing.T) {
	const second = time.Second
	usage := &agent.Result{Usage: agent.Usage{Input: 120, Output: 40}}
	failing := func(err error) []agenttest.Step { return []agenttest.Step{{Delay: second, Err: err}} }
	tests := map[string]struct {
		steps   []agenttest.Step
		status  string
		failure any
		first   any // ms
	}{
		"done":            {[]agenttest.Step{{Delay: 2 * second, Delta: "It costs "}, {Delay: 3 * second, Delta: "nothing."}, {Result: usage}}, "done", nil, 2000.0},
		"at once":         {[]agenttest.Step{{Delta: "Nothing."}, {Result: usage}}, "done", nil, 0.0},
		"uncounted":       {[]agenttest.Step{{Delta: "Nothing."}}, "done", nil, 0.0},
		"incomplete":      {[]agenttest.Step{{Delay: second, Delta: "It costs "}, {Delay: second, Err: fmt.Errorf("secret: %w", agent.ErrCut)}}, "incomplete", "cut", 1000.0},
		"throttled":       {failing(agent.ErrThrottled), "failed", "throttled", nil},
		"timeout":         {failing(agent.ErrTimeout), "failed", "timeout", nil},
		"provider":        {failing(fmt.Errorf("400: %w", agent.ErrProvider)), "failed", "provider", nil},
		"loop":            {failing(agent.ErrLoop), "failed", "loop", nil},
		"says nothing":    {[]agenttest.Step{{Delay: second, Result: usage}}, "failed", "empty", nil},
		"longer than may": {[]agenttest.Step{{Delay: time.Hour, Delta: "late"}}, "failed", "timeout", nil},
		"something else":  {failing(fmt.Errorf("secret")), "failed", "other", nil},
	}
	article, err := os.ReadFile("../../docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range tests {
		if test.failure != nil && !strings.Contains(string(article), fmt.Sprintf("\n| `%s` |", test.failure)) {
			t.Errorf("docs/operating.md does not say what the failure %s is", test.failure)
		}
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := parleytest.Store(t, parley.Config{})
				parleytest.Put(t, store, parleytest.Settings())
				var log bytes.Buffer
				script := agenttest.New(agenttest.Always(test.steps...))
				e, err := run.New(run.Config{Store: store, Log: slog.New(slog.NewJSONHandler(&log, nil)),
					Agent: func(*parley.Project, parley.AgentSettings) (agent.Agent, error) { return script, nil }})
				if err != nil {
					t.Fatal(err)
				}
				if _, _, _, err := ask(t.Context(), e, parleytest.Visitor(t, store), parley.SendRequest{ID: "m1", Channel: parley.ChannelNative, Content: "What does it cost?"}); err != nil {
					t.Fatal(err)
				}
				got := repliesLogged(t, log.String())
				if len(got) != 1 {
					t.Fatalf("lines: %s", &log)
				}
				l := got[0]
				if l["project"] != string(parleytest.Project) || l["channel"] != "native" || l["status"] != test.status || l["failure"] != test.failure || !near(l["firstTextMs"], test.first) {
					t.Errorf("line %v, want %s with failure %v and text after %v", l, test.status, test.failure, test.first)
				}
				if name == "uncounted" && (l["inputTokens"] != 0.0 || l["outputTokens"] != 0.0) {
					t.Errorf("line %v", l)
				}
				if name == "done" && (l["inputTokens"] != 120.0 || l["outputTokens"] != 40.0 || !near(l["replyMs"], 5000.0)) {
					t.Errorf("line %v", l)
				}
				for key := range l {
					if strings.Contains(fmt.Sprint(l[key]), "secret") || strings.Contains(fmt.Sprint(l[key]), "costs") {
						t.Errorf("%s is %v", key, l[key])
					}
				}
			})
		})
	}
}

// TestFailureLevels: a failure that somebody has to mend is an error in the log, and any
// other a warning.
func TestFailureLevels(t *testing.T) {
	for err, level := range map[error]string{agent.ErrProvider: "ERROR", agent.ErrCut: "WARN", agent.ErrThrottled: "WARN"} {
		onStageOfBolt(t, func(s stage) {
			var log bytes.Buffer
			config := s.engine.Config
			config.Log = slog.New(slog.NewTextHandler(&log, nil))
			config.Agent = func(*parley.Project, parley.AgentSettings) (agent.Agent, error) {
				return agenttest.New(agenttest.Always(agenttest.Step{Err: fmt.Errorf("call: %w", err)})), nil
			}
			e, engineErr := run.New(config)
			if engineErr != nil {
				t.Fatal(engineErr)
			}
			s.askVia(e, question("m", ""))
			if got := log.String(); strings.Count(got, "level="+level+" msg=\"reply failed\"") != 1 || strings.Count(got, "reply failed") != 1 {
				t.Errorf("of %v is logged %s", err, got)
			}
		})
	}
}

// TestBudgetLine: a reply that a budget did not let begin counts as such.
func TestBudgetLine(t *testing.T) {
	store := parleytest.Store(t, parley.Config{})
	p := parleytest.Settings()
	p.Budgets.ProjectTokens = 1
	parleytest.Put(t, store, p)
	var log bytes.Buffer
	script := agenttest.New(agenttest.Always(agenttest.Say("Nothing.")...))
	e, err := run.New(run.Config{Store: store, Log: slog.New(slog.NewJSONHandler(&log, nil)),
		Agent: func(*parley.Project, parley.AgentSettings) (agent.Agent, error) { return script, nil }})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := ask(t.Context(), e, parleytest.Visitor(t, store), parley.SendRequest{ID: "m1", Channel: parley.ChannelNative, Content: "What does it cost?"}); err != nil {
		t.Fatal(err)
	}
	if got := repliesLogged(t, log.String()); len(got) != 1 || got[0]["failure"] != "budget" || got[0]["inputTokens"] != 0.0 {
		t.Errorf("lines: %s", &log)
	}
}

func repliesLogged(t *testing.T, log string) (lines []map[string]any) {
	t.Helper()
	for line := range strings.Lines(log) {
		var l map[string]any
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatal(err)
		}
		if l["msg"] == "reply" {
			lines = append(lines, l)
		}
	}
	return lines
}

// near allows what the table takes in between.
func near(got, want any) bool {
	if want == nil {
		return got == nil
	}
	ms, ok := got.(float64)
	return ok && ms >= want.(float64) && ms < want.(float64)+100
}
