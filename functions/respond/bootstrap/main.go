// Command bootstrap is the function respond on Lambda.
package main

import (
	"context"

	"github.com/aws/aws-lambda-go/lambda"

	"parley/functions/internal/wire"
	"parley/functions/internal/wire/engine"
	"parley/functions/respond"
	"parley/shared/run"
)

func main() { wire.Main(start) }

func start(ctx context.Context, b *wire.Base) error {
	store, err := b.Store(nil)
	if err != nil {
		return err
	}
	pages, err := b.Pages(store)
	if err != nil {
		return err
	}
	turns := new(respond.Turns)
	e, err := engine.New(ctx, b, run.Config{Store: store, Respond: turns.Ask, Live: pages.Run})
	if err != nil {
		return err
	}
	handler, err := respond.New(respond.Config{Engine: e, Turns: turns})
	if err != nil {
		return err
	}
	lambda.Start(handler)
	return nil
}
