package parley_test

import (
	"context"
	"strings"
	"testing"

	"parley/shared/parley"
	"parley/shared/parleytest"
)

// TestVouch: a project's server says who a contact is, and says it anew.
func TestVouch(t *testing.T) {
	onBoth(t, func(s scene) {
		ctx := context.Background()
		ann := parley.Identity{External: "ann", Email: "ann@example.com", Name: "Ann"}
		first, made, err := s.store.Vouch(ctx, s.operator(), ann)
		if err != nil || !made || first.Name != "Ann" || !first.Proven {
			s.Fatalf("vouched for %+v, %v, %v", first, made, err)
		}
		ann.Name = "Anna"
		again, made, err := s.store.Vouch(ctx, s.operator(), ann)
		if err != nil || made || again.ID != first.ID || again.Name != "Anna" {
			s.Errorf("again for %+v, made: %v, %v", again, made, err)
		}
		known, err := s.store.VouchedContact(ctx, s.operator(), first.ID)
		if err != nil || known.Name != "Anna" || known.Email != "ann@example.com" {
			s.Errorf("known is %+v, %v", known, err)
		}
		changed, err := s.store.ChangeVouched(ctx, s.operator(), first.ID, func(was parley.Contact) parley.Identity {
			return parley.Identity{External: "somebody else", Email: "new@example.com", Name: was.Name + "!"}
		})
		if err != nil || changed.ID != first.ID || changed.External != "ann" || changed.Name != "Anna!" || changed.Email != "new@example.com" {
			s.Errorf("changed is %+v, %v", changed, err)
		}
		if known, err = s.store.VouchedContact(ctx, s.operator(), first.ID); err != nil || known.Name != "Anna!" {
			s.Errorf("after the change it is %+v, %v", known, err)
		}
	})
}

// TestVouchByAddress: who is known by an address alone keeps it.
func TestVouchByAddress(t *testing.T) {
	onBolt(t, func(s scene) {
		ctx := context.Background()
		eve, _, err := s.store.Vouch(ctx, s.operator(), parley.Identity{Email: "eve@example.com"})
		if err != nil {
			s.Fatal(err)
		}
		changed, err := s.store.ChangeVouched(ctx, s.operator(), eve.ID, func(parley.Contact) parley.Identity {
			return parley.Identity{Email: "other@example.com", Name: "Eve"}
		})
		if err != nil || changed.ID != eve.ID || changed.Email != "eve@example.com" || changed.Name != "Eve" {
			s.Errorf("changed is %+v, %v", changed, err)
		}
	})
}

// TestVouchIsForStaff: nobody else vouches or asks, and of contacts that nobody vouched
// for nothing is told.
func TestVouchIsForStaff(t *testing.T) {
	onBolt(t, func(s scene) {
		ctx := context.Background()
		ann, _, err := s.store.Vouch(ctx, s.operator(), parley.Identity{External: "ann"})
		if err != nil {
			s.Fatal(err)
		}
		claimed, err := s.store.Acquaint(ctx, parley.AcquaintRequest{Project: parleytest.Project, Channel: parley.ChannelOpenCX, Identity: parley.Identity{Email: "claimed@example.com"}})
		if err != nil {
			s.Fatal(err)
		}
		same := func(parley.Contact) parley.Identity { return parley.Identity{Name: "x"} }
		s.unchanged("what is refused", func() {
			_, _, err := s.store.Vouch(ctx, s.visitor, parley.Identity{External: "bob"})
			s.want("a visitor vouches", err, "operators_only")
			_, err = s.store.VouchedContact(ctx, s.visitor, ann.ID)
			s.want("a visitor asks", err, "operators_only")
			_, err = s.store.ChangeVouched(ctx, s.visitor, ann.ID, same)
			s.want("a visitor changes", err, "operators_only")
			_, _, err = s.store.Vouch(ctx, s.operator(), parley.Identity{Name: "nobody"})
			s.want("for nobody", err, "invalid_field")
			_, err = s.store.ChangeVouched(ctx, s.operator(), ann.ID, func(parley.Contact) parley.Identity {
				return parley.Identity{Name: strings.Repeat("x", parley.MaxNameBytes+1)}
			})
			s.want("a long name", err, "too_large")
			for name, id := range map[string]parley.ContactID{"no id": "a/b\x00", "unknown": "unknown", "claimed": claimed.Visitor.Contact} {
				_, err := s.store.VouchedContact(ctx, s.operator(), id)
				s.want(name, err, "not_found")
				_, err = s.store.ChangeVouched(ctx, s.operator(), id, same)
				s.want(name+" changed", err, "not_found")
			}
		})
		s.block(ann.ID, true)
		s.unchanged("a change of who is blocked", func() {
			_, err := s.store.ChangeVouched(ctx, s.operator(), ann.ID, same)
			s.want("it", err, "blocked")
		})
	})
}
