// Command bootstrap is the function push on Lambda.
package main

import (
	"context"

	"github.com/aws/aws-lambda-go/lambda"

	"parley/functions/internal/wire"
	"parley/functions/push"
)

func main() { wire.Main(start) }

func start(_ context.Context, b *wire.Base) error {
	store, err := b.Store(nil)
	if err != nil {
		return err
	}
	pages, err := b.Pages(store)
	if err != nil {
		return err
	}
	handler, err := push.New(push.Config{Live: pages})
	if err != nil {
		return err
	}
	lambda.Start(handler)
	return nil
}
