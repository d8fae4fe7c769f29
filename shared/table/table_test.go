package table_test

import (
	"math"
	"testing"
	"time"

	"parley/shared/table"
)

func TestSize(t *testing.T) {
	for _, test := range []struct {
		item table.Item
		want int
	}{
		{nil, 0},
		{table.Item{"pk": "p", "sk": "s"}, 6},
		{table.Item{"text": "ä𝄞"}, 4 + 6},
		{table.Item{"": ""}, 0},
		{table.Item{"b": true}, 2},
		{table.Item{"n": int64(0)}, 1 + 1},
		{table.Item{"n": int64(7)}, 1 + 2},
		{table.Item{"n": int64(-7)}, 1 + 3},
		{table.Item{"n": int64(123)}, 1 + 3},
		{table.Item{"n": int64(1000)}, 1 + 2},
		{table.Item{"n": int64(120)}, 1 + 3},
		{table.Item{"n": int64(1e18)}, 1 + 2},
		{table.Item{"n": int64(1e18) + 1}, 1 + 11},
		{table.Item{"n": int64(1e18) - 1}, 1 + 10},
		{table.Item{"n": int64(math.MaxInt64)}, 1 + 11},
		{table.Item{"n": int64(math.MinInt64)}, 1 + 12},
	} {
		if got := test.item.Size(); got != test.want {
			t.Errorf("Size of %v = %d, want %d", test.item, got, test.want)
		}
	}
}

// TestTypedAttributes: an attribute of another type counts as absent.
func TestTypedAttributes(t *testing.T) {
	i := table.Item{"text": "x", "n": int64(7), "yes": true, "no": false}
	for name, want := range map[string]table.Item{"text": {"s": "x", "n": int64(0), "b": false}, "n": {"s": "", "n": int64(7), "b": false},
		"yes": {"s": "", "n": int64(0), "b": true}, "no": {"s": "", "n": int64(0), "b": false}, "none": {"s": "", "n": int64(0), "b": false}} {
		if got := (table.Item{"s": i.String(name), "n": i.Int(name), "b": i.Bool(name)}); !got.Equal(want) {
			t.Errorf("%s is read as %v, want %v", name, got, want)
		}
	}
}

func TestExpired(t *testing.T) {
	now := time.Unix(1000, 999_999_999)
	for _, test := range []struct {
		item table.Item
		want bool
	}{
		{nil, false},
		{table.Item{}, false},
		{table.Item{table.ExpiresAt: "999"}, false},
		{table.Item{table.ExpiresAt: int64(999)}, true},
		{table.Item{table.ExpiresAt: int64(1000)}, true},
		{table.Item{table.ExpiresAt: int64(1001)}, false},
	} {
		if got := test.item.Expired(now); got != test.want {
			t.Errorf("Expired of %v at 1000 = %t, want %t", test.item, got, test.want)
		}
	}
}

func TestEntry(t *testing.T) {
	whole := table.Item{"pk": "p", "sk": "s", "op": "o", "os": "1", "wp": "w", "text": "x"}
	for _, test := range []struct {
		index           table.Index
		entry, position table.Item
	}{
		{table.Primary, whole, table.Item{"pk": "p", "sk": "s"}},
		{table.Owner, table.Item{"pk": "p", "sk": "s", "op": "o", "os": "1"}, table.Item{"pk": "p", "sk": "s", "op": "o", "os": "1"}},
		{table.Work, nil, nil},
	} {
		if got := test.index.Entry(whole); !got.Equal(test.entry) {
			t.Errorf("entry in %q = %v, want %v", test.index, got, test.entry)
		}
		if test.position == nil {
			continue
		}
		if got := test.index.Position(whole); !got.Equal(test.position) {
			t.Errorf("position in %q = %v, want %v", test.index, got, test.position)
		}
	}
}

func TestApplySharesNothing(t *testing.T) {
	old := table.Item{"pk": "p", "sk": "s", "a": "old"}
	put := table.Put(table.Item{"pk": "p", "sk": "s", "a": "new"})
	update := table.Update(old.Key())
	update.Set = table.Item{"a": "new"}
	for name, a := range map[string]table.Action{"put": put, "update": update, "check": table.Check(old.Key(), table.Exists())} {
		got, err := a.Apply(old)
		if err != nil {
			t.Fatal(err)
		}
		got["a"] = "changed"
		if old["a"] != "old" || a.Item != nil && a.Item["a"] != "new" || a.Set != nil && a.Set["a"] != "new" {
			t.Errorf("%s: a change of the result reached %v or %+v", name, old, a)
		}
	}
}

func TestApplyKeepsNumbersInRange(t *testing.T) {
	for _, test := range []struct {
		n, amount int64
		fits      bool
	}{
		{math.MaxInt64 - 1, 1, true},
		{math.MaxInt64, 1, false},
		{math.MinInt64 + 1, -1, true},
		{math.MinInt64, -1, false},
		{math.MinInt64, math.MaxInt64, true},
		{math.MaxInt64, math.MaxInt64, false},
		{math.MinInt64, 0, true},
	} {
		a := table.Update(table.Key{PK: "p", SK: "s"})
		a.Add = map[string]int64{"n": test.amount}
		got, err := a.Apply(table.Item{"pk": "p", "sk": "s", "n": test.n})
		if (err == nil) != test.fits || err == nil && got.Int("n") != test.n+test.amount {
			t.Errorf("%d + %d = %v, %v, want it to fit: %t", test.n, test.amount, got, err, test.fits)
		}
	}
}

func TestRefusedOf(t *testing.T) {
	standing := table.Item{"pk": "p", "sk": "s"}
	r := &table.Refused{Refusals: []table.Refusal{{Action: 1, Item: standing}, {Action: 3}}}
	for n, want := range []struct {
		item    table.Item
		refused bool
	}{{nil, false}, {standing, true}, {nil, false}, {nil, true}} {
		if got, refused := r.Of(n); refused != want.refused || !got.Equal(want.item) {
			t.Errorf("Of(%d) = %v, %t, want %v, %t", n, got, refused, want.item, want.refused)
		}
	}
}
