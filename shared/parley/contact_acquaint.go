package parley

import (
	"context"
	"time"

	"parley/shared/table"
)

// AcquaintRequest asks for a token for a person whom a dialect names.
type AcquaintRequest struct {
	Project ProjectID
	// Identity is who it is; with neither External nor Email nobody in
	// particular, and then each call is somebody else.
	Identity Identity
	// Proven says that the project's server vouches for the identity.
	Proven bool
	// Address is the network address of the request, "" if there is none.
	Address string
}

// Acquaint returns the visitor for whom a dialect's token is to be issued that
// goes with a person rather than with a browser: asked again from the same
// address, the same person is the same visitor, so that pages which ask on every
// load leave nothing behind. The same address on a page and the same e-mail in a
// proven identity are two contacts. Errors: invalid_field, identity_required,
// identify_limit, blocked.
func (s *Store) Acquaint(ctx context.Context, r AcquaintRequest) (Identified, error) {
	p, err := s.Project(ctx, r.Project)
	if err != nil {
		return Identified{}, err
	}
	c := Caller{Project: p.ID, Address: r.Address}
	if p.TokenRequired && !r.Proven {
		return Identified{}, errIdentity()
	}
	if r.Identity.External == "" && r.Identity.Email == "" {
		if r.Proven {
			return Identified{}, r.Identity.check()
		}
		if exceeds(r.Identity.Name, MaxNameBytes) {
			return Identified{}, tooLarge("name", MaxNameBytes)
		}
		if err := checkAbout(Page{}, r.Identity.Metadata); err != nil {
			return Identified{}, err
		}
		v, err := s.newVisitor(ctx, p, IdentifyRequest{Caller: c, Name: r.Identity.Name, Metadata: r.Identity.Metadata}, nil)
		return Identified{Visitor: v}, err
	}
	if err := r.Identity.check(); err != nil {
		return Identified{}, err
	}
	contact, err := s.contact(ctx, p.ID, r.Identity, r.Proven)
	if err != nil {
		return Identified{}, err
	}
	v, err := s.visitorOf(ctx, p, contact, c)
	return Identified{v, &contact}, err
}

// visitorOf returns the visitor as which a contact comes from an address. The
// address is in it so that a stranger who types somebody's e-mail spends no
// budget but their own; a proven contact needs no such care.
func (s *Store) visitorOf(ctx context.Context, p *Project, contact Contact, c Caller) (Visitor, error) {
	from := ""
	if !contact.Proven {
		from = network(c.Address)
	}
	id := VisitorID("x" + base62(s.derive("visitor of contact", string(p.ID), string(contact.ID), from), 22))
	k := visitorKey(p.ID, id)
	items, err := s.table.Get(ctx, true, k)
	if err != nil {
		return Visitor{}, unavailable(err)
	}
	if items[0] == nil {
		v, err := s.bearVisitor(ctx, p, contact, id, c)
		if !refused(err) {
			return v, err
		}
		if items, err = s.table.Get(ctx, true, k); err != nil {
			return Visitor{}, unavailable(err)
		}
	}
	v, err := visitorFrom(id, items[0])
	if err == nil && v.Blocked {
		err = errBlocked()
	}
	return v, err
}

// bearVisitor is refused when somebody else makes the same visitor.
func (s *Store) bearVisitor(ctx context.Context, p *Project, contact Contact, id VisitorID, c Caller) (Visitor, error) {
	if !contact.Proven {
		if err := s.takeIdentify(ctx, p, c); err != nil {
			return Visitor{}, err
		}
	}
	now := s.clock()
	v := Visitor{ID: id, Generation: 1, Contact: contact.ID, Created: now.UnixMilli()}
	item, err := v.item(p.ID, now)
	if err != nil {
		return v, err
	}
	item["nonce"], item["contact"] = s.newID(), string(contact.ID)
	return v, s.write(ctx, []table.Action{table.Put(item, table.Absent()), table.Put(linkItem(p.ID, contact.ID, id))})
}

// takeIdentify counts a new visitor against its address.
func (s *Store) takeIdentify(ctx context.Context, p *Project, c Caller) error {
	for _, n := range limitsOf(s.AddressHash(c)) {
		k := s.counters.counter(p.ID, "identify", n.subject, time.Hour)
		most := callsOf(n.times * p.Budgets.WithDefaults().IdentifyPerHour)
		if err := s.counters.take(ctx, k, callsOf(1), callsOf(1), most); err != nil {
			return err
		}
	}
	return nil
}

// ContactOf returns the contact for whom the caller acts; a zero one if it acts
// for none.
func (s *Store) ContactOf(ctx context.Context, c Caller) (Contact, error) {
	if err := s.CheckVisitor(ctx, c); err != nil || c.Contact == "" {
		return Contact{}, err
	}
	return s.readContact(ctx, c.Project, c.Contact)
}
