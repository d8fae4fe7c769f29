// Package bolt is the table in one file on a local disk, for a single process:
// the development server and the tests. It keeps what package table promises,
// with indexes that are never late, and adds a change feed in place of the
// DynamoDB stream.
package bolt

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"parley/shared/table"
)

// lockWait is how long New waits for another process to let go of the file:
// enough for one that is stopping, short enough for somebody who waits.
const lockWait = time.Second

// Buckets of the file. An index has a bucket of its own name.
var (
	itemBucket   = []byte("items")   // itemKey → item
	expiryBucket = []byte("expiry")  // time to live, itemKey → nothing
	changeBucket = []byte("changes") // number → time, old item, new item
)

var indexes = []table.Index{table.Owner, table.Work}

// Config says where the table is.
type Config struct {
	// Path is the file, which is created if it is missing; its folder is not. Required.
	Path string
	// Now is the clock of time to live and of the feed; nil means time.Now.
	Now func() time.Time
	// NoSync leaves out the fsync of every commit: faster, and a crash of the
	// machine may damage the file. For tests.
	NoSync bool
}

// Table is a table.Table in one file. Its methods may be called from many
// goroutines.
type Table struct {
	db  *bbolt.DB
	now func() time.Time

	mu     sync.Mutex
	queue  []*job        // waiting for the writer
	done   []uint64      // changes that Follow's reader is done with, not yet removed
	closed bool          // no more jobs
	grown  chan struct{} // closed when the feed has grown, then replaced

	wake    chan struct{} // holds at most one token: the queue is not empty
	stop    chan struct{} // closed by Close
	stopped sync.WaitGroup
}

var _ table.Table = (*Table)(nil)

// New opens the file. It fails if the file cannot be created, is no table, or
// is held by another process.
func New(c Config) (*Table, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	db, err := bbolt.Open(c.Path, 0o600, &bbolt.Options{
		Timeout:        lockWait,
		NoSync:         c.NoSync,
		NoFreelistSync: true,
		FreelistType:   bbolt.FreelistMapType,
	})
	if errors.Is(err, berrors.ErrTimeout) {
		return nil, fmt.Errorf("open table %s: another process has it open", c.Path)
	}
	if err != nil {
		return nil, fmt.Errorf("open table %s: %w", c.Path, err)
	}
	if err := db.Update(createBuckets); err != nil {
		return nil, errors.Join(fmt.Errorf("open table %s: %w", c.Path, err), db.Close())
	}
	t := &Table{
		db:    db,
		now:   c.Now,
		grown: make(chan struct{}),
		wake:  make(chan struct{}, 1),
		stop:  make(chan struct{}),
	}
	t.stopped.Go(t.writer)
	t.stopped.Go(t.sweeper)
	return t, nil
}

func createBuckets(tx *bbolt.Tx) error {
	names := [][]byte{itemBucket, expiryBucket, changeBucket}
	for _, x := range indexes {
		names = append(names, []byte(x))
	}
	for _, name := range names {
		if _, err := tx.CreateBucketIfNotExists(name); err != nil {
			return err
		}
	}
	return nil
}

// Close finishes the writes that have begun and closes the file. Calls after
// it fail.
func (t *Table) Close() error {
	t.mu.Lock()
	if t.closed {
		t.mu.Unlock()
		return nil
	}
	t.closed = true
	close(t.wake)
	close(t.stop)
	t.mu.Unlock()
	t.stopped.Wait()
	return t.db.Close()
}

// Get implements table.Table. Every read is consistent.
func (t *Table) Get(ctx context.Context, _ bool, keys ...table.Key) ([]table.Item, error) {
	if err := table.CheckGet(keys); err != nil {
		return nil, err
	}
	now := t.now()
	items := make([]table.Item, len(keys))
	err := t.view(ctx, func(tx *bbolt.Tx) error {
		for n, k := range keys {
			item, err := load(tx, k)
			if err != nil {
				return err
			}
			if !item.Expired(now) {
				items[n] = item
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return items, nil
}

// Query implements table.Table. Every read is consistent.
func (t *Table) Query(ctx context.Context, q table.Query) (table.Page, error) {
	if err := q.Check(); err != nil {
		return table.Page{}, err
	}
	var page table.Page
	err := t.view(ctx, func(tx *bbolt.Tx) (err error) {
		page, err = query(tx, q, t.now())
		return err
	})
	return page, err
}

func (t *Table) view(ctx context.Context, read func(*bbolt.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	err := t.db.View(read)
	if errors.Is(err, berrors.ErrDatabaseNotOpen) {
		return fmt.Errorf("%w: closed", table.ErrUnavailable)
	}
	return err
}

func load(tx *bbolt.Tx, k table.Key) (table.Item, error) {
	return decodeStored(k, tx.Bucket(itemBucket).Get(itemKey(k)))
}

// decodeStored reads the value stored for an item; nil is no item.
func decodeStored(k table.Key, value []byte) (table.Item, error) {
	if value == nil {
		return nil, nil
	}
	item, rest, err := decodeItem(value)
	if err != nil || len(rest) > 0 || item.Key() != k {
		return nil, fmt.Errorf("item %v: %w", k, errDamaged)
	}
	return item, nil
}
