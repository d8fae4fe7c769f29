package provider_test

import (
	"cmp"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"parley/shared/agent"
	"parley/shared/agent/bedrock"
	"parley/shared/agent/docs"
	"parley/shared/agent/openai"
	"parley/shared/agent/provider"
	"parley/shared/parley"
)

func TestNew(t *testing.T) {
	none := errors.New("no key")
	has := func() (openai.Config, error) { return openai.Config{BaseURL: "http://localhost", Model: "m"}, nil }
	tests := []struct {
		name   string
		config provider.Config
		// wants is what an agent names, answers who answers: docs, openai or "" for nobody.
		wants, answers string
		err            string
	}{
		{"the articles as a rule", provider.Config{}, "", "docs", ""},
		{"the articles by name", provider.Config{Standard: provider.Docs}, "docs", "docs", ""},
		{"a model that is not there", provider.Config{}, "openai", "", ""},
		{"the model as a rule", provider.Config{Standard: provider.OpenAI, OpenAI: has}, "", "openai", ""},
		{"the model by name", provider.Config{Standard: provider.OpenAI, OpenAI: has}, "openai", "openai", ""},
		{"the articles beside a model", provider.Config{Standard: provider.OpenAI, OpenAI: has}, "docs", "docs", ""},
		{"another model", provider.Config{Standard: provider.OpenAI, OpenAI: has}, "bedrock", "", ""},
		{"no such provider", provider.Config{Standard: "parrot"}, "", "", "docs, openai or bedrock"},
		{"a model out of reach", provider.Config{Standard: provider.OpenAI, OpenAI: func() (openai.Config, error) { return openai.Config{}, none }}, "", "", "no key"},
		{"the other out of reach", provider.Config{Standard: provider.Bedrock, Bedrock: func() (bedrock.Config, error) { return bedrock.Config{}, none }}, "", "", "no key"},
		{"articles that are none", provider.Config{Articles: fstest.MapFS{}}, "", "", "article"},
	}
	for _, test := range tests {
		who, err := provider.New(test.config)
		if test.err != "" {
			if err == nil || !strings.Contains(err.Error(), test.err) {
				t.Errorf("%s: New = %v, want %q", test.name, err, test.err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		a, err := who(&parley.Project{}, parley.AgentSettings{ID: "a", Provider: test.wants})
		got := ""
		switch a.(type) {
		case *docs.Agent:
			got = "docs"
		case *openai.Agent:
			got = "openai"
		}
		if got != test.answers || (err == nil) != (test.answers != "") {
			t.Errorf("%s: %T answers, %v; want %q", test.name, a, err, test.answers)
		}
	}
}

// TestArticlesURL: an agent links the articles where its settings say they are, or
// else where the deployment does, whoever answers.
func TestArticlesURL(t *testing.T) {
	asked := make(chan string, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		asked <- string(body)
		w.WriteHeader(http.StatusBadRequest)
	}))
	t.Cleanup(server.Close)
	who, err := provider.New(provider.Config{Standard: provider.OpenAI, ArticlesURL: "https://standard.example/",
		Articles: fstest.MapFS{"a.md": {Data: []byte("# Trees\n\nWalnuts grow on trees.\n")}},
		OpenAI:   func() (openai.Config, error) { return openai.Config{BaseURL: server.URL, Model: "m"}, nil }})
	if err != nil {
		t.Fatal(err)
	}
	for _, articles := range []string{"", "https://shop.example/help/"} {
		want := cmp.Or(articles, "https://standard.example/") + "a.md"
		c := agent.Conversation{Turns: []agent.Turn{{Role: agent.Visitor, Text: "Where do walnuts grow?"}}, MaxTokens: 1,
			Persona: agent.Persona{Articles: articles}}
		emit := func(string) error { return nil }
		quotes, err := who(&parley.Project{}, parley.AgentSettings{Provider: provider.Docs, ArticlesURL: articles})
		if err != nil {
			t.Fatal(err)
		}
		if result, err := quotes.Reply(t.Context(), c, emit); err != nil || len(result.Sources) != 1 || result.Sources[0].URL != want {
			t.Errorf("with %q the articles lead to %+v, %v, want %s", articles, result.Sources, err, want)
		}
		model, err := who(&parley.Project{}, parley.AgentSettings{ArticlesURL: articles})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := model.Reply(t.Context(), c, emit); err == nil {
			t.Error("the model answers")
		}
		if prompt := <-asked; !strings.Contains(prompt, want) {
			t.Errorf("with %q the model is told %s, want %s in it", articles, prompt, want)
		}
	}
}
