package fault

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"parley/shared/table"
)

// Config says how the calls of a process fail. The zero Config lets all calls
// through.
type Config struct {
	// Seed of the dice. With the same seed, calls one after another meet the
	// same faults.
	Seed uint64
	// Chance is how often a kind of fault falls on a call that it can fall on,
	// from 0 to 1. The chances of all kinds for writes add up to 1 at most, and
	// those for reads.
	Chance map[Kind]float64
	// Plan names the fault of exact calls, counted from 1; no dice are thrown
	// for these.
	Plan map[int]Kind
	// Delay is the longest time that a late write is under way.
	Delay time.Duration
	// MayMiss says which items a page with a hole can miss; nil means any.
	MayMiss func(table.Item) bool
}

// Process is one process's view of the table. Its methods may be called from
// many goroutines.
type Process struct {
	network *Network
	config  Config

	mu      sync.Mutex
	dice    *rand.Rand
	calls   int
	crashed bool
}

var _ table.Table = (*Process)(nil)

// Process connects one more process.
func (n *Network) Process(c Config) *Process {
	if c.MayMiss == nil {
		c.MayMiss = func(table.Item) bool { return true }
	}
	return &Process{network: n, config: c, dice: rand.New(rand.NewPCG(c.Seed, 0))}
}

// Calls returns how many calls have begun, those after a crash included.
func (p *Process) Calls() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.calls
}

// Crashed reports whether the process has crashed.
func (p *Process) Crashed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.crashed
}

// Crash ends the process now. Calls under way take effect but get ErrCrashed.
func (p *Process) Crash() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.crashed = true
}

// next begins a call and returns the fault that falls on it, with a number
// from 0 to 1 that decides its details.
func (p *Process) next(kinds []Kind) (kind Kind, detail float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls++
	if p.crashed {
		return CrashBefore, 0
	}
	kind, planned := p.config.Plan[p.calls]
	thrown, detail := p.dice.Float64(), p.dice.Float64()
	for _, k := range kinds {
		if planned {
			break
		}
		if thrown < p.config.Chance[k] {
			kind = k
			break
		}
		thrown -= p.config.Chance[k]
	}
	p.crashed = kind == CrashBefore
	return kind, detail
}

// Get implements table.Table.
func (p *Process) Get(ctx context.Context, consistent bool, keys ...table.Key) ([]table.Item, error) {
	kind, detail := p.next(readFaults)
	return read(p, kind, func() ([]table.Item, error) {
		if kind == Stale && !consistent {
			return p.network.getStale(ctx, detail, keys)
		}
		return p.network.inner.Get(ctx, consistent, keys...)
	})
}

// Query implements table.Table.
func (p *Process) Query(ctx context.Context, q table.Query) (table.Page, error) {
	kind, detail := p.next(readFaults)
	return read(p, kind, func() (table.Page, error) {
		if kind == Stale && !q.Consistent {
			return p.network.queryStale(ctx, detail, q)
		}
		page, err := p.network.inner.Query(ctx, q)
		if kind == Hole {
			page.Items = p.miss(page.Items, detail)
		}
		return page, err
	})
}

// read does a read with the faults that all reads have in common.
func read[A any](p *Process, kind Kind, do func() (A, error)) (answer A, err error) {
	var none A
	switch kind {
	case CrashBefore:
		return none, ErrCrashed
	case Unreadable:
		return none, fmt.Errorf("%w: injected", table.ErrUnavailable)
	}
	answer, err = do()
	if kind == CrashAfter {
		p.Crash()
	}
	if p.Crashed() {
		return none, ErrCrashed
	}
	return answer, err
}

// miss returns the items without one of those that may be missed.
func (p *Process) miss(items []table.Item, detail float64) []table.Item {
	var candidates []int
	for n := range len(items) - 1 {
		if p.config.MayMiss(items[n]) {
			candidates = append(candidates, n)
		}
	}
	if candidates == nil {
		return items
	}
	n := candidates[int(detail*float64(len(candidates)))]
	return slices.Delete(items, n, n+1)
}

// Write implements table.Table.
func (p *Process) Write(ctx context.Context, actions ...table.Action) error {
	if err := table.CheckWrite(actions); err != nil {
		return err
	}
	kind, detail := p.next(writeFaults)
	err := p.write(ctx, kind, detail, actions)
	if kind == CrashAfter {
		p.Crash()
	}
	if p.Crashed() {
		return ErrCrashed
	}
	return err
}

func (p *Process) write(ctx context.Context, kind Kind, detail float64, actions []table.Action) error {
	timeout := fmt.Errorf("%w: injected timeout", table.ErrUnknown)
	switch kind {
	case CrashBefore:
		return ErrCrashed
	case Throttle:
		return fmt.Errorf("%w: injected throttle", table.ErrNotDone)
	case Conflict:
		return fmt.Errorf("%w: injected conflict", table.ErrNotDone)
	case Lost:
		return timeout
	case Unanswered:
		_ = p.network.write(ctx, actions) // its answer is what gets lost
		return timeout
	case Late:
		p.network.deliverLate(time.Duration(detail*float64(p.config.Delay)), actions)
		return timeout
	case Twice:
		if len(actions) == 1 && actions[0].Kind != table.CheckAction {
			_ = p.network.write(ctx, actions) // so does the first answer here
		}
	}
	return p.network.write(ctx, actions)
}
