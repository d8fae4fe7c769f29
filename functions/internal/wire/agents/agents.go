// Package agents builds the agents that answer, from the environment.
package agents

import (
	"context"
	"fmt"
	"os"
	"strings"

	"parley/functions/internal/wire"
	"parley/shared/agent"
	"parley/shared/agent/bedrock"
	"parley/shared/agent/openai"
	"parley/shared/agent/provider"
	"parley/shared/parley"
)

// Environment variables.
const (
	agentVariable       = "PARLEY_AGENT"         // docs (default), openai or bedrock
	modelVariable       = "PARLEY_MODEL"         // of openai and bedrock; required there
	baseURLVariable     = "PARLEY_BASE_URL"      // of openai; "" is OpenAI's own
	keyVariable         = "PARLEY_AGENT_KEY_ARN" // of openai: secret or parameter that holds the key; "" sends none
	articlesVariable    = "PARLEY_ARTICLES"      // folder of help articles; "" means Parley's own
	articlesURLVariable = "PARLEY_ARTICLES_URL"  // where people can read them; "" for answers without links
)

// New returns a run.Config.Agent. Agents of a project may name the deployment's
// provider, and always docs.
func New(ctx context.Context, b *wire.Base) func(*parley.Project, parley.AgentSettings) (agent.Agent, error) {
	c := provider.Config{
		Standard:    os.Getenv(agentVariable),
		ArticlesURL: os.Getenv(articlesURLVariable),
		OpenAI: func() (openai.Config, error) {
			key, err := fetchKey(ctx, b, os.Getenv(keyVariable))
			return openai.Config{BaseURL: os.Getenv(baseURLVariable), Key: key, Model: os.Getenv(modelVariable)}, err
		},
		Bedrock: func() (bedrock.Config, error) {
			return bedrock.Config{AWS: b.AWS, Model: os.Getenv(modelVariable)}, nil
		},
	}
	folder := os.Getenv(articlesVariable)
	if folder != "" {
		c.Articles = os.DirFS(folder)
	}
	who, err := provider.New(c)
	if err != nil {
		err = fmt.Errorf("%s=%s, %s=%s: %w", agentVariable, c.Standard, articlesVariable, folder, err)
	}
	return wire.Must(who, err)
}

// fetchKey returns the text of a secret of Secrets Manager or a parameter of
// SSM; "" without an ARN.
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
