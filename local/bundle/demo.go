package bundle

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"

	"parley/shared/parley"
)

// DemoProject is the id of the project that a first start makes.
const DemoProject parley.ProjectID = "demo"

// newDemo is the project as a first start makes it. Its key is a test key,
// which pages on this machine may use.
func newDemo() parley.Project {
	return parley.Project{
		ID:         DemoProject,
		Name:       "Parley demo",
		PublicKeys: []string{"pk_test_" + rand.Text()},
		Agents: []parley.AgentSettings{{
			ID:           "guide",
			Name:         "Guide",
			Instructions: "You answer questions about Parley, the software that this very chat runs on.",
		}},
		Greeting: "Hello! Ask me anything about Parley.",
	}
}

// keepDemo returns the demo project, made if it is missing. Pages of other
// origins than this machine's may use it only if open says so. It gets the signing
// key of DemoIdentity, unless it has as many as a project may have.
func keepDemo(ctx context.Context, store *parley.Store, open bool) (*parley.Project, error) {
	var origins []string
	if open {
		origins = []string{"*"}
	}
	known, err := store.Project(ctx, DemoProject)
	if err != nil && !errors.Is(err, parley.ErrNotFound) {
		return nil, err
	}
	p := newDemo()
	if known != nil {
		p = *known
	}
	signs := slices.Contains(p.SigningKeys, demoKid) || len(p.SigningKeys) == parley.MaxSigningKeys
	if known != nil && signs && slices.Equal(known.Origins, origins) {
		return known, nil
	}
	if !signs {
		p.SigningKeys = append(slices.Clone(p.SigningKeys), demoKid)
	}
	p.Origins = origins
	if err := store.PutProject(ctx, p); err != nil {
		return nil, err
	}
	return &p, nil
}
