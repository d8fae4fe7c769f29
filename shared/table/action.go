package table

import "fmt"

// Action is one step of a Write. Make it with Put, Update, Delete or Check.
type Action struct {
	Kind ActionKind
	Key  Key
	// Item is what a put stores, whole, keys included.
	Item Item
	// Set, Add and Remove are what an update changes: values to store, amounts
	// to add to numbers (an absent one counts as 0), attributes to take away.
	// An update of an absent item creates it.
	Set    Item
	Add    map[string]int64
	Remove []string
	// If lists the conditions; all must hold.
	If []Condition
}

// ActionKind says what an Action does.
type ActionKind int

// The kinds of action.
const (
	PutAction ActionKind = iota
	UpdateAction
	DeleteAction
	CheckAction
)

// Put stores the whole item.
func Put(item Item, conditions ...Condition) Action {
	return Action{Kind: PutAction, Key: item.Key(), Item: item, If: conditions}
}

// Update changes attributes of an item; fill Set, Add and Remove of the result.
func Update(key Key, conditions ...Condition) Action {
	return Action{Kind: UpdateAction, Key: key, If: conditions}
}

// Set is an Update that stores values.
func Set(key Key, values Item, conditions ...Condition) Action {
	return Action{Kind: UpdateAction, Key: key, Set: values, If: conditions}
}

// Add is an Update that adds amounts to numbers.
func Add(key Key, amounts map[string]int64, conditions ...Condition) Action {
	return Action{Kind: UpdateAction, Key: key, Add: amounts, If: conditions}
}

// Delete removes an item; one that is absent is no error unless a condition says so.
func Delete(key Key, conditions ...Condition) Action {
	return Action{Kind: DeleteAction, Key: key, If: conditions}
}

// Check only checks its conditions, which it needs at least one of.
func Check(key Key, conditions ...Condition) Action {
	return Action{Kind: CheckAction, Key: key, If: conditions}
}

// Condition is one requirement on the item that stands under an action's key.
type Condition struct {
	Test ConditionTest
	// Attr and Value are the attribute and what it is compared with: a string,
	// an int64 or a bool, and for the order tests an int64. Unused by Absent and Exists.
	Attr  string
	Value any
}

// ConditionTest says what a Condition requires.
type ConditionTest int

// The tests. A test of an attribute fails where the attribute is absent,
// unless it says otherwise.
const (
	TestAbsent         ConditionTest = iota // there is no such item
	TestExists                              // there is such an item
	TestEqual                               // the attribute equals the value
	TestMissing                             // the attribute is absent (also: the item is)
	TestAtMost                              // the attribute is absent (also: the item is), or a number at most the value
	TestEqualOrMissing                      // the attribute is absent (also: the item is), or equals the value
)

// Absent requires that there is no such item.
func Absent() Condition { return Condition{Test: TestAbsent} }

// Exists requires that there is such an item.
func Exists() Condition { return Condition{Test: TestExists} }

// Equal requires that the attribute is there and equals the value.
func Equal(attr string, value any) Condition {
	return Condition{Test: TestEqual, Attr: attr, Value: value}
}

// Missing requires that the attribute is absent; an absent item passes.
func Missing(attr string) Condition { return Condition{Test: TestMissing, Attr: attr} }

// AtMost requires that the attribute is a number at most max; absence passes.
func AtMost(attr string, max int64) Condition {
	return Condition{Test: TestAtMost, Attr: attr, Value: max}
}

// EqualOrMissing requires that the attribute equals the value; absence passes.
func EqualOrMissing(attr string, value any) Condition {
	return Condition{Test: TestEqualOrMissing, Attr: attr, Value: value}
}

// Holds reports whether the condition holds for what stands under the key; nil
// stands for no item.
func (c Condition) Holds(item Item) bool {
	value, there := item[c.Attr]
	switch c.Test {
	case TestAbsent:
		return item == nil
	case TestExists:
		return item != nil
	case TestEqual:
		return there && value == c.Value
	case TestMissing:
		return !there
	case TestAtMost:
		n, number := value.(int64)
		max, _ := c.Value.(int64)
		return !there || number && n <= max
	case TestEqualOrMissing:
		return !there || value == c.Value
	}
	return false
}

// Holds reports whether all conditions of the action hold for what stands
// under its key; nil stands for no item.
func (a Action) Holds(item Item) bool {
	for _, c := range a.If {
		if !c.Holds(item) {
			return false
		}
	}
	return true
}

// Apply returns what stands under the key after the action, given what stood
// there before; nil stands for no item. It checks no conditions, changes no
// argument and shares no map with one. An error means that the action does not
// fit the item: it adds to something that is no number, or past an int64, or
// makes the item too large.
func (a Action) Apply(old Item) (Item, error) {
	switch a.Kind {
	case PutAction:
		return a.Item.Clone(), nil
	case UpdateAction:
		return a.update(old)
	case DeleteAction:
		return nil, nil
	}
	return old.Clone(), nil
}

func (a Action) update(old Item) (Item, error) {
	item := old.Clone()
	if item == nil {
		item = Item{PK: a.Key.PK, SK: a.Key.SK}
	}
	for name, value := range a.Set {
		item[name] = value
	}
	for name, amount := range a.Add {
		value, there := item[name]
		n, number := value.(int64)
		if there && !number {
			return nil, fmt.Errorf("update %v: add to %s, which is no number", a.Key, name)
		}
		sum := n + amount
		if (sum > n) != (amount > 0) && amount != 0 {
			return nil, fmt.Errorf("update %v: %s leaves the range of an int64", a.Key, name)
		}
		item[name] = sum
	}
	for _, name := range a.Remove {
		delete(item, name)
	}
	if size := item.Size(); size > MaxItemBytes {
		return nil, fmt.Errorf("update %v: item of %d bytes, at most %d allowed", a.Key, size, MaxItemBytes)
	}
	return item, nil
}
