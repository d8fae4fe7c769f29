package parley

import (
	"cmp"
	"context"
)

// The project's own server vouches for contacts without a signature: its private key
// is one.

// VouchedContact returns a contact whom somebody vouched for, for the project's server.
// ErrNotFound for any other.
func (s *Store) VouchedContact(ctx context.Context, c Caller, id ContactID) (Contact, error) {
	if !c.staff() {
		return Contact{}, errOperatorsOnly()
	}
	if CheckID("contact", string(id)) != nil {
		return Contact{}, notFound("contact")
	}
	known, err := s.readContact(ctx, c.Project, id)
	if err == nil && !known.Proven {
		return Contact{}, notFound("contact")
	}
	return known, err
}

// Vouch returns the contact of an identity for whom the project's server vouches, made
// if need be, and whether it was. What it says replaces what was known; who is blocked
// has nothing changed. Errors: invalid_field, too_large.
func (s *Store) Vouch(ctx context.Context, c Caller, i Identity) (known Contact, made bool, err error) {
	if err := cmp.Or(c.checkStaff(), i.check()); err != nil {
		return known, false, err
	}
	p, err := s.Project(ctx, c.Project)
	if err != nil {
		return known, false, err
	}
	err = again(func() error {
		found, err := s.lookUp(ctx, p.ID, i, true)
		if err != nil {
			return err
		}
		known, made = found.contact, found.made
		return s.learn(ctx, found)
	})
	return known, made, err
}

// ChangeVouched stores what the project's server says of a contact whom somebody
// vouched for: change returns it of the contact as it stands, without an external id or
// address of one who is known by neither yet. Errors: ErrNotFound, those of Vouch;
// blocked, of kind ErrDenied.
func (s *Store) ChangeVouched(ctx context.Context, c Caller, id ContactID, change func(Contact) Identity) (Contact, error) {
	return againFor(func() (Contact, error) {
		known, err := s.VouchedContact(ctx, c, id)
		if err != nil {
			return Contact{}, err
		}
		if known.Blocked {
			return Contact{}, errBlocked()
		}
		i := change(known)
		i.External = known.External
		if i.External == "" {
			i.Email = known.Email
		}
		if err := i.check(); err != nil {
			return Contact{}, err
		}
		p, err := s.Project(ctx, c.Project)
		if err != nil {
			return Contact{}, err
		}
		found, err := s.lookUp(ctx, p.ID, i, true)
		if err != nil {
			return Contact{}, err
		}
		if found.contact.ID != id {
			return Contact{}, notFound("contact")
		}
		return found.contact, s.learn(ctx, found)
	})
}
