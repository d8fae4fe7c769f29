// Command bootstrap is the function review on Lambda.
package main

import (
	"context"

	"github.com/aws/aws-lambda-go/lambda"

	"parley/functions/internal/wire"
	"parley/functions/internal/wire/agents"
	"parley/functions/review"
)

func main() {
	wire.MainWithoutSecret(func(ctx context.Context, b *wire.Base) {
		lambda.Start(review.New(review.Config{Store: b.Store(nil), Agent: agents.New(ctx, b), Log: b.Log}))
	})
}
