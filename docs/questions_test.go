package docs_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"parley/docs"
	"parley/shared/agent"
	agentdocs "parley/shared/agent/docs"
)

// question is a line of testdata/questions.txt.
type question struct {
	// want are the sections that may come first; none for what is off topic.
	want []string
	text string
}

func questions(t *testing.T) (onTopic, offTopic []question) {
	t.Helper()
	data, err := os.ReadFile("testdata/questions.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		want, text, ok := strings.Cut(line, "|")
		q := question{strings.Fields(want), strings.TrimSpace(text)}
		switch {
		case !ok || len(q.want) == 0 || q.text == "":
			t.Fatalf("questions.txt: %q", line)
		case q.want[0] == "none":
			offTopic = append(offTopic, question{text: q.text})
		default:
			onTopic = append(onTopic, q)
		}
	}
	return onTopic, offTopic
}

// articlesAt is where the articles of these tests are read.
const articlesAt = "https://help.example/"

// answer is the section that an agent quotes, "" if it declines.
func answer(t *testing.T, a *agentdocs.Agent, text string) string {
	t.Helper()
	result, err := a.Reply(t.Context(), agent.Conversation{Turns: []agent.Turn{{Role: agent.Visitor, Text: text}}, MaxTokens: 1000},
		func(string) error { return nil })
	if err != nil {
		t.Fatalf("Reply(%q) = %v", text, err)
	}
	if len(result.Sources) == 0 {
		return ""
	}
	return strings.TrimPrefix(result.Sources[0].URL, articlesAt)
}

// The default agent must be able to answer for what it is part of.
func TestTheDocsAgentAnswersFromThem(t *testing.T) {
	a, err := agentdocs.New(agentdocs.Config{Articles: docs.FS, BaseURL: articlesAt})
	if err != nil {
		t.Fatal(err)
	}
	known := anchors(t)
	onTopic, offTopic := questions(t)
	if len(onTopic) < 50 || len(offTopic) < 20 {
		t.Fatalf("%d questions on topic and %d off topic, want 50 and 20", len(onTopic), len(offTopic))
	}
	right, declined := 0, 0
	for _, q := range onTopic {
		for _, want := range q.want {
			if article, anchor, _ := strings.Cut(want, "#"); !known[article][anchor] {
				t.Errorf("%q expects %s, which is no section", q.text, want)
			}
		}
		got := answer(t, a, q.text)
		if slices.Contains(q.want, got) {
			right++
			continue
		}
		t.Logf("%q: %q, want %q", q.text, got, q.want)
		for _, p := range a.Search(q.text, 3) {
			t.Logf("    %.2f %s#%s", p.Score, p.Article, p.Section)
		}
	}
	for _, q := range offTopic {
		if got := answer(t, a, q.text); got == "" {
			declined++
		} else {
			t.Logf("%q: %q, want none", q.text, got)
		}
	}
	t.Logf("%d of %d right, %d of %d declined", right, len(onTopic), declined, len(offTopic))
	if right*50 < 45*len(onTopic) || declined*20 < 18*len(offTopic) {
		t.Errorf("%d of %d right and %d of %d declined, want 45 of 50 and 18 of 20", right, len(onTopic), declined, len(offTopic))
	}
}
