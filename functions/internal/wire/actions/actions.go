// Package actions builds what carries out the agents' calls, from the environment.
package actions

import (
	"context"
	"errors"
	"os"

	"parley/functions/internal/wire"
	"parley/functions/internal/wire/hosts"
	"parley/shared/action"
	"parley/shared/parley"
)

// secretsVariable is how the names of the parameters of SSM begin that hold the
// secrets of actions, "/parley/actions/"; the project and the secret's name
// follow. Without it there are none.
const secretsVariable = "PARLEY_ACTION_SECRETS"

// New returns a run.Config.Act. Secrets are read when they are first needed: a
// start waits for none.
func New(b *wire.Base) (func(context.Context, parley.ActionRequest) (parley.ActionResult, error), error) {
	prefix := os.Getenv(secretsVariable)
	x, err := action.New(action.Config{
		Outbound: hosts.Config(),
		Log:      b.Log,
		Secret: func(ctx context.Context, p parley.ProjectID, name string) (string, error) {
			if prefix == "" {
				return "", errors.New(secretsVariable + " is not set")
			}
			return b.FetchParameter(ctx, prefix+string(p)+"/"+name)
		},
	})
	if err != nil {
		return nil, err
	}
	return x.Do, nil
}
