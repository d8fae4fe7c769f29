package parley

import (
	"context"
	"crypto/rand"
	"math/big"
	"slices"
	"time"

	"parley/shared/table"
)

// A bare visitor has no secret besides its id: whoever knows that is the visitor, as
// in a dialect whose clients keep nothing else. So the id has 80 random bits, is
// never in anything that somebody else may read, and is logged as a hash. It has a
// form that no other visitor's id has, and is marked in the visitor's item: an id
// that was given without such care is never taken for a credential.

// bare marks the item of a bare visitor; heard is when its page was last heard of.
const (
	bare  = "bare"
	heard = "heard"
)

// HeardEvery is how exactly it is known when the page of a bare visitor gave its last
// sign. Our choice: one write in that time, however often the page says so.
const HeardEvery = 5 * time.Minute

// ulidForm is the form of a bare visitor's id (the specification of ULID, with the
// letters of Crockford's base 32). Other visitors' ids begin with a small letter.
var ulidForm = pattern(`^[0-9A-HJKMNP-TV-Z]{26}$`)

// newULID returns an id that begins with the time and goes on with 80 random bits.
func newULID(now time.Time) string {
	var b [16]byte
	new(big.Int).SetInt64(now.UnixMilli()).FillBytes(b[:6])
	rand.Read(b[6:])
	return ulidOf(b)
}

// ulidOf writes 128 bits as a ULID.
func ulidOf(b [16]byte) string {
	digits := digitsOf(b[:], "0123456789ABCDEFGHJKMNPQRSTVWXYZ", 26)
	slices.Reverse(digits)
	return string(digits)
}

// Arrive returns the bare visitor with an id, of whom a page was heard now; Blocked
// says whether it or its contact is blocked. An id that is no such visitor's of the
// project makes a new one, so that nobody learns whose it is. c has only project,
// channel and address. Errors: challenge_required, identify_limit.
func (s *Store) Arrive(ctx context.Context, c Caller, id VisitorID) (Visitor, error) {
	p, err := s.Project(ctx, c.Project)
	if err != nil {
		return Visitor{}, err
	}
	if ulidForm().MatchString(string(id)) {
		item, err := s.get(ctx, true, visitorKey(p.ID, id))
		if err != nil {
			return Visitor{}, err
		}
		if item.Bool(bare) {
			return s.returned(ctx, c, id, item)
		}
	}
	if _, err := s.letIn(p, c.Channel, c, nil); err != nil {
		return Visitor{}, err
	}
	now := s.clock()
	v := Visitor{ID: VisitorID(newULID(now)), Generation: 1, Created: now.UnixMilli(), Bare: true, Heard: now.UnixMilli()}
	return s.bearVisitor(ctx, p, c, v, nil, true)
}

func (s *Store) returned(ctx context.Context, c Caller, id VisitorID, item table.Item) (Visitor, error) {
	v, err := visitorFrom(id, item)
	if err != nil {
		return v, err
	}
	if v.Blocked = isBlocked(item); v.Blocked {
		return v, nil
	}
	c.Visitor = id
	sign := s.sign(c, item)
	if sign == nil || s.takeSign(ctx, c) != nil {
		return v, nil
	}
	v.Heard = s.clock().UnixMilli()
	return v, unrefused(s.write(ctx, *sign))
}

// sign makes the action that notes a sign of a bare visitor's page; nil if one was
// noted a moment ago.
func (s *Store) sign(c Caller, item table.Item) *table.Action {
	now := s.clock().UnixMilli()
	before := now - HeardEvery.Milliseconds()
	if item.Int(heard) > before {
		return nil
	}
	up := table.Set(visitorKey(c.Project, c.Visitor), table.Item{heard: now}, table.Equal(bare, true), table.AtMost(heard, before))
	return &up
}

// MaxSignsPerDay is how often in a day what pages of bare visitors say of themselves,
// where they are and that they are there, is stored for one address. Our choice: an
// office of a hundred people with a hundred pages each. What is above it is not stored.
const MaxSignsPerDay = 10_000

