package parley

import (
	"cmp"
	"context"
	"slices"
	"time"

	"parley/shared/table"
)

// place is where a list stands: what comes next has less activity, or the same
// and a lower id.
type place struct {
	At int64     `json:"a"`
	ID SessionID `json:"s"`
}

func (p place) before(s *Session) bool {
	return cmp.Or(cmp.Compare(s.At, p.At), cmp.Compare(s.ID, p.ID)) < 0
}

// placeIn is where a list stands after a session.
func placeIn(s *Session) any { return place{s.At, s.ID} }

// Sessions returns the caller's sessions, newest activity first, and the
// cursor of the next page, "" at the end. A page costs the same however many
// sessions there are.
func (s *Store) Sessions(ctx context.Context, c Caller, r PageRequest) ([]*Session, string, error) {
	return s.listOwn(ctx, c, r, lister{})
}

// listOwn returns a page of the caller's sessions, of those that the lister keeps.
func (s *Store) listOwn(ctx context.Context, c Caller, r PageRequest, l lister) ([]*Session, string, error) {
	if err := r.check(); err != nil {
		return nil, "", err
	}
	after, err := placeOf(r)
	if err != nil {
		return nil, "", err
	}
	if c.Only != "" {
		return s.onlySession(ctx, c, after)
	}
	partitions, err := s.ownersOf(ctx, c)
	if err != nil {
		return nil, "", err
	}
	l.store, l.project, l.index, l.limit, l.after = s, c.Project, table.Owner, r.Limit, after
	return l.page(ctx, partitions)
}

// placeOf is where the page before ended.
func placeOf(r PageRequest) (place, error) {
	after := place{At: 1 << 62}
	if r.Cursor == "" {
		return after, nil
	}
	return after, uncursor(r.Cursor, &after)
}

// ownersOf returns the index partitions that hold a caller's sessions: its own,
// and for a contact before it those of visitors whose sessions are still being
// moved: read in this order, none is missed that moves meanwhile.
func (s *Store) ownersOf(ctx context.Context, c Caller) ([]string, error) {
	if c.Contact == "" {
		return []string{ownerPartition(c.Project, Owner{Visitor: c.Visitor})}, s.CheckVisitor(ctx, c)
	}
	if err := s.CheckVisitor(ctx, c); err != nil {
		return nil, err
	}
	if c.Unproven && !randomUUID().MatchString(c.External) {
		return nil, nil
	}
	if c.Unproven { // no visitor's sessions are ever moved to such a contact
		return []string{ownerPartition(c.Project, Owner{Contact: c.Contact, External: c.External})}, nil
	}
	var partitions []string
	q := table.Query{Partition: contactKey(c.Project, c.Contact).PK, From: "visitor/", To: "visitor/~", Limit: 100, Consistent: true}
	for item, err := range s.items(ctx, q) {
		if err != nil {
			return nil, err
		}
		if item.Bool("moving") {
			partitions = append(partitions, ownerPartition(c.Project, Owner{Visitor: VisitorID(item.String("visitor"))}))
		}
	}
	return append(partitions, ownerPartition(c.Project, Owner{Contact: c.Contact, Proven: true})), nil
}

