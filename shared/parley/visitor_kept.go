package parley

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"

	"parley/shared/table"
)

// MaxKeptBytes is the most that a dialect's page has kept of its visitor, in bytes of
// JSON. Our choice.
const MaxKeptBytes = 4 << 10

// Kept returns what the page of the caller, a bare visitor, has had kept: a JSON
// object; nil if nothing.
func (s *Store) Kept(ctx context.Context, c Caller) (json.RawMessage, error) {
	items, err := s.ownItems(ctx, c, visitorKeptKey(c.Project, c.Visitor))
	if err != nil || items[1] == nil {
		return nil, err
	}
	return json.RawMessage(items[1].String("data")), nil
}

// Keep replaces what Kept returns by what change makes of it, nil being nothing. It
// counts as one of the caller's changes. Errors: too_large, changes_limit,
// budget_spent.
func (s *Store) Keep(ctx context.Context, c Caller, change func(json.RawMessage) (json.RawMessage, error)) (json.RawMessage, error) {
	p, err := s.Project(ctx, c.Project)
	if err != nil {
		return nil, err
	}
	if err := s.takeChange(ctx, c); err != nil {
		return nil, err
	}
	return againFor(func() (json.RawMessage, error) {
		k := visitorKeptKey(p.ID, c.Visitor)
		items, err := s.ownItems(ctx, c, k)
		if err != nil {
			return nil, err
		}
		was, as := json.RawMessage(nil), table.Absent()
		if items[1] != nil {
			was, as = json.RawMessage(items[1].String("data")), table.Equal("data", items[1].String("data"))
		}
		now, err := change(slices.Clone(was))
		if err != nil || bytes.Equal(now, was) {
			return now, err
		}
		if len(now) > MaxKeptBytes {
			return nil, tooLarge("metadata", MaxKeptBytes)
		}
		kept := k.With(table.Item{"data": string(now), "nonce": s.newID()})
		return now, s.spendBeside(ctx, p, c, items[0], []table.Action{table.Put(kept, as)})
	})
}
