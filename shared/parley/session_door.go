package parley

import (
	"cmp"
	"context"
	"slices"

	"parley/shared/table"
)

// This file is the door: whoever reads or changes a session comes through
// admitted, with the items that it reads of.

// admitted returns a session if the caller may touch it: the project is in the
// keys, then the caller's token must stand, then the session must be the caller's.
// visitor is the caller's own item, of no matter for a private key; head is the
// session's. ErrNotFound for a session that is unknown, erased or somebody else's.
func (s *Store) admitted(ctx context.Context, c Caller, id SessionID, visitor, head table.Item) (*Session, error) {
	if !c.staff() {
		if err := standingOf(visitor, c); err != nil {
			return nil, err
		}
	}
	session, err := present(c.Project, id, head)
	if err != nil {
		return nil, err
	}
	return session, s.owns(ctx, c, session)
}

// open returns a session that the caller may use. One wave of reads; a second
// one only where a contact meets a session that has not been moved to it yet.
func (s *Store) open(ctx context.Context, c Caller, id SessionID, consistent bool) (*Session, error) {
	session, _, err := s.openBeside(ctx, c, id, consistent)
	return session, err
}

// openBeside is open that reads other items of the session in the same wave. They
// are returned in the order of their keys, nil where there is none.
func (s *Store) openBeside(ctx context.Context, c Caller, id SessionID, consistent bool, beside ...table.Key) (*Session, []table.Item, error) {
	if CheckID("session", string(id)) != nil {
		return nil, nil, notFound("session")
	}
	keys := append(slices.Clip(beside), headKey(c.Project, id))
	if !c.staff() {
		keys = append(keys, visitorKey(c.Project, c.Visitor))
	}
	items, err := s.table.Get(ctx, consistent, keys...)
	if err != nil {
		return nil, nil, unavailable(err)
	}
	n := len(beside)
	session, err := s.admitted(ctx, c, id, items[len(items)-1], items[n])
	return session, items[:n], err
}

// openToChange opens a session that the caller may use, as it stands.
func (s *Store) openToChange(ctx context.Context, c Caller, id SessionID) (*Project, *Session, error) {
	p, err := s.Project(ctx, c.Project)
	if err != nil {
		return nil, nil, err
	}
	session, err := s.open(ctx, c, id, true)
	return p, session, err
}

// openToOperate opens a session for a private key to change it.
func (s *Store) openToOperate(ctx context.Context, c Caller, id SessionID) (*Project, *Session, error) {
	if !c.staff() {
		return nil, nil, errOperatorsOnly()
	}
	return s.openToChange(ctx, c, id)
}

func errOperatorsOnly() error { return denied("operators_only", "this call is for operators") }

// checkStaff returns operators_only for whoever has no private key.
func (c Caller) checkStaff() error {
	if c.staff() {
		return nil
	}
	return errOperatorsOnly()
}

// openAwake opens a session for a page that shows it.
func (s *Store) openAwake(ctx context.Context, c Caller, id SessionID) (*Session, error) {
	session, err := s.open(ctx, c, id, false)
	if err != nil || c.staff() {
		return session, err
	}
	return s.wake(ctx, session)
}

// guard makes the change fail unless the caller's token stands.
func (s *Store) guard(ch *change, c Caller) error {
	if !c.staff() {
		ch.act(checkVisitor(c), func(stood table.Item) error { return standingOf(stood, c) })
	}
	return nil
}

// head returns a session without checking whose it is.
func (s *Store) head(ctx context.Context, p ProjectID, id SessionID) (*Session, error) {
	return read(ctx, s, true, headKey(p, id), func(head table.Item) (*Session, error) { return present(p, id, head) })
}

func present(p ProjectID, id SessionID, head table.Item) (*Session, error) {
	if head == nil || head.Bool("erased") {
		return nil, notFound("session")
	}
	return sessionFrom(p, id, head)
}

// owns returns ErrNotFound unless the session is the caller's.
func (s *Store) owns(ctx context.Context, c Caller, session *Session) error {
	o := session.Owner
	switch {
	case c.staff():
		return nil
	case c.Only != "" && c.Only != session.ID, c.Channel != "" && c.Channel != session.Channel:
		return notFound("session")
	case c.Capability && o.Visitor == c.Visitor:
		if c.Contact != "" && o.Contact != "" && c.Contact != o.Contact {
			return denied("other_contact", "this session belongs to another signed-in visitor")
		}
		return nil
	case o.Contact != "":
		if o.Contact == c.Contact {
			return nil
		}
	case o.Visitor == c.Visitor:
		return nil
	case c.Contact != "":
		link, err := s.get(ctx, false, contactVisitorKey(c.Project, c.Contact, o.Visitor))
		if err != nil || link != nil {
			return err
		}
	}
	return notFound("session")
}

// senderView is what one wave of reads shows of a session.
type senderView struct {
	session *Session
	// entries are the newest ones, oldest first.
	entries []Entry
	about   About
	// visitor is the caller's item.
	visitor table.Item
	// contact is the caller's, where somebody vouched for it; else nil.
	contact *Contact
}

// viewOfSender reads a session for a message of the caller's, in one wave: with at
// most n entries, what is known about it, the caller's own standing and, of a caller
// whom somebody vouched for, the contact.
func (s *Store) viewOfSender(ctx context.Context, c Caller, id SessionID, n int) (senderView, error) {
	if CheckID("session", string(id)) != nil {
		return senderView{}, notFound("session")
	}
	if c.staff() { // who has no visitor's token: what is read here is for writing as a visitor
		return senderView{}, errRevoked()
	}
	var v senderView
	keys := []table.Key{visitorKey(c.Project, c.Visitor), aboutKey(c.Project, id)}
	if c.proven() {
		keys = append(keys, contactKey(c.Project, c.Contact))
	}
	beside := s.meanwhile(ctx, true, keys...)
	head, entries, err := s.tail(ctx, c.Project, id, n)
	items, besideErr := beside()
	if err := cmp.Or(besideErr, unavailable(err)); err != nil {
		return v, err
	}
	session, err := s.admitted(ctx, c, id, items[0], head)
	if err != nil {
		return v, err
	}
	v.session, v.entries, v.visitor = session, entries, items[0]
	if v.about, err = aboutFrom(items[1]); err != nil || len(items) == 2 || items[2] == nil {
		return v, err
	}
	contact, err := contactFrom(c.Contact, items[2])
	if err == nil && contact.Blocked {
		return v, errBlocked()
	}
	v.contact = &contact
	return v, err
}

// tail returns a session's item, nil if there is none, with its newest entries,
// oldest first, in one consistent read.
func (s *Store) tail(ctx context.Context, p ProjectID, id SessionID, n int) (head table.Item, entries []Entry, err error) {
	page, err := s.table.Query(ctx, table.Query{Partition: sessionPK(p, id), From: skEntryFrom, To: skHead,
		Descending: true, Limit: n + 1, Consistent: true})
	if err != nil {
		return nil, nil, err
	}
	items := page.Items
	if len(items) == 0 || items[0].String(table.SK) != skHead {
		got, err := s.table.Get(ctx, true, headKey(p, id))
		if err != nil || got[0] == nil {
			return nil, nil, err
		}
		items = append(got, items...)
	}
	entries, err = decodeAll(items[1:], entryFrom)
	slices.Reverse(entries)
	return items[0], entries, err
}
