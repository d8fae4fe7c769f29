package bolt_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"parley/shared/boltfile"
	"parley/shared/table"
	"parley/shared/table/bolt"
)

// filled returns the bytes of a table with many pages of every kind.
func filled(t *testing.T) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "table")
	tbl := open(t, path)
	for n := range 6 {
		var puts []table.Action
		for i := range 8 {
			it := table.Item{"pk": fmt.Sprintf("p%02d", n), "sk": fmt.Sprintf("s%02d", i), "op": "o", "os": fmt.Sprint(i), "wp": "w", "ws": fmt.Sprint(n),
				table.ExpiresAt: int64(1) << 40, "text": strings.Repeat("text ", 50+10*n*i)}
			puts = append(puts, table.Put(it))
		}
		write(t, tbl, puts...)
	}
	for i := range 8 {
		write(t, tbl, table.Delete(table.Key{PK: "p03", SK: fmt.Sprintf("s%02d", i)}))
	}
	if err := tbl.Close(); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

const pageSize = 4096

// TestDamage: however a file is damaged, New says so in one line with its path,
// or the table can be used: nothing ends in a panic.
func TestDamage(t *testing.T) {
	if os.Getpagesize() != pageSize {
		t.Skip("damages pages of 4096 bytes")
	}
	file := filled(t)
	source := rand.New(rand.NewPCG(1, 2))
	flip := func(b []byte, from, to int) {
		b[from+source.IntN(to-from)] ^= 1 << source.IntN(8)
	}
	pages := len(file) / pageSize
	for _, test := range []struct {
		name   string
		times  int
		damage func(b []byte, n int) []byte
	}{
		{"bit flips anywhere", 300, func(b []byte, _ int) []byte { flip(b, 0, len(b)); return b }},
		{"many bit flips", 50, func(b []byte, _ int) []byte {
			for range 200 {
				flip(b, 2*pageSize, len(b))
			}
			return b
		}},
		{"a flip in the header of a page", pages, func(b []byte, n int) []byte {
			at := n % pages * pageSize
			flip(b, at, at+16)
			return b
		}},
		{"a flip in the elements of a page", 2 * pages, func(b []byte, n int) []byte {
			at := n % pages * pageSize
			flip(b, at+16, at+80)
			return b
		}},
		{"a page of zeros", pages, func(b []byte, n int) []byte { clear(b[n*pageSize:][:pageSize]); return b }},
		{"pages of zeros to the end", pages, func(b []byte, n int) []byte { clear(b[n*pageSize:]); return b }},
		{"a page of noise", pages, func(b []byte, n int) []byte {
			for i := 0; i < pageSize; i += 8 {
				binary.NativeEndian.PutUint64(b[n*pageSize+i:], source.Uint64())
			}
			return b
		}},
		{"a page in the place of another", pages, func(b []byte, n int) []byte {
			copy(b[n*pageSize:][:pageSize], b[source.IntN(pages)*pageSize:])
			return b
		}},
		{"cut at a page", pages, func(b []byte, n int) []byte { return b[:n*pageSize] }},
		{"cut anywhere", 50, func(b []byte, _ int) []byte { return b[:source.IntN(len(b))] }},
	} {
		t.Run(test.name, func(t *testing.T) {
			refused := 0
			for n := range test.times {
				path := filepath.Join(t.TempDir(), "table")
				if err := os.WriteFile(path, test.damage(append([]byte(nil), file...), n), 0o600); err != nil {
					t.Fatal(err)
				}
				tbl, err := bolt.New(bolt.Config{Path: path, NoSync: true})
				if err == nil {
					use(t, tbl)
					continue
				}
				refused++
				if !errors.Is(err, boltfile.ErrDamaged) || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "\n") {
					t.Errorf("%d: New = %v, want one line that says that %s is damaged", n, err, path)
				}
			}
			if refused == 0 {
				t.Error("New took every one of them")
			}
		})
	}
}

// use reads and writes all over a table.
func use(t *testing.T, tbl *bolt.Table) {
	t.Helper()
	ctx := context.Background()
	for n := range 6 {
		if _, err := tbl.Query(ctx, table.Query{Partition: fmt.Sprintf("p%02d", n), Limit: 100}); err != nil {
			t.Errorf("Query of a table that New took = %v", err)
		}
		if err := tbl.Write(ctx, table.Put(item(fmt.Sprintf("p%02d", n), "new")), table.Delete(table.Key{PK: fmt.Sprintf("p%02d", n), SK: "s07"})); err != nil {
			t.Errorf("Write to a table that New took = %v", err)
		}
	}
	if err := tbl.Close(); err != nil {
		t.Error(err)
	}
}

