package parleytest

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"parley/shared/awstest"
	"parley/shared/table"
	"parley/shared/table/dynamo"
)

// OnBothTables runs test twice, each time in a bubble of virtual time over an
// empty table: the embedded one, and one in DynamoDB Local.
func OnBothTables(t *testing.T, test func(t *testing.T, tbl *Listed)) {
	t.Run("bolt", func(t *testing.T) { OnBolt(t, test) })
	t.Run("dynamodb", func(t *testing.T) { OnDynamoDB(t, test) })
}

// OnBolt runs test in a bubble of virtual time over an empty embedded table.
func OnBolt(t *testing.T, test func(t *testing.T, tbl *Listed)) {
	synctest.Test(t, func(t *testing.T) { test(t, List(Table(t))) })
}

// OnDynamoDB runs test in a bubble of virtual time over an empty table in
// DynamoDB Local. Time stands still while a request is on the wire.
func OnDynamoDB(t *testing.T, test func(t *testing.T, tbl *Listed)) {
	options := awstest.DynamoDB(t).Options()
	name := awstest.Table(t).Name()
	w := newWire()
	defer w.close()
	synctest.Test(t, func(t *testing.T) {
		options.HTTPClient = &http.Client{Transport: w}
		test(t, List(dynamo.New(dynamo.Config{Client: dynamodb.New(options), Name: name, Now: time.Now})))
	})
}

// Listed is a table that can list what stands in it, which a table.Table cannot:
// it remembers every key that was ever written through it.
type Listed struct {
	table.Table
	mu   sync.Mutex
	keys map[table.Key]bool
}

// List returns the table with a list of what will be written.
func List(t table.Table) *Listed { return &Listed{Table: t, keys: map[table.Key]bool{}} }

// Write implements table.Table.
func (l *Listed) Write(ctx context.Context, actions ...table.Action) error {
	l.mu.Lock()
	for _, a := range actions {
		l.keys[a.Key] = true
	}
	l.mu.Unlock()
	return l.Table.Write(ctx, actions...)
}

// Dump returns all items that stand and have not expired.
func (l *Listed) Dump(t testing.TB) map[table.Key]table.Item {
	t.Helper()
	l.mu.Lock()
	keys := slices.Collect(maps.Keys(l.keys))
	l.mu.Unlock()
	all := map[table.Key]table.Item{}
	for chunk := range slices.Chunk(keys, table.MaxGet) {
		items, err := l.Get(context.Background(), true, chunk...)
		if err != nil {
			t.Fatalf("read all items: %v", err)
		}
		for _, item := range items {
			if item != nil {
				all[item.Key()] = item
			}
		}
	}
	return all
}

// Differences returns the keys of what is not the same in two dumps, sorted.
func Differences(before, after map[table.Key]table.Item) []string {
	changed := map[string]bool{}
	for _, both := range []map[table.Key]table.Item{before, after} {
		for k := range both {
			if !before[k].Equal(after[k]) {
				changed[k.PK+" "+k.SK] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(changed))
}
