package docs_test

import (
	"io/fs"
	"os"
	"strings"
	"testing"

	"parley/shared/agent"
	"parley/shared/agent/docs"
)

// asked is a line of a file of questions: "article#section | question", where
// "none" is no article, and further sections that would do as well stand
// behind the first, after a space.
type asked struct {
	want     []string
	question string
}

func readQuestions(t *testing.T, file string) []asked {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all []asked
	for n, line := range strings.Split(string(text), "\n") {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		want, question, ok := strings.Cut(line, "|")
		if !ok || strings.TrimSpace(question) == "" || strings.TrimSpace(want) == "" {
			t.Fatalf("%s:%d: no question in %q", file, n+1, line)
		}
		all = append(all, asked{strings.Fields(want), strings.TrimSpace(question)})
	}
	return all
}

// answers is how an agent did on a file of questions.
type answers struct{ questions, right, offTopic, declined int }

// evaluate asks an agent each question as a visitor would. Every section that a
// question expects must exist.
func evaluate(t *testing.T, a *docs.Agent, baseURL string, all []asked) answers {
	t.Helper()
	var score answers
	for _, q := range all {
		got := "none"
		result := reply(t, a, q.question).result
		if len(result.Sources) > 0 {
			got = strings.TrimPrefix(result.Sources[0].URL, baseURL)
		}
		ok := false
		for _, want := range q.want {
			ok = ok || got == want
		}
		if q.want[0] == "none" {
			score.offTopic++
			score.declined += count(ok && !result.Handover)
		} else {
			score.questions++
			score.right += count(ok)
		}
		if !ok {
			t.Logf("%q: %s, want %s", q.question, got, q.want)
			for _, p := range a.Search(q.question, 3) {
				t.Logf("    %.2f %s#%s", p.Score, p.Article, p.Section)
			}
		}
	}
	return score
}

func count(ok bool) int {
	if ok {
		return 1
	}
	return 0
}

// said is what came of a reply.
type said struct {
	text   string
	deltas []string
	result agent.Result
}

func reply(t *testing.T, a *docs.Agent, questions ...string) said {
	t.Helper()
	var turns []agent.Turn
	var last said
	for _, question := range questions {
		turns = append(turns, agent.Turn{Role: agent.Visitor, Text: question})
		last = said{}
		result, err := a.Reply(t.Context(), agent.Conversation{Turns: turns, MaxTokens: 1}, func(delta string) error {
			last.deltas = append(last.deltas, delta)
			return nil
		})
		if err != nil {
			t.Fatalf("Reply(%q) = %v", question, err)
		}
		last.text, last.result = strings.Join(last.deltas, ""), result
		turns = append(turns, agent.Turn{Role: agent.AI, Text: last.text})
	}
	return last
}

func newAgent(t *testing.T, articles fs.FS, baseURL string) *docs.Agent {
	t.Helper()
	a, err := docs.New(docs.Config{Articles: articles, BaseURL: baseURL})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestAnswersTheQuestionsOfAHelpCentre(t *testing.T) {
	const base = "https://help.example/"
	a := newAgent(t, os.DirFS("testdata/help"), base)
	got := evaluate(t, a, base, readQuestions(t, "testdata/questions.txt"))
	t.Logf("%d of %d right, %d of %d declined", got.right, got.questions, got.declined, got.offTopic)
	if got.right*10 < got.questions*9 || got.declined*10 < got.offTopic*9 {
		t.Errorf("%d of %d right, %d of %d declined; want 9 of 10 each", got.right, got.questions, got.declined, got.offTopic)
	}
}