// TestDamageWhileOpen: a table whose file is damaged while it is open says so
// once, to whoever is to know, and fails from then on; so do reads and writes.
func TestDamageWhileOpen(t *testing.T) {
	if os.Getpagesize() != pageSize {
		t.Skip("damages pages of 4096 bytes")
	}
	file := filled(t)
	for name, first := range map[string]func(*bolt.Table) error{
		"read": func(tbl *bolt.Table) error {
			_, err := tbl.Query(context.Background(), table.Query{Partition: "p05", Limit: 100})
			return err
		},
		"write": func(tbl *bolt.Table) error {
			return tbl.Write(context.Background(), table.Put(item("p05", "new")))
		},
	} {
		for damage, do := range map[string]func(path string) error{
			"zeros": func(path string) error {
				f, err := os.OpenFile(path, os.O_WRONLY, 0)
				if err != nil {
					return err
				}
				_, err = f.WriteAt(make([]byte, len(file)-2*pageSize), 2*pageSize)
				return errors.Join(err, f.Close())
			},
			"cut": func(path string) error { return os.Truncate(path, 2*pageSize) },
		} {
			t.Run(name+" after "+damage, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "table")
				if err := os.WriteFile(path, file, 0o600); err != nil {
					t.Fatal(err)
				}
				var told []error
				tbl, err := bolt.New(bolt.Config{Path: path, NoSync: true, Damaged: func(err error) { told = append(told, err) }})
				if err != nil {
					t.Fatal(err)
				}
				if err := do(path); err != nil {
					t.Fatal(err)
				}
				for range 2 {
					if err := first(tbl); !errors.Is(err, boltfile.ErrDamaged) || !strings.Contains(err.Error(), path) {
						t.Errorf("%s = %v, want one that says that %s is damaged", name, err, path)
					}
				}
				if _, err := tbl.Get(context.Background(), true, table.Key{PK: "p02", SK: "s01"}); !errors.Is(err, table.ErrUnavailable) {
					t.Errorf("Get = %v, want %v", err, table.ErrUnavailable)
				}
				if err := tbl.Close(); err != nil {
					t.Errorf("Close = %v", err)
				}
				if len(told) != 1 || !errors.Is(told[0], boltfile.ErrDamaged) {
					t.Errorf("told %v, want the damage once", told)
				}
			})
		}
	}
}

