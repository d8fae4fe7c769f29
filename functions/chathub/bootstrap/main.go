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

func handlers(_ context.Context, b *wire.Base) (socket.Handler, http.Handler, error) {
	a, err := b.API(nil)
	if err != nil {
		return nil, nil, err
	}
	runs, err := invoke.Dispatcher(b, run.Config{Store: a.Store})
	if err != nil {
		return nil, nil, err
	}
	callPush, err := invoke.Function[push.Event](b, "PARLEY_PUSH_FUNCTION")
	if err != nil {
		return nil, nil, err
	}
	pages, err := b.Live(a.Store)
	if err != nil {
		return nil, nil, err
	}
	hub, err := chathub.New(chathub.Config{API: a, Runs: runs, Sockets: pages.Poster, Typing: pages.Typing,
		Wake: func(ctx context.Context, p parley.ProjectID, id parley.SessionID) error {
			return callPush(ctx, push.Event{Project: p, Session: id})
		}})
	if err != nil {
		return nil, nil, err
	}
	return hub.Socket, hub.Negotiate, nil
}
