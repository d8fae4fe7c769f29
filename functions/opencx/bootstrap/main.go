// Command bootstrap is the function opencx on Lambda.
package main

import (
	"context"
	"errors"

	"parley/functions/internal/wire"
	"parley/functions/internal/wire/actions"
	"parley/functions/internal/wire/invoke"
	"parley/functions/internal/wire/objects"
	"parley/functions/opencx"
	"parley/shared/agent"
	"parley/shared/lambdahttp"
	"parley/shared/parley"
	"parley/shared/run"
)

func main() { wire.Main(start) }

func start(_ context.Context, b *wire.Base) error {
	bucket, err := objects.Bucket(b)
	if err != nil {
		return err
	}
	store, err := b.Store(bucket)
	if err != nil {
		return err
	}
	a, err := b.API(store)
	if err != nil {
		return err
	}
	responder, err := invoke.Responder(b)
	if err != nil {
		return err
	}
	act, err := actions.New(b) // forms are sent here
	if err != nil {
		return err
	}
	engine, err := run.New(run.Config{Store: store, Agent: nobody, Act: act, Respond: responder, PollMin: opencx.PollMin, Log: b.Log})
	if err != nil {
		return err
	}
	handler, err := opencx.New(opencx.Config{API: a, Engine: engine})
	if err != nil {
		return err
	}
	lambdahttp.Start(handler, b.HTTP())
	return nil
}

// nobody answers here: replies are respond's to generate.
func nobody(*parley.Project, parley.AgentSettings) (agent.Agent, error) {
	return nil, errors.New("this function generates no reply")
}
