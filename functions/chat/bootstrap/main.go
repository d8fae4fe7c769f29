// Command bootstrap is the function chat on Lambda.
package main

import (
	"context"
	"net/http"

	"parley/functions/chat"
	"parley/functions/internal/wire"
	"parley/functions/internal/wire/engine"
	"parley/functions/internal/wire/invoke"
	"parley/shared/run"
)

func main() { wire.Serve(handler) }

func handler(ctx context.Context, b *wire.Base) http.Handler {
	a := b.API(nil)
	return chat.New(chat.Config{API: a, Typing: b.Live(a.Store).Typing,
		Engine: engine.New(ctx, b, run.Config{Store: a.Store, Respond: invoke.Responder(b)})})
}
