package parley

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"parley/shared/table"
)

// counters bounds rates and budgets that many visitors share. A counter lives
// in the table, one item a window; each instance takes from it in blocks and
// hands out of its block, so that a busy instance writes once in many calls.
// What an instance took and did not hand out is lost when it dies: the bound
// holds always, and is reached early by at most one block an instance.
type counters struct {
	table table.Table
	now   func() time.Time
	mu    sync.Mutex
	held  map[counter]int64
	// fetching lets one call at a time fetch a block of a counter: those that
	// come meanwhile are handed out of it.
	fetching map[counter]chan struct{}
}

// counter names one counter in one window.
type counter struct {
	project ProjectID
	name    string
	subject string
	length  time.Duration
	window  int64
}

// A block is for so many calls, and at most so small a part of the limit: what
// instances hold and do not use is little, and a turn rarely writes.
const (
	callsPerBlock  = 4
	blocksPerLimit = 16
)

// maxHeld bounds the memory of the blocks; past it they are given up.
const maxHeld = 10_000

func newCounters(t table.Table, now func() time.Time) *counters {
	return &counters{table: t, now: now, held: map[counter]int64{}, fetching: map[counter]chan struct{}{}}
}

func (c *counters) counter(p ProjectID, name, subject string, length time.Duration) counter {
	return counter{p, name, subject, length, c.now().Unix() / int64(length/time.Second)}
}

// take takes n from the counter, of which a window holds max. ErrLimit if that
// is more than is left.
func (c *counters) take(ctx context.Context, k counter, n, max int64) error {
	turn := c.oneAtATime(k)
	select {
	case turn <- struct{}{}:
		defer func() { <-turn }()
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrUnavailable, ctx.Err())
	}
	had := c.fromBlock(k, n)
	if had == n {
		return nil
	}
	for _, block := range []int64{min(callsPerBlock*n, max/blocksPerLimit), n - had} {
		if block < n-had || block > max {
			continue
		}
		err := c.fetch(ctx, k, block, max)
		if err == nil {
			c.hold(k, block-(n-had))
			return nil
		}
		if !errors.Is(err, errLimit) {
			c.hold(k, had)
			return unavailable(err)
		}
	}
	c.hold(k, had)
	end := time.Unix((k.window+1)*int64(k.length/time.Second), 0)
	return &Error{Kind: ErrLimit, Code: k.name + "_limit", RetryAfter: end.Sub(c.now()),
		Text: "the limit is reached; try again later"}
}

var errLimit = errors.New("counter is spent")

// oneAtATime returns a counter's turn, which whoever puts something into it has.
// It is no mutex: a call to the table is made meanwhile, and a caller may give up.
func (c *counters) oneAtATime(k counter) chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.fetching) >= maxHeld {
		clear(c.fetching)
	}
	if c.fetching[k] == nil {
		c.fetching[k] = make(chan struct{}, 1)
	}
	return c.fetching[k]
}

// fromBlock hands out of what is held, at most n.
func (c *counters) fromBlock(k counter, n int64) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n = min(n, c.held[k]); n > 0 {
		c.held[k] -= n
	}
	return n
}

func (c *counters) hold(k counter, n int64) {
	if n == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.held) >= maxHeld {
		clear(c.held)
	}
	c.held[k] += n
}

// fetch takes a block out of the table. An unknown outcome counts as taken
// once more than it may have been: the bound errs on the safe side.
func (c *counters) fetch(ctx context.Context, k counter, block, max int64) error {
	up := table.Update(counterKey(k.project, k.name, k.subject, k.window), table.AtMost("n", max-block))
	up.Add = map[string]int64{"n": block}
	up.Set = table.Item{table.ExpiresAt: (k.window+2)*int64(k.length/time.Second) + 3600}
	err := retry(ctx, func() error { return c.table.Write(ctx, up) })
	if refused(err) {
		return errLimit
	}
	return err
}

// give returns what was taken and not used.
func (c *counters) give(k counter, n int64) {
	if n > 0 {
		c.hold(k, n)
	}
}
