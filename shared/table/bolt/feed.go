package bolt

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"parley/shared/table"
)

// keepChanges is how long the feed keeps a change that nobody has taken, as a
// DynamoDB stream does.
const keepChanges = 24 * time.Hour

// followBatch is the most changes that Follow reads at a time, as many as the
// stream gives a function by default.
const followBatch = 100

// removeEvery is how often changes that are done are removed: seldom enough that
// they cost no fsync each, soon enough that nothing erased stays for long.
const removeEvery = time.Second

// Record is a change and its place in the feed.
type Record struct {
	// Seq counts all changes of the table; it never goes back, also not over restarts.
	Seq uint64
	table.Change
}

// Changes returns at most limit changes after number seq, in order; 0 begins
// with the oldest that is kept: for 24 hours, unless Follow has seen to it.
func (t *Table) Changes(ctx context.Context, after uint64, limit int) ([]Record, error) {
	var records []Record
	err := t.view(ctx, func(tx *bbolt.Tx) error {
		c := tx.Bucket(changeBucket).Cursor()
		for k, v := c.Seek(seqKey(after + 1)); k != nil && len(records) < limit; k, v = c.Next() {
			r, _, err := decodeRecord(k, v)
			if err != nil {
				return err
			}
			records = append(records, r)
		}
		return nil
	})
	return records, err
}

// Follow calls each with every change, in order, beginning with the oldest that
// is kept, until the context ends or a call fails, and returns that error. A
// change is kept until its call has succeeded and its done was called, which may
// be later and by another goroutine; then it is removed from the feed. So every
// change is delivered at least once: what was not done when Follow ended, or the
// process was killed, comes again. One Follow runs at a time.
func (t *Table) Follow(ctx context.Context, each func(ctx context.Context, r Record, done func()) error) (err error) {
	defer func() { err = errors.Join(err, t.removeDone()) }()
	removed := time.Now()
	for at := uint64(0); ; {
		grown := t.whenGrown()
		records, err := t.Changes(ctx, at, followBatch)
		if err != nil {
			return err
		}
		for _, r := range records {
			if err := each(ctx, r, func() { t.setDone(r.Seq) }); err != nil {
				return fmt.Errorf("change %d: %w", r.Seq, err)
			}
			at = r.Seq
		}
		if len(records) == 0 {
			if err := t.wait(ctx, grown); err != nil {
				return err
			}
		}
		if time.Since(removed) >= removeEvery {
			if err := t.removeDone(); err != nil {
				return err
			}
			removed = time.Now()
		}
	}
}

// wait waits until the feed has grown, or it is time to remove what is done.
func (t *Table) wait(ctx context.Context, grown <-chan struct{}) error {
	select {
	case <-grown:
		return nil
	case <-time.After(removeEvery):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-t.stop:
		return fmt.Errorf("%w: closed", table.ErrUnavailable)
	}
}

func (t *Table) setDone(seq uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.done = append(t.done, seq)
}

// removeDone removes the changes that are done.
func (t *Table) removeDone() error {
	t.mu.Lock()
	done := t.done
	t.done = nil
	t.mu.Unlock()
	if len(done) == 0 {
		return nil
	}
	return t.submit(func(tx *bbolt.Tx) (func() error, error) {
		return func() error {
			for _, seq := range done {
				if err := tx.Bucket(changeBucket).Delete(seqKey(seq)); err != nil {
					return err
				}
			}
			return nil
		}, nil
	})
}

// whenGrown returns a channel that is closed when the feed grows.
func (t *Table) whenGrown() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.grown
}

func (t *Table) announce() {
	t.mu.Lock()
	defer t.mu.Unlock()
	close(t.grown)
	t.grown = make(chan struct{})
}

func seqKey(seq uint64) []byte { return binary.BigEndian.AppendUint64(nil, seq) }

// appendChange stores a change: its time in milliseconds, then both items.
func appendChange(b *bbolt.Bucket, now time.Time, c table.Change) error {
	seq, err := b.NextSequence()
	if err != nil {
		return err
	}
	value := binary.AppendVarint(nil, now.UnixMilli())
	return b.Put(seqKey(seq), appendItem(appendItem(value, c.Old), c.New))
}

func decodeRecord(key, value []byte) (r Record, at time.Time, err error) {
	d := decoder{b: value}
	at = time.UnixMilli(d.varint())
	r.Old, r.New = d.item(), d.item()
	if len(key) != 8 || d.err != nil || len(d.b) > 0 {
		return Record{}, at, fmt.Errorf("change %.16x: %w", key, errDamaged)
	}
	r.Seq = binary.BigEndian.Uint64(key)
	return r, at, nil
}
