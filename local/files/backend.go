package files

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/johannesboyne/gofakes3"
	"go.etcd.io/bbolt"

	"parley/shared/boltfile"
)

// backend keeps the attachments in the file. Damage that one of its methods
// meets is an error, and the file is not used any more.
type backend struct {
	gofakes3.Backend
	db      *bbolt.DB
	path    string      // bbolt forgets it when it closes
	damaged func(error) // nil is nobody
	broken  atomic.Bool
	// writes keeps writers out while an object is copied from memory into which the file
	// is mapped: s3bolt hands that out, and the next write may map it elsewhere.
	writes sync.RWMutex
}

// begin prepares a new file, and returns the credentials of every file.
func (b *backend) begin() (c aws.Credentials, err error) {
	err = b.guard(func() error {
		empty := true
		if err := b.db.View(func(tx *bbolt.Tx) error {
			k, _ := tx.Cursor().First()
			empty = k == nil
			if !empty && tx.Bucket([]byte(Name)) == nil {
				return fmt.Errorf("%w (the attachments are missing)", boltfile.ErrDamaged)
			}
			return nil
		}); err != nil {
			return err
		}
		if empty {
			if err := b.Backend.CreateBucket(Name); err != nil {
				return err
			}
		}
		c, err = keepCredentials(b.db)
		return err
	})
	return c, err
}

// guard calls f, which uses the file.
func (b *backend) guard(f func() error) error {
	if b.broken.Load() {
		return fmt.Errorf("%s %w", b.path, boltfile.ErrDamaged)
	}
	err := boltfile.Guard(b.path, f)
	if errors.Is(err, boltfile.ErrDamaged) && !b.broken.Swap(true) && b.damaged != nil {
		b.damaged(err)
	}
	return err
}

// close closes the file, unless a transaction may stand open in a damaged one.
func (b *backend) close() error {
	if b.broken.Load() {
		return nil
	}
	return b.db.Close()
}

func (b *backend) GetObject(bucket, name string, r *gofakes3.ObjectRangeRequest) (o *gofakes3.Object, err error) {
	err = b.guard(func() (err error) {
		b.writes.RLock()
		defer b.writes.RUnlock()
		if o, err = b.Backend.GetObject(bucket, name, r); err != nil {
			return err
		}
		contents, err := io.ReadAll(o.Contents)
		o.Hash, o.Contents = bytes.Clone(o.Hash), io.NopCloser(bytes.NewReader(contents))
		return err
	})
	return o, err
}

func (b *backend) HeadObject(bucket, name string) (o *gofakes3.Object, err error) {
	err = b.guard(func() (err error) {
		b.writes.RLock()
		defer b.writes.RUnlock()
		if o, err = b.Backend.HeadObject(bucket, name); err == nil {
			o.Hash = bytes.Clone(o.Hash)
		}
		return err
	})
	return o, err
}

func (b *backend) PutObject(bucket, name string, meta map[string]string, data io.Reader, size int64, when *gofakes3.PutConditions) (p gofakes3.PutObjectResult, err error) {
	err = b.guard(func() (err error) {
		b.writes.Lock() // data is in memory
		defer b.writes.Unlock()
		p, err = b.Backend.PutObject(bucket, name, meta, data, size, when)
		return err
	})
	return p, err
}

func (b *backend) DeleteMulti(bucket string, names ...string) (d gofakes3.MultiDeleteResult, err error) {
	err = b.guard(func() (err error) {
		b.writes.Lock()
		defer b.writes.Unlock()
		d, err = b.Backend.DeleteMulti(bucket, names...)
		return err
	})
	return d, err
}

func (b *backend) BucketExists(name string) (exists bool, err error) {
	err = b.guard(func() (err error) { exists, err = b.Backend.BucketExists(name); return err })
	return exists, err
}
