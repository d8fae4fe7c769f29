package parley

import (
	"context"
	"errors"
	"slices"

	"parley/shared/table"
)

// Settings are a project as it is stored. Revision counts the changes.
type Settings struct {
	Project  Project
	Revision int64
}

// loadProject reads a project. ErrNotFound if there is none.
func (s *Store) loadProject(ctx context.Context, id ProjectID, consistent bool) (Settings, error) {
	return read(ctx, s, consistent, projectKey(id), func(item table.Item) (Settings, error) {
		out := Settings{Revision: item.Int("rev")}
		if item == nil {
			return out, notFound("project")
		}
		err := decode(item, "project "+string(id), &out.Project)
		return out, err
	})
}

// Settings returns a project as it stands, past the cache. ErrNotFound if
// there is none.
func (s *Store) Settings(ctx context.Context, id ProjectID) (Settings, error) {
	return s.loadProject(ctx, id, true)
}

// CreateProject stores a project whose id nobody has taken. project_taken or
// key_taken, of kind ErrConflict, if that or a public key is.
func (s *Store) CreateProject(ctx context.Context, p Project) error {
	if err := p.check(); err != nil {
		return err
	}
	err := s.replaceProject(ctx, p, Settings{Revision: -1})
	if errors.Is(err, errRevision) {
		return conflict("project_taken", "there is a project of this id")
	}
	return err
}

// PutProject creates or replaces a project and the pointers of its keys. A key
// that it no longer lists stops working within the cache's life.
func (s *Store) PutProject(ctx context.Context, p Project) error {
	if err := p.check(); err != nil {
		return err
	}
	return again(func() error {
		old, err := s.Settings(ctx, p.ID)
		if errors.Is(err, ErrNotFound) {
			old, err = Settings{Revision: -1}, nil
		}
		if err != nil {
			return err
		}
		return s.replaceProject(ctx, p, old)
	})
}

// ReplaceProject stores settings in place of those that have this revision, but for
// the webhooks and the generation of tokens, which have calls of their own.
// revision_conflict, of kind ErrConflict, if others stand there.
func (s *Store) ReplaceProject(ctx context.Context, p Project, revision int64) (Settings, error) {
	old, err := s.Settings(ctx, p.ID)
	if err != nil {
		return Settings{}, err
	}
	p.Hooks, p.TokenGeneration = old.Project.Hooks, old.Project.TokenGeneration
	if err := p.check(); err != nil {
		return Settings{}, err
	}
	if old.Revision != revision {
		return Settings{}, errRevision
	}
	if err := s.replaceProject(ctx, p, old); err != nil {
		return Settings{}, err
	}
	return Settings{p, revision + 1}, nil
}

// errRevision says that the settings are no longer those that were read.
var errRevision = conflict("revision_conflict", "the settings have changed; read them again")

// replaceProject stores a project over an old one, which has revision -1 where
// there must be none.
func (s *Store) replaceProject(ctx context.Context, p Project, old Settings) error {
	if p.shards() < old.Project.shards() {
		return invalid("inbox_shards", "inbox_shards cannot be lowered: sessions would be missing from the inbox")
	}
	p.TokenGeneration = max(p.TokenGeneration, old.Project.TokenGeneration) // a void token stays so
	item, err := record(projectKey(p.ID), "project", p, table.Item{"rev": max(old.Revision, 0) + 1, "nonce": s.newID()})
	if err != nil {
		return err
	}
	condition := table.Equal("rev", old.Revision)
	switch {
	case old.Revision < 0:
		condition = table.Absent()
	case old.Revision == 0: // put by hand, or before there were revisions
		condition = table.Missing("rev")
	}
	actions := []table.Action{table.Put(item, condition)}
	for _, key := range p.PublicKeys {
		pointer := publicKeyKey(key).With(table.Item{"project": string(p.ID)})
		actions = append(actions, table.Put(pointer, table.EqualOrMissing("project", string(p.ID))))
	}
	for _, key := range old.Project.PublicKeys {
		if !slices.Contains(p.PublicKeys, key) {
			actions = append(actions, table.Delete(publicKeyKey(key)))
		}
	}
	s.projects.forget()
	err = s.write(ctx, actions...)
	switch _, changed := standing(err, 0); {
	case changed:
		return errRevision
	case refused(err):
		return conflict("key_taken", "a public key belongs to another project")
	}
	return err
}

// changeSettings changes a project's settings whatever they are now, again on
// what stands when somebody else was faster. change returns errNothing to leave
// them as they are.
func (s *Store) changeSettings(ctx context.Context, id ProjectID, change func(*Project) error) (Settings, error) {
	return againFor(func() (Settings, error) {
		old, err := s.Settings(ctx, id)
		if err != nil {
			return Settings{}, err
		}
		p := old.Project
		p.PublicKeys, p.SigningKeys = slices.Clone(p.PublicKeys), slices.Clone(p.SigningKeys)
		if err := change(&p); errors.Is(err, errNothing) {
			return old, nil
		} else if err != nil {
			return Settings{}, err
		}
		if err := p.check(); err != nil {
			return Settings{}, err
		}
		if err := s.replaceProject(ctx, p, old); err != nil {
			return Settings{}, err
		}
		return Settings{p, old.Revision + 1}, nil
	})
}

// Public keys that Parley makes begin so; a test key also works from localhost.
const (
	livePublicPrefix = "pk_live_"
	testPublicPrefix = "pk_test_"
)

// NewPublicKey returns a fresh public key.
func NewPublicKey(test bool) string {
	prefix := livePublicPrefix
	if test {
		prefix = testPublicPrefix
	}
	return prefix + randomText(24)
}

// AddPublicKey makes another public key of a project.
func (s *Store) AddPublicKey(ctx context.Context, id ProjectID, test bool) (string, Settings, error) {
	key := NewPublicKey(test)
	settings, err := s.changeSettings(ctx, id, func(p *Project) error {
		p.PublicKeys = append(p.PublicKeys, key)
		return nil
	})
	return key, settings, err
}

// RemovePublicKey takes a public key away. ErrNotFound if it is none of the
// project's; an invalid_field error if it is the last.
func (s *Store) RemovePublicKey(ctx context.Context, id ProjectID, key string) error {
	_, err := s.changeSettings(ctx, id, func(p *Project) error { return without(&p.PublicKeys, key) })
	return err
}

// AddSigningKey gives a project another key id under which its backend may
// sign. Ids are random, so that one that was removed never comes back.
func (s *Store) AddSigningKey(ctx context.Context, id ProjectID) (kid string, settings Settings, err error) {
	kid = "k" + randomText(10)
	settings, err = s.changeSettings(ctx, id, func(p *Project) error {
		p.SigningKeys = append(p.SigningKeys, kid)
		return nil
	})
	return kid, settings, err
}

// RemoveSigningKey takes a key id away. ErrNotFound if it is none of the project's.
func (s *Store) RemoveSigningKey(ctx context.Context, id ProjectID, kid string) error {
	_, err := s.changeSettings(ctx, id, func(p *Project) error { return without(&p.SigningKeys, kid) })
	return err
}

func without(list *[]string, key string) error {
	i := slices.Index(*list, key)
	if i < 0 {
		return notFound("key")
	}
	*list = slices.Delete(*list, i, i+1)
	return nil
}
