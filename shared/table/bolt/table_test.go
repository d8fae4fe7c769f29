package bolt_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"parley/shared/table"
	"parley/shared/table/bolt"
)

func open(t testing.TB, path string) *bolt.Table {
	t.Helper()
	tbl, err := bolt.New(bolt.Config{Path: path, NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tbl.Close(); err != nil {
			t.Error(err)
		}
	})
	return tbl
}

func write(t testing.TB, tbl table.Table, actions ...table.Action) {
	t.Helper()
	if err := tbl.Write(context.Background(), actions...); err != nil {
		t.Fatalf("Write: %v", err)
	}
}

func item(pk, sk string) table.Item { return table.Item{table.PK: pk, table.SK: sk} }

func TestNewSaysWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	held := filepath.Join(dir, "held")
	open(t, held)
	foreign := filepath.Join(dir, "foreign")
	if err := os.WriteFile(foreign, []byte(strings.Repeat("no table ", 4096)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ name, path, want string }{
		{"held by another", held, "another process"},
		{"folder missing", filepath.Join(dir, "missing", "table"), "no such file"},
		{"folder is a file", filepath.Join(foreign, "table"), "not a directory"},
		{"no table", foreign, "invalid database"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := bolt.New(bolt.Config{Path: test.path})
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), test.path) {
				t.Errorf("New(%s) = %v, want an error with %q and the path", test.path, err, test.want)
			}
		})
	}
}

func TestRestartKeepsItemsIndexesAndFeed(t *testing.T) {
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "table")
	want := table.Item{"pk": "p", "sk": "s", "op": "o", "os": "1", "n": int64(-7), "b": true, "text": "ä\x00"}
	tbl := open(t, path)
	write(t, tbl, table.Put(want))
	if err := tbl.Close(); err != nil {
		t.Fatal(err)
	}
	tbl = open(t, path)
	items, err := tbl.Get(ctx, true, want.Key())
	if err != nil || !items[0].Equal(want) {
		t.Errorf("Get after a restart = %v, %v, want %v", items, err, want)
	}
	page, err := tbl.Query(ctx, table.Query{Index: table.Owner, Partition: "o", Limit: 1})
	if err != nil || len(page.Items) != 1 {
		t.Errorf("Query after a restart = %v, %v, want one entry", page, err)
	}
	write(t, tbl, table.Delete(want.Key()))
	records, err := tbl.Changes(ctx, 0, 10)
	if err != nil || len(records) != 2 || records[1].Seq <= records[0].Seq || !records[1].Old.Equal(want) {
		t.Errorf("Changes after a restart = %v, %v, want the put and the deletion", records, err)
	}
}

// TestPartitionsOfAnyLength: whatever the length of its name, a partition is read to its
// end and no further.
func TestPartitionsOfAnyLength(t *testing.T) {
	const longest = 70
	tbl := open(t, filepath.Join(t.TempDir(), "table"))
	for n := 1; n <= longest; n++ {
		it := item(strings.Repeat("p", n), "s")
		it["op"], it["os"] = strings.Repeat("o", n), "1"
		write(t, tbl, table.Put(it))
	}
	for n := 1; n <= longest; n++ {
		for x, letter := range map[table.Index]string{table.Primary: "p", table.Owner: "o"} {
			for _, descending := range []bool{false, true} {
				q := table.Query{Index: x, Partition: strings.Repeat(letter, n), Limit: 10, Descending: descending}
				page, err := tbl.Query(context.Background(), q)
				if err != nil || len(page.Items) != 1 || len(page.Items[0].String(table.PK)) != n || page.Next != nil {
					t.Errorf("%+v finds %v, %v", q, page, err)
				}
			}
		}
	}
}

// TestZeroBytesInBounds: sort keys of an index with zero bytes are bounds like any other.
func TestZeroBytesInBounds(t *testing.T) {
	tbl := open(t, filepath.Join(t.TempDir(), "table"))
	sorts := []string{"a", "a\x00", "a\x00b", "a\x01", "b"}
	for _, sort := range sorts {
		it := item("p", "of "+sort)
		it["op"], it["os"] = "o", sort
		write(t, tbl, table.Put(it))
	}
	for from, low := range sorts {
		for to, high := range sorts {
			page, err := tbl.Query(context.Background(), table.Query{Index: table.Owner, Partition: "o", From: low, To: high, Limit: 10})
			var got []string
			for _, entry := range page.Items {
				got = append(got, entry.String("os"))
			}
			if want := sorts[min(from, to+1) : to+1]; err != nil || !slices.Equal(got, want) {
				t.Errorf("from %q to %q are %q, %v, want %q", low, high, got, err, want)
			}
		}
	}
}

