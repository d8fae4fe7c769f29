package dynamo_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"parley/shared/table"
)

// FuzzExpressions checks that what is sent for an action means to DynamoDB what
// it means to package table. DynamoDB's part is played by the few lines of its
// expression language below.
func FuzzExpressions(f *testing.F) {
	f.Add([]byte("an update of an item"))
	f.Add([]byte{1, 0, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9})
	f.Add([]byte{3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3, 2, 3, 8, 4, 6, 2, 6, 4, 3, 3, 8, 3, 2, 7, 9, 5})
	f.Fuzz(func(t *testing.T, choices []byte) {
		c := chooser{choices}
		standing := c.item()
		action := c.action()
		tbl, s := newWire(t, done)
		if err := tbl.Write(t.Context(), action); err != nil {
			t.Skip(err) // against the rules: never sent
		}
		sent := decodeSent(t, s.seen()[0].body)
		if got, want := sent.holds(standing), action.Holds(standing); got != want {
			t.Errorf("%q of %v is %t, %v is %t", sent.condition, standing, got, action.If, want)
		}
		if want, err := action.Apply(standing); err == nil && action.Kind == table.UpdateAction {
			if got := sent.apply(standing, action.Key); !got.Equal(want) {
				t.Errorf("%q makes %v of %v, want %v", sent.update, got, standing, want)
			}
		}
		if left := sent.unused(); len(left) > 0 {
			t.Errorf("placeholders %q are in no expression, which DynamoDB refuses", left)
		}
	})
}

// A chooser makes values of bytes; when they are used up it chooses the first.
type chooser struct{ choices []byte }

func (c *chooser) pick(n int) int {
	if len(c.choices) == 0 {
		return 0
	}
	b := c.choices[0]
	c.choices = c.choices[1:]
	return int(b) % n
}

func (c *chooser) attr() string { return []string{"a", "b", "status", "n", "m"}[c.pick(5)] }

func (c *chooser) value() any {
	return []any{"x", "", int64(0), int64(1), int64(-1), true, false, "1"}[c.pick(8)]
}

func (c *chooser) item() table.Item {
	if c.pick(4) == 0 {
		return nil
	}
	i := item("s")
	for range c.pick(5) {
		i[c.attr()] = c.value()
	}
	return i
}

func (c *chooser) condition() table.Condition {
	switch c.pick(6) {
	case 0:
		return table.Absent()
	case 1:
		return table.Exists()
	case 2:
		return table.Missing(c.attr())
	case 3:
		return table.AtMost(c.attr(), int64(c.pick(3)-1))
	case 4:
		return table.EqualOrMissing(c.attr(), c.value())
	}
	return table.Equal(c.attr(), c.value())
}

func (c *chooser) action() table.Action {
	k := item("s").Key()
	var conditions []table.Condition
	for range c.pick(5) {
		conditions = append(conditions, c.condition())
	}
	switch c.pick(3) {
	case 0:
		return table.Put(item("s"), conditions...)
	case 1:
		return table.Delete(k, conditions...)
	}
	update := table.Update(k, conditions...)
	update.Set, update.Add = table.Item{}, map[string]int64{}
	for range c.pick(3) {
		update.Set[c.attr()] = c.value()
	}
	for range c.pick(3) {
		update.Add[c.attr()] = int64(c.pick(5) - 2)
	}
	for range c.pick(3) {
		update.Remove = append(update.Remove, c.attr())
	}
	return update
}

// sent is what a request says about an item.
type sent struct {
	condition, update string
	names             map[string]string
	values            map[string]any
}

func decodeSent(t *testing.T, body map[string]any) sent {
	t.Helper()
	encoded, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	var in struct {
		ConditionExpression, UpdateExpression string
		ExpressionAttributeNames              map[string]string
		ExpressionAttributeValues             map[string]struct {
			S, N *string
			BOOL *bool
		}
	}
	if err := json.Unmarshal(encoded, &in); err != nil {
		t.Fatal(err)
	}
	s := sent{in.ConditionExpression, in.UpdateExpression, in.ExpressionAttributeNames, map[string]any{}}
	for placeholder, v := range in.ExpressionAttributeValues {
		switch {
		case v.S != nil:
			s.values[placeholder] = *v.S
		case v.BOOL != nil:
			s.values[placeholder] = *v.BOOL
		default:
			if s.values[placeholder], err = strconv.ParseInt(*v.N, 10, 64); err != nil {
				t.Fatal(err)
			}
		}
	}
	return s
}

func tokens(expression string) []string {
	return strings.Fields(strings.NewReplacer("(", " ( ", ")", " ) ", ",", " , ").Replace(expression))
}

func (s sent) unused() []string {
	used := slices.Concat(tokens(s.condition), tokens(s.update))
	var left []string
	for _, placeholder := range slices.Concat(slices.Collect(maps.Keys(s.names)), slices.Collect(maps.Keys(s.values))) {
		if !slices.Contains(used, placeholder) {
			left = append(left, placeholder)
		}
	}
	return left
}

// holds evaluates the condition as DynamoDB would: AND before OR, and a
// comparison with an absent attribute or another type is false.
func (s sent) holds(i table.Item) bool {
	rest := tokens(s.condition)
	return len(rest) == 0 || s.or(i, &rest)
}

func (s sent) or(i table.Item, rest *[]string) bool {
	holds := s.and(i, rest)
	for len(*rest) > 0 && (*rest)[0] == "OR" {
		*rest = (*rest)[1:]
		holds = s.and(i, rest) || holds
	}
	return holds
}

func (s sent) and(i table.Item, rest *[]string) bool {
	holds := s.term(i, rest)
	for len(*rest) > 0 && (*rest)[0] == "AND" {
		*rest = (*rest)[1:]
		holds = s.term(i, rest) && holds
	}
	return holds
}

func (s sent) term(i table.Item, rest *[]string) bool {
	next := func() string {
		token := (*rest)[0]
		*rest = (*rest)[1:]
		return token
	}
	attribute := func(placeholder string) (any, bool) {
		v, there := i[s.names[placeholder]]
		return v, there
	}
	switch token := next(); token {
	case "(":
		holds := s.or(i, rest)
		next()
		return holds
	case "attribute_exists", "attribute_not_exists":
		next()
		_, there := attribute(next())
		next()
		return there == (token == "attribute_exists")
	default:
		v, there := attribute(token)
		operator, operand := next(), s.values[next()]
		if operator == "=" {
			return there && v == operand
		}
		n, number := v.(int64)
		most, comparable := operand.(int64)
		return operator == "<=" && number && comparable && n <= most
	}
}

// apply evaluates the update as DynamoDB would.
func (s sent) apply(i table.Item, k table.Key) table.Item {
	i = i.Clone()
	if i == nil {
		i = table.Item{table.PK: k.PK, table.SK: k.SK}
	}
	clause := ""
	for rest := tokens(s.update); len(rest) > 0; {
		switch token := rest[0]; token {
		case "SET", "ADD", "REMOVE", ",":
			if token != "," {
				clause = token
			}
			rest = rest[1:]
			continue
		}
		name := s.names[rest[0]]
		switch clause {
		case "SET":
			i[name] = s.values[rest[2]]
			rest = rest[3:]
		case "ADD":
			i[name] = i.Int(name) + s.values[rest[1]].(int64)
			rest = rest[2:]
		case "REMOVE":
			delete(i, name)
			rest = rest[1:]
		}
	}
	return i
}
