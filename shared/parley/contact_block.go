package parley

import (
	"context"
	"slices"

	"parley/shared/table"
)

// A block is of a visitor, or of a contact and then of all its visitors: those that it
// has and those that it gets. Every transaction of a visitor's checks the visitor's
// item anyway, so a contact's block is written into the items of its visitors, where
// it costs a message nothing. Whoever makes a visitor the contact's checks the contact
// in the same transaction, so none is missed: it was there before the block, which
// then finds it, or it finds the block.

// barred marks a visitor's item while the contact is blocked; "blocked" is the block
// of this visitor alone, which unblocking the contact does not lift.
const barred = "barred"

func isBlocked(visitor table.Item) bool { return visitor.Bool("blocked") || visitor.Bool(barred) }

// BlockVisitor refuses everything a visitor sends from now on, or lets it in
// again. ErrNotFound if there is no such visitor.
func (s *Store) BlockVisitor(ctx context.Context, p ProjectID, v VisitorID, blocked bool) error {
	up := table.Update(visitorKey(p, v), table.Exists())
	if blocked {
		up.Set = table.Item{"blocked": true}
	} else {
		up.Remove = []string{"blocked"}
	}
	return s.changeVisitor(ctx, up)
}

// BlockContact refuses everything that any visitor of a contact sends from now on,
// also one that becomes the contact's later, or lets them in again. When it returns it
// is in force. ErrNotFound if there is no such contact.
func (s *Store) BlockContact(ctx context.Context, p ProjectID, c ContactID, blocked bool) error {
	up := table.Update(contactKey(p, c), table.Exists())
	if blocked {
		up.Set = table.Item{"blocked": true}
	} else {
		up.Remove = []string{"blocked"}
	}
	up.Add = map[string]int64{"blocks": 1}
	// Should this process die, the job does the rest. It also finds sessions that the
	// index does not list yet.
	job := blockJobKey(p, c)
	err := s.write(ctx, []table.Action{up, table.Put(dueItem(job, s.clock().Add(lookAfter), p, string(c), ""))})
	if refused(err) {
		return notFound("contact")
	}
	if err != nil {
		return err
	}
	_, err = s.blockVisitors(ctx, p, c)
	return err
}

// blockAll carries on with the job that blocks a contact's visitors.
func (s *Store) blockAll(ctx context.Context, p ProjectID, c ContactID, job table.Key) error {
	items, err := s.table.Get(ctx, true, job)
	if err != nil || items[0] == nil {
		return unavailable(err)
	}
	done, err := s.blockVisitors(ctx, p, c)
	if err != nil || !done {
		return err
	}
	err = s.write(ctx, []table.Action{table.Delete(job, table.Equal("ws", items[0].String("ws")))})
	if refused(err) { // ordered anew meanwhile
		err = nil
	}
	return err
}

// blockVisitors makes all visitors of a contact as blocked as that is. done is false if
// that has changed meanwhile: then whoever changed it sees to the rest.
func (s *Store) blockVisitors(ctx context.Context, p ProjectID, id ContactID) (done bool, err error) {
	items, err := s.table.Get(ctx, true, contactKey(p, id))
	if err != nil || items[0] == nil {
		return err == nil, unavailable(err)
	}
	b := blocking{store: s, project: p, blocked: items[0].Bool("blocked"),
		still: table.Check(contactKey(p, id), table.Equal("blocks", items[0].Int("blocks")))}
	links := table.Query{Partition: contactKey(p, id).PK, From: "visitor/", To: "visitor/~", Limit: 100, Consistent: true}
	for page, err := range s.pages(ctx, links) {
		if err != nil {
			return false, err
		}
		for _, link := range page.Items {
			b.visitors = append(b.visitors, VisitorID(link.String("visitor")))
		}
		if done, err := b.change(ctx); err != nil || !done {
			return false, err
		}
	}
	// Of a session whose id is the credential the visitor has no link.
	sessions := table.Query{Index: table.Owner, Partition: contactKey(p, id).PK, Limit: 100}
	for page, err := range s.pages(ctx, sessions) {
		if err != nil {
			return false, err
		}
		var heads []table.Key
		for _, listed := range page.Items {
			heads = append(heads, listed.Key())
		}
		found, err := s.getAll(ctx, heads)
		if err != nil {
			return false, err
		}
		for _, head := range found {
			b.visitors = append(b.visitors, SessionOf(head).Owner.Visitor)
		}
		if done, err := b.change(ctx); err != nil || !done {
			return false, err
		}
	}
	return true, nil
}

// blocking is one way through the visitors of a contact.
type blocking struct {
	store   *Store
	project ProjectID
	blocked bool
	// still checks that the contact is as blocked as it was read.
	still    table.Action
	visitors []VisitorID // to be looked at next
}

// change makes the visitors at hand as blocked as the contact is.
func (b *blocking) change(ctx context.Context) (done bool, err error) {
	slices.Sort(b.visitors)
	var keys []table.Key
	for _, v := range slices.Compact(b.visitors) {
		if v != "" {
			keys = append(keys, visitorKey(b.project, v))
		}
	}
	b.visitors = nil
	found, err := b.store.getAll(ctx, keys)
	if err != nil {
		return false, err
	}
	for _, k := range keys {
		if found[k] == nil || found[k].Bool(barred) == b.blocked {
			continue
		}
		up := table.Update(k, table.Exists())
		if b.blocked {
			up.Set = table.Item{barred: true}
		} else {
			up.Remove = []string{barred}
		}
		err := b.store.write(ctx, []table.Action{b.still, up})
		if _, changed := standing(err, 0); changed {
			return false, nil
		}
		if err != nil && !refused(err) {
			return false, err
		}
	}
	return true, nil
}
