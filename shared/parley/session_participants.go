package parley

import (
	"context"

	"parley/shared/table"
)

// participation is an operator's part in a session that they are about to act in:
// whoever takes over or writes takes part from then on, which is told once.
type participation struct {
	operator OperatorID // "" for a server that names nobody, who does not take part
	joined   bool       // as it was read
}

// openToJoin opens a session for somebody who may take part in it from now on.
func (s *Store) openToJoin(ctx context.Context, c Caller, id SessionID) (*Session, participation, error) {
	part := participation{operator: c.Operator}
	if c.Operator == "" {
		session, err := s.open(ctx, c, id, true)
		return session, part, err
	}
	session, items, err := s.openBeside(ctx, c, id, true, joinedKey(c.Project, id, c.Operator))
	if err != nil {
		return nil, part, err
	}
	part.joined = items[0] != nil
	return session, part, nil
}

// join stores with the change that an operator takes part, and reports whether it
// is new. errStale if they have joined meanwhile.
func (c *change) join(part participation) bool {
	if part.operator == "" || part.joined {
		return false
	}
	joined := joinedKey(c.project.ID, c.session.ID, part.operator).With(table.Item{"operator": string(part.operator), "nonce": c.nonce})
	c.act(table.Put(joined, table.Absent()), func(table.Item) error { return errStale })
	return true
}

// whileJoining has do act in a session as it was read, again where that changed.
func (s *Store) whileJoining(ctx context.Context, c Caller, id SessionID, do func(*Session, participation) error) error {
	return again(func() error {
		session, part, err := s.openToJoin(ctx, c, id)
		if err != nil {
			return err
		}
		return do(session, part)
	})
}

// participants are the operators who take part in a session, by id.
func (s *Store) participants(ctx context.Context, p ProjectID, id SessionID) ([]OperatorID, error) {
	page, err := s.table.Query(ctx, table.Query{Partition: sessionPK(p, id), From: skJoined, To: skJoined + "~", Limit: MaxOperators})
	if err != nil {
		return nil, unavailable(err)
	}
	ids := make([]OperatorID, len(page.Items))
	for i, item := range page.Items {
		ids[i] = OperatorID(item.String("operator"))
	}
	return ids, nil
}
