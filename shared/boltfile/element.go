package boltfile

import (
	"bytes"
	"errors"
)

// errShape means that the parts of a page do not fit into it.
var errShape = errors.New("its parts do not fit")

// entry is an element of a page: of a branch with a page below it, of a leaf
// with a value or a bucket.
type entry struct {
	key        []byte
	child      uint64 // of a branch
	flags      uint32 // of a leaf
	at, length uint64 // of a leaf's value, in the file
}

// elements reads a branch or a leaf, whose keys ascend from low up to, but
// without, high; nil is no bound.
func (c *checker) elements(p page, low, high []byte) ([]entry, error) {
	switch {
	case p.flags != branchPage && p.flags != leafPage, p.flags == branchPage && p.count == 0:
		return nil, errShape
	case uint64(p.count)*element > p.length-pageHeader:
		return nil, errShape
	}
	table, err := c.read(p.at+pageHeader, uint64(p.count)*element)
	if err != nil {
		return nil, err
	}
	entries := make([]entry, p.count)
	for n := range entries {
		if entries[n], err = c.element(p, uint64(n), table[n*element:]); err != nil {
			return nil, err
		}
		key := entries[n].key
		if n == 0 && bytes.Compare(low, key) > 0 || n > 0 && bytes.Compare(entries[n-1].key, key) >= 0 ||
			high != nil && bytes.Compare(key, high) >= 0 {
			return nil, errors.New("its keys are not in order")
		}
	}
	return entries, nil
}

// element reads the element of this number, whose bytes begin the table.
func (c *checker) element(p page, number uint64, table []byte) (entry, error) {
	var e entry
	word := func(at int) uint64 { return uint64(order.Uint32(table[at:])) }
	position, key, value := word(0), word(4), uint64(0)
	if p.flags == leafPage {
		e.flags = order.Uint32(table)
		position, key, value = word(4), word(8), word(12)
	} else {
		e.child = order.Uint64(table[8:])
	}
	from := pageHeader + number*element + position
	if key == 0 || e.flags&^bucketFlag != 0 || from+key+value > p.length || position < element {
		return entry{}, errShape
	}
	e.at, e.length = p.at+from+key, value
	var err error
	e.key, err = c.read(p.at+from, key)
	return e, err
}
