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

func start(ctx context.Context, b *wire.Base) {
	store, turns := b.Store(nil), new(respond.Turns)
	e := engine.New(ctx, b, run.Config{Store: store, Respond: turns.Ask, Live: b.Pages(store).Run})
	lambda.Start(respond.New(respond.Config{Engine: e, Turns: turns}))
}
