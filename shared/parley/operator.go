package parley

import (
	"context"
	"slices"
	"strings"
	"unicode/utf8"

	"parley/shared/table"
)

// Operator is a person of the project who answers.
type Operator struct {
	ID OperatorID `json:"-"`
	// Name and Picture are shown to visitors.
	Name    string `json:"name"`
	Picture string `json:"picture,omitempty"`
}

// Limits of operators. Our choices.
const (
	// MaxOperators is how many people a project has.
	MaxOperators = 200
	// MaxOperatorIDBytes is the longest id of an operator.
	MaxOperatorIDBytes = 64
)

func (o Operator) check() error {
	odd := func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '_' || r == '-')
	}
	switch {
	case o.ID == "" || len(o.ID) > MaxOperatorIDBytes || strings.ContainsFunc(string(o.ID), odd):
		return invalid("operator", "an operator's id is 1 to %d letters, digits, _ and -", MaxOperatorIDBytes)
	case strings.TrimSpace(o.Name) == "" || !utf8.ValidString(o.Name) || strings.ContainsFunc(o.Name, isControl):
		return invalid("name", "name is text without control characters")
	case len(o.Name) > MaxNameBytes:
		return tooLarge("name", MaxNameBytes)
	}
	return checkPicture("picture", o.Picture)
}

func isControl(r rune) bool { return r < 0x20 || r == 0x7f }

// checkPicture takes addresses that a page may load.
func checkPicture(field, address string) error {
	switch {
	case len(address) > MaxPageBytes:
		return tooLarge(field, MaxPageBytes)
	case address != "" && !strings.HasPrefix(address, "https://") || !utf8.ValidString(address) || strings.ContainsFunc(address, isControl):
		return invalid(field, "%s is an https address", field)
	}
	return nil
}

// Author is the operator as author of an entry.
func (o Operator) Author() Author {
	return Author{Kind: AuthorHuman, ID: string(o.ID), Name: o.Name, Picture: o.Picture}
}

func (o Operator) item(p ProjectID) (table.Item, error) {
	return record(operatorKey(p, o.ID), "operator", o, table.Item{"operator": string(o.ID)})
}

func operatorFrom(item table.Item) (Operator, error) {
	o := Operator{ID: OperatorID(item.String("operator"))}
	if item == nil {
		return o, notFound("operator")
	}
	err := decode(item, "operator", &o)
	return o, err
}

// PutOperator adds an operator, or changes one. What an operator wrote before
// keeps the name that it was written under.
func (s *Store) PutOperator(ctx context.Context, p ProjectID, o Operator) error {
	if err := o.check(); err != nil {
		return err
	}
	all, err := s.Operators(ctx, p)
	if err != nil {
		return err
	}
	known := slices.ContainsFunc(all, func(other Operator) bool { return other.ID == o.ID })
	if !known && len(all) >= MaxOperators {
		return invalid("operator", "a project has at most %d operators", MaxOperators)
	}
	item, err := o.item(p)
	if err != nil {
		return err
	}
	return s.write(ctx, table.Put(item))
}

// Operator returns an operator of the project. ErrNotFound if there is none of
// that id.
func (s *Store) Operator(ctx context.Context, p ProjectID, id OperatorID) (Operator, error) {
	return s.operator(ctx, p, id, true)
}

// PeekOperator is Operator that may be a moment old, at half the cost.
func (s *Store) PeekOperator(ctx context.Context, p ProjectID, id OperatorID) (Operator, error) {
	return s.operator(ctx, p, id, false)
}

func (s *Store) operator(ctx context.Context, p ProjectID, id OperatorID, consistent bool) (Operator, error) {
	if CheckID("operator", string(id)) != nil {
		return Operator{}, notFound("operator")
	}
	return read(ctx, s, consistent, operatorKey(p, id), operatorFrom)
}

// Operators returns all operators of the project, by id.
func (s *Store) Operators(ctx context.Context, p ProjectID) ([]Operator, error) {
	items, err := s.ofProject(ctx, p, "operator")
	if err != nil {
		return nil, err
	}
	return decodeAll(items, operatorFrom)
}

// ofProject returns what a project's partition holds of one kind.
func (s *Store) ofProject(ctx context.Context, p ProjectID, kind string) ([]table.Item, error) {
	q := table.Query{Partition: projectKey(p).PK, From: kind + "/", To: kind + "/~", Limit: table.MaxLimit, Consistent: true}
	var all []table.Item
	for page, err := range s.pages(ctx, q) {
		if err != nil {
			return nil, err
		}
		all = append(all, page.Items...)
	}
	return all, nil
}

// RemoveOperator removes an operator with the keys that act as that person. A
// session that the operator has stays with a human. ErrNotFound if there is none.
func (s *Store) RemoveOperator(ctx context.Context, p ProjectID, id OperatorID) error {
	return again(func() error {
		if _, err := s.Operator(ctx, p, id); err != nil {
			return err
		}
		actions := []table.Action{table.Delete(operatorKey(p, id), table.Exists())}
		slots, err := s.table.Get(ctx, true, privateSlotKey(p, id, "", 0), privateSlotKey(p, id, "", 1))
		if err != nil {
			return unavailable(err)
		}
		for n, slot := range slots {
			k := privateSlotKey(p, id, "", n)
			if slot == nil {
				actions = append(actions, table.Check(k, table.Absent()))
				continue
			}
			actions = append(actions, table.Delete(k, table.Equal("hash", slot.String("hash"))),
				table.Delete(privateKeyKey(slot.String("hash"))))
		}
		return s.write(ctx, actions...)
	})
}
