package functiontest

import (
	"context"
	"log/slog"
	"strconv"
	"testing"
	"time"

	"parley/functions/feed"
	"parley/shared/table/bolt"
)

// Follow hands a table's changes to the feed, which rings these bells, until stop is
// called. Stop returns when the last of them has rung.
func Follow(t testing.TB, tbl *bolt.Table, bells ...feed.Bell) (stop func()) {
	ring := feed.New(feed.Config{Bells: bells, Log: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for after := uint64(0); ctx.Err() == nil; {
			records, err := tbl.Changes(ctx, after, 100)
			if err != nil || len(records) == 0 {
				time.Sleep(2 * time.Millisecond)
			}
			for _, r := range records {
				if after = r.Seq; ring(ctx, []feed.Record{{ID: strconv.FormatUint(r.Seq, 10), Change: r.Change}}) != "" {
					t.Error("the feed wants a change again")
				}
			}
		}
	}()
	return func() { cancel(); <-done }
}
