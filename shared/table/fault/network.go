package fault

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"parley/shared/table"
)

// NetworkConfig says what a network leads to.
type NetworkConfig struct {
	// Table is what all processes share. Required.
	Table table.Table
	// Behind is how many writes a stale read may be behind; 0 means that there
	// are no stale reads. Above 0 all writes wait for one another, and each
	// costs a read of the table.
	Behind int
	// Now is the table's clock, for items that had not expired in the past;
	// nil means time.Now.
	Now func() time.Time
}

// A Network stands between one table and the processes that use it. It holds
// what belongs to no process: writes under way, and the past.
type Network struct {
	inner  table.Table
	behind int
	now    func() time.Time
	late   sync.WaitGroup

	mu   sync.Mutex
	past [][]table.Change // of each of the last writes, oldest first
}

// NewNetwork returns a network without processes.
func NewNetwork(c NetworkConfig) *Network {
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Network{inner: c.Table, behind: c.Behind, now: c.Now}
}

// Settle waits until every late write has arrived. No process may write meanwhile.
func (n *Network) Settle() { n.late.Wait() }

// deliverLate does a write after a delay. Nobody hears of its outcome.
func (n *Network) deliverLate(delay time.Duration, actions []table.Action) {
	actions = slices.Clone(actions)
	for i, a := range actions {
		actions[i].Item, actions[i].Set = a.Item.Clone(), a.Set.Clone()
	}
	n.late.Add(1)
	time.AfterFunc(delay, func() {
		defer n.late.Done()
		_ = n.write(context.Background(), actions)
	})
}

func (n *Network) write(ctx context.Context, actions []table.Action) error {
	if n.behind == 0 {
		return n.inner.Write(ctx, actions...)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	keys := make([]table.Key, len(actions))
	for i, a := range actions {
		keys[i] = a.Key
	}
	before, err := n.inner.Get(ctx, true, keys...)
	if err != nil {
		return fmt.Errorf("%w: %w", table.ErrNotDone, err)
	}
	if err := n.inner.Write(ctx, actions...); err != nil {
		return err
	}
	n.remember(actions, before)
	return nil
}

func (n *Network) remember(actions []table.Action, before []table.Item) {
	changes := make([]table.Change, 0, len(actions))
	for i, a := range actions {
		if after, err := a.Apply(before[i]); err == nil {
			changes = append(changes, table.Change{Old: before[i], New: after})
		}
	}
	n.past = append(n.past, changes)
	n.past = n.past[max(0, len(n.past)-n.behind):]
}

// getStale reads items as they were a share of Behind ago.
func (n *Network) getStale(ctx context.Context, share float64, keys []table.Key) ([]table.Item, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	items, err := n.inner.Get(ctx, false, keys...)
	if err != nil {
		return nil, err
	}
	for _, c := range n.since(share) {
		for i, key := range keys {
			if c.Old.Key() == key || c.New.Key() == key {
				items[i] = n.living(c.Old)
			}
		}
	}
	return items, nil
}

// queryStale reads a page as it was a share of Behind ago.
func (n *Network) queryStale(ctx context.Context, share float64, q table.Query) (table.Page, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	page, err := n.inner.Query(ctx, q)
	if err != nil {
		return table.Page{}, err
	}
	standing := map[table.Key]table.Item{}
	for _, item := range page.Items {
		standing[item.Key()] = item
	}
	order := order(q)
	for _, c := range n.since(share) {
		delete(standing, c.New.Key())
		entry := q.Index.Entry(n.living(c.Old))
		if entry != nil && inRange(q, entry) &&
			(q.Start == nil || order(entry, q.Start) > 0) && (page.Next == nil || order(entry, page.Next) <= 0) {
			standing[entry.Key()] = entry.Clone()
		}
	}
	page.Items = slices.SortedFunc(maps.Values(standing), order)
	if len(page.Items) > q.Limit {
		page.Items = page.Items[:q.Limit]
		page.Next = q.Index.Position(page.Items[q.Limit-1])
	}
	return page, nil
}

// since returns the changes of some of the last writes, newest first: of one
// write at least, of all that are remembered at most.
func (n *Network) since(share float64) []table.Change {
	back := min(1+int(share*float64(len(n.past))), len(n.past))
	undone := slices.Concat(n.past[len(n.past)-back:]...)
	slices.Reverse(undone)
	return undone
}

// living returns a copy of the item, or nil if it has expired.
func (n *Network) living(item table.Item) table.Item {
	if item.Expired(n.now()) {
		return nil
	}
	return item.Clone()
}

func inRange(q table.Query, entry table.Item) bool {
	partition, sort := q.Index.Keys()
	at := entry.String(sort)
	return entry.String(partition) == q.Partition && at >= q.From && (q.To == "" || at <= q.To)
}

// order returns how the query sorts what it finds.
func order(q table.Query) func(a, b table.Item) int {
	_, sort := q.Index.Keys()
	ascending := func(a, b table.Item) int {
		return cmp.Or(
			cmp.Compare(a.String(sort), b.String(sort)),
			cmp.Compare(a.String(table.PK), b.String(table.PK)),
			cmp.Compare(a.String(table.SK), b.String(table.SK)))
	}
	if q.Descending {
		return func(a, b table.Item) int { return ascending(b, a) }
	}
	return ascending
}
