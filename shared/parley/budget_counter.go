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
// holds always, and is reached early by at most one block an instance. What was
// charged after it was done may be one call an instance above it.
type counters struct {
	table table.Table
	now   func() time.Time
	// near is told once of each counter that is nearly used up.
	near func(k counter, what string)
	mu   sync.Mutex
	held map[counter]amounts
	// told are the counters that near was told of.
	told map[counter]bool
	// spent are those which hold no more for what is charged, with what they held.
	spent map[counter]amounts
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

// amounts are what a counter counts, each by itself.
type amounts [3]int64

// What is counted. Calls are visitors, messages, files or changes, whatever the
// counter is for; bytes are those that are stored.
const (
	ofCalls = iota
	ofTokens
	ofBytes
)

// counted are the attributes of a counter's item.
var counted = [len(amounts{})]string{ofCalls: "n", ofTokens: "tokens", ofBytes: "bytes"}

// callsOf is a number of calls alone.
func callsOf(n int64) amounts { return amounts{ofCalls: n} }

// merge returns the amounts that f makes of each pair.
func (a amounts) merge(b amounts, f func(x, y int64) int64) amounts {
	for i := range a {
		a[i] = f(a[i], b[i])
	}
	return a
}

func (a amounts) plus(b amounts) amounts {
	return a.merge(b, func(x, y int64) int64 { return x + y })
}

func (a amounts) minus(b amounts) amounts {
	return a.merge(b, func(x, y int64) int64 { return x - y })
}

// above returns what there is more of than in b.
func (a amounts) above(b amounts) (what string, ok bool) {
	for i := range a {
		if a[i] > b[i] {
			return counted[i], true
		}
	}
	return "", false
}

// A block is for so many calls, and at most so small a part of the limit: what
// instances hold and do not use is little, and a turn rarely writes.
const (
	callsPerBlock  = 4
	blocksPerLimit = 16
)

// nearly is the part of a limit, in percent, of which people are told: early enough
// that they can raise it before anybody honest is refused. Our choice.
const nearly = 80

// maxHeld bounds the memory of the blocks; past it they are given up.
const maxHeld = 10_000

func newCounters(t table.Table, now func() time.Time, near func(k counter, what string)) *counters {
	return &counters{table: t, now: now, near: near, held: map[counter]amounts{}, told: map[counter]bool{}, spent: map[counter]amounts{}, fetching: map[counter]chan struct{}{}}
}

func (c *counters) counter(p ProjectID, name, subject string, length time.Duration) counter {
	return counter{p, name, subject, length, c.now().Unix() / int64(length/time.Second)}
}

// take takes what is needed from the counter, of which a window holds max. A block
// is fetched for calls that need what is usual. ErrLimit if there is not so much left.
func (c *counters) take(ctx context.Context, k counter, need, usual, max amounts) error {
	turn := c.oneAtATime(k)
	select {
	case turn <- struct{}{}:
		defer func() { <-turn }()
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrUnavailable, ctx.Err())
	}
	had, rest := c.fromBlock(k, need)
	if had == need {
		return nil
	}
	lacks := need.minus(had)
	block := usual.merge(max, func(u, m int64) int64 { return min(callsPerBlock*u, m/blocksPerLimit) })
	got, err := c.fetch(ctx, k, lacks, block.minus(rest).merge(lacks, larger), max)
	if err != nil {
		c.give(k, had)
		if !errors.Is(err, errLimit) {
			return unavailable(err)
		}
		return c.errSpent(k)
	}
	c.give(k, got.minus(lacks))
	return nil
}

func (c *counters) errSpent(k counter) error {
	end := time.Unix((k.window+1)*int64(k.length/time.Second), 0)
	return &Error{Kind: ErrLimit, Code: k.name + "_limit", RetryAfter: end.Sub(c.now()),
		Text: "the limit is reached; try again later"}
}

