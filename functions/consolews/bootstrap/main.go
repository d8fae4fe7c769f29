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

func handler(_ context.Context, b *wire.Base) (socket.Handler, http.Handler) {
	store := b.Store(nil)
	return consolews.New(consolews.Config{Store: store, Live: b.Live(store), Log: b.Log}), nil
}
