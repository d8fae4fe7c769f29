package provider_test

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"

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
