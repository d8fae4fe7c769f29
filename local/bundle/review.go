package bundle

import (
	"context"

	"parley/functions/review"
)

// review reviews a session in the background.
func (b *Bundle) review(ctx context.Context, e review.Event) error {
	b.background(ctx, "review", e.Project, func(ctx context.Context) error { return b.reviews(ctx, e) })
	return nil
}
