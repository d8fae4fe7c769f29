package bolt_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"parley/shared/table"
	"parley/shared/table/bolt"
)

// TestFollowWaits: a reader that has everything sleeps until there is more,
// which it then gets at once, and ends when it is told to. Virtual time goes on
// only while everybody sleeps: a reader that kept looking would stop it.
func TestFollowWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tbl := open(t, filepath.Join(t.TempDir(), "table"))
		ctx, cancel := context.WithCancel(context.Background())
		got, ended := make(chan string, 10), make(chan error, 1)
		go func() {
			ended <- tbl.Follow(ctx, func(_ context.Context, r bolt.Record, done func()) error {
				got <- r.New.String(table.SK)
				done()
				return nil
			})
		}()
		for n := range 3 {
			time.Sleep(time.Hour)
			write(t, tbl, table.Put(item("p", fmt.Sprint(n))))
			synctest.Wait()
			select {
			case sk := <-got:
				if sk != fmt.Sprint(n) {
					t.Errorf("the reader got %q, want %d", sk, n)
				}
			default:
				t.Fatalf("the reader sleeps on after change %d", n)
			}
		}
		time.Sleep(time.Hour)
		cancel()
		synctest.Wait()
		select {
		case err := <-ended:
			if !errors.Is(err, context.Canceled) {
				t.Errorf("Follow = %v, want %v", err, context.Canceled)
			}
		default:
			t.Fatal("Follow goes on after its context has ended")
		}
	})
}

// TestCloseEndsFollow: whoever waits for changes of a table that is closed is told so.
func TestCloseEndsFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tbl := open(t, filepath.Join(t.TempDir(), "table"))
		ended := make(chan error, 1)
		go func() {
			ended <- tbl.Follow(context.Background(), func(context.Context, bolt.Record, func()) error { return nil })
		}()
		synctest.Wait()
		if err := tbl.Close(); err != nil {
			t.Fatal(err)
		}
		if err := <-ended; !errors.Is(err, table.ErrUnavailable) {
			t.Errorf("Follow = %v, want %v", err, table.ErrUnavailable)
		}
	})
}

// TestReadOfWhoHasLeft: nothing is read for a context that has ended, and what was
// not read does not pass for missing.
func TestReadOfWhoHasLeft(t *testing.T) {
	tbl := open(t, filepath.Join(t.TempDir(), "table"))
	write(t, tbl, table.Put(item("p", "s")))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if items, err := tbl.Get(ctx, true, table.Key{PK: "p", SK: "s"}); !errors.Is(err, context.Canceled) {
		t.Errorf("Get = %v, %v", items, err)
	}
	if page, err := tbl.Query(ctx, table.Query{Partition: "p", Limit: 1}); !errors.Is(err, context.Canceled) {
		t.Errorf("Query = %v, %v", page, err)
	}
}
