// Command bootstrap is the function respond on Lambda.
package main

import (
	"context"

	"github.com/aws/aws-lambda-go/lambda"

	"parley/functions/internal/wire"
	"parley/functions/internal/wire/actions"
	"parley/functions/internal/wire/agents"
	"parley/functions/respond"
	"parley/shared/run"
)

func main() { wire.Main(start) }

func start(ctx context.Context, b *wire.Base) error {
	store, err := b.Store(nil)
	if err != nil {
		return err
	}
	who, err := agents.New(ctx, b)
	if err != nil {
		return err
	}
	turns := new(respond.Turns)
	act, err := actions.New(b)
	if err != nil {
		return err
	}
	engine, err := run.New(run.Config{Store: store, Agent: who, Act: act, Respond: turns.Ask, Log: b.Log})
	if err != nil {
		return err
	}
	handler, err := respond.New(respond.Config{Engine: engine, Turns: turns})
	if err != nil {
		return err
	}
	lambda.Start(handler)
	return nil
}
