// Command bootstrap is the function sweep on Lambda.
package main

import (
	"context"
	"fmt"

	"github.com/aws/aws-lambda-go/lambda"

	"parley/functions/hooks"
	"parley/functions/internal/wire"
	"parley/functions/internal/wire/invoke"
	"parley/functions/internal/wire/objects"
	"parley/functions/push"
	"parley/functions/review"
	"parley/functions/sweep"
	"parley/shared/parley"
	"parley/shared/run"
)

func main() { wire.Main(start) }

func start(_ context.Context, b *wire.Base) {
	store := b.Store(objects.Bucket(b))
	callHooks := invoke.Function[hooks.Event](b, "PARLEY_HOOKS_FUNCTION")
	callReview := invoke.Function[review.Event](b, "PARLEY_REVIEW_FUNCTION")
	callPush := invoke.Function[push.Event](b, "PARLEY_PUSH_FUNCTION")
	lambda.Start(sweep.New(sweep.Config{Store: store, Revive: invoke.Dispatcher(b, run.Config{Store: store}).Revive, Metrics: wire.Metrics(), Log: b.Log,
		Wake: func(ctx context.Context, f parley.Following) error {
			switch {
			case hooks.Does(f.Follower):
				return callHooks(ctx, hooks.EventOf(f))
			case f.Follower == parley.FollowerReview:
				return callReview(ctx, review.EventOf(f))
			case f.Follower == parley.FollowerPush:
				return callPush(ctx, push.EventOf(f))
			}
			return fmt.Errorf("nobody knows the follower %q", f.Follower)
		}}))
}
