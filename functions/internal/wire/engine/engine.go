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
func New(ctx context.Context, b *wire.Base, c run.Config) *run.Engine {
	c.Agent, c.Act, c.Log = agents.New(ctx, b), actions.New(b), b.Log
	return wire.Must(run.New(c))
}
