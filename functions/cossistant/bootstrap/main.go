// Command bootstrap is the function cossistant on Lambda.
package main

import (
	"context"
	"net/http"

	"parley/functions/cossistant"
	"parley/functions/internal/wire"
	"parley/functions/internal/wire/invoke"
	"parley/functions/internal/wire/objects"
	"parley/shared/run"
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
	runs, err := invoke.Dispatcher(b, run.Config{Store: a.Store})
	if err != nil {
		return nil, err
	}
	pages, err := b.Live(a.Store)
	if err != nil {
		return nil, err
	}
	return cossistant.New(cossistant.Config{API: a, Runs: runs, Typing: pages.TypingText})
}
