package boltfile_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"parley/shared/boltfile"
)

// fill writes buckets within buckets, small ones and large ones, and values that
// take many pages.
func fill(tx *bbolt.Tx) error {
	for n := range 3 {
		b, err := tx.CreateBucket(fmt.Appendf(nil, "bucket %d", n))
		if err != nil {
			return err
		}
		if err := b.SetSequence(uint64(7 + n)); err != nil {
			return err
		}
		for i := range 10 * (1 + 9*n) {
			if err := b.Put(fmt.Appendf(nil, "key %03d", i), bytes.Repeat([]byte("value "), 10+i)); err != nil {
				return err
			}
		}
		within, err := b.CreateBucket([]byte("within"))
		if err != nil {
			return err
		}
		if err := errors.Join(within.Put([]byte("k"), nil), within.Put([]byte("large"), make([]byte, 20000*n))); err != nil {
			return err
		}
	}
	return nil
}

// walk reads everything and returns what it has seen.
func walk(db *bbolt.DB) (seen string, err error) {
	var bucket func(indent string, b *bbolt.Bucket) error
	bucket = func(indent string, b *bbolt.Bucket) error {
		return b.ForEach(func(k, v []byte) error {
			seen += fmt.Sprintf("%s%s %d\n", indent, k, len(v))
			if within := b.Bucket(k); v == nil && within != nil {
				return bucket(indent+" ", within)
			}
			return nil
		})
	}
	err = db.View(func(tx *bbolt.Tx) error {
		return tx.ForEach(func(name []byte, b *bbolt.Bucket) error {
			seen += fmt.Sprintf("%s %d\n", name, b.Sequence())
			return bucket(" ", b)
		})
	})
	return seen, err
}

func open(t *testing.T, path string, o bbolt.Options) *bbolt.DB {
	t.Helper()
	db, err := boltfile.Open(path, o, fill)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// TestDamage: however a file is damaged, with or without a list of its free
// pages, Open says so, or everything in it can be read and written.
func TestDamage(t *testing.T) {
	for name, o := range map[string]bbolt.Options{"list of free pages": {NoSync: true}, "none": {NoSync: true, NoFreelistSync: true}} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "file")
			db := open(t, path, o)
			if err := db.Update(func(tx *bbolt.Tx) error { return tx.DeleteBucket([]byte("bucket 1")) }); err != nil {
				t.Fatal(err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			file, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			source, refused := rand.New(rand.NewPCG(3, 4)), 0
			size := os.Getpagesize()
			for n := range 1000 {
				b := bytes.Clone(file)
				page := b[n%(len(b)/size)*size:][:size]
				switch n % 4 {
				case 0:
					page[source.IntN(16)] ^= 1 << source.IntN(8)
				case 1:
					page[source.IntN(size/8)] ^= 1 << source.IntN(8)
				case 2:
					clear(page[source.IntN(size/2):])
				case 3:
					b[source.IntN(len(b))] = byte(source.IntN(256))
				}
				if err := os.WriteFile(path, b, 0o600); err != nil {
					t.Fatal(err)
				}
				db, err := boltfile.Open(path, o, fill)
				if err != nil {
					refused++
					if !errors.Is(err, boltfile.ErrDamaged) || !strings.Contains(err.Error(), path) {
						t.Errorf("%d: Open = %v, want %v", n, err, boltfile.ErrDamaged)
					}
					continue
				}
				if _, err := walk(db); err != nil {
					t.Errorf("%d: walk = %v", n, err)
				}
				err = db.Update(func(tx *bbolt.Tx) error {
					return tx.ForEach(func(_ []byte, b *bbolt.Bucket) error { return b.Put([]byte("a"), nil) })
				})
				if err := errors.Join(err, db.Close()); err != nil {
					t.Errorf("%d: write = %v", n, err)
				}
			}
			if refused == 0 {
				t.Error("Open took every one of them")
			}
		})
	}
}

// TestCompact: a file that is mostly free is smaller after the next Open and
// says the same, and what a kill has left of an earlier try is in nobody's way.
func TestCompact(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	o := bbolt.Options{NoSync: true}
	db := open(t, path, o)
	err := db.Update(func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte("bucket 1")).Put([]byte("huge"), make([]byte, 4<<20))
	})
	if err == nil {
		err = db.Update(func(tx *bbolt.Tx) error { return tx.Bucket([]byte("bucket 1")).Delete([]byte("huge")) })
	}
	if err != nil {
		t.Fatal(err)
	}
	want, err := walk(db)
	if err := errors.Join(err, db.Close(), os.WriteFile(path+boltfile.Unfinished, []byte("half"), 0o600)); err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	got, err := walk(open(t, path, o))
	if err != nil || got != want {
		t.Errorf("after it the file says\n%s (%v), want\n%s", got, err, want)
	}
	if after, err := os.Stat(path); err != nil || before.Size() < 4<<20 || after.Size() > before.Size()/4 {
		t.Errorf("the file had %d bytes, and has %v (%v)", before.Size(), after, err)
	}
	if _, err := os.Stat(path + boltfile.Unfinished); err == nil {
		t.Error("the unfinished file is left")
	}
}

// TestInUse: the file of another process is neither compacted nor read.
func TestInUse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	open(t, path, bbolt.Options{NoSync: true})
	if _, err := boltfile.Open(path, bbolt.Options{}, fill); !errors.Is(err, berrors.ErrTimeout) {
		t.Errorf("Open = %v, want %v", err, berrors.ErrTimeout)
	}
}
