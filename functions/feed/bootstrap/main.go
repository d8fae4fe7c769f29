// Command bootstrap is the function feed on Lambda.
package main

import (
	"context"

	"github.com/aws/aws-lambda-go/lambda"

	"parley/functions/feed"
	"parley/functions/hooks"
	"parley/functions/internal/wire"
	"parley/functions/internal/wire/invoke"
	"parley/functions/push"
	"parley/functions/review"
)

func main() { wire.MainWithoutSecret(start) }

func start(_ context.Context, b *wire.Base) {
	store := b.Store(nil)
	callHooks := invoke.Function[hooks.Event](b, "PARLEY_HOOKS_FUNCTION")
	callReview := invoke.Function[review.Event](b, "PARLEY_REVIEW_FUNCTION")
	callPush := invoke.Function[push.Event](b, "PARLEY_PUSH_FUNCTION")
	bells := []feed.Bell{push.ConsoleBell(store, callPush), review.Bell(callReview), hooks.Bell(store, callHooks), hooks.NotifyBell(store, callHooks),
		hooks.ReplyMailBell(callHooks), push.Bell(callPush), push.PageBell(callPush)}
	lambda.Start(feed.New(feed.Config{Bells: bells, Metrics: wire.Metrics(), Log: b.Log}).Stream)
}
