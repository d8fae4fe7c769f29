package table_test

import (
	"math"
	"strings"
	"testing"

	"parley/shared/table"
)

// of returns an item of exactly so many bytes.
func of(t *testing.T, sk string, size int) table.Item {
	t.Helper()
	item := table.Item{table.PK: "p", table.SK: sk, "text": ""}
	item["text"] = strings.Repeat("x", size-item.Size())
	if item.Size() != size {
		t.Fatalf("an item of %d bytes is of %d", size, item.Size())
	}
	return item
}

// TestLimits: what is as large as may be is taken, and one byte more is not.
func TestLimits(t *testing.T) {
	query := func(change func(*table.Query)) error {
		q := table.Query{Partition: "p", From: "a", To: "b", Limit: 1}
		change(&q)
		return q.Check()
	}
	large := func(more int) error {
		var actions []table.Action
		for left := table.MaxWriteBytes + more; left > 0; left -= table.MaxItemBytes {
			actions = append(actions, table.Put(of(t, string(rune('a'+len(actions))), min(left, table.MaxItemBytes))))
		}
		return table.CheckWrite(actions)
	}
	key := func(n int) string { return strings.Repeat("k", n) }
	for name, test := range map[string]func(more int) error{
		"bytes of a write": large,
		"bytes of an item": func(more int) error {
			return table.CheckWrite([]table.Action{table.Put(of(t, "s", table.MaxItemBytes+more))})
		},
		"bytes of an updated item": func(more int) error {
			up := table.Update(table.Key{PK: "p", SK: "s"})
			up.Set = table.Item{"text": of(t, "s", table.MaxItemBytes+more)["text"]}
			_, err := up.Apply(nil)
			return err
		},
		"a query's lower bound": func(more int) error {
			return query(func(q *table.Query) { q.From, q.To = key(table.MaxSKBytes+more), "" })
		},
		"a query's upper bound": func(more int) error { return query(func(q *table.Query) { q.To = key(table.MaxSKBytes + more) }) },
		"a query's partition": func(more int) error {
			return query(func(q *table.Query) { q.Partition = key(table.MaxPKBytes + more) })
		},
		"a query's limit": func(more int) error { return query(func(q *table.Query) { q.Limit = table.MaxLimit + more }) },
		"a partition key": func(more int) error { return table.CheckGet([]table.Key{{PK: key(table.MaxPKBytes + more), SK: "s"}}) },
		"a sort key":      func(more int) error { return table.CheckGet([]table.Key{{PK: "p", SK: key(table.MaxSKBytes + more)}}) },
		"a sort key of an index": func(more int) error {
			return table.CheckWrite([]table.Action{table.Put(table.Item{table.PK: "p", table.SK: "s", "op": "o", "os": key(table.MaxSKBytes + more)})})
		},
	} {
		t.Run(name, func(t *testing.T) {
			if err := test(0); err != nil {
				t.Errorf("the most that is allowed is refused: %v", err)
			}
			if err := test(1); err == nil {
				t.Error("one more is taken")
			}
		})
	}
}

// TestNamesOfUpdates: an update names attributes as a put does.
func TestNamesOfUpdates(t *testing.T) {
	at := table.Key{PK: "p", SK: "s"}
	for name, change := range map[string]func(a *table.Action, attribute string){
		"set":    func(a *table.Action, attribute string) { a.Set = table.Item{attribute: "x"} },
		"add":    func(a *table.Action, attribute string) { a.Add = map[string]int64{attribute: 1} },
		"remove": func(a *table.Action, attribute string) { a.Remove = []string{attribute} },
	} {
		for attribute, want := range map[string]bool{"a": true, "": false, "\xff": false} {
			up := table.Update(at)
			change(&up, attribute)
			if err := table.CheckWrite([]table.Action{up}); (err == nil) != want {
				t.Errorf("%s of the attribute %q: %v", name, attribute, err)
			}
		}
	}
}

// TestNamesOfConditions: so does a condition.
func TestNamesOfConditions(t *testing.T) {
	for name, of := range map[string]func(attribute string) table.Condition{
		"missing": table.Missing,
		"at most": func(attribute string) table.Condition { return table.AtMost(attribute, 1) },
		"equal":   func(attribute string) table.Condition { return table.Equal(attribute, "x") },
		"either":  func(attribute string) table.Condition { return table.EqualOrMissing(attribute, "x") },
	} {
		for attribute, want := range map[string]bool{"a": true, "": false, "\xff": false} {
			if err := table.CheckWrite([]table.Action{table.Check(table.Key{PK: "p", SK: "s"}, of(attribute))}); (err == nil) != want {
				t.Errorf("%s, of the attribute %q: %v", name, attribute, err)
			}
		}
	}
}

// TestAddKeepsItsRange: a sum that an int64 does not hold is an error, not another number.
func TestAddKeepsItsRange(t *testing.T) {
	for _, test := range []struct {
		stands, add int64
		ok          bool
	}{
		{math.MaxInt64 - 1, 1, true},
		{math.MaxInt64, 1, false},
		{math.MaxInt64, 0, true},
		{math.MaxInt64, -1, true},
		{math.MinInt64 + 1, -1, true},
		{math.MinInt64, -1, false},
		{math.MinInt64, 0, true},
		{math.MinInt64, math.MaxInt64, true},
		{5, math.MaxInt64, false},
		{0, math.MinInt64, true},
	} {
		up := table.Update(table.Key{PK: "p", SK: "s"})
		up.Add = map[string]int64{"n": test.add}
		got, err := up.Apply(table.Item{table.PK: "p", table.SK: "s", "n": test.stands})
		if (err == nil) != test.ok || test.ok && got.Int("n") != test.stands+test.add {
			t.Errorf("%d and %d more is %v, %v", test.stands, test.add, got, err)
		}
	}
}
