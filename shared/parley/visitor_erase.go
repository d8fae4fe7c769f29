package parley

import (
	"context"
	"errors"
	"strings"

	"parley/shared/table"
)

// To erase a person is to take away first what lets them in: every change of a
// visitor's checks the visitor's item in its own transaction, so none that is under
// way can bring anything back. What they said and wrote goes after it, by a job that
// may be begun again at any point. It runs once more a minute later, when the index
// lists what was begun a moment before.

// EraseVisitor removes a visitor for good, with its sessions, what it said of itself
// and its feedback. When it returns nobody can read any of that; what sessions consist
// of, and files, the sweep removes within two minutes. Errors: ErrNotFound; of_contact,
// of kind ErrConflict, for a contact's visitor: that is erased with the contact.
func (s *Store) EraseVisitor(ctx context.Context, c Caller, v VisitorID) error {
	if !c.staff() {
		return errOperatorsOnly()
	}
	if CheckID("visitor", string(v)) != nil {
		return notFound("visitor")
	}
	job := dueItem(visitorEraseKey(c.Project, v), s.clock().Add(lookAfter), c.Project, string(v), "")
	err := s.write(ctx, table.Delete(visitorKey(c.Project, v), table.Exists(), table.Missing("contact")), table.Put(job))
	if stood, was := standing(err, 0); was && stood != nil {
		return conflict("of_contact", "this visitor is a contact's; erase the contact")
	} else if was {
		return notFound("visitor")
	}
	if err != nil {
		return err
	}
	return ordered(s.eraseOfVisitor(ctx, c.Project, v))
}

// ordered is the error of a job's first try: what could not be done now the sweep does.
func ordered(err error) error {
	if errors.Is(err, ErrUnavailable) {
		return nil
	}
	return err
}

// eraseVisitor carries on with the job of EraseVisitor.
func (s *Store) eraseVisitor(ctx context.Context, p ProjectID, v VisitorID) error {
	if err := s.eraseOfVisitor(ctx, p, v); err != nil {
		return err
	}
	return s.write(ctx, table.Delete(visitorEraseKey(p, v)))
}

// eraseOfVisitor removes what a visitor has besides the job.
func (s *Store) eraseOfVisitor(ctx context.Context, p ProjectID, v VisitorID) error {
	if err := s.write(ctx, table.Delete(visitorKey(p, v))); err != nil {
		return err
	}
	if err := s.eraseSessionsIn(ctx, p, visitorKey(p, v).PK, nil); err != nil {
		return err
	}
	q := table.Query{Partition: visitorKey(p, v).PK, Limit: 100, Consistent: true}
	for item, err := range s.items(ctx, q) {
		if err != nil {
			return err
		}
		if item.Key() == visitorEraseKey(p, v) {
			continue
		}
		actions := []table.Action{table.Delete(item.Key())}
		if strings.HasPrefix(item.String(table.SK), skConnectionFrom) {
			c, err := connectionFrom(item)
			if err != nil {
				return err
			}
			actions = append(actions, table.Delete(connectionKey(c.Ref)))
		}
		if err := s.write(ctx, actions...); err != nil {
			return err
		}
	}
	return nil
}

// eraseSessionsIn makes tombstones of the sessions that the index lists in an owner's
// partition, and orders that they are removed. Each is passed to also first, if that is
// set.
func (s *Store) eraseSessionsIn(ctx context.Context, p ProjectID, partition string, also func(*Session) error) error {
	project, err := s.Project(ctx, p)
	if err != nil {
		return err
	}
	for item, err := range s.items(ctx, table.Query{Index: table.Owner, Partition: partition, Limit: 100}) {
		if err != nil {
			return err
		}
		_, id, ok := splitTimeAndSession(item.String("os"))
		if !ok {
			return errNoName
		}
		session, err := s.head(ctx, p, id)
		if errors.Is(err, ErrNotFound) || err == nil && ownerPartition(p, session.Owner) != partition {
			continue // it is erased, or somebody else's by now
		}
		if err != nil {
			return err
		}
		if also != nil {
			if err := also(session); err != nil {
				return err
			}
		}
		if err := ignoreGone(s.leaveTombstone(ctx, project, Caller{Project: p, Server: true}, session)); err != nil {
			return err
		}
	}
	return nil
}