// TestWrongContents: a file that is whole, and is not what a table says in it, is
// refused like a damaged one.
func TestWrongContents(t *testing.T) {
	it := item("p", "s")
	it["op"], it["os"], it[table.ExpiresAt] = "o", "1", int64(1)<<40
	key := bolt.ItemKey(it.Key())
	first := func(b *bbolt.Bucket) []byte { k, _ := b.Cursor().First(); return k }
	for name, change := range map[string]func(tx *bbolt.Tx) error{
		"nothing is wrong": nil,
		"a change that cannot be read": func(tx *bbolt.Tx) error {
			b := tx.Bucket([]byte("changes"))
			return b.Put(first(b), []byte{1})
		},
		"a change with something behind it": func(tx *bbolt.Tx) error {
			b := tx.Bucket([]byte("changes"))
			k := first(b)
			return b.Put(k, append(bytes.Clone(b.Get(k)), 0))
		},
		"the number of a change": func(tx *bbolt.Tx) error {
			b := tx.Bucket([]byte("changes"))
			return b.Put([]byte("1"), b.Get(first(b)))
		},
		"an item that cannot be read": func(tx *bbolt.Tx) error { return tx.Bucket([]byte("items")).Put(key, []byte{0xFF}) },
		"an item with something behind it": func(tx *bbolt.Tx) error {
			return tx.Bucket([]byte("items")).Put(key, append(bolt.AppendItem(nil, it), 0))
		},
		"an item in another's place": func(tx *bbolt.Tx) error {
			return tx.Bucket([]byte("items")).Put(key, bolt.AppendItem(nil, item("p", "other")))
		},
		"an item without a name": func(tx *bbolt.Tx) error { return tx.Bucket([]byte("items")).Put([]byte{9}, bolt.AppendItem(nil, it)) },
		"an item that an index lacks": func(tx *bbolt.Tx) error {
			b := tx.Bucket([]byte(table.Owner))
			return b.Delete(first(b))
		},
		"an item that never expires": func(tx *bbolt.Tx) error {
			b := tx.Bucket([]byte("expiry"))
			return b.Delete(first(b))
		},
		"an item of no index that cannot be read": func(tx *bbolt.Tx) error {
			return tx.Bucket([]byte("items")).Put(bolt.ItemKey(table.Key{PK: "p", SK: "t"}), []byte{0xFF})
		},
		"a bucket among the items": func(tx *bbolt.Tx) error {
			_, err := tx.Bucket([]byte("items")).CreateBucket(bolt.ItemKey(table.Key{PK: "p", SK: "t"}))
			return err
		},
		"an entry in the place of another": func(tx *bbolt.Tx) error {
			b := tx.Bucket([]byte(table.Owner))
			return errors.Join(b.Delete(first(b)), b.Put([]byte("x"), nil))
		},
		"a time to live in the place of another": func(tx *bbolt.Tx) error {
			b := tx.Bucket([]byte("expiry"))
			return errors.Join(b.Delete(first(b)), b.Put([]byte("x"), nil))
		},
		"an entry of no item":  func(tx *bbolt.Tx) error { return tx.Bucket([]byte(table.Work)).Put([]byte("x"), nil) },
		"a bucket that is not": func(tx *bbolt.Tx) error { return tx.DeleteBucket([]byte("expiry")) },
	} {
		path := filepath.Join(t.TempDir(), "table")
		tbl := open(t, path)
		write(t, tbl, table.Put(it))
		if err := tbl.Close(); err != nil {
			t.Fatal(err)
		}
		if change != nil {
			db, err := bbolt.Open(path, 0o600, nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(db.Update(change), db.Close()); err != nil {
				t.Fatal(err)
			}
		}
		tbl, err := bolt.New(bolt.Config{Path: path, NoSync: true})
		if err == nil {
			err = tbl.Close()
		}
		if change == nil && err != nil || change != nil && (!errors.Is(err, boltfile.ErrDamaged) || !strings.Contains(err.Error(), path)) {
			t.Errorf("%s: New = %v", name, err)
		}
		db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second})
		if err != nil {
			t.Fatalf("%s: the file stays locked: %v", name, err)
		}
		db.Close()
	}
}

// overwrite writes something else over the bytes that begin so, wherever a file has them.
func overwrite(t *testing.T, path string, old, new []byte) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	found := 0
	for at := 0; ; found++ {
		next := bytes.Index(content[at:], old)
		if next < 0 {
			break
		}
		if _, err := f.WriteAt(new, int64(at+next)); err != nil {
			t.Fatal(err)
		}
		at += next + len(old)
	}
	if found == 0 {
		t.Fatalf("the file has no %q", old)
	}
}

// TestUnreadableWhileOpen: whoever comes by an item, or a change, that cannot be read
// is told so with the file's path, and so is who looks for what is over.
func TestUnreadableWhileOpen(t *testing.T) {
	it := item("p", "s")
	it[table.ExpiresAt] = time.Date(2000, 1, 1, 0, 1, 0, 0, time.UTC).Unix() // a minute after a bubble's beginning
	key, stored := bolt.ItemKey(it.Key()), bolt.AppendItem(nil, it)
	ofItem := func(t *testing.T, path string) {
		overwrite(t, path, slices.Concat(key, stored), append(bytes.Clone(key), 0xFF))
	}
	ofChange := func(t *testing.T, path string) { // it has no old item
		overwrite(t, path, slices.Concat([]byte{0}, stored), []byte{0, 0xFF})
	}
	ofExpiry := func(t *testing.T, path string) {
		at := bolt.AppendTime(nil, it.Int(table.ExpiresAt))
		overwrite(t, path, slices.Concat(at, key), append(bytes.Clone(at), 0xFF))
	}
	sleeps := func(context.Context, *bolt.Table) error { time.Sleep(2 * time.Minute); return nil }
	for _, test := range []struct {
		name   string
		damage func(t *testing.T, path string)
		do     func(ctx context.Context, tbl *bolt.Table) error
	}{
		{"get", ofItem, func(ctx context.Context, tbl *bolt.Table) error { _, err := tbl.Get(ctx, true, it.Key()); return err }},
		{"query", ofItem, func(ctx context.Context, tbl *bolt.Table) error {
			_, err := tbl.Query(ctx, table.Query{Partition: "p", Limit: 1})
			return err
		}},
		{"write", ofItem, func(ctx context.Context, tbl *bolt.Table) error { return tbl.Write(ctx, table.Delete(it.Key())) }},
		{"changes", ofChange, func(ctx context.Context, tbl *bolt.Table) error { _, err := tbl.Changes(ctx, 0, 1); return err }},
		{"follow", ofChange, func(ctx context.Context, tbl *bolt.Table) error {
			return tbl.Follow(ctx, func(context.Context, bolt.Record, func()) error { return nil })
		}},
		{"the sweep of an item", ofItem, sleeps},
		{"the sweep of a time to live", ofExpiry, sleeps},
		{"the sweep of a change", ofChange, sleeps},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "table")
				var told []error
				for _, damaged := range []func(error){func(err error) { told = append(told, err) }, nil} {
					os.Remove(path)
					tbl, err := bolt.New(bolt.Config{Path: path, NoSync: true, Damaged: damaged})
					if err != nil {
						t.Fatal(err)
					}
					write(t, tbl, table.Put(it))
					test.damage(t, path)
					if err := test.do(t.Context(), tbl); err != nil && (!errors.Is(err, table.ErrUnavailable) || !errors.Is(err, boltfile.ErrDamaged) || !strings.Contains(err.Error(), path)) {
						t.Errorf("%s = %v, want one that says that %s is damaged", test.name, err, path)
					}
					if _, err := tbl.Get(t.Context(), true, table.Key{PK: "p", SK: "other"}); !errors.Is(err, boltfile.ErrDamaged) {
						t.Errorf("Get of another = %v, want %v", err, boltfile.ErrDamaged)
					}
					tbl.Close()
				}
				if len(told) != 1 || !strings.Contains(told[0].Error(), path) {
					t.Errorf("told %v, want the damage of %s once", told, path)
				}
			})
		})
	}
}

