package bolt

import (
	"bytes"
	"time"

	"go.etcd.io/bbolt"

	"parley/shared/table"
)

// query returns one page. It examines items until the limit of items or of
// bytes, then takes the expired ones out, as DynamoDB and a filter would.
func query(tx *bbolt.Tx, q table.Query, now time.Time) (table.Page, error) {
	bucket := itemBucket
	if q.Index != table.Primary {
		bucket = []byte(q.Index)
	}
	var page table.Page
	examined, size := 0, 0
	for s := newScan(tx.Bucket(bucket), q); s.key != nil; s.step() {
		item, err := s.item(q.Index)
		if err != nil {
			return table.Page{}, err
		}
		if !item.Expired(now) {
			page.Items = append(page.Items, item)
		}
		examined++
		size += item.Size()
		if examined == q.Limit || size >= table.MaxPageBytes {
			page.Next = q.Index.Position(item)
			break
		}
	}
	return page, nil
}

// A scan walks the keys of a query in its order. Its key is nil at the end.
type scan struct {
	cursor     *bbolt.Cursor
	descending bool
	low, high  []byte
	key, value []byte
}

func newScan(b *bbolt.Bucket, q table.Query) *scan {
	s := &scan{cursor: b.Cursor(), descending: q.Descending}
	s.low, s.high = keyRange(q)
	if !s.descending {
		s.set(s.cursor.Seek(s.low))
		return s
	}
	if key, _ := s.cursor.Seek(s.high); key == nil {
		s.set(s.cursor.Last())
	} else {
		s.set(s.cursor.Prev())
	}
	return s
}

func (s *scan) step() {
	if s.descending {
		s.set(s.cursor.Prev())
	} else {
		s.set(s.cursor.Next())
	}
}

func (s *scan) set(key, value []byte) {
	if bytes.Compare(key, s.low) < 0 || bytes.Compare(key, s.high) >= 0 {
		key = nil
	}
	s.key, s.value = key, value
}

func (s *scan) item(x table.Index) (table.Item, error) {
	if x != table.Primary {
		return decodeEntry(x, s.key)
	}
	pk, sk, _ := cutPartition(s.key)
	return decodeStored(table.Key{PK: pk, SK: string(sk)}, s.value)
}
