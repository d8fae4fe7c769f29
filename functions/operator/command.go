package operator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"parley/shared/parley"
	"parley/shared/token"
)

// Command is an event with which the people who run the deployment invoke the
// function. No HTTP request can be one. Exactly one field is set.
type Command struct {
	// CreateProject has the settings of a new project. Keys and an agent are added
	// if it has none.
	CreateProject *parley.Project `json:"createProject"`
	// CreateKey makes a private key for somebody who has lost theirs.
	CreateKey *NewKey `json:"createKey"`
	// VoidTokens makes all visitors' tokens of a project void.
	VoidTokens *Voided `json:"voidTokens"`
}

// handled are the commands that are set: there has to be one.
func (c Command) handled() (n int) {
	for _, set := range []bool{c.CreateProject != nil, c.CreateKey != nil, c.VoidTokens != nil} {
		if set {
			n++
		}
	}
	return n
}

// Voided names the project whose visitors' tokens are made void. As the result of the
// command it has the generation that new tokens have.
type Voided struct {
	Project    parley.ProjectID `json:"project"`
	Generation int64            `json:"generation,omitempty"`
}

// NewKey describes a private key for the project's server, with every scope.
type NewKey struct {
	Project parley.ProjectID `json:"project"`
	Name    string           `json:"name"`
}

// Created is the result of a command. The secrets in it cannot be shown again.
type Created struct {
	Project    parley.ProjectID `json:"project"`
	PublicKeys []string         `json:"publicKeys,omitempty"`
	PrivateKey string           `json:"privateKey"`
	// SigningKey and SigningSecret let the project's server sign identities.
	SigningKey    string `json:"signingKey,omitempty"`
	SigningSecret string `json:"signingSecret,omitempty"`
}

// Commands returns the handler of Command events. Its errors tell the person who
// invoked it what to do.
func Commands(store *parley.Store, keys *token.Keyring) func(context.Context, json.RawMessage) (any, error) {
	return func(ctx context.Context, event json.RawMessage) (any, error) {
		var c Command
		if err := json.Unmarshal(event, &c); err != nil || c.handled() != 1 {
			return nil, errors.New(`the event is no request, and none of {"createProject": {…}}, {"createKey": {…}}, {"voidTokens": {…}}`)
		}
		switch {
		case c.CreateKey != nil:
			return createKey(ctx, store, *c.CreateKey)
		case c.VoidTokens != nil:
			stands, err := store.VoidTokens(ctx, c.VoidTokens.Project)
			return Voided{c.VoidTokens.Project, stands.Project.TokenGeneration}, err
		}
		return createProject(ctx, store, keys, *c.CreateProject)
	}
}

// firstKey is the name of the private key that a project is created with.
const firstKey = "first"

func createProject(ctx context.Context, store *parley.Store, keys *token.Keyring, p parley.Project) (any, error) {
	if len(p.PublicKeys) == 0 {
		p.PublicKeys = []string{parley.NewPublicKey(false), parley.NewPublicKey(true)}
	}
	if len(p.Agents) == 0 {
		p.Agents = []parley.AgentSettings{{ID: "guide", Name: "Guide"}}
	}
	if err := store.CreateProject(ctx, p); err != nil {
		return nil, err
	}
	out := Created{Project: p.ID, PublicKeys: p.PublicKeys}
	lost := func(err error) error {
		return fmt.Errorf(`the project is there and a key is not: invoke again with {"createKey": {"project": %q, "name": "second"}}: %w`, p.ID, err)
	}
	var err error
	if _, out.PrivateKey, err = store.AddPrivateKey(ctx, p.ID, parley.PrivateKey{Name: firstKey, Scopes: parley.Scopes()}); err != nil {
		return nil, lost(err)
	}
	if out.SigningKey, _, err = store.AddSigningKey(ctx, p.ID); err != nil {
		return nil, lost(err)
	}
	out.SigningSecret = keys.SigningSecret(p.ID, out.SigningKey)
	return out, nil
}

func createKey(ctx context.Context, store *parley.Store, k NewKey) (any, error) {
	if _, err := store.Settings(ctx, k.Project); err != nil {
		return nil, err
	}
	_, secret, err := store.AddPrivateKey(ctx, k.Project, parley.PrivateKey{Name: k.Name, Scopes: parley.Scopes()})
	if err != nil {
		return nil, err
	}
	return Created{Project: k.Project, PrivateKey: secret}, nil
}
