// Command bootstrap is the function csat on Lambda.
package main

import (
	"context"
	"net/http"

	"parley/functions/csat"
	"parley/functions/internal/wire"
)

func main() { wire.Serve(handler) }

func handler(_ context.Context, b *wire.Base) (http.Handler, error) {
	a, err := b.API(nil)
	if err != nil {
		return nil, err
	}
	return csat.New(csat.Config{API: a})
}
