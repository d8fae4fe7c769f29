package dynamo

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"parley/shared/table"
)

// An expression collects the placeholders of one request: every name and value
// gets one, so that no reserved word and no outside text is ever part of an
// expression. What is empty stays nil, as DynamoDB demands.
type expression struct {
	names  map[string]string
	values map[string]types.AttributeValue
	// The conditions of an action, and what it changes if it is an update.
	condition, update *string
}

func expressionOf(a table.Action) expression {
	var e expression
	if a.Kind == table.UpdateAction {
		e.setUpdate(a)
	}
	e.setCondition(a.If)
	return e
}

func (e *expression) name(attr string) string {
	for placeholder, name := range e.names {
		if name == attr {
			return placeholder
		}
	}
	if e.names == nil {
		e.names = map[string]string{}
	}
	placeholder := "#" + strconv.Itoa(len(e.names))
	e.names[placeholder] = attr
	return placeholder
}

func (e *expression) value(v any) string {
	if e.values == nil {
		e.values = map[string]types.AttributeValue{}
	}
	placeholder := ":" + strconv.Itoa(len(e.values))
	e.values[placeholder] = encode(v)
	return placeholder
}

func (e *expression) setCondition(conditions []table.Condition) {
	if len(conditions) == 0 {
		return
	}
	terms := make([]string, len(conditions))
	for n, c := range conditions {
		terms[n] = e.term(c)
	}
	all := strings.Join(terms, " AND ")
	e.condition = &all
}

func (e *expression) term(c table.Condition) string {
	missing := func(attr string) string { return "attribute_not_exists(" + e.name(attr) + ")" }
	switch c.Test {
	case table.TestAbsent:
		return missing(table.PK)
	case table.TestExists:
		return "attribute_exists(" + e.name(table.PK) + ")"
	case table.TestMissing:
		return missing(c.Attr)
	case table.TestAtMost:
		return "(" + missing(c.Attr) + " OR " + e.name(c.Attr) + " <= " + e.value(c.Value) + ")"
	case table.TestEqualOrMissing:
		return "(" + missing(c.Attr) + " OR " + e.name(c.Attr) + " = " + e.value(c.Value) + ")"
	default: // table.TestEqual; CheckWrite lets no other pass
		return e.name(c.Attr) + " = " + e.value(c.Value)
	}
}

func (e *expression) setUpdate(a table.Action) {
	var set, add, remove, clauses []string
	for _, attr := range slices.Sorted(maps.Keys(a.Set)) {
		set = append(set, e.name(attr)+" = "+e.value(a.Set[attr]))
	}
	for _, attr := range slices.Sorted(maps.Keys(a.Add)) {
		add = append(add, e.name(attr)+" "+e.value(a.Add[attr]))
	}
	for _, attr := range a.Remove {
		remove = append(remove, e.name(attr))
	}
	for _, clause := range []struct {
		verb  string
		terms []string
	}{{"SET ", set}, {"ADD ", add}, {"REMOVE ", remove}} {
		if clause.terms != nil {
			clauses = append(clauses, clause.verb+strings.Join(clause.terms, ", "))
		}
	}
	all := strings.Join(clauses, " ")
	e.update = &all
}
