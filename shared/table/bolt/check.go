package bolt

import (
	"fmt"

	"go.etcd.io/bbolt"

	"parley/shared/table"
)

// check reads everything in the file once: every item and change can be read,
// and exactly what its items call for is in every index. What is damaged beyond
// that, as a letter within a text, nobody can see.
func check(tx *bbolt.Tx) error {
	for _, name := range buckets() {
		if b := tx.Bucket(name); b == nil {
			return fmt.Errorf("%s is missing: %w", name, errDamaged)
		}
	}
	if err := tx.Bucket(changeBucket).ForEach(func(k, v []byte) error {
		_, _, err := decodeRecord(k, v)
		return err
	}); err != nil {
		return err
	}
	entries, err := checkItems(tx)
	if err != nil {
		return err
	}
	for name, want := range entries {
		n := 0
		if err := tx.Bucket([]byte(name)).ForEach(func(_, _ []byte) error { n++; return nil }); err != nil {
			return err
		}
		if n != want {
			return fmt.Errorf("%s has %d entries, and items call for %d: %w", name, n, want, errDamaged)
		}
	}
	return nil
}

// checkItems reads every item and looks for its entries, which it counts by the
// bucket that they are in.
func checkItems(tx *bbolt.Tx) (map[string]int, error) {
	entries := map[string]int{string(expiryBucket): 0}
	for _, x := range indexes {
		entries[string(x)] = 0
	}
	has := func(bucket string, key []byte) bool {
		if key == nil {
			return true
		}
		entries[bucket]++
		return tx.Bucket([]byte(bucket)).Get(key) != nil
	}
	err := tx.Bucket(itemBucket).ForEach(func(k, v []byte) error {
		pk, sk, ok := cutPartition(k)
		if !ok || v == nil {
			return fmt.Errorf("item %.60q: %w", k, errDamaged)
		}
		item, err := decodeStored(table.Key{PK: pk, SK: string(sk)}, v)
		if err != nil {
			return err
		}
		whole := has(string(expiryBucket), expiryKey(item))
		for _, x := range indexes {
			whole = has(string(x), entryOf(x, item)) && whole
		}
		if !whole {
			return fmt.Errorf("an index lacks item %.60q: %w", k, errDamaged)
		}
		return nil
	})
	return entries, err
}
