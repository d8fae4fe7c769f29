// Package boltfile opens the bbolt files of a laptop's Parley so that they keep
// what their users expect of data: one that is damaged is refused in words, one
// that a kill interrupts is whole before and after, one that has become mostly
// empty shrinks. bbolt itself ends the process with a stack trace when it meets
// a damaged page, partly in goroutines that nobody else can recover.
package boltfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// ErrDamaged means that a file is not as it was written: only a backup helps.
var ErrDamaged = errors.New("is damaged")

// lockWait is how long Open waits for another process to let go of a file:
// enough for one that is stopping, short enough for somebody who waits.
const lockWait = time.Second

// Unfinished is added to the name of a file that is being made or compacted,
// until it takes its place. What a kill has left under it is of no use.
const Unfinished = ".new"

// minFree and freeShare say when Open compacts a file: when this many bytes, and
// at least this share of its pages, are free. Our choice: a small file is not
// worth the writing, and a file that is used evenly keeps some room.
const (
	minFree   = 1 << 20
	freeShare = 0.5
)

// growBy is by how many bytes a file grows at a time. Our choice: bbolt's 16 MiB
// are more than most laptops' data.
const growBy = 1 << 20

// Open opens a file, which is made if it is missing, with what begin writes in
// it. It is checked page by page first, and compacted if it is mostly free. The
// errors are bbolt's errors.ErrTimeout if another process has the file open,
// ErrDamaged, and those of the file system; the text has the path.
func Open(path string, o bbolt.Options, begin func(*bbolt.Tx) error) (db *bbolt.DB, err error) {
	o.Timeout = lockWait
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		if err := replace(path, o, func(db *bbolt.DB) error { return db.Update(begin) }); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	free, err := checkFile(path)
	if err != nil {
		return nil, err
	}
	if db, err = openSame(path, o); err != nil || !free.worthIt() {
		return db, err
	}
	err = replace(path, o, func(into *bbolt.DB) error { return bbolt.Compact(into, db, 1<<20) })
	if err := errors.Join(err, db.Close()); err != nil {
		return nil, fmt.Errorf("compact %s: %w", path, err)
	}
	return openSame(path, o)
}

// openSame opens a file and makes sure that no other process has put another in
// its place while this one waited for the lock.
func openSame(path string, o bbolt.Options) (*bbolt.DB, error) {
	var file *os.File
	o.OpenFile = func(name string, flag int, mode os.FileMode) (f *os.File, err error) {
		file, err = os.OpenFile(name, flag&^os.O_CREATE, mode)
		return file, err
	}
	var db *bbolt.DB
	err := Guard(path, func() (err error) {
		db, err = bbolt.Open(path, 0o600, &o)
		return err
	})
	if err != nil {
		return nil, opened(path, err)
	}
	db.AllocSize = growBy
	mine, err1 := file.Stat()
	there, err2 := os.Stat(path)
	if err := errors.Join(err1, err2); err != nil || !os.SameFile(mine, there) {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, berrors.ErrTimeout), err, db.Close())
	}
	return db, nil
}

// opened says what an error of bbolt's open means: one that neither the lock nor
// the file system is the cause of is in the file.
func opened(path string, err error) error {
	var system *fs.PathError
	switch {
	case errors.Is(err, ErrDamaged):
		return err
	case errors.Is(err, berrors.ErrTimeout), errors.As(err, &system):
		return fmt.Errorf("open %s: %w", path, err)
	}
	return damaged(path, err)
}

// replace makes a file anew, with what fill writes in it, and puts it in its
// place when it is on the disk: a kill leaves what was there before.
func replace(path string, o bbolt.Options, fill func(*bbolt.DB) error) error {
	next := path + Unfinished
	if err := os.Remove(next); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	noSync := o.NoSync
	o.NoSync = true // once, at the end
	db, err := bbolt.Open(next, 0o600, &o)
	if err != nil {
		return err
	}
	db.AllocSize = growBy
	err = fill(db)
	if err == nil && !noSync {
		err = db.Sync()
	}
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	if err := os.Rename(next, path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// syncFolder brings a rename to the disk.
func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
