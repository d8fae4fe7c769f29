// Command bootstrap is the function consolews on Lambda.
package main

import (
	"context"
	"net/http"

	"parley/functions/consolews"
	"parley/functions/internal/wire"
	"parley/shared/live"
	"parley/shared/socket"
)

func main() { wire.ServeSocket(live.ConsoleAPI, handler) }

func handler(_ context.Context, b *wire.Base) (socket.Handler, http.Handler, error) {
	store, err := b.Store(nil)
	if err != nil {
		return nil, nil, err
	}
	pages, err := b.Live(store)
	if err != nil {
		return nil, nil, err
	}
	consoles, err := consolews.New(consolews.Config{Store: store, Live: pages, Log: b.Log})
	return consoles, nil, err
}
