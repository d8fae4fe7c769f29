// Command bootstrap is the function cossistantws on Lambda.
package main

import (
	"context"
	"net/http"

	"parley/functions/cossistant/shape"
	"parley/functions/cossistantws"
	"parley/functions/internal/wire"
	"parley/functions/internal/wire/invoke"
	"parley/functions/push"
	"parley/shared/parley"
	"parley/shared/socket"
)

func main() { wire.ServeSocket(shape.SocketAPI, handler) }

func handler(_ context.Context, b *wire.Base) (socket.Handler, http.Handler) {
	a, callPush := b.API(nil), invoke.Function[push.Event](b, "PARLEY_PUSH_FUNCTION")
	pages := b.Live(a.Store)
	return cossistantws.New(cossistantws.Config{API: a, Sockets: pages.Poster, Typing: pages.TypingText,
		Meet: func(ctx context.Context, p parley.ProjectID, ref socket.Ref) error {
			return callPush(ctx, push.MeetEvent(p, ref))
		},
		Refuse: func(ctx context.Context, ref socket.Ref, code, text string) error {
			return callPush(ctx, push.RefuseEvent(ref, parley.ChannelCossistant, code, text))
		}}), nil
}
