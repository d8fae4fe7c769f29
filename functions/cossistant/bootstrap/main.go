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

func handler(_ context.Context, b *wire.Base) http.Handler {
	a := b.API(objects.Bucket(b))
	return cossistant.New(cossistant.Config{API: a, Runs: invoke.Dispatcher(b, run.Config{Store: a.Store}), Typing: b.Live(a.Store).TypingText})
}
