// Package table is the narrow port through which Parley reaches its one table.
//
// The port is modelled on DynamoDB: partitions with a sort key, conditional
// atomic writes, eventually consistent indexes and time to live. Two
// implementations pass one contract test (tabletest): table/dynamo, and
// table/bolt for a single process.
package table

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"
)

// Attribute names with a meaning of their own. All other attributes of an
// item are the domain's.
const (
	// PK and SK are the primary key, strings of 1 to 2048 and 1 to 1024 bytes (DynamoDB's limits).
	PK = "pk"
	SK = "sk"
	// ExpiresAt is the time to live, an int64 in epoch seconds. An item whose
	// time has come is never returned by a read that sees the attribute, but
	// conditions may meet it until it is really deleted.
	ExpiresAt = "expires_at"
)

// Item is one record. A value is a string, an int64 or a bool; nothing else.
// An item weighs at most 400 KB (DynamoDB's limit). Items are never shared:
// implementations copy what they keep and what they return.
type Item map[string]any

// Key returns the primary key of the item.
func (i Item) Key() Key { return Key{PK: i.String(PK), SK: i.String(SK)} }

// String returns a string attribute, or "" if it is absent.
func (i Item) String(name string) string { s, _ := i[name].(string); return s }

// Int returns a number attribute, or 0 if it is absent.
func (i Item) Int(name string) int64 { n, _ := i[name].(int64); return n }

// Bool returns a boolean attribute, or false if it is absent.
func (i Item) Bool(name string) bool { b, _ := i[name].(bool); return b }

// Clone returns a copy; nil for nil.
func (i Item) Clone() Item { return maps.Clone(i) }

// Equal reports whether both items have the same attributes with the same values.
func (i Item) Equal(o Item) bool { return maps.Equal(i, o) }

// Expired reports whether the item's time to live is over. A read leaves such
// an item out; DynamoDB deletes it within days.
func (i Item) Expired(now time.Time) bool {
	at, ok := i[ExpiresAt].(int64)
	return ok && at <= now.Unix()
}

// Size returns the item's size by DynamoDB's rule, in bytes: the names and
// values of all attributes, strings in UTF-8, a bool one byte.
func (i Item) Size() int {
	n := 0
	for name, v := range i {
		n += len(name)
		switch v := v.(type) {
		case string:
			n += len(v)
		case int64:
			n += numberSize(v)
		case bool:
			n++
		}
	}
	return n
}

// numberSize is one byte, one for each pair of digits, zeros at the end left
// out, and one for a minus sign.
func numberSize(v int64) int {
	n, rest := 1, uint64(v)
	if v < 0 {
		n, rest = 2, -rest
	}
	for rest != 0 && rest%100 == 0 {
		rest /= 100
	}
	for ; rest != 0; rest /= 100 {
		n++
	}
	return n
}

// Key is a primary key.
type Key struct{ PK, SK string }

// Beside returns the key of another item of the same partition.
func (k Key) Beside(sk string) Key { return Key{k.PK, sk} }

// With returns an item of the key with these attributes besides.
func (k Key) With(attributes Item) Item {
	item := Item{PK: k.PK, SK: k.SK}
	maps.Copy(item, attributes)
	return item
}

// Index names a global secondary index. Both indexes are sparse (an item
// without both key attributes is not in it) and hold keys only: a query
// returns pk, sk and the index's own two attributes. They are eventually
// consistent.
type Index string

// The indexes of the table.
const (
	// Primary is no index: the table itself.
	Primary Index = ""
	// Owner has the key attributes op and os.
	Owner Index = "owner"
	// Work has the key attributes wp and ws.
	Work Index = "work"
)

// Keys returns the names of the partition and sort key attributes.
func (x Index) Keys() (partition, sort string) {
	switch x {
	case Owner:
		return "op", "os"
	case Work:
		return "wp", "ws"
	}
	return PK, SK
}

