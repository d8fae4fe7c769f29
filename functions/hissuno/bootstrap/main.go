// Command bootstrap is the function hissuno on Lambda.
package main

import (
	"context"
	"net/http"

	"parley/functions/hissuno"
	"parley/functions/internal/wire"
	"parley/functions/internal/wire/engine"
	"parley/functions/internal/wire/invoke"
	"parley/shared/run"
)

func main() { wire.Serve(handler) }

func handler(ctx context.Context, b *wire.Base) http.Handler {
	a := b.API(nil)
	return hissuno.New(hissuno.Config{API: a, Engine: engine.New(ctx, b, run.Config{Store: a.Store, Respond: invoke.Responder(b)})})
}