// takeSign counts what is stored of a page's signs against its address.
func (s *Store) takeSign(ctx context.Context, c Caller) error {
	_, err := s.takeOfAddress(ctx, c, "signs", 24*time.Hour, callsOf(1), callsOf(MaxSignsPerDay))
	return err
}

// BareCaller returns who holds the id of a bare visitor of c's project, who comes by
// c's channel and from its address; with the contact, if somebody vouched for it.
// ErrNotFound for every other id, blocked for one who is.
func (s *Store) BareCaller(ctx context.Context, c Caller, id VisitorID) (Caller, error) {
	c.Bare, c.Visitor = true, id
	if !ulidForm().MatchString(string(id)) {
		return Caller{}, notFound("visitor")
	}
	v, err := s.visitor(ctx, c)
	if err != nil {
		return Caller{}, err
	}
	c.Contact = v.Contact
	return c, nil
}

// Prove links the caller, a bare visitor, to the contact whom somebody vouched for:
// its sessions become the contact's, whose other visitors find them from then on, and
// it finds theirs. Who was another contact's leaves those sessions with that one.
// Errors: blocked, identify_limit; identity_moving, of kind ErrConflict, while the
// sessions of an earlier link are still being moved.
func (s *Store) Prove(ctx context.Context, c Caller, i Identity) (Contact, error) {
	if err := i.check(); err != nil {
		return Contact{}, err
	}
	p, err := s.Project(ctx, c.Project)
	if err != nil {
		return Contact{}, err
	}
	return againFor(func() (Contact, error) { return s.prove(ctx, p, c, i) })
}

// prove is refused where the visitor or the contact is no longer as it was read.
func (s *Store) prove(ctx context.Context, p *Project, c Caller, i Identity) (Contact, error) {
	v, err := s.visitor(ctx, c)
	if err != nil {
		return Contact{}, err
	}
	known, err := s.lookUpCounted(ctx, p, c, i)
	if err != nil {
		return Contact{}, err
	}
	switch v.Contact {
	case known.contact.ID:
		err = s.learn(ctx, known)
	case "":
		_, err = s.link(ctx, p, v, known)
	default:
		err = s.relink(ctx, p, v, known)
	}
	return known.contact, err
}

// relink makes the visitor of one contact another's.
func (s *Store) relink(ctx context.Context, p *Project, v Visitor, known knownContact) error {
	before := contactVisitorKey(p.ID, v.Contact, v.ID)
	linked, err := s.get(ctx, true, before)
	if err != nil {
		return err
	}
	if linked.Bool("moving") {
		return conflict("identity_moving", "this visitor has become somebody else a moment ago; try again in a minute")
	}
	up := table.Update(visitorKey(p.ID, v.ID), table.Equal("contact", string(v.Contact)), table.Missing("blocked"), table.Missing(barred))
	up.Set = table.Item{"contact": string(known.contact.ID)}
	if known.contact.Blocked {
		up.Set[barred] = true
	}
	link := linkItem(p.ID, known.contact.ID, v.ID)
	link["nonce"] = s.newID()
	return s.write(ctx, append([]table.Action{up, table.Put(link), table.Delete(before, table.Missing("moving"))}, known.actions...)...)
}

// spendBeside does actions that store something of a bare visitor's own outside of
// sessions, under the bounds of its day and those that it shares. visitor is its item
// as it was read. Where one of the actions is refused, nothing is done.
func (s *Store) spendBeside(ctx context.Context, p *Project, c Caller, visitor table.Item, actions []table.Action) error {
	need := amounts{1, 0, stored(actions)}
	spent := &spending{store: s, project: p, caller: c}
	if err := spent.share(need); err != nil {
		return err
	}
	for range changeTries {
		pays, err := s.spend(p, c, visitor, need)
		if err != nil {
			return err
		}
		err = s.write(ctx, append(actions[:len(actions):len(actions)], pays)...)
		stood, ofVisitor := standing(err, len(actions))
		if !ofVisitor {
			spent.count(ctx, err)
			return err
		}
		visitor = stood
	}
	return unavailable(table.ErrNotDone)
}
