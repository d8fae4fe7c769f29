// Package provider chooses who answers for an agent of a project: the help
// articles, which every deployment has, or the model that it is configured with.
package provider

import (
	"fmt"
	"io/fs"
	"sync"

	articles "parley/docs"
	"parley/shared/agent"
	"parley/shared/agent/bedrock"
	"parley/shared/agent/docs"
	"parley/shared/agent/openai"
	"parley/shared/parley"
)

// The providers.
const (
	Docs    = "docs"
	OpenAI  = "openai"
	Bedrock = "bedrock"
)

// Config says which providers a deployment has.
type Config struct {
	// Standard is the provider of agents that name none; "" is Docs. Agents may
	// name Docs or this one and no other.
	Standard string
	// Articles are the help articles; nil means Parley's own. Others are parsed by
	// New, so that mistakes in them show at the start.
	Articles fs.FS
	// ArticlesURL is where people can read them, where an agent's settings do not say;
	// see docs.Config.BaseURL.
	ArticlesURL string
	// OpenAI and Bedrock return the model's configuration, without Relay.Ground. Only
	// the one that is Standard is called.
	OpenAI  func() (openai.Config, error)
	Bedrock func() (bedrock.Config, error)
}

// passages is how many passages of help articles a model is given. Our choice: a
// question is rarely about more, and each costs tokens.
const passages = 4

// New returns a run.Config.Agent.
func New(c Config) (func(*parley.Project, parley.AgentSettings) (agent.Agent, error), error) {
	help, err := c.library()
	if err != nil {
		return nil, err
	}
	model, err := c.model(func(query, articles string) []agent.Passage {
		a, err := help()
		if err != nil {
			panic(err) // the embedded articles are tested, others have been read
		}
		return a.At(articles).Search(query, passages)
	})
	if err != nil {
		return nil, err
	}
	return func(p *parley.Project, a parley.AgentSettings) (agent.Agent, error) {
		switch {
		case a.Provider == Docs, a.Provider == "" && model == nil:
			h, err := help()
			if err != nil {
				return nil, err
			}
			return h.WithTexts(p.Text).At(a.ArticlesURL), nil
		case a.Provider == "", a.Provider == c.Standard:
			return model, nil
		}
		return nil, fmt.Errorf("agent %s wants the provider %q, which this deployment does not have", a.ID, a.Provider)
	}, nil
}

// library returns the agent that answers from help articles; it also grounds the
// models. Parley's own articles are indexed when first used, since that takes
// some milliseconds and most function starts answer no message.
func (c Config) library() (func() (*docs.Agent, error), error) {
	own := c.Articles == nil
	if own {
		c.Articles = articles.FS
	}
	help := sync.OnceValues(func() (*docs.Agent, error) {
		return docs.New(docs.Config{Articles: c.Articles, BaseURL: c.ArticlesURL, Pace: docs.DefaultPace})
	})
	if own {
		return help, nil
	}
	_, err := help()
	return help, err
}

// model returns the model of the deployment, nil if it has none.
func (c Config) model(ground func(query, articles string) []agent.Passage) (agent.Agent, error) {
	switch c.Standard {
	case "", Docs:
		return nil, nil
	case OpenAI:
		m, err := c.OpenAI()
		if err != nil {
			return nil, err
		}
		m.Relay.Ground = ground
		return openai.New(m)
	case Bedrock:
		m, err := c.Bedrock()
		if err != nil {
			return nil, err
		}
		m.Relay.Ground = ground
		return bedrock.New(m)
	}
	return nil, fmt.Errorf("the provider is %s, %s or %s", Docs, OpenAI, Bedrock)
}
