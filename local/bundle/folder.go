package bundle

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"parley/local/files"
	"parley/shared/boltfile"
	"parley/shared/table/bolt"
	"parley/shared/token"
)

// What a folder holds: the master secret, the attachments, the table, and a
// private key of the demo project.
const (
	secretName     = "secret"
	tableName      = "table.db"
	privateKeyName = "private-key"
)

// parts are the names of the files in the order in which a first start makes
// them, each whole at once, and which a reset takes away from the end. So a kill
// leaves a folder that can be used, and a file that is missing while a later one
// is there was lost.
var parts = []string{secretName, files.FileName, tableName, privateKeyName}

// folder is where the data are. While it is open no other process can open it.
type folder struct {
	path   string
	files  *files.Server
	table  *bolt.Table
	secret []byte
	// damaged has an error once a file turns out to be damaged.
	damaged chan error
}

// openFolder opens a folder, which is made if it is missing. Origin is where
// browsers reach the files.
func openFolder(path, origin string, log *slog.Logger) (*folder, error) {
	f := &folder{path: path, damaged: make(chan error, 1)}
	if err := f.open(origin, log); err != nil {
		f.close()
		return nil, f.explain(err)
	}
	return f, nil
}

func (f *folder) open(origin string, log *slog.Logger) (err error) {
	if err = os.MkdirAll(f.path, 0o700); err != nil {
		return err
	}
	if err = f.nothingLost(); err != nil {
		return err
	}
	if f.secret, err = masterSecret(filepath.Join(f.path, secretName)); err != nil {
		return err
	}
	// It is open as long as the folder is, so its lock is the folder's.
	if f.files, err = files.Open(files.Config{Folder: f.path, Origin: origin, Log: log, Damaged: f.tell}); err != nil {
		return err
	}
	f.table, err = bolt.New(bolt.Config{Path: filepath.Join(f.path, tableName), Damaged: f.tell})
	return err
}

// nothingLost fails if a file is missing that had been there.
func (f *folder) nothingLost() error {
	missing := ""
	for _, name := range parts {
		_, err := os.Stat(filepath.Join(f.path, name))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			missing = cmp.Or(missing, name)
		case err != nil:
			return err
		case missing != "":
			return fmt.Errorf("%s %w beside %s", filepath.Join(f.path, missing), errLost, name)
		}
	}
	return nil
}

// errLost means that a file is missing that had been there.
var errLost = errors.New("is missing")

// tell notes that a file turned out to be damaged.
func (f *folder) tell(err error) {
	select {
	case f.damaged <- err:
	default: // the first is enough
	}
}

func (f *folder) close() error {
	var errs []error
	if f.table != nil {
		errs = append(errs, f.table.Close())
	}
	if f.files != nil {
		errs = append(errs, f.files.Close())
	}
	return errors.Join(errs...)
}

// explain says what an error of the folder means for who started Parley.
func (f *folder) explain(err error) error {
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return fmt.Errorf("the data in %s are in use by another Parley: stop it, or start this one elsewhere", f.path)
	case errors.Is(err, boltfile.ErrDamaged), errors.Is(err, errLost):
		return fmt.Errorf("the data in %s cannot be used: %w; restore a backup of the whole folder, or begin anew with: make run RESET=1", f.path, err)
	}
	return fmt.Errorf("the data in %s cannot be used: %w", f.path, err)
}

// resetFolder removes what a Parley has made in a folder, and nothing else. It
// is refused while another process uses the folder.
func resetFolder(path string) error {
	f := &folder{path: path}
	if err := freeToReset(filepath.Join(path, files.FileName)); err != nil {
		return f.explain(err)
	}
	for _, name := range slices.Backward(parts) {
		for _, name := range []string{name, name + boltfile.Unfinished} {
			if err := os.Remove(filepath.Join(path, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return f.explain(err)
			}
		}
	}
	return nil
}

// freeToReset fails if another process has the file open. One that is missing
// or damaged is free.
func freeToReset(path string) error {
	err := boltfile.Guard(path, func() error {
		db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, Timeout: 500 * time.Millisecond})
		if err != nil {
			return err
		}
		return db.Close()
	})
	if errors.Is(err, berrors.ErrTimeout) {
		return err
	}
	return nil
}

// masterSecret returns the secret kept in a file, which is made if it is missing.
func masterSecret(path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return newSecret(path)
	}
	if err != nil {
		return nil, err
	}
	secret, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(secret) < token.MinMasterBytes {
		return nil, fmt.Errorf("%s %w: it is no secret of %d bytes in hexadecimal", path, boltfile.ErrDamaged, token.MinMasterBytes)
	}
	return secret, nil
}

// newSecret makes a secret, whose file is there as a whole or not at all.
func newSecret(path string) ([]byte, error) {
	secret := make([]byte, token.MinMasterBytes)
	rand.Read(secret)
	next := path + boltfile.Unfinished
	if err := os.WriteFile(next, []byte(hex.EncodeToString(secret)+"\n"), 0o600); err != nil {
		return nil, err
	}
	return secret, os.Rename(next, path)
}
