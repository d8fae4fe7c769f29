package parley

import (
	"context"
	"errors"
	"slices"
	"strings"

	"parley/shared/socket"
	"parley/shared/table"
)

// Connections of pages whose clients know what they are told by its id, as those of
// bare visitors do: everything may be told to all of them at once, twice and in any
// order, and nobody keeps how far they have come. Such a connection begins in three
// steps: Connect lists it, Listen has it be told what happens from then on, and NoteMet
// says that its client has been told what happened before. Whoever dies in between is
// found out by Ready.

// MaxPageVisitors is how many visitors of a contact are told of what happens in its
// sessions, the newest of them. Our choice: a person's browsers, with some to spare.
const MaxPageVisitors = 20

// Listen has a connection be told what happens to its visitor: it is Ready in the
// lists. ErrNotFound if it has ended. 1 write unit.
func (s *Store) Listen(ctx context.Context, c Connection) error {
	in := c.partition()
	if in == "" {
		return errNoConnection()
	}
	listen := table.Set(connectedKey(in, c.Ref), table.Item{"ready": true}, table.Exists())
	return refusedAs(s.write(ctx, listen), errNoConnection())
}

// NoteMet says that the client of a connection that listens has been told what there
// was before: ConnectionOf shows it Ready. It does nothing to one that has ended. 1
// write unit.
func (s *Store) NoteMet(ctx context.Context, ref socket.Ref) error {
	return unrefused(s.write(ctx, table.Set(connectionKey(ref), table.Item{"ready": true}, table.Exists(), table.Missing("left"))))
}

// PageConnections returns the connections to a socket API that are to be told what
// happens in a session of bare visitors: those of every visitor who may read it now, so
// that whoever is blocked or no longer vouched for hears no more. At most
// MaxConnections of a visitor, in no order. 1 read unit where nobody is there and the
// session is no contact's.
func (s *Store) PageConnections(ctx context.Context, session *Session, api string) ([]Connection, error) {
	visitors, items, err := s.readersOf(ctx, session)
	if err != nil {
		return nil, err
	}
	var there []Connection
	for i, v := range visitors {
		c := Caller{Project: session.Project, Visitor: v, Bare: true, Channel: session.Channel, Contact: ContactID(items[i].String("contact"))}
		err := standingOf(items[i], c)
		if err == nil {
			err = s.owns(ctx, c, session)
		}
		if errors.Is(err, ErrNotFound) || errors.Is(err, ErrDenied) {
			continue
		}
		if err != nil {
			return nil, err
		}
		all, err := s.VisitorConnections(ctx, session.Project, v)
		if err != nil {
			return nil, err
		}
		there = append(there, slices.DeleteFunc(all, func(c Connection) bool { return c.API != api })...)
	}
	return there, nil
}

// readersOf returns the bare visitors who may be readers of a session, with their items.
func (s *Store) readersOf(ctx context.Context, session *Session) ([]VisitorID, []table.Item, error) {
	p, o := session.Project, session.Owner
	visitors := []VisitorID{o.Visitor}
	items, err := s.table.Get(ctx, false, visitorKey(p, o.Visitor))
	if err != nil {
		return nil, nil, unavailable(err)
	}
	contact := o.Contact
	if contact == "" { // its sessions are moved to the contact a moment after the visitor
		contact = ContactID(items[0].String("contact"))
	}
	if contact == "" {
		return visitors, items, nil
	}
	linked, err := s.bareVisitorsOf(ctx, p, contact)
	if err != nil {
		return nil, nil, err
	}
	var keys []table.Key
	for _, v := range linked {
		if v != o.Visitor {
			visitors, keys = append(visitors, v), append(keys, visitorKey(p, v))
		}
	}
	if len(keys) == 0 {
		return visitors, items, nil
	}
	others, err := s.table.Get(ctx, false, keys...)
	return visitors, append(items, others...), unavailable(err)
}

// bareVisitorsOf returns the newest bare visitors that are linked to a contact. Their
// ids sort by when they were made, and before those of all other visitors.
func (s *Store) bareVisitorsOf(ctx context.Context, p ProjectID, c ContactID) ([]VisitorID, error) {
	const prefix = "visitor/"
	page, err := s.table.Query(ctx, table.Query{Partition: contactKey(p, c).PK, From: prefix + "0", To: prefix + "Z~",
		Descending: true, Limit: MaxPageVisitors})
	if err != nil {
		return nil, unavailable(err)
	}
	var out []VisitorID
	for _, item := range page.Items {
		name, _ := strings.CutPrefix(item.String(table.SK), prefix)
		if id, ok := unescape(name); ok {
			out = append(out, VisitorID(id))
		}
	}
	return out, nil
}

// News is Peek for whoever has been told that there are entries up to a number, or
// that the session has moved: what a replica does not have yet is read again,
// consistently. Like Peek it returns at most MaxPage entries.
func (s *Store) News(ctx context.Context, c Caller, id SessionID, after, upto Seq, moved bool) (Changes, error) {
	if !moved {
		news, err := s.Peek(ctx, c, id, after)
		if err == nil && (news.Upto >= upto || news.Upto >= after+MaxPage) {
			return news, nil
		}
		if err != nil && !errors.Is(err, ErrNotFound) {
			return news, err
		}
	}
	session, err := s.open(ctx, c, id, true)
	if err != nil {
		return Changes{}, err
	}
	return s.since(ctx, c, session, after, true)
}

// NewestEntries returns a session with its newest entries that are shown, at most n, oldest
// first, as they stand now. It is no sign of the page.
func (s *Store) NewestEntries(ctx context.Context, c Caller, id SessionID, n int, shown func(Entry) bool) (*Session, []Entry, error) {
	session, err := s.open(ctx, c, id, true)
	if err != nil {
		return nil, nil, err
	}
	entries, err := s.downFrom(ctx, c.Project, id, session.Seq, n, shown)
	slices.Reverse(entries)
	return session, entries, err
}
