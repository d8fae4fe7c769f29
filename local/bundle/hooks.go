package bundle

import (
	"context"
	"fmt"
	"time"

	"parley/functions/feed"
	"parley/functions/hooks"
	"parley/functions/review"
	"parley/shared/outbound"
	"parley/shared/parley"
)

// openHooks makes the function hooks and the feed that calls it. Endpoints may
// be on this machine.
func (b *Bundle) openHooks(store *parley.Store, now func() time.Time) error {
	client, err := outbound.New(outbound.Config{Private: true})
	if err != nil {
		return err
	}
	b.checkURL = client.CheckURL
	if b.hooks, err = hooks.New(hooks.Config{Store: store, Do: client.Do, Files: b.Page, Log: b.log, Now: now}); err != nil {
		return err
	}
	b.feed = feed.New(feed.Config{Bells: []feed.Bell{review.Bell(b.review), hooks.Bell(store, b.deliver)}, Log: b.log})
	return nil
}

// wake calls the function that a follower belongs to.
func (b *Bundle) wake(ctx context.Context, f parley.Following) error {
	if _, ok := parley.HookOf(f.Follower); ok {
		return b.deliver(ctx, hooks.EventOf(f))
	}
	if f.Follower == parley.FollowerReview {
		return b.review(ctx, review.EventOf(f))
	}
	return fmt.Errorf("nobody knows the follower %q", f.Follower)
}

// deliver delivers webhooks in the background.
func (b *Bundle) deliver(ctx context.Context, e hooks.Event) error {
	b.background(ctx, "hooks", e.Project, func(ctx context.Context) error { return b.hooks(ctx, e) })
	return nil
}
