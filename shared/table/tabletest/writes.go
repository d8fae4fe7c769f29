package tabletest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"parley/shared/table"
)

func testPut(t *testing.T, f Fixture) {
	whole := item("s", "text", "äöü\x00 𝄞 \"\\", "empty", "", "yes", true, "no", false, "zero", int64(0),
		"max", int64(math.MaxInt64), "min", int64(math.MinInt64), "op", "o", "wp", "w", "expires_at", int64(math.MaxInt32)*2)
	must(t, f.Table, table.Put(whole))
	expect(t, f.Table, key("s"), whole)
	must(t, f.Table, table.Put(item("s", "other", "x")))
	expect(t, f.Table, key("s"), item("s", "other", "x"))

	largest := item("largest", "text", "")
	largest["text"] = strings.Repeat("x", table.MaxItemBytes-largest.Size())
	must(t, f.Table, table.Put(largest))
	expect(t, f.Table, key("largest"), largest)
	long := table.Item{table.PK: strings.Repeat("p", table.MaxPKBytes), table.SK: strings.Repeat("s", table.MaxSKBytes)}
	must(t, f.Table, table.Put(long))
	expect(t, f.Table, long.Key(), long)
}

func testUpdate(t *testing.T, f Fixture) {
	for n, test := range []struct {
		name   string
		before table.Item
		change table.Action
		after  table.Item
	}{
		{"unknown attributes stay", item("", "a", "x", "other", true), set("a", "y"), item("", "a", "y", "other", true)},
		{"a value changes its type", item("", "a", "x"), set("a", int64(1)), item("", "a", int64(1))},
		{"set of nothing", nil, set("a", "x"), item("", "a", "x")},
		{"add", item("", "n", int64(40)), table.Action{Add: map[string]int64{"n": 2}}, item("", "n", int64(42))},
		{"add of less than nothing", item("", "n", int64(1)), table.Action{Add: map[string]int64{"n": -3}}, item("", "n", int64(-2))},
		{"add to no attribute", item(""), table.Action{Add: map[string]int64{"n": 2}}, item("", "n", int64(2))},
		{"add to nothing", nil, table.Action{Add: map[string]int64{"n": 2}}, item("", "n", int64(2))},
		{"add of zero", item(""), table.Action{Add: map[string]int64{"n": 0}}, item("", "n", int64(0))},
		{"remove", item("", "a", "x", "b", "y"), table.Action{Remove: []string{"a", "c"}}, item("", "b", "y")},
		{"remove from nothing", nil, table.Action{Remove: []string{"a"}}, item("")},
		{"all at once", item("", "a", "x", "b", "y", "n", int64(1)),
			table.Action{Set: table.Item{"a": "z"}, Add: map[string]int64{"n": 1, "m": 5}, Remove: []string{"b"}},
			item("", "a", "z", "n", int64(2), "m", int64(5))},
		{"reserved words", item("", "status", "x", "size", int64(1), "value", "x"),
			table.Action{Set: table.Item{"status": "y"}, Add: map[string]int64{"size": 1}, Remove: []string{"value"}},
			item("", "status", "y", "size", int64(2))},
	} {
		t.Run(test.name, func(t *testing.T) {
			k := key(fmt.Sprint("s", n))
			if test.before != nil {
				test.before[table.SK] = k.SK
				must(t, f.Table, table.Put(test.before))
			}
			test.change.Kind, test.change.Key = table.UpdateAction, k
			must(t, f.Table, test.change)
			test.after[table.SK] = k.SK
			expect(t, f.Table, k, test.after)
		})
	}
}

func set(name string, value any) table.Action {
	return table.Action{Set: table.Item{name: value}}
}

func testDelete(t *testing.T, f Fixture) {
	must(t, f.Table, table.Put(item("s")))
	must(t, f.Table, table.Delete(key("s")))
	expect(t, f.Table, key("s"), nil)
	must(t, f.Table, table.Delete(key("s")))
	must(t, f.Table, table.Put(item("s", "again", true), table.Absent()))
	expect(t, f.Table, key("s"), item("s", "again", true))
}

func testAllOrNothing(t *testing.T, f Fixture) {
	must(t, f.Table, table.Put(item("b", "v", "old")), table.Put(item("c", "v", "old")), table.Put(item("d", "v", "old")))
	err := f.Table.Write(t.Context(),
		table.Put(item("a")),
		table.Put(item("b", "v", "new"), table.Absent()),
		table.Set(key("c"), table.Item{"v": "newer"}, table.Equal("v", "new")),
		table.Delete(key("d")),
		table.Check(key("e"), table.Exists()))
	refused, ok := errors.AsType[*table.Refused](err)
	if !ok {
		t.Fatalf("Write = %v, want a refusal", err)
	}
	want := []table.Refusal{{Action: 1, Item: item("b", "v", "old")}, {Action: 2, Item: item("c", "v", "old")}, {Action: 4}}
	if fmt.Sprint(refused.Refusals) != fmt.Sprint(want) {
		t.Errorf("refused with %v, want %v", refused.Refusals, want)
	}
	for sk, want := range map[string]table.Item{
		"a": nil, "b": item("b", "v", "old"), "c": item("c", "v", "old"), "d": item("d", "v", "old"), "e": nil,
	} {
		expect(t, f.Table, key(sk), want)
	}

	var many []table.Action
	for n := range table.MaxActions {
		many = append(many, table.Put(item(fmt.Sprintf("many %03d", n))))
	}
	must(t, f.Table, many...)
	page, err := f.Table.Query(t.Context(), table.Query{Partition: "p", From: "many", Limit: 1000, Consistent: true})
	if err != nil || len(page.Items) != table.MaxActions {
		t.Errorf("%d of %d items were written (%v)", len(page.Items), table.MaxActions, err)
	}
}

