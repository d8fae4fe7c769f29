package parley_test

import (
	"context"
	"testing"

	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/table"
)

// beheaded is a table whose pages lack their first item: it was read while items were
// being written.
type beheaded struct{ table.Table }

func (b beheaded) Query(ctx context.Context, q table.Query) (table.Page, error) {
	page, err := b.Table.Query(ctx, q)
	page.Items = page.Items[min(1, len(page.Items)):]
	return page, err
}

// TestLogWithoutItsBeginning: a log of which the beginning is missing from a page is not
// taken for one that is not there, and of a gap in its middle the rest waits.
func TestLogWithoutItsBeginning(t *testing.T) {
	onBolt(t, func(s scene) {
		claim := s.send(say("m1", "")).Claim
		parleytest.Append(s, s.store, claim, "one ", "two ")
		store := s.over(beheaded{s.table})
		if _, err := store.ReadLog(context.Background(), claim.Ref, 0, true); !is(err, parley.ErrUnavailable) {
			s.Errorf("from its beginning: %v, want %v", err, parley.ErrUnavailable)
		}
		if got, err := store.ReadLog(context.Background(), claim.Ref, 1, true); err != nil || len(got) != 0 {
			s.Errorf("from a gap on: %v, %v, want nothing yet", got, err)
		}
		if got, err := s.store.ReadLog(context.Background(), claim.Ref, 1, true); err != nil || len(got) != 2 {
			s.Errorf("without one: %v, %v, want two entries", got, err)
		}
	})
}
