package bolt

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"parley/shared/table"
)

// keepChanges is how long the feed keeps a change, as a DynamoDB stream does.
const keepChanges = 24 * time.Hour

// followBatch is the most changes that Follow hands over between two
// notes of its position, as many as the stream gives a function by default.
const followBatch = 100

// Record is a change and its place in the feed.
type Record struct {
	// Seq counts all changes of the table; it never goes back, also not over restarts.
	Seq uint64
	table.Change
}

// Changes returns at most limit changes after number seq, in order; 0 begins
// with the oldest that is kept, at least 24 hours old if there is one.
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

// Follow calls each with every change, in order, from where the reader of this
// name had got to, until the context ends or a call fails, and returns that
// error. A new reader begins with the oldest change that is kept. Every change
// is delivered at least once: a call that failed, and up to 100 before it, are
// repeated by the next Follow. A name has one Follow at a time.
func (t *Table) Follow(ctx context.Context, reader string, each func(context.Context, Record) error) error {
	at, err := t.position(ctx, reader)
	for err == nil {
		grown := t.whenGrown()
		var records []Record
		if records, err = t.Changes(ctx, at, followBatch); err != nil {
			break
		}
		if len(records) == 0 {
			err = t.wait(ctx, grown)
			continue
		}
		for _, r := range records {
			if err := each(ctx, r); err != nil {
				return fmt.Errorf("change %d: %w", r.Seq, err)
			}
		}
		at = records[len(records)-1].Seq
		err = t.setPosition(reader, at)
	}
	return err
}

func (t *Table) wait(ctx context.Context, grown <-chan struct{}) error {
	select {
	case <-grown:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-t.stop:
		return fmt.Errorf("%w: closed", table.ErrUnavailable)
	}
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

func (t *Table) position(ctx context.Context, reader string) (seq uint64, err error) {
	err = t.view(ctx, func(tx *bbolt.Tx) error {
		if v := tx.Bucket(positionBucket).Get([]byte(reader)); len(v) == 8 {
			seq = binary.BigEndian.Uint64(v)
		}
		return nil
	})
	return seq, err
}

func (t *Table) setPosition(reader string, seq uint64) error {
	return t.submit(func(tx *bbolt.Tx) (func() error, error) {
		return func() error { return tx.Bucket(positionBucket).Put([]byte(reader), seqKey(seq)) }, nil
	})
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
		return Record{}, at, fmt.Errorf("change %x: %w", key, errDamaged)
	}
	r.Seq = binary.BigEndian.Uint64(key)
	return r, at, nil
}
