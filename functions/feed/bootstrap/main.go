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

func start(_ context.Context, b *wire.Base) error {
	store, err := b.Store(nil)
	if err != nil {
		return err
	}
	metrics, err := wire.Metrics()
	if err != nil {
		return err
	}
	callHooks, err := invoke.Function[hooks.Event](b, "PARLEY_HOOKS_FUNCTION")
	if err != nil {
		return err
	}
	callReview, err := invoke.Function[review.Event](b, "PARLEY_REVIEW_FUNCTION")
	if err != nil {
		return err
	}
	callPush, err := invoke.Function[push.Event](b, "PARLEY_PUSH_FUNCTION")
	if err != nil {
		return err
	}
	bells := []feed.Bell{push.ConsoleBell(store, callPush), review.Bell(callReview), hooks.Bell(store, callHooks), hooks.NotifyBell(store, callHooks),
		hooks.ReplyMailBell(callHooks), push.Bell(callPush), push.PageBell(callPush)}
	handler := feed.New(feed.Config{Bells: bells, Metrics: metrics, Log: b.Log})
	lambda.Start(handler.Stream)
	return nil
}
