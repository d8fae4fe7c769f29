package bolt

import (
	"bytes"
	"time"

	"go.etcd.io/bbolt"

	"parley/shared/table"
)

// sweepEvery is the time between two looks for what is over: short, so that a
// laptop shows what DynamoDB may take days for.
const sweepEvery = 10 * time.Second

// sweepBatch is the most expired items, and the most old changes, that one
// commit removes, so that other writes never wait long.
const sweepBatch = 200

// sweeper removes expired items and old changes until the table is closed.
func (t *Table) sweeper() {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-t.stop:
			return
		case <-tick.C:
		}
		// An error is an unreadable file or a closed table, which every other
		// call reports to somebody who can act; the next tick looks again.
		for more := true; more; {
			more, _ = t.sweep()
		}
	}
}

// sweep removes one batch and reports whether there may be more.
func (t *Table) sweep() (more bool, err error) {
	err = t.submit(func(tx *bbolt.Tx) (func() error, error) {
		expired, err := expiredItems(tx, t.now(), sweepBatch)
		if err != nil {
			return nil, err
		}
		old, err := oldChanges(tx, t.now().Add(-keepChanges), sweepBatch)
		if err != nil || len(expired)+len(old) == 0 {
			return nil, err
		}
		more = len(expired) == sweepBatch || len(old) == sweepBatch
		return func() error {
			for _, k := range old {
				if err := tx.Bucket(changeBucket).Delete(k); err != nil {
					return err
				}
			}
			return t.store(tx, expired)
		}, nil
	})
	return more && err == nil, err
}

// expiredItems returns the deletions of items whose time has come.
func expiredItems(tx *bbolt.Tx, now time.Time, limit int) ([]table.Change, error) {
	var deletions []table.Change
	end := appendTime(nil, now.Unix()+1)
	c := tx.Bucket(expiryBucket).Cursor()
	for k, _ := c.First(); k != nil && bytes.Compare(k, end) < 0 && len(deletions) < limit; k, _ = c.Next() {
		pk, sk, ok := cutPartition(k[len(end):])
		if !ok {
			return nil, errDamaged
		}
		item, err := load(tx, table.Key{PK: pk, SK: string(sk)})
		if err != nil {
			return nil, err
		}
		deletions = append(deletions, table.Change{Old: item})
	}
	return deletions, nil
}

// oldChanges returns the keys of changes from before the given time.
func oldChanges(tx *bbolt.Tx, before time.Time, limit int) ([][]byte, error) {
	var keys [][]byte
	c := tx.Bucket(changeBucket).Cursor()
	for k, v := c.First(); k != nil && len(keys) < limit; k, v = c.Next() {
		_, at, err := decodeRecord(k, v)
		if err != nil {
			return nil, err
		}
		if !at.Before(before) {
			break
		}
		keys = append(keys, bytes.Clone(k))
	}
	return keys, nil
}