// randomUUID are UUIDs of version 4, 122 random bits (RFC 9562, section 5.4). Whoever
// types an e-mail is taken for its contact; so of a contact whom nobody vouches for
// only those sessions are listed that began under an external id which nobody can
// guess, as a widget makes it for a browser: not under a customer's number.
var randomUUID = pattern(`(?i)^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

// page merges index partitions into one page, newest activity first. An index
// entry lags behind the activity by at most indexEvery, so the list reads on
// until nothing below can beat what it holds, and sorts.
func (l *lister) page(ctx context.Context, partitions []string) ([]*Session, string, error) {
	for _, partition := range partitions {
		if err := l.read(ctx, partition); err != nil {
			return nil, "", err
		}
	}
	if l.floor > 0 {
		return l.aboveFloor()
	}
	page, next := pageOf(l.held, l.limit, placeIn)
	return page, next, nil
}

// lister collects the best limit+1 sessions: the one too many tells that there
// is another page.
type lister struct {
	store   *Store
	project ProjectID
	index   table.Index
	limit   int
	after   place
	// belongs, if set, reports whether a session that the index lists is one.
	belongs func(*Session) bool
	// keep, if set, drops those of the sessions that are not asked for. Then the
	// list ends early after a while, with whatever is sure by then.
	keep   func(ctx context.Context, sessions []*Session) ([]*Session, error)
	looked int
	// floor is the activity above which the list is whole; 0 is all of it.
	floor int64
	held  []*Session
}

func (l *lister) read(ctx context.Context, partition string) error {
	_, sort := l.index.Keys()
	q := table.Query{Index: l.index, Partition: partition, Descending: true, Limit: l.limit + 1}
	if l.after.At < 1<<62 {
		q.To = stamp(time.UnixMilli(l.after.At)) + "/~"
	}
	for page, err := range l.store.pages(ctx, q) {
		if err != nil {
			return err
		}
		var ids []SessionID
		for _, item := range page.Items {
			at, id, ok := splitTimeAndSession(item.String(sort))
			if !ok {
				return errNoName
			}
			if !l.canBeat(at) {
				break
			}
			ids = append(ids, id)
		}
		if err := l.hold(ctx, ids); err != nil {
			return err
		}
		if n := len(page.Items); len(ids) < n || page.Next != nil && n > 0 && l.lookedEnough(page.Items[n-1].String(sort)) {
			break
		}
	}
	return nil
}

// canBeat reports whether a session indexed at this time may belong into the page.
func (l *lister) canBeat(indexed int64) bool {
	return len(l.held) <= l.limit || indexed+indexEvery.Milliseconds() > l.held[l.limit].At
}

func (l *lister) hold(ctx context.Context, ids []SessionID) error {
	sessions, err := l.store.heads(ctx, l.project, ids)
	if err != nil {
		return err
	}
	l.looked += len(ids)
	if l.keep != nil {
		if sessions, err = l.keep(ctx, sessions); err != nil {
			return err
		}
	}
	for _, session := range sessions {
		if l.belongs != nil && !l.belongs(session) {
			continue
		}
		if l.after.before(session) && !slices.ContainsFunc(l.held, func(h *Session) bool { return h.ID == session.ID }) {
			l.held = append(l.held, session)
		}
	}
	slices.SortFunc(l.held, func(a, b *Session) int {
		return cmp.Or(cmp.Compare(b.At, a.At), cmp.Compare(b.ID, a.ID))
	})
	l.held = l.held[:min(len(l.held), l.limit+1)]
	return nil
}

// heads returns the sessions with these ids that exist and are not erased.
func (s *Store) heads(ctx context.Context, p ProjectID, ids []SessionID) ([]*Session, error) {
	var sessions []*Session
	items, err := s.getEach(ctx, len(ids), func(i int) table.Key { return headKey(p, ids[i]) })
	if err != nil {
		return nil, err
	}
	for i, item := range items {
		if item == nil || item.Bool("erased") {
			continue
		}
		session, err := sessionFrom(p, ids[i], item)
		if err != nil {
			return nil, err
		}
		sessions = append(sessions, session)
	}
	return sessions, nil
}

// MaxRecent is how many of a visitor's sessions Recent returns. Our choice: a client
// that wants to know how many there are makes all of them be read.
const MaxRecent = 100

// Recent returns the caller's sessions with the newest activity, newest first, at
// most MaxRecent. Those of another channel than the caller's, if it has one, are left
// out.
func (s *Store) Recent(ctx context.Context, c Caller) ([]*Session, error) {
	partitions, err := s.ownersOf(ctx, c)
	if err != nil {
		return nil, err
	}
	l := lister{store: s, project: c.Project, index: table.Owner, limit: MaxRecent, after: place{At: 1 << 62},
		belongs: func(session *Session) bool { return c.Channel == "" || session.Channel == c.Channel }}
	sessions, _, err := l.page(ctx, partitions)
	return sessions, err
}

// Glimpse is what a list shows of a session besides its item.
type Glimpse struct {
	// Last is the newest public message, nil if there is none.
	Last *Entry
	// Seen is the caller's mark of what it has seen, for staff the owner's; a zero one if
	// there is none.
	Seen Mark
}

// Glimpses returns what a list of sessions that were shown to the caller says besides,
// in their order.
func (s *Store) Glimpses(ctx context.Context, c Caller, sessions []*Session) ([]Glimpse, error) {
	var keys []table.Key
	viewer := func(session *Session) Caller {
		if o := session.Owner; c.staff() {
			return Caller{Project: c.Project, Visitor: o.Visitor, Contact: o.Contact}
		}
		return c
	}
	for _, session := range sessions {
		keys = append(keys, viewer(session).seenKey(session.ID))
		if session.Last != nil {
			keys = append(keys, entryKey(c.Project, session.ID, session.Last.Seq))
		}
	}
	found, err := s.getAll(ctx, true, keys)
	if err != nil {
		return nil, err
	}
	all := make([]Glimpse, len(sessions))
	for i, session := range sessions {
		if all[i].Seen, err = markFrom(Mark{Kind: MarkSeen, By: viewer(session).Author()}, found[viewer(session).seenKey(session.ID)]); err != nil {
			return nil, err
		}
		if session.Last == nil {
			continue
		}
		item := found[entryKey(c.Project, session.ID, session.Last.Seq)]
		if item == nil { // it was erased a moment ago
			continue
		}
		last, err := entryFrom(item)
		if err != nil {
			return nil, err
		}
		all[i].Last = &last
	}
	return all, nil
}
