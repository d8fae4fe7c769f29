// Package tabletest is a test kit: the contract of table.Table, as a suite that
// every implementation passes.
package tabletest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"parley/shared/table"
)

// A Fixture is an empty table and what tests need to do to it from outside.
type Fixture struct {
	Table table.Table
	// SetNow sets the clock by which items expire.
	SetNow func(time.Time)
	// Changes returns all changes so far; those of one item in order. It may be
	// behind by moments.
	Changes func(t *testing.T) []table.Change
}

// Run runs the contract. It opens a new fixture for each part.
func Run(t *testing.T, open func(t *testing.T) Fixture) {
	for _, part := range []struct {
		name string
		test func(*testing.T, Fixture)
	}{
		{"Conditions", testConditions},
		{"Put", testPut},
		{"Update", testUpdate},
		{"Delete", testDelete},
		{"AllOrNothing", testAllOrNothing},
		{"Misfits", testMisfits},
		{"Rules", testRules},
		{"EndedContext", testEndedContext},
		{"NothingShared", testNothingShared},
		{"OneWinner", testOneWinner},
		{"Counters", testCounters},
		{"Revisions", testRevisions},
		{"Transfers", testTransfers},
		{"Get", testGet},
		{"Ranges", testRanges},
		{"Pages", testPages},
		{"LargePages", testLargePages},
		{"Partitions", testPartitions},
		{"Index", testIndex},
		{"IndexPages", testIndexPages},
		{"Expiry", testExpiry},
		{"Feed", testFeed},
	} {
		t.Run(part.name, func(t *testing.T) { part.test(t, open(t)) })
	}
}

// patience is how long something that is eventually true may take.
const patience = 10 * time.Second

// eventually fails the test if check does not return nil within patience.
func eventually(t *testing.T, check func() error) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("still after %v: %v", patience, err)
		}
	}
}

// persist repeats a write that meets conflicts or throttles.
func persist(ctx context.Context, tbl table.Table, actions ...table.Action) error {
	for {
		err := tbl.Write(ctx, actions...)
		if !errors.Is(err, table.ErrNotDone) || ctx.Err() != nil {
			return err
		}
	}
}

func must(t *testing.T, tbl table.Table, actions ...table.Action) {
	t.Helper()
	if err := persist(t.Context(), tbl, actions...); err != nil {
		t.Fatalf("Write: %v", err)
	}
}

// key returns a key of the partition that most tests use.
func key(sk string) table.Key { return table.Key{PK: "p", SK: sk} }

// item returns an item of that partition with attributes given as name, value, ….
func item(sk string, attrs ...any) table.Item {
	i := key(sk).With(nil)
	for n := 0; n < len(attrs); n += 2 {
		i[attrs[n].(string)] = attrs[n+1]
	}
	return i
}

func get(t *testing.T, tbl table.Table, k table.Key) table.Item {
	t.Helper()
	items, err := tbl.Get(t.Context(), true, k)
	if err != nil || len(items) != 1 {
		t.Fatalf("Get(%v) = %v, %v, want one element", k, items, err)
	}
	return items[0]
}

// expect fails the test unless exactly this item stands under the key; nil is none.
func expect(t *testing.T, tbl table.Table, k table.Key, want table.Item) {
	t.Helper()
	if got := get(t, tbl, k); !same(got, want) {
		t.Errorf("%v holds %v, want %v", k, got, want)
	}
}

func same(a, b table.Item) bool { return (a == nil) == (b == nil) && a.Equal(b) }

// all reads a query to its end, page by page.
func all(ctx context.Context, tbl table.Table, q table.Query) ([]table.Item, error) {
	var items []table.Item
	for {
		page, err := tbl.Query(ctx, q)
		if err != nil {
			return nil, err
		}
		if len(page.Items) > q.Limit {
			return nil, fmt.Errorf("page of %d items, limit was %d", len(page.Items), q.Limit)
		}
		items = append(items, page.Items...)
		if page.Next == nil {
			return items, nil
		}
		q.Start = page.Next
	}
}

// names returns an attribute of each item.
func names(items []table.Item, attr string) []string {
	values := make([]string, len(items))
	for n, i := range items {
		values[n] = i.String(attr)
	}
	return values
}

// expectQuery fails the test unless the query finds, in the end, the items of
// these sort keys in this order. It is asked with several limits.
func expectQuery(t *testing.T, tbl table.Table, q table.Query, want ...string) {
	t.Helper()
	for _, limit := range []int{1, 2, 3, 1000} {
		q.Limit = limit
		eventually(t, func() error {
			items, err := all(t.Context(), tbl, q)
			if got := names(items, table.SK); err != nil || !slices.Equal(got, want) {
				return fmt.Errorf("query %+v finds %q (%v), want %q", q, got, err, want)
			}
			return nil
		})
	}
}
