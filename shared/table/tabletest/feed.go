package tabletest

import (
	"fmt"
	"testing"

	"parley/shared/table"
)

// testFeed expects every change of an item in the feed, in order, with the
// whole item before and after it.
func testFeed(t *testing.T, f Fixture) {
	update := table.Set(key("a"), table.Item{"v": "3"})
	must(t, f.Table, table.Put(item("a", "v", "1", "n", int64(7), "yes", true)))
	must(t, f.Table, table.Put(item("a", "v", "2")), table.Put(item("b")))
	must(t, f.Table, update, table.Check(key("b"), table.Exists()))
	// None of these changes anything.
	must(t, f.Table, update)
	must(t, f.Table, table.Put(item("a", "v", "3")))
	must(t, f.Table, table.Delete(key("c")))
	if err := f.Table.Write(t.Context(), table.Put(item("a")), table.Put(item("b"), table.Absent())); err == nil {
		t.Fatal("Write = nil, want a refusal")
	}
	must(t, f.Table, table.Delete(key("a")))
	must(t, f.Table, table.Put(item("a", "v", "4")))

	want := map[string][]table.Change{
		"a": {
			{New: item("a", "v", "1", "n", int64(7), "yes", true)},
			{Old: item("a", "v", "1", "n", int64(7), "yes", true), New: item("a", "v", "2")},
			{Old: item("a", "v", "2"), New: item("a", "v", "3")},
			{Old: item("a", "v", "3")},
			{New: item("a", "v", "4")},
		},
		"b": {{New: item("b")}},
	}
	eventually(t, func() error {
		got := map[string][]table.Change{}
		for _, c := range f.Changes(t) {
			sk := c.New.String(table.SK) + c.Old.String(table.SK)
			got[sk[:1]] = append(got[sk[:1]], c)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			return fmt.Errorf("changes by item are %v, want %v", got, want)
		}
		return nil
	})
}
