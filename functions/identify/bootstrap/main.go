// Command bootstrap is the function identify on Lambda.
package main

import (
	"context"
	"net/http"

	"parley/functions/identify"
	"parley/functions/internal/wire"
)

func main() { wire.Serve(handler) }

func handler(_ context.Context, b *wire.Base) (http.Handler, error) {
	a, err := b.API(nil)
	if err != nil {
		return nil, err
	}
	return identify.New(identify.Config{API: a})
}
