package tabletest

import (
	"errors"
	"fmt"
	"testing"

	"parley/shared/table"
)

// conditionCases say whether conditions hold for what stands under a key.
var conditionCases = []struct {
	name     string
	standing table.Item // nil is none; keys are added
	holds    bool
	if_      []table.Condition
}{
	{"absent of nothing", nil, true, ifs(table.Absent())},
	{"absent of an item", table.Item{}, false, ifs(table.Absent())},
	{"exists of nothing", nil, false, ifs(table.Exists())},
	{"exists of an item", table.Item{}, true, ifs(table.Exists())},

	{"equal string", table.Item{"a": "x"}, true, ifs(table.Equal("a", "x"))},
	{"equal empty string", table.Item{"a": ""}, true, ifs(table.Equal("a", ""))},
	{"equal number", table.Item{"a": int64(-3)}, true, ifs(table.Equal("a", int64(-3)))},
	{"equal bool", table.Item{"a": false}, true, ifs(table.Equal("a", false))},
	{"unequal string", table.Item{"a": "x"}, false, ifs(table.Equal("a", "X"))},
	{"unequal number", table.Item{"a": int64(1)}, false, ifs(table.Equal("a", int64(2)))},
	{"unequal bool", table.Item{"a": true}, false, ifs(table.Equal("a", false))},
	{"equal of another type", table.Item{"a": "1"}, false, ifs(table.Equal("a", int64(1)))},
	{"equal of no attribute", table.Item{"b": "x"}, false, ifs(table.Equal("a", "x"))},
	{"equal of nothing", nil, false, ifs(table.Equal("a", "x"))},
	{"equal of a reserved word", table.Item{"status": "x"}, true, ifs(table.Equal("status", "x"))},

	{"missing of nothing", nil, true, ifs(table.Missing("a"))},
	{"missing of no attribute", table.Item{"b": "x"}, true, ifs(table.Missing("a"))},
	{"missing of an attribute", table.Item{"a": ""}, false, ifs(table.Missing("a"))},

	{"at most, less", table.Item{"a": int64(9)}, true, ifs(table.AtMost("a", 10))},
	{"at most, as much", table.Item{"a": int64(10)}, true, ifs(table.AtMost("a", 10))},
	{"at most, more", table.Item{"a": int64(11)}, false, ifs(table.AtMost("a", 10))},
	{"at most, negative", table.Item{"a": int64(-1)}, false, ifs(table.AtMost("a", -2))},
	{"at most of no attribute", table.Item{}, true, ifs(table.AtMost("a", 10))},
	{"at most of nothing", nil, true, ifs(table.AtMost("a", 10))},
	{"at most of a string", table.Item{"a": "1"}, false, ifs(table.AtMost("a", 10))},

	{"equal or missing, equal", table.Item{"a": "x"}, true, ifs(table.EqualOrMissing("a", "x"))},
	{"equal or missing, unequal", table.Item{"a": "y"}, false, ifs(table.EqualOrMissing("a", "x"))},
	{"equal or missing, another type", table.Item{"a": true}, false, ifs(table.EqualOrMissing("a", "x"))},
	{"equal or missing of no attribute", table.Item{}, true, ifs(table.EqualOrMissing("a", "x"))},
	{"equal or missing of nothing", nil, true, ifs(table.EqualOrMissing("a", "x"))},

	{"all hold", table.Item{"a": "x", "n": int64(1)}, true,
		ifs(table.Exists(), table.Equal("a", "x"), table.AtMost("n", 1), table.EqualOrMissing("a", "x"), table.Missing("b"))},
	{"the first fails", table.Item{"a": "x"}, false, ifs(table.Equal("a", "y"), table.Exists())},
	{"the last fails", table.Item{"a": "x"}, false, ifs(table.Exists(), table.Equal("a", "x"), table.Missing("a"))},
	{"or binds tighter than and", table.Item{"a": "x"}, false, ifs(table.AtMost("n", 1), table.Equal("a", "y"))},
}

func ifs(conditions ...table.Condition) []table.Condition { return conditions }

// actionsOn returns one action of each kind.
func actionsOn(sk string, conditions []table.Condition) map[string]table.Action {
	return map[string]table.Action{
		"put":    table.Put(item(sk, "new", "written"), conditions...),
		"update": table.Set(key(sk), table.Item{"new": "written"}, conditions...),
		"delete": table.Delete(key(sk), conditions...),
		"check":  table.Check(key(sk), conditions...),
	}
}

func testConditions(t *testing.T, f Fixture) {
	for n, test := range conditionCases {
		for kind := range actionsOn("", nil) {
			for _, together := range []bool{false, true} {
				sk := fmt.Sprintf("%d %s %t", n, kind, together)
				t.Run(fmt.Sprintf("%s/%s/%t", test.name, kind, together), func(t *testing.T) {
					var standing table.Item
					if test.standing != nil {
						standing = item(sk)
						for name, value := range test.standing {
							standing[name] = value
						}
						must(t, f.Table, table.Put(standing))
					}
					testCondition(t, f.Table, actionsOn(sk, test.if_)[kind], together, standing, test.holds)
				})
			}
		}
	}
}

// testCondition does one conditional action, alone or as the second of a
// transaction, and checks the outcome and what stands then.
func testCondition(t *testing.T, tbl table.Table, a table.Action, together bool, standing table.Item, holds bool) {
	actions := []table.Action{a}
	companion := item(a.Key.SK + " companion")
	if together {
		actions = []table.Action{table.Put(companion), a}
	}
	err := persist(t.Context(), tbl, actions...)
	refused, isRefused := errors.AsType[*table.Refused](err)
	if holds != (err == nil) || !holds && !isRefused {
		t.Fatalf("Write = %v, want it done: %t", err, holds)
	}
	if holds {
		after, err := a.Apply(standing)
		if err != nil {
			t.Fatal(err)
		}
		expect(t, tbl, a.Key, after)
		return
	}
	if stands, of := refused.Of(len(actions) - 1); len(refused.Refusals) != 1 || !of || !same(stands, standing) {
		t.Errorf("refused with %v, want only action %d with %v", refused.Refusals, len(actions)-1, standing)
	}
	expect(t, tbl, a.Key, standing)
	if together {
		expect(t, tbl, companion.Key(), nil)
	}
}
