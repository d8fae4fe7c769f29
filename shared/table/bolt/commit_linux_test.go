package bolt_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"parley/shared/table"
	"parley/shared/table/bolt"
)

// TestFailedCommit: whether a write that the disk did not confirm will be there
// after a crash nobody knows, and the caller is told so. The file is replaced
// under the table by a device that takes every write and cannot be synced.
func TestFailedCommit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "table")
	tbl, err := bolt.New(bolt.Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	defer tbl.Close() // what it says of a file that is gone does not matter
	write(t, tbl, table.Put(item("p", "before")))
	replaceFile(t, path, "/dev/null")
	if err := tbl.Write(t.Context(), table.Put(item("p", "after"))); !errors.Is(err, table.ErrUnknown) || errors.Is(err, table.ErrNotDone) {
		t.Errorf("Write that was not synced = %v, want %v", err, table.ErrUnknown)
	}
}

// TestFailedSweepIsRepeated: what is over and could not be removed is tried again at
// the next look, and not first when a table at rest would be looked at.
func TestFailedSweepIsRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "table")
		var looks atomic.Int64
		tbl, err := bolt.New(bolt.Config{Path: path, Now: func() time.Time { looks.Add(1); return time.Now() }})
		if err != nil {
			t.Fatal(err)
		}
		defer tbl.Close()
		it := item("p", "s")
		it[table.ExpiresAt] = time.Now().Add(time.Minute).Unix()
		write(t, tbl, table.Put(it))
		replaceFile(t, path, "/dev/null")
		time.Sleep(65 * time.Second)
		synctest.Wait()
		before := looks.Load()
		time.Sleep(time.Minute)
		synctest.Wait()
		if more := looks.Load() - before; more < 6 {
			t.Errorf("a minute after a sweep that failed the time was asked for %d times, want each of 6 sweeps to", more)
		}
	})
}

// replaceFile makes this process's descriptor of a file one of another file.
func replaceFile(t *testing.T, path, by string) {
	t.Helper()
	links, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	other, err := os.OpenFile(by, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	for _, link := range links {
		name := "/proc/self/fd/" + link.Name()
		if target, err := os.Readlink(name); err != nil || target != path {
			continue
		}
		var fd int
		if _, err := fmt.Sscan(strings.TrimPrefix(name, "/proc/self/fd/"), &fd); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Dup3(int(other.Fd()), fd, syscall.O_CLOEXEC); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Fatalf("no descriptor of %s", path)
}
