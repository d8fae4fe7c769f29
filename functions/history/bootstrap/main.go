// Command bootstrap is the function history on Lambda.
package main

import (
	"context"
	"net/http"

	"parley/functions/history"
	"parley/functions/internal/wire"
	"parley/functions/internal/wire/objects"
)

func main() { wire.Serve(handler) }

func handler(_ context.Context, b *wire.Base) (http.Handler, error) {
	bucket, err := objects.Bucket(b)
	if err != nil {
		return nil, err
	}
	a, err := b.API(bucket)
	if err != nil {
		return nil, err
	}
	return history.New(history.Config{API: a})
}
