// Package actions builds the executor of agents' calls, from the environment.
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

// secretsVariable names the prefix of the SSM parameters that hold the secrets
// of actions, such as "/parley/actions/". The project and the secret's name
// follow it. Without it there are no secrets.
const secretsVariable = "PARLEY_ACTION_SECRETS"

// New returns a run.Config.Act. It fetches secrets only when they are needed, so
// that no start has to wait for them.
func New(b *wire.Base) func(context.Context, parley.ActionRequest) (parley.ActionResult, error) {
	prefix := os.Getenv(secretsVariable)
	return wire.Must(action.New(action.Config{
		Outbound: hosts.Config(),
		Log:      b.Log,
		Secret: func(ctx context.Context, p parley.ProjectID, name string) (string, error) {
			if prefix == "" {
				return "", errors.New(secretsVariable + " is not set")
			}
			return b.FetchParameter(ctx, prefix+string(p)+"/"+name)
		},
	})).Do
}
