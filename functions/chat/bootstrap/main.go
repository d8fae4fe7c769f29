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

func handler(ctx context.Context, b *wire.Base) (http.Handler, error) {
	a, err := b.API(nil)
	if err != nil {
		return nil, err
	}
	respond, err := invoke.Responder(b)
	if err != nil {
		return nil, err
	}
	e, err := engine.New(ctx, b, run.Config{Store: a.Store, Respond: respond})
	if err != nil {
		return nil, err
	}
	pages, err := b.Live(a.Store)
	if err != nil {
		return nil, err
	}
	return chat.New(chat.Config{API: a, Engine: e, Typing: pages.Typing})
}
