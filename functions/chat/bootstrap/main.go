// Command bootstrap is the function chat on Lambda.
package main

import (
	"context"

	"parley/functions/chat"
	"parley/functions/internal/wire"
	"parley/functions/internal/wire/actions"
	"parley/functions/internal/wire/agents"
	"parley/functions/internal/wire/invoke"
	"parley/shared/lambdahttp"
	"parley/shared/run"
)

func main() { wire.Main(start) }

func start(ctx context.Context, b *wire.Base) error {
	store, err := b.Store(nil)
	if err != nil {
		return err
	}
	a, err := b.API(store)
	if err != nil {
		return err
	}
	who, err := agents.New(ctx, b)
	if err != nil {
		return err
	}
	responder, err := invoke.Responder(b)
	if err != nil {
		return err
	}
	act, err := actions.New(b)
	if err != nil {
		return err
	}
	engine, err := run.New(run.Config{Store: store, Agent: who, Act: act, Respond: responder, Log: b.Log})
	if err != nil {
		return err
	}
	handler, err := chat.New(chat.Config{API: a, Engine: engine})
	if err != nil {
		return err
	}
	lambdahttp.Start(handler, b.HTTP())
	return nil
}
