// Command bootstrap is the function updates on Lambda.
package main

import (
	"context"

	"parley/functions/internal/wire"
	"parley/functions/updates"
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
	handler, err := updates.New(updates.Config{API: a})
	if err != nil {
		return err
	}
	lambdahttp.Start(handler, b.HTTP())
	return nil
}
