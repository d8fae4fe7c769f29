package bolt

import (
	"bytes"
	"encoding/binary"

	"parley/shared/table"
)

// partitionPrefix begins all keys of a partition and no other key: the length
// of its name in two bytes, then the name.
func partitionPrefix(name string) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(name))), name...)
}

// itemKey is the key of an item. Within a partition it sorts by sk.
func itemKey(k table.Key) []byte { return append(partitionPrefix(k.PK), k.SK...) }

// entryKey is the key of an entry of an index: partition, sort key, then the
// item's key, which makes it unique. The sort key ends with 00 00, and a zero
// byte in it is written 00 FF, so that entries sort as their sort keys do.
func entryKey(x table.Index, entry table.Item) []byte {
	partition, sort := x.Keys()
	b := appendSort(partitionPrefix(entry.String(partition)), entry.String(sort))
	return append(append(b, 0, 0), itemKey(entry.Key())...)
}

func appendSort(b []byte, sort string) []byte {
	for _, c := range []byte(sort) {
		b = append(b, c)
		if c == 0 {
			b = append(b, 0xFF)
		}
	}
	return b
}

// decodeEntry is the reverse of entryKey.
func decodeEntry(x table.Index, b []byte) (table.Item, error) {
	partition, sort := x.Keys()
	p, b, _ := cutPartition(b) // where that fails nothing is left, of which the next fails too
	s, b, _ := cutSort(b)
	pk, sk, ok := cutPartition(b)
	if !ok {
		return nil, errDamaged
	}
	return table.Item{table.PK: pk, table.SK: string(sk), partition: p, sort: s}, nil
}

func cutPartition(b []byte) (name string, rest []byte, ok bool) {
	if len(b) < 2 {
		return "", nil, false
	}
	n := 2 + int(binary.BigEndian.Uint16(b))
	if len(b) < n {
		return "", nil, false
	}
	return string(b[2:n]), b[n:], true
}

func cutSort(b []byte) (sort string, rest []byte, ok bool) {
	var s []byte
	for i := 0; i+1 < len(b); i++ {
		if b[i] != 0 {
			s = append(s, b[i])
			continue
		}
		switch b[i+1] {
		case 0:
			return string(s), b[i+2:], true
		case 0xFF:
			s = append(s, 0)
			i++
		default:
			return "", nil, false
		}
	}
	return "", nil, false
}

// keyRange returns the stored keys that a query may return: from low up to,
// but without, high.
func keyRange(q table.Query) (low, high []byte) {
	prefix := partitionPrefix(q.Partition)
	bound := func(sort string) []byte { return append(bytes.Clone(prefix), sort...) }
	start, after := itemKey(q.Start.Key()), []byte{0}
	if q.Index != table.Primary {
		bound = func(sort string) []byte { return appendSort(bytes.Clone(prefix), sort) }
		start, after = entryKey(q.Index, q.Start), []byte{0, 1}
	}
	low, high = bound(q.From), next(prefix)
	if q.To != "" {
		high = append(bound(q.To), after...)
	}
	switch {
	case q.Start == nil:
	case q.Descending:
		high = start
	default:
		low = append(start, 0)
	}
	return low, high
}

// next returns the first key after all that begin with the prefix, which is
// not all FF: its length comes first.
func next(prefix []byte) []byte {
	b := bytes.Clone(prefix)
	for i := len(b) - 1; ; i-- {
		b[i]++
		if b[i] != 0 {
			return b[:i+1]
		}
	}
}
