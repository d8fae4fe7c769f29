// Command bootstrap is the function opencx on Lambda.
package main

import (
	"context"
	"net/http"

	"parley/functions/internal/wire"
	"parley/functions/internal/wire/actions"
	"parley/functions/internal/wire/invoke"
	"parley/functions/internal/wire/objects"
	"parley/functions/opencx"
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
	act, err := actions.New(b) // forms are sent here
	if err != nil {
		return nil, err
	}
	runs, err := invoke.Dispatcher(b, run.Config{Store: a.Store, Act: act, PollMin: opencx.PollMin})
	if err != nil {
		return nil, err
	}
	return opencx.New(opencx.Config{API: a, Runs: runs})
}
