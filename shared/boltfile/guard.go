package boltfile

import (
	"fmt"
	"runtime/debug"
)

// Guard calls f, which reads or writes an open file, and returns bbolt's panic
// at a damaged page as an ErrDamaged, and so the fault of a page that cannot be
// read from the disk. A transaction that f has begun and not ended is then not
// to be touched any more: bbolt's way to end it may panic elsewhere.
func Guard(path string, f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if why := recover(); why != nil {
			err = damaged(path, why)
		}
	}()
	return f()
}

// damaged says that a file is damaged, and what was seen of it.
func damaged(path string, why any) error {
	return fmt.Errorf("%s %w (%v)", path, ErrDamaged, why)
}
