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

func start(_ context.Context, b *wire.Base) error {
	bucket, err := objects.Bucket(b)
	if err != nil {
		return err
	}
	store, err := b.Store(bucket)
	if err != nil {
		return err
	}
	metrics, err := wire.Metrics()
	if err != nil {
		return err
	}
	runs, err := invoke.Dispatcher(b, run.Config{Store: store})
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
	handler, err := sweep.New(sweep.Config{Store: store, Revive: runs.Revive, Metrics: metrics, Log: b.Log,
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
		}})
	if err != nil {
		return err
	}
	lambda.Start(handler)
	return nil
}
