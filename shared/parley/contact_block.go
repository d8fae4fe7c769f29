package parley

import (
	"context"

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
	return refusedAs(s.write(ctx, setFlag(visitorKey(p, v), "blocked", blocked)), notFound("visitor"))
}

// setFlag sets a flag of an item that there is, or takes it away.
func setFlag(k table.Key, name string, on bool) table.Action {
	if on {
		return table.Set(k, table.Item{name: true}, table.Exists())
	}
	up := table.Update(k, table.Exists())
	up.Remove = []string{name}
	return up
}

// BlockContact refuses everything that any visitor of a contact sends from now on,
// also one that becomes the contact's later, or lets them in again. When it returns it
// is in force. ErrNotFound if there is no such contact.
func (s *Store) BlockContact(ctx context.Context, p ProjectID, c ContactID, blocked bool) error {
	up := setFlag(contactKey(p, c), "blocked", blocked)
	up.Add = map[string]int64{"blocks": 1}
	// Should this process die, the job does the rest. It also finds sessions that the
	// index does not list yet.
	job := dueItem(blockJobKey(p, c), s.clock().Add(lookAfter), p, string(c), "")
	err := refusedAs(s.write(ctx, up, table.Put(job)), notFound("contact"))
	if err == nil {
		_, err = s.blockVisitors(ctx, p, c)
	}
	return err
}

// blockAll carries on with the job that blocks a contact's visitors.
func (s *Store) blockAll(ctx context.Context, p ProjectID, c ContactID, job table.Key) error {
	item, err := s.get(ctx, true, job)
	if err != nil || item == nil {
		return err
	}
	done, err := s.blockVisitors(ctx, p, c)
	if err != nil || !done {
		return err
	}
	return unrefused(s.write(ctx, table.Delete(job, table.Equal("ws", item.String("ws"))))) // or it was ordered anew
}

// blockVisitors makes all visitors of a contact as blocked as that is. done is false if
// that has changed meanwhile: then whoever changed it sees to the rest.
func (s *Store) blockVisitors(ctx context.Context, p ProjectID, id ContactID) (done bool, err error) {
	item, err := s.get(ctx, true, contactKey(p, id))
	if err != nil || item == nil {
		return err == nil, err
	}
	b := blocking{store: s, project: p, blocked: item.Bool("blocked"),
		still: table.Check(contactKey(p, id), table.Equal("blocks", item.Int("blocks")))}
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
		found, err := s.getAll(ctx, true, heads)
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
	var keys []table.Key
	for _, v := range b.visitors {
		if v != "" {
			keys = append(keys, visitorKey(b.project, v))
		}
	}
	b.visitors = nil
	found, err := b.store.getAll(ctx, true, keys)
	if err != nil {
		return false, err
	}
	for k, visitor := range found {
		if visitor.Bool(barred) == b.blocked {
			continue
		}
		err := b.store.write(ctx, b.still, setFlag(k, barred, b.blocked))
		if _, changed := standing(err, 0); changed {
			return false, nil
		}
		if err := unrefused(err); err != nil {
			return false, err
		}
	}
	return true, nil
}
