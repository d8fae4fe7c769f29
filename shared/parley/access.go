package parley

import (
	"context"

	"parley/shared/table"
)

// open returns a session that the caller may use. One wave of reads; a second
// one only where a contact meets a session that has not been moved to it yet.
func (s *Store) open(ctx context.Context, c Caller, id SessionID, consistent bool) (*Session, error) {
	if CheckID("session", string(id)) != nil {
		return nil, notFound("session")
	}
	if c.staff() {
		items, err := s.table.Get(ctx, consistent, headKey(c.Project, id))
		if err != nil {
			return nil, unavailable(err)
		}
		return present(c.Project, id, items[0])
	}
	items, err := s.table.Get(ctx, consistent, visitorKey(c.Project, c.Visitor), headKey(c.Project, id))
	if err != nil {
		return nil, unavailable(err)
	}
	if err := standingOf(items[0], c); err != nil {
		return nil, err
	}
	session, err := present(c.Project, id, items[1])
	if err != nil {
		return nil, err
	}
	return session, s.owns(ctx, c, session)
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
		link, err := s.table.Get(ctx, false, contactVisitorKey(c.Project, c.Contact, o.Visitor))
		if err != nil {
			return unavailable(err)
		}
		if link[0] != nil {
			return nil
		}
	}
	return notFound("session")
}

// view is what one wave of reads shows of a session.
type view struct {
	session *Session
	// entries are the newest ones, oldest first.
	entries []Entry
	about   About
	// visitor is the caller's item.
	visitor table.Item
	// contact is the caller's, where somebody vouched for it; else nil.
	contact *Contact
}

// view reads a session as the caller may, in one wave: with at most n entries,
// what is known about it, the caller's own standing and, of a caller whom somebody
// vouched for, the contact.
func (s *Store) view(ctx context.Context, c Caller, id SessionID, n int) (view, error) {
	if CheckID("session", string(id)) != nil {
		return view{}, notFound("session")
	}
	var v view
	var items []table.Item
	var itemsErr error
	keys := []table.Key{visitorKey(c.Project, c.Visitor), aboutKey(c.Project, id)}
	if c.proven() {
		keys = append(keys, contactKey(c.Project, c.Contact))
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		items, itemsErr = s.table.Get(ctx, true, keys...)
	}()
	session, entries, err := s.tail(ctx, c.Project, id, n)
	<-done
	if itemsErr != nil {
		return v, unavailable(itemsErr)
	}
	if err := standingOf(items[0], c); err != nil {
		return v, err
	}
	if err != nil {
		return v, unavailable(err)
	}
	if err := s.owns(ctx, c, session); err != nil {
		return v, err
	}
	v.session, v.entries, v.visitor = session, entries, items[0]
	if v.about, err = aboutFrom(items[1]); err != nil || len(items) == 2 || items[2] == nil {
		return v, err
	}
	contact, err := contactFrom(c.Contact, items[2])
	v.contact = &contact
	return v, err
}

// tail returns a session with its newest entries, oldest first, in one
// consistent read. ErrNotFound if it is not there or erased.
func (s *Store) tail(ctx context.Context, p ProjectID, id SessionID, n int) (*Session, []Entry, error) {
	page, err := s.table.Query(ctx, table.Query{Partition: sessionPK(p, id), From: skEntryFrom, To: skHead,
		Descending: true, Limit: n + 1, Consistent: true})
	if err != nil {
		return nil, nil, err
	}
	items := page.Items
	var head table.Item
	if len(items) > 0 && items[0].String(table.SK) == skHead {
		head, items = items[0], items[1:]
	} else {
		got, err := s.table.Get(ctx, true, headKey(p, id))
		if err != nil {
			return nil, nil, err
		}
		head = got[0]
	}
	session, err := present(p, id, head)
	if err != nil {
		return nil, nil, err
	}
	entries := make([]Entry, len(items))
	for i, item := range items {
		if entries[len(items)-1-i], err = entryFrom(item); err != nil {
			return nil, nil, err
		}
	}
	return session, entries, nil
}
