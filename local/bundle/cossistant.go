package bundle

import (
	"context"
	"net/http"

	"parley/functions/cossistant"
	"parley/functions/cossistant/shape"
	"parley/functions/cossistantws"
	"parley/functions/push"
	"parley/shared/api"
	"parley/shared/parley"
	"parley/shared/socket"
)

// openWidget serves Cossistant's widget: its calls and, at one path beside them, its
// sockets.
func (b *Bundle) openWidget(calls *api.API) http.Handler {
	requests := cossistant.New(cossistant.Config{API: calls, Runs: b.engine.Dispatcher, Typing: b.pages.TypingText})
	widgets := cossistantws.New(cossistantws.Config{API: calls, Sockets: b.sockets, Typing: b.pages.TypingText, Now: b.now,
		Meet: func(ctx context.Context, p parley.ProjectID, ref socket.Ref) error {
			return b.push(ctx, push.MeetEvent(p, ref))
		},
		Refuse: func(ctx context.Context, ref socket.Ref, code, text string) error {
			return b.push(ctx, push.RefuseEvent(ref, parley.ChannelCossistant, code, text))
		}})
	sockets := http.NewServeMux()
	b.mountSocket(sockets, shape.SocketAPI, cossistantws.Path, widgets)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == cossistantws.Path {
			sockets.ServeHTTP(w, r)
			return
		}
		requests.ServeHTTP(w, r)
	})
}
