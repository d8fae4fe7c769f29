package bolt

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"parley/shared/boltfile"
	"parley/shared/table"
)

// maxBatch is the most jobs of one commit: enough that a slow disk's fsync is
// shared by everybody who waits, few enough that a commit stays short.
const maxBatch = 1000

// A job is one write that waits for the writer.
type job struct {
	// plan decides what to change and returns how; nil means nothing. It only
	// reads; its error is the job's outcome and concerns no other job.
	plan func(*bbolt.Tx) (apply func() error, err error)
	// done receives the outcome once.
	done chan error
}

// Write implements table.Table. It waits for the outcome even if the context
// ends meanwhile: a commit takes milliseconds and then it is known.
func (t *Table) Write(ctx context.Context, actions ...table.Action) error {
	if err := table.CheckWrite(actions); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%w: %w", table.ErrNotDone, err)
	}
	return t.submit(func(tx *bbolt.Tx) (func() error, error) {
		changes, err := decide(tx, actions)
		if err != nil {
			return nil, err
		}
		return func() error { return t.store(tx, changes) }, nil
	})
}

func (t *Table) submit(plan func(*bbolt.Tx) (func() error, error)) error {
	j := &job{plan: plan, done: make(chan error, 1)}
	t.mu.Lock()
	if t.closed {
		t.mu.Unlock()
		return fmt.Errorf("%w: closed", table.ErrNotDone)
	}
	t.queue = append(t.queue, j)
	select {
	case t.wake <- struct{}{}:
	default:
	}
	t.mu.Unlock()
	return <-j.done
}

// writer is the only goroutine that writes. Whatever came in during a commit
// goes into the next one.
func (t *Table) writer() {
	for range t.wake {
		t.drain()
	}
	t.drain()
}

func (t *Table) drain() {
	for {
		t.mu.Lock()
		batch := t.queue[:min(len(t.queue), maxBatch)]
		t.queue = t.queue[len(batch):]
		t.mu.Unlock()
		if len(batch) == 0 {
			return
		}
		for n, err := range t.commit(batch) {
			batch[n].done <- err
		}
	}
}

// commit does a batch of jobs in one transaction of the file and returns the
// outcome of each.
func (t *Table) commit(batch []*job) []error {
	outcomes := make([]error, len(batch))
	if err := t.damage(); err != nil {
		return failAll(outcomes, fmt.Errorf("%w: %w", table.ErrNotDone, err))
	}
	tx, err := t.db.Begin(true)
	if err != nil {
		return failAll(outcomes, fmt.Errorf("%w: %w", table.ErrNotDone, err))
	}
	applied, fed := false, false
	err = boltfile.Guard(t.path, func() (err error) {
		before := tx.Bucket(changeBucket).Sequence()
		applied, err = perform(tx, batch, outcomes)
		fed = tx.Bucket(changeBucket).Sequence() > before
		return err
	})
	if err != nil {
		return failAll(outcomes, fmt.Errorf("%w: %w", table.ErrNotDone, t.abandon(tx, err)))
	}
	if !applied { // which saves the fsync of a commit
		return t.noted(outcomes, tx.Rollback())
	}
	if err := boltfile.Guard(t.path, tx.Commit); err != nil {
		return failAll(outcomes, fmt.Errorf("%w: %w", table.ErrUnknown, t.note(err)))
	}
	if fed {
		t.announce()
	}
	return t.noted(outcomes, nil)
}

// fillShare is how full a page is left that is split: nearly, as most keys of a
// partition come in their order, where bbolt's half would stay half empty.
const fillShare = 0.9

// perform has every job of a batch decide and change what it wants, and notes
// its outcome. It reports whether anything was changed; an error is of the whole
// batch.
func perform(tx *bbolt.Tx, batch []*job, outcomes []error) (applied bool, err error) {
	for _, name := range buckets() {
		tx.Bucket(name).FillPercent = fillShare
	}
	for n, j := range batch {
		apply, err := j.plan(tx)
		outcomes[n] = err
		if err != nil || apply == nil {
			continue
		}
		if err := apply(); err != nil {
			return false, err
		}
		applied = true
	}
	return applied, nil
}

