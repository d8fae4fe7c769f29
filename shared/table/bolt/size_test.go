package bolt_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"parley/shared/table"
	"parley/shared/table/bolt"
)

func size(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// TestFileStaysSmall: changes that were followed leave no trace in the size of
// the file, be an item written a thousand times.
func TestFileStaysSmall(t *testing.T) {
	const writes, text = 2000, 4 << 10
	path := filepath.Join(t.TempDir(), "table")
	tbl := open(t, path)
	ctx, cancel := context.WithCancel(t.Context())
	ended, last := make(chan error), make(chan bool)
	go func() {
		ended <- tbl.Follow(ctx, func(_ context.Context, r bolt.Record, done func()) error {
			done()
			if r.New.String(table.SK) == "last" {
				close(last)
			}
			return nil
		})
	}()
	for n := range writes {
		it := item("p", "s")
		it["text"] = fmt.Sprint(n) + strings.Repeat("x", text)
		write(t, tbl, table.Put(it))
	}
	write(t, tbl, table.Put(item("p", "last")))
	<-last
	cancel()
	<-ended
	if err := tbl.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, path)
	if got := size(t, path); got > writes*text/8 {
		t.Errorf("the file has %d bytes after %d writes of %d bytes over each other", got, writes, text)
	}
}

// TestFileShrinks: the next start gives the room back of what was removed, and
// nothing of it is left to be read in the file.
func TestFileShrinks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "table")
	tbl := open(t, path)
	for n := range 1000 {
		it := item("p", fmt.Sprintf("s%04d", n))
		it["text"] = strings.Repeat("secret ", 500)
		write(t, tbl, table.Put(it))
	}
	write(t, tbl, table.Put(item("p", "t")))
	for n := range 1000 {
		write(t, tbl, table.Delete(table.Key{PK: "p", SK: fmt.Sprintf("s%04d", n)}))
	}
	ctx, cancel := context.WithCancel(t.Context())
	records, err := tbl.Changes(ctx, 0, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	_ = tbl.Follow(ctx, func(_ context.Context, r bolt.Record, done func()) error {
		done()
		if r.Seq == records[len(records)-1].Seq {
			cancel()
		}
		return nil
	})
	if err := tbl.Close(); err != nil {
		t.Fatal(err)
	}
	before := size(t, path)
	tbl = open(t, path)
	if after := size(t, path); before < 1<<20 || after > 1<<16 {
		t.Errorf("the file had %d bytes, and has %d after a start", before, after)
	}
	file, err := os.ReadFile(path)
	if err != nil || strings.Contains(string(file), "secret") {
		t.Errorf("what was removed can be read in the file (%v)", err)
	}
	if items, err := tbl.Get(t.Context(), true, table.Key{PK: "p", SK: "t"}); err != nil || items[0] == nil {
		t.Errorf("Get = %v, %v, want what was not removed", items, err)
	}
	write(t, tbl, table.Put(item("p", "u")))
	if more, err := tbl.Changes(t.Context(), 0, 10); err != nil || len(more) != 1 || more[0].Seq <= records[len(records)-1].Seq {
		t.Errorf("the feed goes on with %v, %v, want one number after %d", more, err, records[len(records)-1].Seq)
	}
}
