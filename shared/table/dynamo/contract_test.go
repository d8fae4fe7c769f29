package dynamo_test

import (
	"sync/atomic"
	"testing"
	"time"

	"parley/shared/awstest"
	"parley/shared/table"
	"parley/shared/table/tabletest"
)

func TestContract(t *testing.T) {
	tabletest.Run(t, func(t *testing.T) tabletest.Fixture {
		var now atomic.Pointer[time.Time]
		set := func(at time.Time) { now.Store(&at) }
		set(time.Now())
		tbl := awstest.StreamedTable(t, func() time.Time { return *now.Load() })
		return tabletest.Fixture{
			Table:  tbl,
			SetNow: set,
			Changes: func(t *testing.T) []table.Change {
				t.Helper()
				return awstest.Changes(t, tbl)
			},
		}
	})
}
