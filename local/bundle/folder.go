package bundle

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"parley/local/files"
	"parley/shared/table/bolt"
	"parley/shared/token"
)

// What a folder holds: the table, the attachments (named by package files), the
// master secret, and a private key of the demo project.
const (
	tableName      = "table.db"
	filesName      = "files.db"
	secretName     = "secret"
	privateKeyName = "private-key"
)

// folder is where the data are. While it is open no other process can open it.
type folder struct {
	path   string
	files  *files.Server
	table  *bolt.Table
	secret []byte
}

// openFolder opens a folder, which is made if it is missing. Origin is where
// browsers reach the files.
func openFolder(path, origin string, log *slog.Logger) (*folder, error) {
	f := &folder{path: path}
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
	if f.files, err = files.Open(files.Config{Folder: f.path, Origin: origin, Log: log}); err != nil {
		return err
	}
	if f.table, err = bolt.New(bolt.Config{Path: filepath.Join(f.path, tableName)}); err != nil {
		return err
	}
	f.secret, err = masterSecret(filepath.Join(f.path, secretName))
	return err
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
	if errors.Is(err, berrors.ErrTimeout) {
		return fmt.Errorf("the data in %s are in use by another Parley: stop it, or start this one elsewhere", f.path)
	}
	return fmt.Errorf("the data in %s cannot be used: %w", f.path, err)
}

// resetFolder removes what a Parley has made in a folder, and nothing else. It
// is refused while another process uses the folder.
func resetFolder(path string) error {
	f := &folder{path: path}
	if err := freeToReset(filepath.Join(path, filesName)); err != nil {
		return f.explain(err)
	}
	for _, name := range []string{tableName, filesName, secretName, privateKeyName} {
		if err := os.Remove(filepath.Join(path, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return f.explain(err)
		}
	}
	return nil
}

// freeToReset fails if another process has the file open. One that is missing
// or damaged is free.
func freeToReset(path string) error {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, Timeout: 500 * time.Millisecond})
	if errors.Is(err, berrors.ErrTimeout) {
		return err
	}
	if err == nil {
		return db.Close()
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
		return nil, fmt.Errorf("%s is no secret of %d bytes in hexadecimal", path, token.MinMasterBytes)
	}
	return secret, nil
}

func newSecret(path string) ([]byte, error) {
	secret := make([]byte, token.MinMasterBytes)
	rand.Read(secret)
	return secret, os.WriteFile(path, []byte(hex.EncodeToString(secret)+"\n"), 0o600)
}
