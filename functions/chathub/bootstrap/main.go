// Command bootstrap is the function chathub on Lambda.
package main

import (
	"context"
	"net/http"

	"parley/functions/chathub"
	"parley/functions/internal/wire"
	"parley/functions/internal/wire/invoke"
	"parley/functions/push"
	"parley/shared/parley"
	"parley/shared/run"
	"parley/shared/socket"
)

func main() { wire.ServeSocket(chathub.API, handlers) }

func handlers(_ context.Context, b *wire.Base) (socket.Handler, http.Handler) {
	a, callPush := b.API(nil), invoke.Function[push.Event](b, "PARLEY_PUSH_FUNCTION")
	pages := b.Live(a.Store)
	hub := chathub.New(chathub.Config{API: a, Runs: invoke.Dispatcher(b, run.Config{Store: a.Store}), Sockets: pages.Poster, Typing: pages.Typing,
		Wake: func(ctx context.Context, p parley.ProjectID, id parley.SessionID) error {
			return callPush(ctx, push.Event{Project: p, Session: id})
		}})
	return hub.Socket, hub.Negotiate
}
