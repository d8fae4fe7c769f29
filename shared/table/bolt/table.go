// Package bolt is the table in one file on a local disk, for a single process:
// the development server and the tests. It keeps what package table promises,
// with indexes that are never late, and adds a change feed in place of the
// DynamoDB stream.
package bolt

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"parley/shared/boltfile"
	"parley/shared/table"
)

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
	// Damaged is told once if the file turns out to be damaged while it is open;
	// nil means nobody. From then on calls fail.
	Damaged func(error)
}

// Table is a table.Table in one file. Its methods may be called from many
// goroutines.
type Table struct {
	db      *bbolt.DB
	path    string // bbolt forgets it when it closes
	now     func() time.Time
	damaged func(error)

	mu     sync.Mutex
	queue  []*job        // waiting for the writer
	done   []uint64      // changes that Follow's reader is done with, not yet removed
	closed bool          // no more jobs
	broken error         // how the file is damaged
	grown  chan struct{} // closed when the feed has grown, then replaced

	wake    chan struct{} // holds at most one token: the queue is not empty
	stop    chan struct{} // closed by Close
	stopped sync.WaitGroup
}

var _ table.Table = (*Table)(nil)

// New opens the file. It fails if the file cannot be created, is no table or a
// damaged one (boltfile.ErrDamaged), or is held by another process.
func New(c Config) (*Table, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Damaged == nil {
		c.Damaged = func(error) {}
	}
	db, err := boltfile.Open(c.Path, bbolt.Options{
		NoSync:         c.NoSync,
		NoFreelistSync: true,
		FreelistType:   bbolt.FreelistMapType,
	}, createBuckets)
	if errors.Is(err, berrors.ErrTimeout) {
		return nil, fmt.Errorf("open table %s: another process has it open: %w", c.Path, err)
	}
	if err != nil {
		return nil, err
	}
	t := &Table{
		db:      db,
		path:    c.Path,
		now:     c.Now,
		damaged: c.Damaged,
		grown:   make(chan struct{}),
		wake:    make(chan struct{}, 1),
		stop:    make(chan struct{}),
	}
	if err := boltfile.Guard(c.Path, func() error { return db.View(check) }); err != nil {
		db.Close() // what is wrong is said already
		return nil, withPath(c.Path, err)
	}
	t.stopped.Go(t.writer)
	t.stopped.Go(t.sweeper)
	return t, nil
}

// buckets are the names of all buckets.
func buckets() [][]byte {
	names := [][]byte{itemBucket, expiryBucket, changeBucket}
	for _, x := range indexes {
		names = append(names, []byte(x))
	}
	return names
}

func createBuckets(tx *bbolt.Tx) error {
	for _, name := range buckets() {
		if _, err := tx.CreateBucket(name); err != nil {
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
	if t.broken != nil { // a transaction may stand open, which bbolt would wait for
		return nil
	}
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
	if err := t.damage(); err != nil {
		return err
	}
	err := boltfile.Guard(t.path, func() error { return t.db.View(read) })
	if errors.Is(err, berrors.ErrDatabaseNotOpen) {
		return fmt.Errorf("%w: closed", table.ErrUnavailable)
	}
	return t.note(err)
}

// note tells of an error that means that the file is damaged, and makes it one
// that is known of.
func (t *Table) note(err error) error {
	if !errors.Is(err, boltfile.ErrDamaged) {
		return err
	}
	err = withPath(t.path, err)
	t.mu.Lock()
	first := t.broken == nil
	t.broken = cmp.Or(t.broken, err)
	t.mu.Unlock()
	if first {
		t.damaged(err)
	}
	return fmt.Errorf("%w: %w", table.ErrUnavailable, err)
}

// withPath names the file in an error of this package's; boltfile's do.
func withPath(path string, err error) error {
	if errors.Is(err, errDamaged) {
		return fmt.Errorf("%s: %w", path, err)
	}
	return err
}

// damage is not nil once the file is known to be damaged.
func (t *Table) damage() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.broken == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", table.ErrUnavailable, t.broken)
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
		return nil, fmt.Errorf("item %.60q %.60q: %w", k.PK, k.SK, errDamaged)
	}
	return item, nil
}
