package bundle

import (
	"context"
	"fmt"

	"parley/functions/feed"
	"parley/functions/hooks"
	"parley/functions/review"
	"parley/shared/outbound"
	"parley/shared/parley"
)

// openHooks makes the function hooks and the feed that calls it. Endpoints may
// be on this machine.
func (b *Bundle) openHooks(store *parley.Store) error {
	client, err := outbound.New(outbound.Config{Private: true})
	if err != nil {
		return err
	}
	b.checkURL = client.CheckURL
	if b.hooks, err = hooks.New(hooks.Config{Store: store, Do: client.Do, Files: b.Page, Log: b.log}); err != nil {
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

// deliver delivers webhooks in the background, until Parley stops.
func (b *Bundle) deliver(_ context.Context, e hooks.Event) error {
	b.responses.Go(func() {
		if err := b.hooks(b.stopping, e); err != nil && b.stopping.Err() == nil {
			b.log.Error("hooks", "project", e.Project, "error", err)
		}
	})
	return nil
}