// testMisfits tries updates that do not fit the item they meet.
func testMisfits(t *testing.T, f Fixture) {
	text := item("text", "a", "x")
	large := item("large", "a", strings.Repeat("x", table.MaxItemBytes-100))
	must(t, f.Table, table.Put(text), table.Put(large))
	add := table.Add(key("text"), map[string]int64{"a": 1})
	grow := table.Set(key("large"), table.Item{"b": strings.Repeat("y", 200)})
	for name, a := range map[string]table.Action{"add to text": add, "past the largest item": grow} {
		for _, actions := range [][]table.Action{{a}, {table.Put(item("other")), a}} {
			if err := f.Table.Write(t.Context(), actions...); !againstRules(err) {
				t.Errorf("%s, %d actions: Write = %v, want an error of no kind", name, len(actions), err)
			}
		}
		conditional := a
		conditional.If = ifs(table.Absent())
		err := f.Table.Write(t.Context(), table.Put(item("other"), table.Exists()), conditional)
		if refused, ok := errors.AsType[*table.Refused](err); !ok || len(refused.Refusals) != 2 {
			t.Errorf("%s, refused: Write = %v, want both actions refused", name, err)
		}
	}
	expect(t, f.Table, key("text"), text)
	expect(t, f.Table, key("large"), large)
	expect(t, f.Table, key("other"), nil)
}

// againstRules reports whether an error says that the call is at fault.
func againstRules(err error) bool {
	if _, refused := errors.AsType[*table.Refused](err); err == nil || refused {
		return false
	}
	for _, kind := range []error{table.ErrNotDone, table.ErrUnknown, table.ErrUnavailable, context.Canceled} {
		if errors.Is(err, kind) {
			return false
		}
	}
	return true
}

func testEndedContext(t *testing.T, f Fixture) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.Table.Write(ctx, table.Put(item("s"))); !errors.Is(err, table.ErrNotDone) || !errors.Is(err, context.Canceled) {
		t.Errorf("Write = %v, want %v and %v", err, table.ErrNotDone, context.Canceled)
	}
	reads := map[string]func() error{
		"Get of one key":  func() error { _, err := f.Table.Get(ctx, true, key("s")); return err },
		"Get of two keys": func() error { _, err := f.Table.Get(ctx, true, key("s"), key("t")); return err },
		"Query":           func() error { _, err := f.Table.Query(ctx, table.Query{Partition: "p", Limit: 1}); return err },
		"Query of empty range": func() error {
			_, err := f.Table.Query(ctx, table.Query{Partition: "p", Limit: 1, From: "b", To: "a"})
			return err
		},
	}
	for name, read := range reads {
		if err := read(); !errors.Is(err, context.Canceled) || errors.Is(err, table.ErrUnavailable) {
			t.Errorf("%s = %v, want %v", name, err, context.Canceled)
		}
	}
	expect(t, f.Table, key("s"), nil)
}

// testNothingShared changes what was passed and what was returned, which must
// not reach the table.
func testNothingShared(t *testing.T, f Fixture) {
	passed := item("s", "a", "x", "op", "o", "os", "1")
	must(t, f.Table, table.Put(passed))
	want := passed.Clone()
	passed["a"] = "changed"
	expect(t, f.Table, key("s"), want)

	get(t, f.Table, key("s"))["a"] = "changed"
	page, err := f.Table.Query(t.Context(), table.Query{Partition: "p", Limit: 1})
	if err != nil || len(page.Items) != 1 || page.Next == nil {
		t.Fatalf("Query = %v, %v, want one item and a next", page, err)
	}
	page.Items[0]["a"] = "changed"
	page.Next[table.SK] = "changed"
	if err := f.Table.Write(t.Context(), table.Check(key("s"), table.Absent())); err != nil {
		if refused, ok := errors.AsType[*table.Refused](err); ok {
			refused.Refusals[0].Item["a"] = "changed"
		}
	}
	expect(t, f.Table, key("s"), want)

	update := table.Set(key("s"), table.Item{"b": "y"})
	must(t, f.Table, update)
	want["b"] = "y"
	update.Set["b"] = "changed"
	expect(t, f.Table, key("s"), want)
}
