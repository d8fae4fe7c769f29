package bolt_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"parley/shared/table"
	"parley/shared/table/bolt"
)

// BenchmarkWrite measures writes of 300 bytes, with and without the disk.
func BenchmarkWrite(b *testing.B) {
	put := func(n int64) []table.Action { return []table.Action{table.Put(benchItem(n, 0), table.Absent())} }
	transaction := func(n int64) []table.Action {
		listed := benchItem(n, 1)
		listed["op"], listed["os"] = "owner", fmt.Sprintf("%019d", n)
		return []table.Action{table.Put(benchItem(n, 0), table.Absent()), table.Put(listed), table.Put(benchItem(n, 2))}
	}
	for _, kind := range []struct {
		name    string
		actions func(int64) []table.Action
	}{{"put", put}, {"transaction", transaction}} {
		for _, writers := range []int{1, 64} {
			for _, noSync := range []bool{false, true} {
				b.Run(fmt.Sprintf("%s/writers=%d/nosync=%t", kind.name, writers, noSync), func(b *testing.B) {
					benchWrite(b, kind.actions, writers, noSync)
				})
			}
		}
	}
}

func benchItem(n int64, part int) table.Item {
	return table.Item{
		table.PK: fmt.Sprint("bench", n%100), table.SK: fmt.Sprintf("%019d.%d", n, part), "text": strings.Repeat("x", 250),
	}
}

func benchWrite(b *testing.B, actions func(int64) []table.Action, writers int, noSync bool) {
	tbl, err := bolt.New(bolt.Config{Path: filepath.Join(b.TempDir(), "table"), NoSync: noSync})
	if err != nil {
		b.Fatal(err)
	}
	defer tbl.Close()
	var begun atomic.Int64
	var workers sync.WaitGroup
	ctx := b.Context()
	b.ResetTimer()
	for range writers {
		workers.Go(func() {
			for n := begun.Add(1); n <= int64(b.N); n = begun.Add(1) {
				if err := tbl.Write(ctx, actions(n)...); err != nil {
					b.Error(err)
				}
			}
		})
	}
	workers.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "writes/s")
}
