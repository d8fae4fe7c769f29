package boltfile

import (
	"encoding/binary"
	"os"

	"go.etcd.io/bbolt"
)

// This file reads a file as bbolt has written it, without its help: bbolt takes
// for granted that pages are whole. What passes here bbolt can read without a
// panic. The layout is that of version 2 of its format, in the byte order of the
// machine.

// Sizes of the layout in bytes.
const (
	pageHeader   = 16 // id 8, flags 2, count 2, overflow 4
	element      = 16 // of a leaf: flags 4, position 4, key 4, value 4; of a branch: position 4, key 4, id 8
	bucketHeader = 16 // root page 8, sequence 8
	metaSize     = 64
	metaSum      = 56 // where the meta page's checksum is, of what comes before it
)

// Flags of pages, and of an element that is a bucket.
const (
	branchPage   = 0x01
	leafPage     = 0x02
	freelistPage = 0x10
	bucketFlag   = 0x01
)

// The first words of a meta page.
const (
	magic         = 0xED0CDAED
	formatVersion = 2
)

// noFreelist stands in a meta page for a list of free pages that is not kept.
const noFreelist = ^uint64(0)

var order = binary.NativeEndian

// pages counts the pages of a file.
type pages struct{ free, all, size int }

// worthIt reports whether a file is to be compacted.
func (p pages) worthIt() bool {
	return p.free*p.size >= minFree && float64(p.free) >= freeShare*float64(p.all)
}

// checkFile checks a file while nobody writes to it.
func checkFile(path string) (free pages, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return pages{}, err
	}
	if info.Mode().IsRegular() && info.Size() == 0 {
		return pages{}, damaged(path, "it is empty")
	}
	var db *bbolt.DB
	err = Guard(path, func() (err error) {
		db, err = bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, Timeout: lockWait}) // for its lock
		return err
	})
	if err != nil {
		return pages{}, opened(path, err)
	}
	defer db.Close()
	file, err := os.Open(path)
	if err != nil {
		return pages{}, err
	}
	defer file.Close()
	c := &checker{file: file, size: uint64(db.Info().PageSize)}
	if err := c.check(uint64(info.Size())); err != nil {
		return pages{}, damaged(path, err)
	}
	return c.count(uint64(info.Size())), nil
}
