// Package meter is a test kit: it counts what the calls to a table would consume on
// DynamoDB, write and read units by AWS's rule, calls, and waves of calls that
// follow one another.
//
// It counts itself because DynamoDB Local misreports transactions.
package meter

import (
	"context"
	"errors"
	"maps"
	"sync"

	"parley/shared/table"
)

// Config says what is measured.
type Config struct {
	// Table does the work. Required.
	Table table.Table
	// Label names the line under which the units of an action are counted; nil
	// means one line without a name.
	Label func(table.Action) string
}

// Table is a table.Table that counts. Its methods may be called from many
// goroutines; the images by which a write is measured are read just before it,
// so a write to the same item at the same moment can be measured by an image
// that is one write old.
type Table struct {
	inner table.Table
	label func(table.Action) string

	mu       sync.Mutex
	counts   Counts
	wave     int  // the current wave; unlike Counts.Waves it never goes back
	finished bool // a call of the current wave has finished
}

var _ table.Table = (*Table)(nil)

// New returns a meter at zero.
func New(c Config) *Table {
	if c.Label == nil {
		c.Label = func(table.Action) string { return "" }
	}
	t := &Table{inner: c.Table, label: c.Label}
	t.Reset()
	return t
}

// Counts are what calls have consumed since the meter stood at zero.
type Counts struct {
	// Calls is the number of calls, each one request to DynamoDB.
	Calls int
	// Waves is the number of calls that had to wait for one another: a call
	// begins a wave when one of the current wave has finished, else it joins it.
	Waves int
	// Writes are the write units by label. A refused write counts as if it had
	// been done, and so does one of unknown outcome; one not done counts nothing.
	Writes map[string]Units
	// Reads are the read units of "get", "query", "query owner" and "query
	// work". Expired items that a page left out are not counted.
	Reads map[string]float64
}

// WriteUnits returns the write units under all labels.
func (c Counts) WriteUnits() int {
	total := 0
	for _, u := range c.Writes {
		total += u.Total()
	}
	return total
}

// ReadUnits returns the read units of all reads.
func (c Counts) ReadUnits() float64 {
	total := 0.0
	for _, u := range c.Reads {
		total += u
	}
	return total
}

// Counts returns what has been counted so far.
func (t *Table) Counts() Counts {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.counts
	c.Writes, c.Reads = maps.Clone(c.Writes), maps.Clone(c.Reads)
	return c
}

// Reset puts the meter back to zero.
func (t *Table) Reset() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts = Counts{Writes: map[string]Units{}, Reads: map[string]float64{}}
}

// begin counts a call and returns its wave, which end is told when it is over.
func (t *Table) begin() (wave int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts.Calls++
	if t.counts.Waves == 0 || t.finished {
		t.counts.Waves++
		t.wave++
		t.finished = false
	}
	return t.wave
}

func (t *Table) end(wave int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if wave == t.wave {
		t.finished = true
	}
}

// Get implements table.Table.
func (t *Table) Get(ctx context.Context, consistent bool, keys ...table.Key) ([]table.Item, error) {
	defer t.end(t.begin())
	items, err := t.inner.Get(ctx, consistent, keys...)
	if err != nil {
		return nil, err
	}
	units := 0.0
	for _, item := range items {
		units += readUnits(item.Size(), consistent)
	}
	t.addRead("get", units)
	return items, nil
}

// Query implements table.Table.
func (t *Table) Query(ctx context.Context, q table.Query) (table.Page, error) {
	defer t.end(t.begin())
	page, err := t.inner.Query(ctx, q)
	if err != nil {
		return table.Page{}, err
	}
	size := 0
	for _, item := range page.Items {
		size += item.Size()
	}
	label := "query"
	if q.Index != table.Primary {
		label += " " + string(q.Index)
	}
	t.addRead(label, readUnits(size, q.Consistent))
	return page, nil
}

// Write implements table.Table.
func (t *Table) Write(ctx context.Context, actions ...table.Action) error {
	defer t.end(t.begin())
	before := t.images(ctx, actions)
	err := t.inner.Write(ctx, actions...)
	if _, refused := errors.AsType[*table.Refused](err); err != nil && !refused && !errors.Is(err, table.ErrUnknown) {
		return err
	}
	t.addWrites(actions, before)
	return err
}

// images returns what stands under the keys of the actions. Where the table
// cannot tell, the write is measured by its own images alone.
func (t *Table) images(ctx context.Context, actions []table.Action) []table.Item {
	keys := make([]table.Key, len(actions))
	for n, a := range actions {
		keys[n] = a.Key
	}
	items, err := t.inner.Get(ctx, true, keys...)
	if err != nil {
		return make([]table.Item, len(actions))
	}
	return items
}

func (t *Table) addRead(label string, units float64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts.Reads[label] += units
}

func (t *Table) addWrites(actions []table.Action, before []table.Item) {
	for n, a := range actions {
		after, err := a.Apply(before[n])
		if err != nil {
			after = before[n]
		}
		t.addWrite(t.label(a), actionUnits(a.Kind, len(actions) > 1, before[n], after))
	}
}

func (t *Table) addWrite(label string, units Units) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts.Writes[label] = t.counts.Writes[label].plus(units)
}
