// Command bootstrap is the function close on Lambda.
package main

import (
	"context"

	closing "parley/functions/close"
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
	handler, err := closing.New(closing.Config{API: a})
	if err != nil {
		return err
	}
	lambdahttp.Start(handler, b.HTTP())
	return nil
}
