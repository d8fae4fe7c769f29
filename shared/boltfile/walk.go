package boltfile

import (
	"bytes"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
)

// checker walks through all pages of a file.
type checker struct {
	file io.ReaderAt
	size uint64 // of a page, in bytes
	used []bool // by page; its length is how many pages there are

	near   []byte // the bytes read last, a page of them
	nearAt uint64 // where they are in the file
}

// count counts the pages of a file of this many bytes. Those behind the last one
// that was ever used are free, too.
func (c *checker) count(length uint64) pages {
	p := pages{all: int(length / c.size), size: int(c.size)}
	p.free = p.all - len(c.used)
	for _, used := range c.used {
		if !used {
			p.free++
		}
	}
	return p
}

// check checks a file of this many bytes.
func (c *checker) check(length uint64) error {
	root, freelist, high, err := c.meta()
	if err != nil {
		return err
	}
	if high < 2 || high > length/c.size {
		return fmt.Errorf("it has %d bytes, too few for its %d pages", length, high)
	}
	c.used = make([]bool, high)
	c.used[0], c.used[1] = true, true
	if err := c.bucket(root); err != nil || freelist == noFreelist {
		return err
	}
	return c.freelist(freelist)
}

// meta returns what the newer of the two meta pages says that is whole. One of
// them is not if the machine crashed while it was written.
func (c *checker) meta() (root, freelist, high uint64, err error) {
	var newest uint64
	err = errors.New("it has no beginning")
	for id := range uint64(2) {
		m := make([]byte, metaSize)
		if _, err := c.file.ReadAt(m, int64(id*c.size+pageHeader)); err != nil {
			return 0, 0, 0, err
		}
		sum := fnv.New64a()
		sum.Write(m[:metaSum])
		whole := order.Uint32(m) == magic && order.Uint32(m[4:]) == formatVersion && order.Uint64(m[metaSum:]) == sum.Sum64()
		if change := order.Uint64(m[48:]); whole && (err != nil || change > newest) {
			newest, err = change, nil
			root, freelist, high = order.Uint64(m[16:]), order.Uint64(m[32:]), order.Uint64(m[40:])
		}
	}
	return root, freelist, high, err
}

// page is a page with those that continue it, or what stands for one within a
// value.
type page struct {
	at           uint64 // in the file
	length       uint64
	flags, count uint16
}

// open reads the beginning of a page and takes it as used.
func (c *checker) open(id uint64) (page, error) {
	if id < 2 || id >= uint64(len(c.used)) {
		return page{}, fmt.Errorf("page %d is named and not there", id)
	}
	c.near, c.nearAt = make([]byte, c.size), id*c.size
	if _, err := c.file.ReadAt(c.near, int64(c.nearAt)); err != nil {
		return page{}, err
	}
	p, overflow, said, err := c.header(id * c.size)
	switch {
	case err != nil:
		return p, err
	case said != id:
		return p, fmt.Errorf("page %d says that it is %d", id, said)
	case overflow >= uint64(len(c.used))-id:
		return p, fmt.Errorf("page %d goes on behind the end", id)
	}
	for n := id; n <= id+overflow; n++ {
		if c.used[n] {
			return p, fmt.Errorf("page %d is named twice", n)
		}
		c.used[n] = true
	}
	p.length = (overflow + 1) * c.size
	return p, nil
}

func (c *checker) header(at uint64) (p page, overflow, id uint64, err error) {
	h, err := c.read(at, pageHeader)
	if err != nil {
		return page{}, 0, 0, err
	}
	return page{at: at, flags: order.Uint16(h[8:]), count: order.Uint16(h[10:])}, uint64(order.Uint32(h[12:])), order.Uint64(h), nil
}

func (c *checker) read(at, n uint64) ([]byte, error) {
	if at >= c.nearAt && at-c.nearAt+n <= uint64(len(c.near)) {
		return c.near[at-c.nearAt:][:n], nil
	}
	b := make([]byte, n)
	_, err := c.file.ReadAt(b, int64(at))
	return b, err
}

// bucket checks the pages of a bucket from its root on.
func (c *checker) bucket(root uint64) error {
	_, err := c.tree(root, nil, nil)
	return err
}

// tree checks a page and all below it, whose keys are from low up to, but
// without, high; nil is no bound. It returns the last key.
func (c *checker) tree(id uint64, low, high []byte) (last []byte, err error) {
	p, err := c.open(id)
	if err != nil {
		return nil, err
	}
	elements, err := c.elements(p, low, high)
	if err != nil {
		return nil, fmt.Errorf("page %d: %w", id, err)
	}
	for n, e := range elements {
		last = e.key
		if p.flags == branchPage {
			next := high
			if n+1 < len(elements) {
				next = elements[n+1].key
			}
			if n > 0 && low != nil && bytes.Compare(low, e.key) >= 0 {
				return nil, fmt.Errorf("page %d is not in order", id)
			}
			if last, err = c.tree(e.child, e.key, next); err != nil {
				return nil, err
			}
			low = last
		} else if e.flags == bucketFlag {
			if err := c.nested(e); err != nil {
				return nil, fmt.Errorf("page %d: %w", id, err)
			}
		}
	}
	return last, nil
}

// nested checks a bucket within a bucket. A small one is within its value.
func (c *checker) nested(e entry) error {
	if e.length < bucketHeader {
		return errShape
	}
	root, err := c.read(e.at, 8)
	if err != nil {
		return err
	}
	if id := order.Uint64(root); id != 0 {
		return c.bucket(id)
	}
	if e.length < bucketHeader+pageHeader {
		return errShape
	}
	p, overflow, id, err := c.header(e.at + bucketHeader)
	if err != nil || overflow != 0 || id != 0 || p.flags != leafPage {
		return errors.Join(errShape, err)
	}
	p.length = e.length - bucketHeader
	elements, err := c.elements(p, nil, nil)
	for _, e := range elements {
		if e.flags != 0 {
			return errShape
		}
	}
	return err
}

// freelist checks the list of free pages: of none that is used, and sorted.
func (c *checker) freelist(id uint64) error {
	p, err := c.open(id)
	if err != nil {
		return err
	}
	count, at := uint64(p.count), p.at+pageHeader
	if p.flags == freelistPage && count == 0xFFFF { // too many for the field: the first word says how many
		first, err := c.read(at, 8)
		if err != nil {
			return err
		}
		count, at = order.Uint64(first), at+8
	}
	if p.flags != freelistPage || count > (p.at+p.length-at)/8 {
		return fmt.Errorf("page %d: %w", id, errShape)
	}
	list, err := c.read(at, count*8)
	if err != nil {
		return err
	}
	for before := uint64(1); len(list) > 0; list = list[8:] {
		free := order.Uint64(list)
		if free <= before || free >= uint64(len(c.used)) || c.used[free] {
			return fmt.Errorf("page %d: %w", id, errShape)
		}
		before = free
	}
	return nil
}
