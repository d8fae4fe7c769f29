package bolt

import (
	"bytes"
	"time"

	"go.etcd.io/bbolt"

	"parley/shared/table"
)

// sweepEvery is the time between two looks for what is over while the table
// changes: short, so that a laptop shows what DynamoDB may take days for.
const sweepEvery = 10 * time.Second

// sweepAtLeast is the longest time between two looks of a table at rest, whose next
// item is over later: the clock may be set ahead.
const sweepAtLeast = time.Hour

// sweepBatch is the most expired items, and the most old changes, that one
// commit removes, so that other writes never wait long.
const sweepBatch = 200

// sweeper removes expired items and old changes until the table is closed. A table
// at rest is let be until something in it is over.
func (t *Table) sweeper() {
	rest, changed := time.Duration(0), t.whenGrown()
	for t.sleep(sweepEvery, nil) && t.sleep(rest, changed) {
		changed = t.whenGrown()
		// An error is an unreadable file or a closed table, which every other
		// call reports to somebody who can act; the next tick looks again.
		next, err := t.sweep()
		for err == nil && next.IsZero() {
			next, err = t.sweep()
		}
		if rest = 0; err == nil {
			rest = next.Sub(t.now()) - sweepEvery
		}
	}
}

// sleep waits for so long, or until the channel is closed. It reports whether the
// table is still open.
func (t *Table) sleep(d time.Duration, cut <-chan struct{}) bool {
	select {
	case <-t.stop:
		return false
	case <-cut:
	case <-time.After(d):
	}
	return true
}

// sweep removes one batch and returns when to look again: a zero time if at once.
func (t *Table) sweep() (next time.Time, err error) {
	err = t.submit(func(tx *bbolt.Tx) (func() error, error) {
		now := t.now()
		next = now.Add(sweepAtLeast)
		expired, expiry, err := expiredItems(tx, now, sweepBatch)
		if err != nil {
			return nil, err
		}
		old, oldest, err := oldChanges(tx, now.Add(-keepChanges), sweepBatch)
		if err != nil {
			return nil, err
		}
		for _, at := range []time.Time{expiry, oldest.Add(keepChanges)} {
			if at.After(now) && at.Before(next) {
				next = at
			}
		}
		if len(expired) == sweepBatch || len(old) == sweepBatch {
			next = time.Time{}
		}
		if len(expired)+len(old) == 0 {
			return nil, nil
		}
		return func() error {
			for _, k := range old {
				if err := tx.Bucket(changeBucket).Delete(k); err != nil {
					return err
				}
			}
			return t.store(tx, expired)
		}, nil
	})
	return next, err
}

// expiredItems returns the deletions of items whose time has come, and when the next
// one's comes; zero if there is none.
func expiredItems(tx *bbolt.Tx, now time.Time, limit int) (deletions []table.Change, next time.Time, err error) {
	end := appendTime(nil, now.Unix()+1)
	c := tx.Bucket(expiryBucket).Cursor()
	for k, _ := c.First(); k != nil && len(deletions) < limit; k, _ = c.Next() {
		pk, sk, ok := cutPartition(k[min(len(end), len(k)):])
		if !ok {
			return nil, next, errDamaged
		}
		if bytes.Compare(k, end) >= 0 {
			return deletions, timeOf(k), nil
		}
		item, err := load(tx, table.Key{PK: pk, SK: string(sk)})
		if err != nil {
			return nil, next, err
		}
		deletions = append(deletions, table.Change{Old: item})
	}
	return deletions, next, nil
}

// oldChanges returns the keys of changes from before the given time, and the time of
// the next one; zero if there is none.
func oldChanges(tx *bbolt.Tx, before time.Time, limit int) (keys [][]byte, next time.Time, err error) {
	c := tx.Bucket(changeBucket).Cursor()
	for k, v := c.First(); k != nil && len(keys) < limit; k, v = c.Next() {
		_, at, err := decodeRecord(k, v)
		if err != nil {
			return nil, next, err
		}
		if !at.Before(before) {
			return keys, at, nil
		}
		keys = append(keys, bytes.Clone(k))
	}
	return keys, next, nil
}
