// Command bootstrap is the function push on Lambda.
package main

import (
	"context"

	"github.com/aws/aws-lambda-go/lambda"

	"parley/functions/internal/wire"
	"parley/functions/push"
)

func main() {
	wire.Main(func(_ context.Context, b *wire.Base) {
		lambda.Start(push.New(push.Config{Live: b.Pages(b.Store(nil))}))
	})
}