// abandon gives up a transaction because of an error, which it returns. One that
// met damage stands: to end it bbolt might read on.
func (t *Table) abandon(tx *bbolt.Tx, err error) error {
	if err := t.note(err); errors.Is(err, boltfile.ErrDamaged) {
		return err
	}
	return errors.Join(err, tx.Rollback())
}

// noted returns the outcomes, in which damage is noted.
func (t *Table) noted(outcomes []error, err error) []error {
	for n := range outcomes {
		outcomes[n] = errors.Join(t.note(outcomes[n]), err)
	}
	return outcomes
}

func failAll(outcomes []error, err error) []error {
	for n := range outcomes {
		outcomes[n] = err
	}
	return outcomes
}

// decide checks the conditions of all actions and returns the changes they make.
func decide(tx *bbolt.Tx, actions []table.Action) ([]table.Change, error) {
	changes := make([]table.Change, len(actions))
	var refusals []table.Refusal
	for n, a := range actions {
		old, err := load(tx, a.Key)
		if err != nil {
			return nil, err
		}
		if !a.Holds(old) {
			refusals = append(refusals, table.Refusal{Action: n, Item: old})
		}
		changes[n].Old = old
	}
	if refusals != nil {
		return nil, &table.Refused{Refusals: refusals}
	}
	for n, a := range actions {
		item, err := a.Apply(changes[n].Old)
		if err != nil {
			return nil, err
		}
		changes[n].New = item
	}
	return changes, nil
}

// store makes the changes, with their index entries, expiry entries and
// records in the feed. One that changes nothing leaves no trace, as in DynamoDB.
func (t *Table) store(tx *bbolt.Tx, changes []table.Change) error {
	for _, c := range changes {
		if (c.Old == nil) == (c.New == nil) && c.Old.Equal(c.New) {
			continue
		}
		if err := storeItem(tx, c); err != nil {
			return err
		}
		for _, x := range indexes {
			if err := move(tx.Bucket([]byte(x)), entryOf(x, c.Old), entryOf(x, c.New)); err != nil {
				return err
			}
		}
		if err := move(tx.Bucket(expiryBucket), expiryKey(c.Old), expiryKey(c.New)); err != nil {
			return err
		}
		if err := appendChange(tx.Bucket(changeBucket), t.now(), c); err != nil {
			return err
		}
	}
	return nil
}

func storeItem(tx *bbolt.Tx, c table.Change) error {
	if c.New == nil {
		return tx.Bucket(itemBucket).Delete(itemKey(c.Old.Key()))
	}
	return tx.Bucket(itemBucket).Put(itemKey(c.New.Key()), appendItem(nil, c.New))
}

// move takes one key out of a bucket of keys and puts another in; nil is no key.
func move(b *bbolt.Bucket, old, new []byte) error {
	if string(old) == string(new) {
		return nil
	}
	if old != nil {
		if err := b.Delete(old); err != nil {
			return err
		}
	}
	if new != nil {
		return b.Put(new, nil)
	}
	return nil
}

func entryOf(x table.Index, item table.Item) []byte {
	if entry := x.Entry(item); entry != nil {
		return entryKey(x, entry)
	}
	return nil
}

// expiryKey is the time to live of an item, then its key; nil if it has none.
func expiryKey(item table.Item) []byte {
	at, ok := item[table.ExpiresAt].(int64)
	if !ok {
		return nil
	}
	return append(appendTime(nil, at), itemKey(item.Key())...)
}

// appendTime appends a number so that bytes sort as numbers do, negative ones too.
func appendTime(b []byte, at int64) []byte {
	return binary.BigEndian.AppendUint64(b, uint64(at)^(1<<63))
}

// timeOf is the time that a key of the expiry bucket begins with.
func timeOf(key []byte) time.Time {
	return time.Unix(int64(binary.BigEndian.Uint64(key)^(1<<63)), 0)
}
