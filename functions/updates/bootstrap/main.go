// Command bootstrap is the function updates on Lambda.
package main

import (
	"context"
	"net/http"

	"parley/functions/internal/wire"
	"parley/functions/updates"
)

func main() { wire.Serve(handler) }

func handler(_ context.Context, b *wire.Base) (http.Handler, error) {
	a, err := b.API(nil)
	if err != nil {
		return nil, err
	}
	return updates.New(updates.Config{API: a})
}
