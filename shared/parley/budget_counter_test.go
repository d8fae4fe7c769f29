package parley_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/table"
)

// stuck is a table in which writes to counters wait.
type stuck struct {
	table.Table
	until chan struct{}
}

func (s stuck) Write(ctx context.Context, actions ...table.Action) error {
	if strings.Contains(actions[0].Key.PK, "/count/") {
		<-s.until
	}
	return s.Table.Write(ctx, actions...)
}

// TestCounterIsWaitedFor: who waits for another call to fetch from a counter can give up.
func TestCounterIsWaitedFor(t *testing.T) {
	onBolt(t, func(s scene) {
		tbl := stuck{s.table, make(chan struct{})}
		store := s.over(tbl)
		become := func(ctx context.Context) error {
			_, err := store.Identify(ctx, parley.IdentifyRequest{Caller: parley.Caller{Project: parleytest.Project, Address: "198.51.100.1"}})
			return err
		}
		first := make(chan error)
		go func() { first <- become(context.Background()) }()
		await(time.Second)
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := become(ctx); !is(err, parley.ErrUnavailable) || !is(err, context.DeadlineExceeded) {
			s.Errorf("who gave up got %v, want %v", err, parley.ErrUnavailable)
		}
		close(tbl.until)
		s.want("who fetched", <-first, "")
	})
}

// TestCountersExpire: a counter stands for its window and one more, and an hour.
func TestCountersExpire(t *testing.T) {
	onBolt(t, func(s scene) {
		hour := time.Now().Truncate(time.Hour)
		_, err := s.store.Identify(context.Background(), parley.IdentifyRequest{Caller: parley.Caller{Project: parleytest.Project, Address: "198.51.100.1"}})
		s.want("identify", err, "")
		found := false
		for k, item := range s.table.Dump(s) {
			if !strings.Contains(k.PK, "/count/identify/") {
				continue
			}
			found = true
			if got, want := item.Int(table.ExpiresAt), hour.Add(3*time.Hour).Unix(); got != want {
				s.Errorf("%v expires at %d, want %d", k, got, want)
			}
		}
		if !found {
			s.Error("nothing is counted")
		}
	})
}
