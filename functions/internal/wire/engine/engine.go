// Package engine builds the engine that generates replies, from the environment.
package engine

import (
	"context"

	"parley/functions/internal/wire"
	"parley/functions/internal/wire/actions"
	"parley/functions/internal/wire/agents"
	"parley/shared/parley"
	"parley/shared/run"
)

// New returns an engine; respond is its run.Config.Respond.
func New(ctx context.Context, b *wire.Base, store *parley.Store, respond func(context.Context, parley.RunRef) error) (*run.Engine, error) {
	who, err := agents.New(ctx, b)
	if err != nil {
		return nil, err
	}
	act, err := actions.New(b)
	if err != nil {
		return nil, err
	}
	return run.New(run.Config{Store: store, Agent: who, Act: act, Respond: respond, Log: b.Log})
}
