package bundle

import (
	"context"
	"fmt"

	"parley/functions/feed"
	"parley/functions/hooks"
	"parley/functions/push"
	"parley/functions/review"
	"parley/shared/outbound"
	"parley/shared/parley"
)

// openHooks makes the function hooks and the feed that calls it. Endpoints may
// be on this machine.
func (b *Bundle) openHooks(c Config, store *parley.Store) {
	client := must(outbound.New(outbound.Config{Private: true}))
	b.checkURL = client.CheckURL
	b.hooks = hooks.New(hooks.Config{Store: store, Do: client.Do, Files: b.Page, Log: b.log, Now: c.Now,
		Console: b.Page + "/console", Mail: c.Mail, MailFrom: c.MailFrom, Secret: fromSettings(c.NotifySecret)})
	b.feed = feed.New(feed.Config{Bells: []feed.Bell{push.ConsoleBell(store, b.push), review.Bell(b.review), hooks.Bell(store, b.deliver), hooks.NotifyBell(store, b.deliver),
		hooks.ReplyMailBell(b.deliver), push.Bell(b.push), push.PageBell(b.push)}, Log: b.log})
}

// wake calls the function that a follower belongs to.
func (b *Bundle) wake(ctx context.Context, f parley.Following) error {
	switch {
	case hooks.Does(f.Follower):
		return b.deliver(ctx, hooks.EventOf(f))
	case f.Follower == parley.FollowerReview:
		return b.review(ctx, review.EventOf(f))
	case f.Follower == parley.FollowerPush:
		return b.push(ctx, push.EventOf(f))
	}
	return fmt.Errorf("nobody knows the follower %q", f.Follower)
}

// review reviews a session in the background.
func (b *Bundle) review(ctx context.Context, e review.Event) error {
	b.background(ctx, "review", e.Project, func(ctx context.Context) error { return b.reviews(ctx, e) })
	return nil
}

// deliver delivers webhooks in the background.
func (b *Bundle) deliver(ctx context.Context, e hooks.Event) error {
	b.background(ctx, "hooks", e.Project, func(ctx context.Context) error { return b.hooks(ctx, e) })
	return nil
}
