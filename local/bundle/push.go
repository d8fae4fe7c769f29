package bundle

import (
	"context"

	"parley/functions/cossistant/shape"
	"parley/functions/push"
	"parley/shared/api"
	"parley/shared/live"
	"parley/shared/parley"
)

// openPush makes who tells pages over their sockets, and the function push.
func (b *Bundle) openPush(c Config, store *parley.Store) {
	widgets := shape.Speaker{File: func(p parley.ProjectID, a parley.Attachment) string {
		return api.FileURLAt(b.Page, store, p, a.ID, a.Name)
	}}
	b.pages = must(live.New(live.Config{Store: store, Poster: b.sockets, Speakers: live.Speakers(), Files: b.Page, Log: b.log, Now: c.Now,
		Keyed: map[parley.Channel]live.KeyedSpeaker{parley.ChannelCossistant: widgets}}))
	b.pushes = push.New(push.Config{Live: b.pages})
}

// push tells a session's page in the background.
func (b *Bundle) push(ctx context.Context, e push.Event) error {
	b.background(ctx, "push", e.Project, func(ctx context.Context) error { return b.pushes(ctx, e) })
	return nil
}
