package parley

import (
	"cmp"
	"context"
	"maps"
	"time"

	"parley/shared/table"
)

// AcquaintRequest asks for a token for a person whom a dialect names.
type AcquaintRequest struct {
	Project ProjectID
	// Channel is the dialect's.
	Channel Channel
	// Identity is who it is; with neither External nor Email nobody in
	// particular, and then each call is somebody else.
	Identity Identity
	// Proven says that the project's server vouches for the identity.
	Proven bool
	// Address is the network address of the request, "" if there is none.
	Address string
}

// Acquaint returns the visitor for whom a dialect's token is to be issued that
// goes with a person rather than with a browser: asked again from the same network
// address, the same person is the same visitor, so that pages which ask on every
// load leave nothing behind. The same e-mail address on a page and in a proven
// identity makes two contacts. What a page says besides is its visitor's, and
// replaces nothing that others have said. Errors: invalid_field, identity_required,
// challenge_required, identify_limit, blocked.
func (s *Store) Acquaint(ctx context.Context, r AcquaintRequest) (Identified, error) {
	p, err := s.Project(ctx, r.Project)
	if err != nil {
		return Identified{}, err
	}
	c := Caller{Project: p.ID, Address: r.Address}
	if p.TokenRequired && !r.Proven {
		return Identified{}, errIdentity()
	}
	if !r.Proven {
		if _, err := s.letIn(p, r.Channel, c, nil); err != nil {
			return Identified{}, err
		}
	}
	if r.Identity.External == "" && r.Identity.Email == "" {
		if r.Proven {
			return Identified{}, r.Identity.check()
		}
		if err := cmp.Or(checkLength("name", r.Identity.Name, MaxNameBytes), checkAbout(Page{}, r.Identity.Metadata)); err != nil {
			return Identified{}, err
		}
		v, err := s.newVisitor(ctx, p, IdentifyRequest{Caller: c, Name: r.Identity.Name, Metadata: r.Identity.Metadata}, "", nil)
		return Identified{Visitor: v}, err
	}
	if err := r.Identity.check(); err != nil {
		return Identified{}, err
	}
	return againFor(func() (Identified, error) { return s.acquaint(ctx, p, c, r) })
}

// acquaint is Acquaint for somebody in particular. It is refused where somebody else
// makes the same contact or visitor.
func (s *Store) acquaint(ctx context.Context, p *Project, c Caller, r AcquaintRequest) (Identified, error) {
	known, err := s.lookUp(ctx, p.ID, r.Identity, r.Proven)
	if err != nil {
		return Identified{}, err
	}
	if known.contact.Blocked {
		return Identified{}, errBlocked()
	}
	said := Visitor{ID: s.visitorOf(p.ID, known.contact, c), Generation: 1, Created: s.clock().UnixMilli()}
	if !r.Proven {
		said.Name, said.Email, said.Metadata = r.Identity.Name, r.Identity.Email, r.Identity.Metadata
	}
	items, err := s.table.Get(ctx, true, visitorKey(p.ID, said.ID), visitorAboutKey(p.ID, said.ID))
	if err != nil {
		return Identified{}, unavailable(err)
	}
	if items[0] == nil {
		v, err := s.bearVisitor(ctx, p, c, said, &known, !r.Proven)
		return Identified{Visitor: v, Contact: &known.contact}, err
	}
	v, err := visitorFrom(said.ID, items[0])
	if err != nil {
		return Identified{}, err
	}
	if isBlocked(items[0]) {
		return Identified{}, errBlocked()
	}
	if r.Proven {
		return Identified{Visitor: v, Contact: &known.contact}, s.learn(ctx, known)
	}
	if err := v.learn(items[1]); err != nil {
		return Identified{}, err
	}
	v, err = s.hear(ctx, p, c, v, said, items[0])
	return Identified{Visitor: v, Contact: &known.contact}, err
}

// hear stores what a visitor says of itself now, where that is new. It counts as a
// new visitor does.
func (s *Store) hear(ctx context.Context, p *Project, c Caller, v, said Visitor, item table.Item) (Visitor, error) {
	now := v
	now.Name, now.Email = cmp.Or(said.Name, v.Name), cmp.Or(said.Email, v.Email)
	if said.Metadata != nil {
		now.Metadata = said.Metadata
	}
	if now.Name == v.Name && now.Email == v.Email && maps.Equal(now.Metadata, v.Metadata) {
		return v, nil
	}
	told, err := now.item(p.ID, s.clock())
	if err != nil {
		return v, err
	}
	about, err := now.aboutItem(p.ID)
	if err != nil {
		return v, err
	}
	up := table.Set(visitorKey(p.ID, v.ID), table.Item{"data": told["data"]}, table.Equal("data", item.String("data")))
	return now, s.arrive(ctx, p, c, []table.Action{up, table.Put(about)})
}

// visitorOf is the visitor as which a contact comes from an address. The address is
// in it so that a stranger who types somebody's e-mail spends no budget but their
// own; a proven contact needs no such care.
func (s *Store) visitorOf(p ProjectID, contact Contact, c Caller) VisitorID {
	from := ""
	if !contact.Proven {
		from = Network(c.Address)
	}
	return VisitorID("x" + base62(s.derive("visitor of contact", string(p), string(contact.ID), from), 22))
}

// takeIdentify counts a new visitor against its address.
func (s *Store) takeIdentify(ctx context.Context, p *Project, c Caller) error {
	most := callsOf(p.Budgets.WithDefaults().IdentifyPerHour)
	_, err := s.takeOfAddress(ctx, c, "identify", time.Hour, callsOf(1), most)
	return err
}

// ContactOf returns the contact for whom the caller acts; a zero one if it acts
// for none. Of one whom nobody vouches for the name is what the caller itself said.
func (s *Store) ContactOf(ctx context.Context, c Caller) (Contact, error) {
	v, err := s.visitor(ctx, c)
	if err != nil || c.Contact == "" {
		return Contact{}, err
	}
	contact, err := s.readContact(ctx, c.Project, c.Contact)
	if !contact.Proven {
		contact.Name = v.Name
	}
	return contact, err
}