// EraseContact removes a contact for good, with all its visitors and sessions, as
// EraseVisitor does. Who signs in as the same person later is a new contact. Errors:
// ErrNotFound; unproven_contact, of kind ErrConflict, for one whom nobody vouched for:
// that one's name was typed by different people, and their sessions are not listed
// together.
func (s *Store) EraseContact(ctx context.Context, c Caller, id ContactID) error {
	if !c.staff() {
		return errOperatorsOnly()
	}
	if CheckID("contact", string(id)) != nil {
		return notFound("contact")
	}
	if err := again(func() error { return s.closeContact(ctx, c.Project, id) }); err != nil {
		return err
	}
	return ordered(s.eraseOfContact(ctx, c.Project, id))
}

// closeContact takes away the contact and what it is found by, and orders the job. It
// is refused where the contact is no longer as it was read.
func (s *Store) closeContact(ctx context.Context, p ProjectID, id ContactID) error {
	item, err := s.get(ctx, true, contactKey(p, id))
	if err != nil {
		return err
	}
	known, err := contactFrom(id, item)
	if err != nil {
		return err
	}
	if !known.Proven {
		return conflict("unproven_contact", "nobody vouched for this contact, so that it may be several people")
	}
	var pointers []table.Key
	if known.External != "" {
		pointers = append(pointers, externalKey(p, true, known.External))
	}
	for _, email := range []string{known.Email, known.Formerly} {
		if email != "" {
			pointers = append(pointers, emailKey(p, true, email))
		}
	}
	found, err := s.getAll(ctx, true, pointers)
	if err != nil {
		return err
	}
	actions := []table.Action{table.Delete(contactKey(p, id), table.Equal("data", item.String("data"))),
		table.Put(dueItem(contactEraseKey(p, id), s.clock().Add(lookAfter), p, string(id), ""))}
	for k, pointer := range found {
		if pointer.String("contact") == string(id) { // it may have been another's before
			actions = append(actions, table.Delete(k, table.Equal("contact", string(id))))
		}
	}
	return s.write(ctx, actions...)
}

// eraseContact carries on with the job of EraseContact.
func (s *Store) eraseContact(ctx context.Context, p ProjectID, id ContactID) error {
	if err := s.eraseOfContact(ctx, p, id); err != nil {
		return err
	}
	return s.write(ctx, table.Delete(contactEraseKey(p, id)))
}

// eraseOfContact removes what a contact has besides the job. What names something else
// goes after that.
func (s *Store) eraseOfContact(ctx context.Context, p ProjectID, id ContactID) error {
	// Of a session whose id is the credential the visitor has no link.
	capable := func(session *Session) error {
		v := session.Owner.Visitor
		if v != s.CapabilityVisitor(p, session.ID) {
			return nil
		}
		return s.eraseOfVisitor(ctx, p, v)
	}
	if err := s.eraseSessionsIn(ctx, p, contactKey(p, id).PK, capable); err != nil {
		return err
	}
	q := table.Query{Partition: contactKey(p, id).PK, Limit: 100, Consistent: true}
	for item, err := range s.items(ctx, q) {
		if err != nil {
			return err
		}
		if item.Key() == contactEraseKey(p, id) {
			continue
		}
		if v := VisitorID(item.String("visitor")); v != "" {
			if err := s.eraseOfVisitor(ctx, p, v); err != nil {
				return err
			}
		}
		if err := s.write(ctx, table.Delete(item.Key())); err != nil {
			return err
		}
	}
	return nil
}
