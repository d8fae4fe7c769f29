package parley_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/table"
)

// lateIndex is a table whose index of what is due does not show yet what was
// written last, as a global secondary index of DynamoDB may not.
type lateIndex struct {
	table.Table
	behind *bool
}

func (l lateIndex) Query(ctx context.Context, q table.Query) (table.Page, error) {
	page, err := l.Table.Query(ctx, q)
	if q.Index == table.Work && *l.behind {
		page.Items = nil
	}
	return page, err
}

// TestSweepOfLaggingIndex: what a sweep does not find because the index lags, the
// sweep after it finds, though what was due in the minute before is its business
// no more.
func TestSweepOfLaggingIndex(t *testing.T) {
	for name, early := range map[string]time.Duration{"in the sweep's own minute": 10 * time.Second, "in the minute before": 45 * time.Second} {
		t.Run(name, func(t *testing.T) {
			onBolt(t, func(s scene) {
				behind := false
				s.store = s.over(lateIndex{s.table, &behind})
				await(time.Until(time.Now().Truncate(time.Minute).Add(90 * time.Second))) // half past a minute
				parleytest.Sweep(s, s.store)
				await(time.Minute - early)
				sent := s.send(parley.SendRequest{ID: "m", Channel: parley.ChannelNative, Content: "Hello?"}) // due in a minute
				await(early)
				parleytest.Sweep(s, s.store)
				await(time.Minute)
				behind = true
				if _, dead := parleytest.Sweep(s, s.store); len(dead) > 0 {
					s.Fatalf("found %v behind a lagging index", dead)
				}
				behind = false
				await(time.Minute)
				if _, dead := parleytest.Sweep(s, s.store); !slices.Equal(dead, []parley.RunRef{sent.Ref}) {
					s.Errorf("the next sweep found %v, want %v", dead, sent.Ref)
				}
			})
		})
	}
}
