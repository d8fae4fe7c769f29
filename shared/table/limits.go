package table

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"unicode/utf8"
)

// Limits of DynamoDB that every implementation keeps
// (Developer Guide, "Quotas in Amazon DynamoDB").
const (
	// MaxPKBytes is the longest partition key, of the table and of an index.
	MaxPKBytes = 2048
	// MaxSKBytes is the longest sort key, of the table and of an index.
	MaxSKBytes = 1024
	// MaxItemBytes is the largest item by Item.Size.
	MaxItemBytes = 400 << 10
	// MaxActions is the most actions of one write.
	MaxActions = 100
	// MaxWriteBytes is the most that the items of one write weigh together.
	MaxWriteBytes = 4 << 20
	// MaxGet is the most keys of one get (BatchGetItem).
	MaxGet = 100
	// MaxPageBytes is how much of the items a query examines for one page.
	MaxPageBytes = 1 << 20
	// MaxLimit is the largest Query.Limit; our choice, far above any page.
	MaxLimit = 1000
)

// indexKeys are the attributes that must be non-empty strings where they are
// present, with their longest values in bytes.
var indexKeys = map[string]int{"op": MaxPKBytes, "os": MaxSKBytes, "wp": MaxPKBytes, "ws": MaxSKBytes}

// CheckGet returns an error if the keys break a rule of Table.Get.
func CheckGet(keys []Key) error {
	if len(keys) == 0 || len(keys) > MaxGet {
		return fmt.Errorf("get of %d keys, 1 to %d allowed", len(keys), MaxGet)
	}
	return checkDistinct(keys)
}

// CheckWrite returns an error if the actions break a rule that can be seen
// without the items they meet. Every implementation calls it first.
func CheckWrite(actions []Action) error {
	if len(actions) == 0 || len(actions) > MaxActions {
		return fmt.Errorf("write of %d actions, 1 to %d allowed", len(actions), MaxActions)
	}
	total := 0
	keys := make([]Key, len(actions))
	for n, a := range actions {
		keys[n] = a.Key
		if err := a.check(); err != nil {
			return fmt.Errorf("action %d on %v: %w", n, a.Key, err)
		}
		total += a.Item.Size() + a.Set.Size()
	}
	if total > MaxWriteBytes {
		return fmt.Errorf("write of %d bytes, at most %d allowed", total, MaxWriteBytes)
	}
	return checkDistinct(keys)
}

// Check returns an error if the query breaks a rule.
func (q Query) Check() error {
	partition, sort := q.Index.Keys()
	switch {
	case q.Index != Primary && q.Index != Owner && q.Index != Work:
		return fmt.Errorf("query of unknown index %q", q.Index)
	case q.Limit < 1 || q.Limit > MaxLimit:
		return fmt.Errorf("query with limit %d, 1 to %d allowed", q.Limit, MaxLimit)
	case q.Consistent && q.Index != Primary:
		return errors.New("consistent query of an index")
	}
	for _, bound := range []string{q.From, q.To} {
		if len(bound) > MaxSKBytes || !utf8.ValidString(bound) {
			return fmt.Errorf("query with bound %q: not a sort key", bound)
		}
	}
	if err := checkKey(partition, q.Partition, MaxPKBytes); err != nil {
		return err
	}
	if q.Start == nil {
		return nil
	}
	at := q.Start.String(sort)
	if q.Start.String(partition) != q.Partition || at < q.From || q.To != "" && at > q.To {
		return fmt.Errorf("query starts at %v, outside its range", q.Start)
	}
	return q.Start.Key().check()
}

func (k Key) check() error {
	if err := checkKey(PK, k.PK, MaxPKBytes); err != nil {
		return err
	}
	return checkKey(SK, k.SK, MaxSKBytes)
}

func checkDistinct(keys []Key) error {
	seen := make(map[Key]bool, len(keys))
	for _, k := range keys {
		if err := k.check(); err != nil {
			return err
		}
		if seen[k] {
			return fmt.Errorf("%v named twice", k)
		}
		seen[k] = true
	}
	return nil
}

func (a Action) check() error {
	for _, c := range a.If {
		if err := c.check(); err != nil {
			return err
		}
	}
	switch a.Kind {
	case PutAction:
		if a.Key != a.Item.Key() {
			return fmt.Errorf("put of an item with key %v", a.Item.Key())
		}
		return a.Item.check()
	case UpdateAction:
		return a.checkUpdate()
	case DeleteAction:
		return nil
	case CheckAction:
		if len(a.If) == 0 {
			return errors.New("check without a condition")
		}
		return nil
	}
	return fmt.Errorf("unknown kind of action %d", a.Kind)
}

func (a Action) checkUpdate() error {
	if len(a.Set)+len(a.Add)+len(a.Remove) == 0 {
		return errors.New("update changes nothing")
	}
	seen := map[string]bool{PK: true, SK: true}
	for _, name := range slices.Concat(slices.Collect(maps.Keys(a.Set)), slices.Collect(maps.Keys(a.Add)), a.Remove) {
		if seen[name] {
			return fmt.Errorf("update changes %s, which is a key or named twice", name)
		}
		seen[name] = true
		if err := checkName(name); err != nil {
			return err
		}
	}
	for name := range a.Add {
		if indexKeys[name] > 0 {
			return fmt.Errorf("add to index key %s", name)
		}
	}
	return a.Set.check()
}

func (i Item) check() error {
	for name, value := range i {
		if err := checkName(name); err != nil {
			return err
		}
		if err := checkValue(name, value); err != nil {
			return err
		}
		if longest := indexKeys[name]; longest > 0 {
			if err := checkKey(name, value, longest); err != nil {
				return err
			}
		}
		if _, number := value.(int64); name == ExpiresAt && !number {
			return fmt.Errorf("%s: %T is no int64", name, value)
		}
	}
	if size := i.Size(); size > MaxItemBytes {
		return fmt.Errorf("item of %d bytes, at most %d allowed", size, MaxItemBytes)
	}
	return nil
}

func (c Condition) check() error {
	switch c.Test {
	case TestAbsent, TestExists:
		return nil
	case TestMissing:
		return checkName(c.Attr)
	case TestAtMost:
		if _, number := c.Value.(int64); !number {
			return fmt.Errorf("condition on %s: %T is no int64", c.Attr, c.Value)
		}
	case TestEqual, TestEqualOrMissing:
	default:
		return fmt.Errorf("unknown condition %d", c.Test)
	}
	if err := checkName(c.Attr); err != nil {
		return err
	}
	return checkValue(c.Attr, c.Value)
}

func checkName(name string) error {
	if name == "" || !utf8.ValidString(name) {
		return fmt.Errorf("attribute name %q", name)
	}
	return nil
}

// checkValue refuses text that is not UTF-8, because JSON would store it as
// another text.
func checkValue(name string, value any) error {
	switch value := value.(type) {
	case string:
		if !utf8.ValidString(value) {
			return fmt.Errorf("%s is not valid UTF-8", name)
		}
		return nil
	case int64, bool:
		return nil
	}
	return fmt.Errorf("%s: %T is no string, int64 or bool", name, value)
}

func checkKey(name string, value any, longest int) error {
	key, text := value.(string)
	if !text || key == "" || len(key) > longest {
		return fmt.Errorf("%s: not a string of 1 to %d bytes", name, longest)
	}
	return checkValue(name, key)
}
