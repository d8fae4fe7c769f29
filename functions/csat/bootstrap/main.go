// Command bootstrap is the function csat on Lambda.
package main

import (
	"context"

	"parley/functions/csat"
	"parley/functions/internal/wire"
	"parley/shared/lambdahttp"
)

func main() { wire.Main(start) }

func start(_ context.Context, b *wire.Base) error {
	store, err := b.Store(nil)
	if err != nil {
		return err
	}
	a, err := b.API(store)
	if err != nil {
		return err
	}
	handler, err := csat.New(csat.Config{API: a})
	if err != nil {
		return err
	}
	lambdahttp.Start(handler, b.HTTP())
	return nil
}
