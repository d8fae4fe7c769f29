package bolt_test

import (
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"parley/shared/table"
	"parley/shared/table/bolt"
	"parley/shared/table/tabletest"
)

func TestContract(t *testing.T) {
	tabletest.Run(t, func(t *testing.T) tabletest.Fixture {
		var now atomic.Pointer[time.Time]
		set := func(at time.Time) { now.Store(&at) }
		set(time.Now())
		tbl, err := bolt.New(bolt.Config{
			Path:   filepath.Join(t.TempDir(), "table"),
			Now:    func() time.Time { return *now.Load() },
			NoSync: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := tbl.Close(); err != nil {
				t.Error(err)
			}
		})
		changes := func(t *testing.T) []table.Change {
			t.Helper()
			records, err := tbl.Changes(t.Context(), 0, 1000)
			if err != nil {
				t.Fatal(err)
			}
			changes := make([]table.Change, len(records))
			for n, r := range records {
				changes[n] = r.Change
			}
			return changes
		}
		return tabletest.Fixture{Table: tbl, SetNow: set, Changes: changes}
	})
}
