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
	poster, err := b.Poster()
	if err != nil {
		return nil, nil, err
	}
	pages, err := live.New(live.Config{Store: store, Poster: poster, Speakers: live.Speakers(), Log: b.Log})
	if err != nil {
		return nil, nil, err
	}
	sockets, err := consolews.New(consolews.Config{Store: store, Live: pages, Log: b.Log})
	return sockets, nil, err
}
