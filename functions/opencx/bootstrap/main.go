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

func handler(_ context.Context, b *wire.Base) http.Handler {
	a := b.API(objects.Bucket(b))
	// Act is for the forms that are sent here.
	return opencx.New(opencx.Config{API: a, Runs: invoke.Dispatcher(b, run.Config{Store: a.Store, Act: actions.New(b), PollMin: opencx.PollMin})})
}
