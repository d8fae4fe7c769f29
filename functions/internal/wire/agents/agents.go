// Package agents builds who answers, from the environment.
package agents

import (
	"context"
	"fmt"
	"os"
	"strings"

	"parley/functions/internal/wire"
	"parley/shared/agent"
	"parley/shared/agent/bedrock"
	"parley/shared/agent/docs"
	"parley/shared/agent/openai"
	"parley/shared/parley"
)

// Environment variables.
const (
	agentVariable   = "PARLEY_AGENT"         // docs (default), openai or bedrock
	modelVariable   = "PARLEY_MODEL"         // of openai and bedrock; required there
	baseURLVariable = "PARLEY_BASE_URL"      // of openai; "" is OpenAI's own
	keyVariable     = "PARLEY_AGENT_KEY_ARN" // of openai: secret or parameter that holds the key; "" sends none
)

// The providers.
const (
	docsProvider    = "docs"
	openaiProvider  = "openai"
	bedrockProvider = "bedrock"
)

// passages is how many passages of help articles a model is given. Our choice:
// more than one question is about, few enough to be read.
const passages = 4

// New returns a run.Config.Agent. Besides the deployment's provider an agent may
// always name docs.
func New(ctx context.Context, b *wire.Base) (func(*parley.Project, parley.AgentSettings) (agent.Agent, error), error) {
	help, err := library()
	if err != nil {
		return nil, err
	}
	standard := os.Getenv(agentVariable)
	var model agent.Agent
	switch standard {
	case "", docsProvider:
		standard = docsProvider
	case openaiProvider:
		model, err = newOpenAI(ctx, b, ground(help))
	case bedrockProvider:
		model, err = bedrock.New(bedrock.Config{AWS: b.AWS, Model: os.Getenv(modelVariable), Ground: ground(help)})
	default:
		err = fmt.Errorf("%s is none of docs, openai and bedrock", agentVariable)
	}
	if err != nil {
		return nil, err
	}
	return func(p *parley.Project, a parley.AgentSettings) (agent.Agent, error) {
		switch a.Provider {
		case docsProvider:
			return inWords(help, p)
		case "", standard:
			if standard == docsProvider {
				return inWords(help, p)
			}
			return model, nil
		}
		return nil, fmt.Errorf("agent %s wants the provider %q, which this deployment does not have", a.ID, a.Provider)
	}, nil
}

// inWords returns the articles' agent in a project's words.
func inWords(help func() (*docs.Agent, error), p *parley.Project) (agent.Agent, error) {
	a, err := help()
	if err != nil {
		return nil, err
	}
	return a.WithTexts(p.Text), nil
}

func newOpenAI(ctx context.Context, b *wire.Base, ground func(string) []agent.Passage) (agent.Agent, error) {
	key, err := fetchKey(ctx, b, os.Getenv(keyVariable))
	if err != nil {
		return nil, err
	}
	return openai.New(openai.Config{BaseURL: os.Getenv(baseURLVariable), Key: key, Model: os.Getenv(modelVariable), Ground: ground})
}

// fetchKey returns what a secret of Secrets Manager or a parameter of SSM
// holds, "" for no ARN.
func fetchKey(ctx context.Context, b *wire.Base, arn string) (string, error) {
	if arn == "" {
		return "", nil
	}
	// arn:partition:service:…
	if parts := strings.Split(arn, ":"); len(parts) < 3 || parts[2] != "ssm" {
		return b.FetchSecret(ctx, arn)
	}
	return b.FetchParameter(ctx, arn)
}