// check returns ErrLimit if it is known that nothing more can be charged to a counter
// of which a window holds max.
func (c *counters) check(k counter, max amounts) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.spent[k] == max {
		return c.errSpent(k)
	}
	return nil
}

// charge takes what has been used already. What cannot be taken now, because the
// table does not answer, is owed to the next call.
func (c *counters) charge(ctx context.Context, k counter, used, usual, max amounts) {
	if err := c.take(ctx, k, used, usual, max); err == nil {
		return
	} else if !errors.Is(err, ErrLimit) {
		c.give(k, amounts{}.minus(used))
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.spent) >= maxHeld {
		clear(c.spent)
	}
	c.spent[k] = max
}

func larger(a, b int64) int64 { return max(a, b) }

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

// fromBlock hands out of what is held, at most what is needed, and returns what is
// left.
func (c *counters) fromBlock(k counter, need amounts) (had, rest amounts) {
	c.mu.Lock()
	defer c.mu.Unlock()
	had = need.merge(c.held[k], func(n, h int64) int64 { return min(n, h) })
	rest = c.held[k].minus(had)
	c.keep(k, rest)
	return had, rest
}

// give returns what was taken and not used.
func (c *counters) give(k counter, n amounts) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keep(k, c.held[k].plus(n))
}

// giveEach returns to each counter what was taken of it and not used.
func (c *counters) giveEach(of []counter, n amounts) {
	for _, k := range of {
		c.give(k, n)
	}
}

// keep replaces what is held. The lock is held.
func (c *counters) keep(k counter, n amounts) {
	if len(c.held) >= maxHeld {
		clear(c.held)
	}
	if c.held[k] = n; n == (amounts{}) {
		delete(c.held, k)
	}
}

// fetch takes a block out of the table, or as much of it as is left, at least what
// is lacking. errLimit if not even that is left. An unknown outcome counts as taken
// once more than it may have been: the bound errs on the safe side.
func (c *counters) fetch(ctx context.Context, k counter, lacks, block, max amounts) (amounts, error) {
	var stood amounts // as far as it is known
	most := max
	if !c.wasTold(k) {
		most = max.merge(amounts{}, func(m, _ int64) int64 { return m * nearly / 100 })
	}
	for range changeTries {
		if what, ok := stood.plus(lacks).above(most); ok {
			if most == max {
				return amounts{}, errLimit
			}
			most = max
			c.tell(k, what)
			continue
		}
		left := most.minus(stood)
		take := block.merge(left, func(b, l int64) int64 { return min(b, l) }).merge(lacks, larger)
		stands, err := c.add(ctx, k, take, most)
		if !refused(err) {
			return take, err
		}
		stood = stands
	}
	return amounts{}, table.ErrNotDone
}

// add adds to the counter's item unless it would then be above most. Refused, it
// returns what the item says.
func (c *counters) add(ctx context.Context, k counter, take, most amounts) (stands amounts, err error) {
	up := table.Add(counterKey(k.project, k.name, k.subject, k.window), map[string]int64{})
	for i, name := range counted {
		if take[i] > 0 {
			up.If = append(up.If, table.AtMost(name, most[i]-take[i]))
			up.Add[name] = take[i]
		}
	}
	up.Set = table.Item{table.ExpiresAt: (k.window+2)*int64(k.length/time.Second) + 3600}
	err = retry(ctx, func() error { return c.table.Write(ctx, up) })
	if item, ok := standing(err, 0); ok {
		for i, name := range counted {
			stands[i] = item.Int(name)
		}
	}
	return stands, err
}

// tell says once that little is left of a counter.
func (c *counters) tell(k counter, what string) {
	c.mu.Lock()
	if len(c.told) >= maxHeld {
		clear(c.told)
	}
	known := c.told[k]
	c.told[k] = true
	c.mu.Unlock()
	if !known && k.length >= 24*time.Hour { // rates of less end by themselves
		c.near(k, what)
	}
}

func (c *counters) wasTold(k counter) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.told[k]
}
