package bundle

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"parley/shared/parley"
)

// you is the operator of the demo project: whoever has started Parley. Visitors
// read the name, as in "Robin has taken over the conversation".
var you = parley.Operator{ID: "you", Name: "Robin"}

// privateKey returns a private key of the demo project that acts as its
// operator. The table has only its hash, so the key itself is kept beside it,
// for whoever may read the folder. One that does not work is replaced.
func (f *folder) privateKey(ctx context.Context, store *parley.Store) (string, error) {
	path := filepath.Join(f.path, privateKeyName)
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	secret := strings.TrimSpace(string(text))
	if k, err := store.PrivateKeyOf(ctx, secret); err == nil && k.Project == DemoProject {
		return secret, nil
	} else if err != nil && parley.Code(err) != "unknown_key" {
		return "", err
	}
	if err := store.RemoveOperator(ctx, DemoProject, you.ID); err != nil && !errors.Is(err, parley.ErrNotFound) {
		return "", err // with the keys that nobody has any more
	}
	if err := store.PutOperator(ctx, DemoProject, you); err != nil {
		return "", err
	}
	_, secret, err = store.AddPrivateKey(ctx, DemoProject, parley.PrivateKey{Name: "make run", Scopes: parley.Scopes(), Operator: you.ID, Test: true})
	if err != nil {
		return "", err
	}
	return secret, os.WriteFile(path, []byte(secret+"\n"), 0o600)
}
