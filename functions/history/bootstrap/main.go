// Command bootstrap is the function history on Lambda.
package main

import (
	"context"

	"parley/functions/history"
	"parley/functions/internal/wire"
	"parley/functions/internal/wire/objects"
	"parley/shared/lambdahttp"
)

func main() { wire.Main(start) }

func start(_ context.Context, b *wire.Base) error {
	bucket, err := objects.Bucket(b)
	if err != nil {
		return err
	}
	store, err := b.Store(bucket)
	if err != nil {
		return err
	}
	a, err := b.API(store)
	if err != nil {
		return err
	}
	handler, err := history.New(history.Config{API: a})
	if err != nil {
		return err
	}
	lambdahttp.Start(handler, b.HTTP())
	return nil
}
