// Command bootstrap is the function close on Lambda.
package main

import (
	"context"
	"net/http"
	closing "parley/functions/close"

	"parley/functions/internal/wire"
)

func main() { wire.Serve(handler) }

func handler(_ context.Context, b *wire.Base) (http.Handler, error) {
	a, err := b.API(nil)
	if err != nil {
		return nil, err
	}
	return closing.New(closing.Config{API: a})
}
