package bundle

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"

	articles "parley/docs"
	"parley/shared/agent"
	"parley/shared/agent/bedrock"
	"parley/shared/agent/docs"
	"parley/shared/agent/openai"
	"parley/shared/parley"
)

// Providers of replies.
const (
	Docs    = "docs"
	OpenAI  = "openai"
	Bedrock = "bedrock"
)

// Agent says who answers.
type Agent struct {
	// Provider is Docs, OpenAI or Bedrock; "" is Docs. Bedrock finds its region
	// and credentials where the AWS CLI does.
	Provider string
	// Model is the id of the model; the others than Docs require it.
	Model string
	// Key and BaseURL are of OpenAI, one of which it requires; see openai.Config.
	Key, BaseURL string
}

// passages is how many sections of articles a model is given to rest on, as on Lambda.
const passages = 4

// agents has who answers: the help articles always, and by provider what else
// is configured.
type agents struct {
	standard string
	help     *docs.Agent
	all      map[string]agent.Agent
}

func newAgents(ctx context.Context, c Agent) (*agents, error) {
	if c.Provider == "" {
		c.Provider = Docs
	}
	help, err := docs.New(docs.Config{Articles: articles.FS, BaseURL: articlesPath, Pace: docs.DefaultPace})
	if err != nil {
		return nil, err
	}
	a := &agents{standard: c.Provider, help: help, all: map[string]agent.Agent{}}
	ground := func(query string) []agent.Passage { return help.Search(query, passages) }
	switch c.Provider {
	case Docs:
	case OpenAI:
		a.all[OpenAI], err = newOpenAI(c, ground)
	case Bedrock:
		a.all[Bedrock], err = newBedrock(ctx, c, ground)
	default:
		err = fmt.Errorf("AGENT=%s is unknown: it is %s, %s or %s", c.Provider, Docs, OpenAI, Bedrock)
	}
	if err != nil {
		return nil, err
	}
	return a, nil
}

func newOpenAI(c Agent, ground func(string) []agent.Passage) (agent.Agent, error) {
	switch {
	case c.Key == "" && c.BaseURL == "":
		return nil, errors.New("AGENT=openai needs OPENAI_API_KEY, or OPENAI_BASE_URL for a server that wants no key")
	case c.Model == "":
		return nil, errors.New("AGENT=openai needs MODEL, the id of a model")
	}
	a, err := openai.New(openai.Config{BaseURL: c.BaseURL, Key: c.Key, Model: c.Model, Ground: ground})
	if err != nil {
		return nil, fmt.Errorf("OPENAI_BASE_URL=%s: %w", c.BaseURL, err)
	}
	return a, nil
}

// credentialsWait bounds the search for credentials, which ends at an address
// that only machines of AWS have.
const credentialsWait = 5 * time.Second

func newBedrock(ctx context.Context, c Agent, ground func(string) []agent.Passage) (agent.Agent, error) {
	if c.Model == "" {
		return nil, errors.New("AGENT=bedrock needs MODEL, the id of a model or an inference profile")
	}
	cloud, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, fmt.Errorf("AGENT=bedrock: %w", err)
	}
	if cloud.Region == "" {
		return nil, errors.New("AGENT=bedrock needs AWS_REGION")
	}
	if err := haveCredentials(ctx, cloud); err != nil {
		return nil, err
	}
	return bedrock.New(bedrock.Config{AWS: cloud, Model: c.Model, Ground: ground})
}

// haveCredentials finds out now what otherwise the first visitor would.
func haveCredentials(ctx context.Context, cloud aws.Config) error {
	if os.Getenv("AWS_BEARER_TOKEN_BEDROCK") != "" { // the SDK takes it in place of credentials
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, credentialsWait)
	defer cancel()
	if _, err := cloud.Credentials.Retrieve(ctx); err != nil {
		return errors.New("AGENT=bedrock finds no AWS credentials: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
	}
	return nil
}

// of returns who answers for an agent of a project, in the project's words.
func (a *agents) of(p *parley.Project, s parley.AgentSettings) (agent.Agent, error) {
	provider := s.Provider
	if provider == "" {
		provider = a.standard
	}
	if provider == Docs {
		return a.help.WithTexts(p.Text), nil
	}
	if who := a.all[provider]; who != nil {
		return who, nil
	}
	return nil, fmt.Errorf("agent %s wants %s, which is not configured", s.ID, provider)
}
