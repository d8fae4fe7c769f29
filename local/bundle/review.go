package bundle

import (
	"context"

	"parley/functions/review"
)

// review reviews a session in the background, until Parley stops.
func (b *Bundle) review(_ context.Context, e review.Event) error {
	b.responses.Go(func() {
		if err := b.reviews(b.stopping, e); err != nil && b.stopping.Err() == nil {
			b.log.Error("review", "project", e.Project, "error", err)
		}
	})
	return nil
}
