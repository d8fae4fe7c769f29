package parley_test

import (
	"context"
	"slices"
	"strings"
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

// TestUnknownJobs: what is due and nobody knows, as of a later release, counts as failed
// and is put off for a minute, and what else is due is done.
func TestUnknownJobs(t *testing.T) {
	onBolt(t, func(s scene) {
		ctx := context.Background()
		id := s.turn("m").ID
		s.send(say("due", id))
		for k, item := range s.table.Dump(s) {
			if !strings.HasPrefix(k.PK, "demo/run/") || item.String("ws") == "" {
				continue
			}
			for _, sk := range []string{"job/nobody", "mark/nobody"} {
				unknown := table.Key{PK: "demo/session/" + string(id), SK: sk}.With(table.Item{"wp": item["wp"], "ws": item["ws"]})
				if err := s.table.Write(ctx, table.Put(unknown)); err != nil {
					s.Fatal(err)
				}
			}
		}
		for n := range 2 {
			await(time.Minute)
			if swept, _ := parleytest.Sweep(s, s.store); swept.Failed != 2 || n == 0 && swept.Revived == 0 {
				s.Errorf("sweep %d: %+v, want two that failed and a run that was revived", n+1, swept)
			}
		}
	})
}
