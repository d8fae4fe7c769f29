// Command bootstrap is the function uploads on Lambda.
package main

import (
	"context"
	"net/http"

	"parley/functions/internal/wire"
	"parley/functions/internal/wire/objects"
	"parley/functions/uploads"
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
	return uploads.New(uploads.Config{API: a})
}
