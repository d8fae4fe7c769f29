// Command bootstrap is the function review on Lambda.
package main

import (
	"context"

	"github.com/aws/aws-lambda-go/lambda"

	"parley/functions/internal/wire"
	"parley/functions/internal/wire/agents"
	"parley/functions/review"
)

func main() { wire.MainWithoutSecret(start) }

func start(ctx context.Context, b *wire.Base) error {
	store, err := b.Store(nil)
	if err != nil {
		return err
	}
	who, err := agents.New(ctx, b)
	if err != nil {
		return err
	}
	handler, err := review.New(review.Config{Store: store, Agent: who, Log: b.Log})
	if err != nil {
		return err
	}
	lambda.Start(handler)
	return nil
}
