package agents

import (
	"fmt"
	"io/fs"
	"os"
	"sync"

	articles "parley/docs"
	"parley/shared/agent"
	"parley/shared/agent/docs"
)

// Environment variables.
const (
	articlesVariable    = "PARLEY_ARTICLES"     // folder of help articles; "" means Parley's own
	articlesURLVariable = "PARLEY_ARTICLES_URL" // where they can be read; "" makes links relative
)

// library returns the agent of the help articles, which also grounds the models.
// Parley's own are indexed by the first call, some milliseconds that a start
// which answers no message need not wait for; a folder at once, for it may be wrong.
func library() (func() (*docs.Agent, error), error) {
	var from fs.FS = articles.FS
	folder := os.Getenv(articlesVariable)
	if folder != "" {
		from = os.DirFS(folder)
	}
	help := sync.OnceValues(func() (*docs.Agent, error) {
		return docs.New(docs.Config{Articles: from, BaseURL: os.Getenv(articlesURLVariable), Pace: docs.DefaultPace})
	})
	if folder != "" {
		if _, err := help(); err != nil {
			return nil, fmt.Errorf("%s=%s: %w", articlesVariable, folder, err)
		}
	}
	return help, nil
}

// ground returns what finds passages for a model.
func ground(help func() (*docs.Agent, error)) func(query string) []agent.Passage {
	return func(query string) []agent.Passage {
		a, err := help()
		if err != nil {
			panic(err) // the embedded articles are tested, a folder has been indexed
		}
		return a.Search(query, passages)
	}
}