// TestBrokenEntry: an entry of an index is read whole or not at all.
func TestBrokenEntry(t *testing.T) {
	entry := bolt.EntryKey(table.Owner, table.Item{"pk": "p", "sk": "s", "op": "o", "os": "1\x002"})
	for n := range entry {
		if got, err := bolt.DecodeEntry(table.Owner, entry[:n]); err == nil && got.String("sk") == "s" {
			t.Errorf("the first %d of %d bytes = %v", n, len(entry), got)
		}
	}
	if got, err := bolt.DecodeEntry(table.Owner, entry); err != nil || got.String("os") != "1\x002" || got.String("sk") != "s" {
		t.Errorf("all of it = %v, %v", got, err)
	}
	for name, broken := range map[string][]byte{"no length": {0}, "no partition": {0, 9, 'o'}, "no sort key": {0, 1, 'o', '1'}, "an escape of nothing": {0, 1, 'o', 0, 7, 0, 0}, "no item": {0, 1, 'o', '1', 0, 0, 0}} {
		if got, err := bolt.DecodeEntry(table.Owner, broken); err == nil {
			t.Errorf("%s = %v", name, got)
		}
	}
}

// TestChangesAreBounded: no more changes come at a time than were asked for.
func TestChangesAreBounded(t *testing.T) {
	tbl := open(t, filepath.Join(t.TempDir(), "table"))
	for n := range 3 {
		write(t, tbl, table.Put(item("p", fmt.Sprint(n))))
	}
	for limit, want := range []int{0, 1, 2, 3, 3} {
		if got, err := tbl.Changes(context.Background(), 0, limit); err != nil || len(got) != want {
			t.Errorf("at most %d: %d changes, %v", limit, len(got), err)
		}
	}
}

