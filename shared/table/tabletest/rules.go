package tabletest

import (
	"strings"
	"testing"

	"parley/shared/table"
)

// testRules makes calls that break one rule each.
func testRules(t *testing.T, f Fixture) {
	long := strings.Repeat("x", table.MaxPKBytes+1)
	update := func(a table.Action) table.Action {
		a.Kind, a.Key = table.UpdateAction, key("s")
		return a
	}
	tooMany := make([]table.Action, table.MaxActions+1)
	tooHeavy := make([]table.Action, 11)
	for n := range tooMany {
		tooMany[n] = table.Put(item(strings.Repeat("s", n+1)))
	}
	for n := range tooHeavy {
		tooHeavy[n] = table.Put(item(strings.Repeat("s", n+1), "a", strings.Repeat("x", 390<<10)))
	}
	for name, actions := range map[string][]table.Action{
		"no action":                 nil,
		"too many actions":          tooMany,
		"too many bytes":            tooHeavy,
		"one item twice":            {table.Put(item("s")), table.Delete(key("s"))},
		"no pk":                     {table.Put(table.Item{table.SK: "s"})},
		"no sk":                     {table.Put(table.Item{table.PK: "p"})},
		"empty sk":                  {table.Put(item(""))},
		"long pk":                   {table.Put(table.Item{table.PK: long, table.SK: "s"})},
		"long sk":                   {table.Delete(key(long[:table.MaxSKBytes+1]))},
		"key that is no text":       {table.Put(table.Item{table.PK: "p", table.SK: int64(1)})},
		"key that is no UTF-8":      {table.Delete(key("\xff"))},
		"text that is no UTF-8":     {table.Put(item("s", "a", "\xff"))},
		"nameless attribute":        {table.Put(item("s", "", "x"))},
		"value of another type":     {table.Put(item("s", "n", 1))},
		"list":                      {table.Put(item("s", "n", []string{"a"}))},
		"nil":                       {table.Put(item("s", "n", nil))},
		"empty index key":           {table.Put(item("s", "op", "", "os", "1"))},
		"index key that is no text": {update(set("ws", int64(1)))},
		"long index key":            {table.Put(item("s", "op", "o", "os", long[:table.MaxSKBytes+1]))},
		"expiry that is no number":  {table.Put(item("s", table.ExpiresAt, "soon"))},
		"too large":                 {table.Put(item("s", "a", strings.Repeat("x", table.MaxItemBytes)))},
		"put under another key":     {{Kind: table.PutAction, Key: key("other"), Item: item("s")}},
		"update of nothing":         {table.Update(key("s"))},
		"update of a key":           {update(set(table.SK, "x"))},
		"remove of a key":           {update(table.Action{Remove: []string{table.PK}})},
		"set and remove":            {update(table.Action{Set: table.Item{"a": "x"}, Remove: []string{"a"}})},
		"set and add":               {update(table.Action{Set: table.Item{"a": int64(1)}, Add: map[string]int64{"a": 1}})},
		"add to an index key":       {update(table.Action{Add: map[string]int64{"op": 1}})},
		"check without condition":   {table.Check(key("s"))},
		"condition without name":    {table.Put(item("s"), table.Missing(""))},
		"condition on a list":       {table.Put(item("s"), table.Equal("a", []string{"x"}))},
		"at most a text":            {table.Put(item("s"), table.Condition{Test: table.TestAtMost, Attr: "a", Value: "x"})},
		"unknown condition":         {table.Put(item("s"), table.Condition{Test: 99, Attr: "a", Value: "x"})},
		"unknown kind":              {{Kind: 99, Key: key("s")}},
	} {
		if err := f.Table.Write(t.Context(), actions...); !againstRules(err) {
			t.Errorf("%s: Write = %v, want an error of no kind", name, err)
		}
	}
	for name, keys := range map[string][]table.Key{
		"no key": nil, "too many keys": make([]table.Key, table.MaxGet+1), "one key twice": {key("s"), key("t"), key("s")}, "empty key": {key("")},
	} {
		if _, err := f.Table.Get(t.Context(), true, keys...); !againstRules(err) {
			t.Errorf("%s: Get = %v, want an error of no kind", name, err)
		}
	}
	for name, q := range map[string]table.Query{
		"no partition":           {Limit: 1},
		"no limit":               {Partition: "p"},
		"large limit":            {Partition: "p", Limit: table.MaxLimit + 1},
		"unknown index":          {Index: "other", Partition: "p", Limit: 1},
		"consistent index":       {Index: table.Owner, Partition: "p", Limit: 1, Consistent: true},
		"start elsewhere":        {Partition: "p", Limit: 1, Start: table.Item{table.PK: "q", table.SK: "s"}},
		"start before the range": {Partition: "p", From: "b", Limit: 1, Start: item("a")},
		"start after the range":  {Partition: "p", To: "b", Limit: 1, Start: item("c")},
		"start without key":      {Index: table.Owner, Partition: "o", Limit: 1, Start: table.Item{"op": "o", "os": "1"}},
		"bound that is no UTF-8": {Partition: "p", From: "\xff", Limit: 1},
	} {
		if _, err := f.Table.Query(t.Context(), q); !againstRules(err) {
			t.Errorf("%s: Query = %v, want an error of no kind", name, err)
		}
	}
	expect(t, f.Table, key("s"), nil)
}