func TestClosedTable(t *testing.T) {
	ctx := context.Background()
	tbl := open(t, filepath.Join(t.TempDir(), "table"))
	if err := tbl.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := tbl.Get(ctx, true, table.Key{PK: "p", SK: "s"}); !errors.Is(err, table.ErrUnavailable) {
		t.Errorf("Get = %v, want %v", err, table.ErrUnavailable)
	}
	if err := tbl.Write(ctx, table.Put(item("p", "s"))); !errors.Is(err, table.ErrNotDone) {
		t.Errorf("Write = %v, want %v", err, table.ErrNotDone)
	}
	each := func(context.Context, bolt.Record, func()) error { return nil }
	if err := tbl.Follow(ctx, each); !errors.Is(err, table.ErrUnavailable) {
		t.Errorf("Follow = %v, want %v", err, table.ErrUnavailable)
	}
}

func TestSweepDeletesExpiredItems(t *testing.T) {
	const expiring = 450 // more than two batches
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		tbl := open(t, filepath.Join(t.TempDir(), "table"))
		expires := time.Now().Add(time.Minute).Unix()
		lasting := item("lasting", "s")
		lasting[table.ExpiresAt] = expires + 1
		write(t, tbl, table.Put(lasting))
		for n := range expiring {
			it := item("expiring", string(rune('a'+n)))
			it[table.ExpiresAt] = expires
			it["wp"], it["ws"] = "work", "1"
			write(t, tbl, table.Put(it))
		}
		time.Sleep(65 * time.Second) // the sweep of the 60th second is the only one that finds them
		synctest.Wait()
		page, err := tbl.Query(ctx, table.Query{Index: table.Work, Partition: "work", Limit: 1000})
		if err != nil || len(page.Items) != 0 {
			t.Errorf("index holds %d entries of expired items (%v), want none", len(page.Items), err)
		}
		write(t, tbl, table.Check(table.Key{PK: "expiring", SK: "a"}, table.Absent()))
		write(t, tbl, table.Check(lasting.Key(), table.Exists()))
		records, err := tbl.Changes(ctx, 1+expiring, 1000)
		if err != nil || len(records) != expiring || records[0].Old == nil || records[0].New != nil {
			t.Errorf("feed has %d deletions (%v), want %d", len(records), err, expiring)
		}
	})
}

// TestSweepRests: a table in which nothing happens is hardly looked at, and what is
// stored meanwhile and over soon is found as soon as ever.
func TestSweepRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		var looks atomic.Int64 // and writes, each of which asks for the time
		tbl, err := bolt.New(bolt.Config{Path: filepath.Join(t.TempDir(), "table"), NoSync: true,
			Now: func() time.Time { looks.Add(1); return time.Now() }})
		if err != nil {
			t.Fatal(err)
		}
		defer tbl.Close()
		for _, after := range []time.Duration{time.Minute, 20 * time.Hour} {
			it := item("p", after.String())
			it[table.ExpiresAt] = time.Now().Add(after).Unix()
			write(t, tbl, table.Put(it))
		}
		gone := func(what string, want int) {
			t.Helper()
			synctest.Wait()
			records, err := tbl.Changes(ctx, 0, 100)
			deleted := 0
			for _, r := range records {
				if r.New == nil {
					deleted++
				}
			}
			if err != nil || deleted != want {
				t.Errorf("%s: %d items are deleted (%v), want %d", what, deleted, err, want)
			}
		}
		time.Sleep(70 * time.Second)
		gone("a minute later", 1)
		time.Sleep(4*time.Hour + 5*time.Minute)
		it := item("p", "late")
		it[table.ExpiresAt] = time.Now().Add(time.Minute).Unix()
		write(t, tbl, table.Put(it))
		time.Sleep(80 * time.Second)
		gone("stored at rest", 2)
		time.Sleep(16 * time.Hour)
		gone("at the end of the day", 3)
		if looks := looks.Load(); looks > 100 {
			t.Errorf("in 20 hours the time is asked for %d times, want some 50", looks)
		}
	})
}