// Entry returns what the index holds of an item, nil if the item is not in it;
// of the table itself, the item.
func (x Index) Entry(item Item) Item {
	if x == Primary {
		return item
	}
	partition, sort := x.Keys()
	_, placed := item[partition].(string)
	_, sorted := item[sort].(string)
	if !placed || !sorted {
		return nil
	}
	return x.Position(item)
}

// Position returns the attributes that say where a query of the index stands
// after the item: its keys and those of the index.
func (x Index) Position(item Item) Item {
	partition, sort := x.Keys()
	return Item{PK: item[PK], SK: item[SK], partition: item[partition], sort: item[sort]}
}

// Query asks for a range of one partition.
type Query struct {
	Index Index
	// Partition is the value of the partition key. Required.
	Partition string
	// From and To bound the sort key, both inclusive; "" leaves that side open.
	// A From above To is an empty range.
	From, To string
	// Descending returns the highest sort key first.
	Descending bool
	// Limit is the most items one page examines, 1 to 1000. Required.
	Limit int
	// Start continues after the item with these key attributes (for an index
	// the four of them), as returned in Page.Next. It need not exist any more.
	Start Item
	// Consistent asks for a read that sees every write done before it. Not for an index.
	Consistent bool
}

// Page is the answer to a Query, in sort-key order. It is no snapshot: of two
// items written together only the later one may be in it.
type Page struct {
	Items []Item
	// Next is where to continue; nil at the end. A page may be short, even
	// empty, and have a Next: it ends after Limit or 1 MB of items examined,
	// whether or not others follow, and expired ones are taken out after that.
	Next Item
}

// Table stores items. Its methods may be called from many goroutines. An
// argument against the rules (limits.go) and an update that does not fit its
// item give an error of none of the kinds below; nothing was written then.
type Table interface {
	// Get returns the items of 1 to 100 distinct keys, in the order of the keys; nil
	// where there is none. Errors: ErrUnavailable, or the context's.
	Get(ctx context.Context, consistent bool, keys ...Key) ([]Item, error)

	// Query returns one page. Errors: ErrUnavailable, or the context's.
	Query(ctx context.Context, q Query) (Page, error)

	// Write does all of 1 to 100 actions or none; each names another item.
	// Errors: *Refused (a condition did not hold, nothing was written),
	// ErrNotDone (nothing was written; the same write may be tried again) and
	// ErrUnknown (it may be done, now or later). A context that had ended
	// before gives ErrNotDone, one that ends meanwhile may give ErrUnknown;
	// both then wrap its error as well. A lone action may be done
	// twice, by a transport that got no answer the first time; then the
	// second outcome is returned. Where that matters, a condition that the
	// action itself makes false prevents it, and a refusal may be one's own.
	Write(ctx context.Context, actions ...Action) error
}

// Errors of a Table besides *Refused. Implementations wrap them.
var (
	// ErrUnavailable means that a read was throttled or timed out.
	ErrUnavailable = errors.New("table unavailable")
	// ErrNotDone means that a write met a conflict or a throttle: nothing was written.
	ErrNotDone = errors.New("write not done")
	// ErrUnknown means that nobody knows whether a write was done or still will be.
	ErrUnknown = errors.New("write outcome unknown")
)

// Refused is the error of a write of which at least one condition did not hold.
type Refused struct {
	// Refusals has one element for each action refused, in the order of the actions.
	Refusals []Refusal
}

// Refusal is one action whose condition did not hold.
type Refusal struct {
	// Action is the position of the action in the call.
	Action int
	// Item is what stands under the key; nil if nothing does.
	Item Item
}

func (r *Refused) Error() string {
	return fmt.Sprintf("write refused: %d conditions", len(r.Refusals))
}

// Of returns the refusal of the action at position n, if it was refused.
func (r *Refused) Of(n int) (Item, bool) {
	for _, f := range r.Refusals {
		if f.Action == n {
			return f.Item, true
		}
	}
	return nil, false
}

// Change is one modification of an item as the change feed reports it. Old is
// nil for a new item, New for a deleted one. Changes of one item come in order.
type Change struct{ Old, New Item }