// asBucket makes an entry of an open file one that bbolt refuses to write over: it
// marks the key, wherever a page of its own has it, as that of a bucket.
func asBucket(t *testing.T, path string, key []byte) {
	t.Helper()
	const leaf, pageHeader, element = 2, 16, 16 // as in boltfile
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	order, found := binary.NativeEndian, 0
	for page := 0; page < len(content); page += pageSize {
		if order.Uint16(content[page+8:]) != leaf {
			continue
		}
		for n := range int(order.Uint16(content[page+10:])) {
			at := page + pageHeader + n*element
			from, length := at+int(order.Uint32(content[at+4:])), int(order.Uint32(content[at+8:]))
			if !bytes.Equal(content[from:from+length], key) {
				continue
			}
			found++
			if _, err := f.WriteAt(order.AppendUint32(nil, 1), int64(at)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if found == 0 {
		t.Fatalf("no page of the file has the key %.20q", key)
	}
}

// TestStepThatTheFileRefuses: where the file does not take one step of a write, or of
// the sweep, nothing of it is stored, and whoever waits for it is told so.
func TestStepThatTheFileRefuses(t *testing.T) {
	if os.Getpagesize() != pageSize {
		t.Skip("damages pages of 4096 bytes")
	}
	// Its keys are long, so that no bucket is small enough to be within another's page.
	it := item(strings.Repeat("p", 600), strings.Repeat("s", 600))
	it["op"], it["os"], it["wp"], it["ws"] = "o", "1", "w", "1"
	it[table.ExpiresAt] = time.Date(2000, 1, 1, 0, 1, 0, 0, time.UTC).Unix() // a minute after a bubble's beginning
	changed := it.Clone()
	changed["os"] = "2"
	number := func(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }
	expiry := append(bolt.AppendTime(nil, it.Int(table.ExpiresAt)), bolt.ItemKey(it.Key())...)
	writing := func(a table.Action) func(ctx context.Context, tbl *bolt.Table) error {
		return func(ctx context.Context, tbl *bolt.Table) error { return tbl.Write(ctx, a) }
	}
	for name, test := range map[string]struct {
		key []byte
		do  func(ctx context.Context, tbl *bolt.Table) error
	}{
		"a put's item":          {bolt.ItemKey(it.Key()), writing(table.Put(changed))},
		"a deletion's owner":    {bolt.EntryKey(table.Owner, it), writing(table.Delete(it.Key()))},
		"a deletion's work":     {bolt.EntryKey(table.Work, it), writing(table.Delete(it.Key()))},
		"a deletion's expiry":   {expiry, writing(table.Delete(it.Key()))},
		"the change of a write": {number(2), writing(table.Delete(it.Key()))},
		"the sweep": {expiry, func(context.Context, *bolt.Table) error {
			time.Sleep(2 * time.Minute)
			return errors.Join(table.ErrNotDone, berrors.ErrIncompatibleValue) // which it tells nobody
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "table")
				tbl := open(t, path)
				write(t, tbl, table.Put(it))
				if err := tbl.Close(); err != nil {
					t.Fatal(err)
				}
				db, err := bbolt.Open(path, 0o600, nil)
				if err != nil {
					t.Fatal(err)
				}
				if err := errors.Join(db.Update(func(tx *bbolt.Tx) error { // a change where the next one is to be
					b := tx.Bucket([]byte("changes"))
					return b.Put(number(2), b.Get(number(1)))
				}), db.Close()); err != nil {
					t.Fatal(err)
				}
				tbl = open(t, path)
				asBucket(t, path, test.key)
				if err := test.do(t.Context(), tbl); !errors.Is(err, table.ErrNotDone) || !errors.Is(err, berrors.ErrIncompatibleValue) {
					t.Errorf("%s = %v, want %v and %v", name, err, table.ErrNotDone, berrors.ErrIncompatibleValue)
				}
				for _, x := range []table.Index{table.Owner, table.Work} {
					partition, sort := x.Keys()
					page, err := tbl.Query(t.Context(), table.Query{Index: x, Partition: it.String(partition), Limit: 10})
					if err != nil || len(page.Items) != 1 || page.Items[0].String(sort) != "1" {
						t.Errorf("the index %s has %v, %v, want what was there before", x, page.Items, err)
					}
				}
				if name != "a put's item" && name != "the sweep" { // which tries again, perhaps in one commit with others' writes
					write(t, tbl, table.Check(it.Key(), table.Exists()))
				}
			})
		})
	}
}

// TestDoneThatIsNotRemoved: Follow ends with the error of a removal that failed, be it
// while it goes on or at its end.
func TestDoneThatIsNotRemoved(t *testing.T) {
	if os.Getpagesize() != pageSize {
		t.Skip("damages pages of 4096 bytes")
	}
	for _, end := range []error{nil, errors.New("reader failed")} {
		synctest.Test(t, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "table")
			tbl := open(t, path)
			it := item("p", "s")
			it["text"] = strings.Repeat("text ", 1000)
			write(t, tbl, table.Put(it))
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			err := tbl.Follow(ctx, func(_ context.Context, r bolt.Record, done func()) error {
				asBucket(t, path, binary.BigEndian.AppendUint64(nil, r.Seq))
				done()
				return end
			})
			if !errors.Is(err, table.ErrNotDone) || end != nil && !errors.Is(err, end) || ctx.Err() != nil {
				t.Errorf("Follow of a reader who returns %v = %v, want %v", end, err, table.ErrNotDone)
			}
		})
	}
}