func TestFeedIsTrimmed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		tbl := open(t, filepath.Join(t.TempDir(), "table"))
		const old = 450 // more than two batches
		for n := range old {
			write(t, tbl, table.Put(item("p", fmt.Sprint("old ", n))))
		}
		time.Sleep(23 * time.Hour)
		write(t, tbl, table.Put(item("p", "new")))
		records, err := tbl.Changes(ctx, 0, 1000)
		if err != nil || len(records) != old+1 {
			t.Fatalf("%d changes within a day, %v, want all", len(records), err)
		}
		time.Sleep(2 * time.Hour) // one look finds them
		synctest.Wait()
		records, err = tbl.Changes(ctx, 0, 1000)
		if err != nil || len(records) != 1 || records[0].New.String(table.SK) != "new" || records[0].Seq != old+1 {
			t.Errorf("%d changes after a day, %v, want only the last", len(records), err)
		}
	})
}

// TestFollowResumes: what was not done comes again, also after a restart, and
// what was done never does.
func TestFollowResumes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "table")
	failure := errors.New("reader failed")
	tbl := open(t, path)
	for _, sk := range []string{"1", "2", "3"} {
		write(t, tbl, table.Put(item("p", sk)))
	}
	// follow collects sort keys, and is done with the ones listed, until it has
	// seen the last one, and fails there or cancels.
	follow := func(last, finished string, failing bool) (seen string, err error) {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		err = tbl.Follow(ctx, func(_ context.Context, r bolt.Record, done func()) error {
			sk := r.New.String(table.SK)
			seen += sk
			if strings.Contains(finished, sk) {
				done()
			}
			if sk == last {
				if failing {
					return failure
				}
				cancel()
			}
			return nil
		})
		return seen, err
	}
	if seen, err := follow("2", "", true); seen != "12" || !errors.Is(err, failure) {
		t.Errorf("first Follow saw %q (%v), want 12 and the reader's error", seen, err)
	}
	if seen, err := follow("3", "13", false); seen != "123" || !errors.Is(err, context.Canceled) {
		t.Errorf("Follow after a failure saw %q (%v), want 123 again", seen, err)
	}
	if err := tbl.Close(); err != nil {
		t.Fatal(err)
	}
	tbl = open(t, path)
	go func() {
		if err := tbl.Write(context.Background(), table.Put(item("p", "4"))); err != nil {
			t.Errorf("Write: %v", err)
		}
	}()
	if seen, err := follow("4", "24", false); seen != "24" || !errors.Is(err, context.Canceled) {
		t.Errorf("Follow after a restart saw %q (%v), want 2, which was not done, and 4", seen, err)
	}
	if records, err := tbl.Changes(t.Context(), 0, 10); err != nil || len(records) != 0 {
		t.Errorf("the feed keeps %v (%v) after all was done", records, err)
	}
}

// TestFollowRemovesWhatIsDone: soon after a change is done nothing of it is in
// the feed, be the one before it still under way.
func TestFollowRemovesWhatIsDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		tbl := open(t, filepath.Join(t.TempDir(), "table"))
		for _, sk := range []string{"slow", "quick"} {
			write(t, tbl, table.Put(item("p", sk)))
		}
		ended := make(chan error)
		var slow func()
		go func() {
			ended <- tbl.Follow(ctx, func(_ context.Context, r bolt.Record, done func()) error {
				if r.New.String(table.SK) == "slow" {
					slow = done
				} else {
					done()
				}
				return nil
			})
		}()
		kept := func(want string) {
			t.Helper()
			time.Sleep(2 * time.Second)
			synctest.Wait()
			records, err := tbl.Changes(ctx, 0, 10)
			var seen string
			for _, r := range records {
				seen += r.New.String(table.SK)
			}
			if err != nil || seen != want {
				t.Errorf("the feed keeps %q (%v), want %q", seen, err, want)
			}
		}
		kept("slow")
		slow()
		kept("")
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Follow = %v", err)
		}
	})
}
