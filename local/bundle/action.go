package bundle

import (
	"context"
	"fmt"

	"parley/shared/action"
	"parley/shared/outbound"
	"parley/shared/parley"
)

// newActions returns what carries out calls of actions. Here they may reach
// this machine and the network around it: whoever develops one runs it there.
func newActions(c Config) (func(context.Context, parley.ActionRequest) (parley.ActionResult, error), error) {
	x, err := action.New(action.Config{
		Outbound: outbound.Config{Private: true},
		Log:      c.Log,
		Secret: func(_ context.Context, _ parley.ProjectID, name string) (string, error) {
			if c.Secret != nil && c.Secret(name) != "" {
				return c.Secret(name), nil
			}
			return "", fmt.Errorf("no secret %s among the settings", name)
		},
	})
	if err != nil {
		return nil, err
	}
	return x.Do, nil
}
