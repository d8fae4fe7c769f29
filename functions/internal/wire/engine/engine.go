// Package engine builds the engine that generates replies, from the environment.
package engine

import (
	"context"

	"parley/functions/internal/wire"
	"parley/functions/internal/wire/actions"
	"parley/functions/internal/wire/agents"
	"parley/shared/run"
)

// New returns an engine over c, of which Store and Respond are required; Agent, Act
// and Log are set here.
func New(ctx context.Context, b *wire.Base, c run.Config) (*run.Engine, error) {
	var err error
	if c.Agent, err = agents.New(ctx, b); err != nil {
		return nil, err
	}
	if c.Act, err = actions.New(b); err != nil {
		return nil, err
	}
	c.Log = b.Log
	return run.New(c)
}
