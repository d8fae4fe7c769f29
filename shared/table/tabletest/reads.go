package tabletest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/shared/table"
)

func testGet(t *testing.T, f Fixture) {
	var keys []table.Key
	for n := range table.MaxGet {
		keys = append(keys, key(fmt.Sprint("s", n)))
		if n%3 != 0 {
			must(t, f.Table, table.Put(item(keys[n].SK, "n", int64(n))))
		}
	}
	slices.Reverse(keys)
	for _, consistent := range []bool{true, false} {
		eventually(t, func() error {
			items, err := f.Table.Get(t.Context(), consistent, keys...)
			if err != nil || len(items) != len(keys) {
				return fmt.Errorf("get of %d keys = %d items, %v", len(keys), len(items), err)
			}
			for position, got := range items {
				n := table.MaxGet - 1 - position
				if want := item(fmt.Sprint("s", n), "n", int64(n)); n%3 != 0 && !same(got, want) || n%3 == 0 && got != nil {
					return fmt.Errorf("item %d is %v, want %v, or none if divisible by 3", position, got, want)
				}
			}
			return nil
		})
	}
}

func testRanges(t *testing.T, f Fixture) {
	// In the order of bytes, not of letters or of UTF-16.
	order := []string{"\x00", "\x00\x00", "\x01", " ", "10", "2", "A", "B", "a", "a\x00", "a\x00b", "aa", "ab", "b", "~", "ä", "\uffff", "𝄞"}
	for n := range order {
		must(t, f.Table, table.Put(item(order[len(order)-1-n])))
	}
	reversed := slices.Clone(order)
	slices.Reverse(reversed)
	at := func(sk string) int { return slices.Index(order, sk) }
	for _, consistent := range []bool{true, false} {
		base := table.Query{Partition: "p", Consistent: consistent}
		expectQuery(t, f.Table, base, order...)
		for _, test := range []struct {
			from, to string
			want     []string
		}{
			{"a", "", order[at("a"):]},
			{"", "a", order[:at("a")+1]},
			{"a", "b", order[at("a") : at("b")+1]},
			{"a", "a", []string{"a"}},
			{"a\x00a", "a\x00z", []string{"a\x00b"}},
			{"c", "d", nil},
			{"b", "a", nil},
			{"\uffff", "𝄞", []string{"\uffff", "𝄞"}},
		} {
			q := base
			q.From, q.To = test.from, test.to
			expectQuery(t, f.Table, q, test.want...)
			q.Descending = true
			want := slices.Clone(test.want)
			slices.Reverse(want)
			expectQuery(t, f.Table, q, want...)
		}
	}
}

func testPages(t *testing.T, f Fixture) {
	for _, sk := range []string{"a", "b", "c", "d", "e"} {
		must(t, f.Table, table.Put(item(sk)))
	}
	q := table.Query{Partition: "p", Limit: 2, Consistent: true}
	page, err := f.Table.Query(t.Context(), q)
	if err != nil || !slices.Equal(names(page.Items, table.SK), []string{"a", "b"}) || !page.Next.Equal(item("b")) {
		t.Fatalf("first page is %v, %v, want a, b and the key of b", page, err)
	}
	// The page goes on after an item that is gone, and sees one that came.
	must(t, f.Table, table.Delete(key("b")), table.Put(item("bb")))
	expectQuery(t, f.Table, table.Query{Partition: "p", Start: page.Next, Consistent: true}, "bb", "c", "d", "e")
	expectQuery(t, f.Table, table.Query{Partition: "p", Start: page.Next, Consistent: true, Descending: true}, "a")
	expectQuery(t, f.Table, table.Query{Partition: "p", Start: item("d"), From: "bb", To: "e", Consistent: true}, "e")
	expectQuery(t, f.Table, table.Query{Partition: "p", Start: item("d"), From: "bb", To: "e", Consistent: true, Descending: true}, "c", "bb")
	expectQuery(t, f.Table, table.Query{Partition: "p", Start: item("e"), Consistent: true})
	expectQuery(t, f.Table, table.Query{Partition: "other", Consistent: true})
	q.Limit = 100
	if page, err = f.Table.Query(t.Context(), q); err != nil || page.Next != nil {
		t.Errorf("last page has a next: %v, %v", page.Next, err)
	}
}

// testLargePages expects a page to end near 1 MB.
func testLargePages(t *testing.T, f Fixture) {
	for _, sk := range []string{"a", "b", "c", "d", "e", "f"} {
		must(t, f.Table, table.Put(item(sk, "text", strings.Repeat("x", 350<<10))))
	}
	for _, descending := range []bool{false, true} {
		q := table.Query{Partition: "p", Limit: 10, Descending: descending}
		page, err := f.Table.Query(t.Context(), q)
		if err != nil || len(page.Items) < 2 || len(page.Items) > 4 || page.Next == nil {
			t.Errorf("page has %d items of 350 KB and next %v (%v), want about three and a next", len(page.Items), page.Next, err)
		}
		if items, err := all(t.Context(), f.Table, q); err != nil || len(items) != 6 {
			t.Errorf("all pages have %d items (%v), want 6", len(items), err)
		}
	}
}

// testPartitions expects no partition to run into another, whatever its name.
func testPartitions(t *testing.T, f Fixture) {
	partitions := []string{"p", "p\x00", "p\x00\x01", "pp", "o", "q", "ä", "p#", strings.Repeat("p", 300)}
	for _, pk := range partitions {
		for _, sk := range []string{"1", "p", "\x00"} {
			must(t, f.Table, table.Put(table.Item{table.PK: pk, table.SK: sk, "op": pk, "os": sk}))
		}
	}
	for _, pk := range partitions {
		for _, x := range []table.Index{table.Primary, table.Owner} {
			expectQuery(t, f.Table, table.Query{Index: x, Partition: pk}, "\x00", "1", "p")
			expectQuery(t, f.Table, table.Query{Index: x, Partition: pk, Descending: true}, "p", "1", "\x00")
		}
	}
}

// testExpiry expects items to be gone when their time has come.
func testExpiry(t *testing.T, f Fixture) {
	start := time.Unix(2_000_000_000, 0)
	f.SetNow(start)
	for _, sk := range []string{"a", "b", "c", "d"} {
		i := item(sk)
		if sk != "d" {
			i[table.ExpiresAt] = start.Unix() + 1
		}
		must(t, f.Table, table.Put(i))
	}
	q := table.Query{Partition: "p", Consistent: true}
	expectQuery(t, f.Table, q, "a", "b", "c", "d")
	f.SetNow(start.Add(time.Second))
	expectQuery(t, f.Table, q, "d")
	for _, keys := range [][]table.Key{{key("a")}, {key("a"), key("d")}} {
		items, err := f.Table.Get(t.Context(), true, keys...)
		if err != nil || items[0] != nil {
			t.Errorf("Get of an expired item = %v, %v, want none", items, err)
		}
	}
	q.Limit = 2
	page, err := f.Table.Query(t.Context(), q)
	if err != nil || len(page.Items) != 0 || page.Next == nil {
		t.Errorf("page of expired items is %v, %v, want an empty one with a next", page, err)
	}
	must(t, f.Table, table.Set(key("a"), table.Item{table.ExpiresAt: start.Unix() + 100}))
	expectQuery(t, f.Table, q, "a", "d")
}
