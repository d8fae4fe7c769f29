package bundle

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"

	"parley/shared/agent"
	"parley/shared/agent/bedrock"
	"parley/shared/agent/openai"
	"parley/shared/agent/provider"
	"parley/shared/parley"
)

// Agent says who answers.
type Agent struct {
	// Provider is one of package provider; "" is Docs. Bedrock finds its region and
	// credentials where the AWS CLI does.
	Provider string
	// Model is the id of the model; the others than Docs require it.
	Model string
	// Key and BaseURL are of OpenAI, one of which it requires; see openai.Config.
	Key, BaseURL string
}

// newAgents returns a run.Config.Agent. articles is where people can read the help
// articles.
func newAgents(ctx context.Context, c Agent, articles string) (func(*parley.Project, parley.AgentSettings) (agent.Agent, error), error) {
	who, err := provider.New(provider.Config{Standard: c.Provider, ArticlesURL: articles, OpenAI: c.openAI,
		Bedrock: func() (bedrock.Config, error) { return c.bedrock(ctx) }})
	given := "AGENT=" + c.Provider
	if c.Provider == provider.OpenAI && c.BaseURL != "" {
		given += " OPENAI_BASE_URL=" + c.BaseURL
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", given, err)
	}
	return who, nil
}

func (c Agent) openAI() (openai.Config, error) {
	switch {
	case c.Key == "" && c.BaseURL == "":
		return openai.Config{}, errors.New("needs OPENAI_API_KEY, or OPENAI_BASE_URL for a server that wants no key")
	case c.Model == "":
		return openai.Config{}, errors.New("needs MODEL, the id of a model")
	}
	return openai.Config{BaseURL: c.BaseURL, Key: c.Key, Model: c.Model}, nil
}

// credentialsWait bounds the search for credentials, which ends at an address
// that only machines of AWS have.
const credentialsWait = 5 * time.Second

func (c Agent) bedrock(ctx context.Context) (bedrock.Config, error) {
	if c.Model == "" {
		return bedrock.Config{}, errors.New("needs MODEL, the id of a model or an inference profile")
	}
	cloud, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return bedrock.Config{}, err
	}
	if cloud.Region == "" {
		return bedrock.Config{}, errors.New("needs AWS_REGION")
	}
	return bedrock.Config{AWS: cloud, Model: c.Model}, haveCredentials(ctx, cloud)
}

// haveCredentials finds out now what otherwise the first visitor would.
func haveCredentials(ctx context.Context, cloud aws.Config) error {
	if os.Getenv("AWS_BEARER_TOKEN_BEDROCK") != "" { // the SDK takes it in place of credentials
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, credentialsWait)
	defer cancel()
	if _, err := cloud.Credentials.Retrieve(ctx); err != nil {
		return errors.New("finds no AWS credentials: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
	}
	return nil
}
