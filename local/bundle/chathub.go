package bundle

import (
	"context"
	"net/http"

	"parley/functions/chathub"
	"parley/functions/push"
	"parley/shared/api"
	"parley/shared/parley"
)

// openHub serves the SignalR hub: negotiate, and the address of its sockets.
func (b *Bundle) openHub(mux *http.ServeMux, calls *api.API) {
	hub := chathub.New(chathub.Config{API: calls, Runs: b.engine.Dispatcher, Sockets: b.sockets, Typing: b.pages.Typing, Now: b.now,
		Wake: func(ctx context.Context, p parley.ProjectID, id parley.SessionID) error {
			return b.push(ctx, push.Event{Project: p, Session: id})
		}})
	mux.Handle(chathub.NegotiatePath, hub.Negotiate)
	b.mountSocket(mux, chathub.API, chathub.Path, hub.Socket)
}
