package tabletest

import (
	"fmt"
	"slices"
	"testing"

	"parley/shared/table"
)

func testIndex(t *testing.T, f Fixture) {
	for _, x := range []table.Index{table.Owner, table.Work} {
		partition, sort := x.Keys()
		t.Run(string(x), func(t *testing.T) { testOneIndex(t, f.Table, x, partition, sort) })
	}
}

func testOneIndex(t *testing.T, tbl table.Table, x table.Index, partition, sort string) {
	in := table.Query{Index: x, Partition: "list"}
	must(t, tbl,
		table.Put(item("a", partition, "list", sort, "3", "text", "x")),
		table.Put(item("b", partition, "list", sort, "1", "text", "x")),
		table.Put(item("c", partition, "list", sort, "2", "text", "x")),
		table.Put(item("d", partition, "other", sort, "2")),
		table.Put(item("only partition", partition, "list")),
		table.Put(item("only sort", sort, "1")))
	expectQuery(t, tbl, in, "b", "c", "a")
	expectQuery(t, tbl, table.Query{Index: x, Partition: "list", Descending: true}, "a", "c", "b")
	expectQuery(t, tbl, table.Query{Index: x, Partition: "list", From: "2"}, "c", "a")
	expectQuery(t, tbl, table.Query{Index: x, Partition: "list", To: "2", Descending: true}, "c", "b")
	in.Limit = 1
	page, err := tbl.Query(t.Context(), in)
	if want := item("b", partition, "list", sort, "1"); err != nil || len(page.Items) != 1 || !page.Items[0].Equal(want) {
		t.Errorf("entry is %v, %v, want only its keys: %v", page.Items, err, want)
	}

	move := func(sk string, set table.Item, remove ...string) {
		t.Helper()
		update := table.Update(key(sk))
		update.Set, update.Remove = set, remove
		must(t, tbl, update)
	}
	move("a", table.Item{sort: "0"})
	expectQuery(t, tbl, in, "a", "b", "c")
	move("b", table.Item{partition: "other"})
	expectQuery(t, tbl, in, "a", "c")
	expectQuery(t, tbl, table.Query{Index: x, Partition: "other"}, "b", "d")
	move("a", nil, sort)
	expectQuery(t, tbl, in, "c")
	move("only partition", table.Item{sort: "9"})
	expectQuery(t, tbl, in, "c", "only partition")
	must(t, tbl, table.Delete(key("c")))
	expectQuery(t, tbl, in, "only partition")
	must(t, tbl, table.Put(item("only partition")))
	expectQuery(t, tbl, in)
	for _, sk := range []string{"a", "b", "d", "only partition", "only sort"} {
		must(t, tbl, table.Delete(key(sk)))
	}
}

// testIndexPages pages through entries of equal and of different sort keys,
// and goes on after one that is gone.
func testIndexPages(t *testing.T, f Fixture) {
	var want []string
	for n := range 12 {
		sk := fmt.Sprintf("%02d", n)
		want = append(want, sk)
		must(t, f.Table, table.Put(item(sk, "op", "o", "os", fmt.Sprint("same", n/4))))
	}
	read := func(q table.Query) []string {
		q.Index, q.Partition = table.Owner, "o"
		items, err := all(t.Context(), f.Table, q)
		if err != nil {
			t.Fatal(err)
		}
		for n := 1; n < len(items); n++ {
			if a, b := items[n-1].String("os"), items[n].String("os"); a != b && (a > b) != q.Descending {
				t.Errorf("%s comes before %s, descending: %t", a, b, q.Descending)
			}
		}
		return names(items, table.SK)
	}
	for _, descending := range []bool{false, true} {
		for _, limit := range []int{1, 5, 12, 13} {
			eventually(t, func() error {
				if got := read(table.Query{Limit: limit, Descending: descending}); !slices.Equal(slices.Sorted(slices.Values(got)), want) {
					return fmt.Errorf("pages of %d have %q, want each of %q once", limit, got, want)
				}
				return nil
			})
		}
	}
	q := table.Query{Index: table.Owner, Partition: "o", Limit: 8}
	page, err := f.Table.Query(t.Context(), q)
	if err != nil || page.Next == nil || page.Next.String("os") != "same1" {
		t.Fatalf("page = %v, %v, want a next within same1", page, err)
	}
	must(t, f.Table, table.Delete(page.Next.Key()))
	eventually(t, func() error {
		if got := read(table.Query{Limit: 100}); len(got) != 11 {
			return fmt.Errorf("%d entries, want 11", len(got))
		}
		return nil
	})
	if got := read(table.Query{Limit: 3, Start: page.Next}); !slices.Equal(slices.Sorted(slices.Values(got)), want[8:]) {
		t.Errorf("after a deleted entry come %q, want %q", got, want[8:])
	}
	if got := read(table.Query{Limit: 3, Start: page.Next, Descending: true}); len(got) != 7 {
		t.Errorf("before a deleted entry come %q, want 7", got)
	}
}
