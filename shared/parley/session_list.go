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

// Sessions returns the caller's sessions, newest activity first, and the
// cursor of the next page, "" at the end. A page costs the same however many
// sessions there are.
func (s *Store) Sessions(ctx context.Context, c Caller, r PageRequest) ([]*Session, string, error) {
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
	return s.list(ctx, c.Project, table.Owner, partitions, after, r.Limit)
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

// list merges index partitions into one page, newest activity first. An index
// entry lags behind the activity by at most indexEvery, so the list reads on
// until nothing below can beat what it holds, and sorts.
func (s *Store) list(ctx context.Context, p ProjectID, index table.Index, partitions []string, after place, limit int) ([]*Session, string, error) {
	l := lister{store: s, project: p, index: index, limit: limit, after: after}
	return l.page(ctx, partitions)
}

func (l *lister) page(ctx context.Context, partitions []string) ([]*Session, string, error) {
	for _, partition := range partitions {
		if err := l.read(ctx, partition); err != nil {
			return nil, "", err
		}
	}
	if l.floor > 0 {
		return l.aboveFloor()
	}
	if len(l.held) <= l.limit {
		return l.held, "", nil
	}
	page := l.held[:l.limit]
	last := page[l.limit-1]
	return page, cursor(place{last.At, last.ID}), nil
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
	for chunk := range slices.Chunk(ids, 100) {
		keys := make([]table.Key, len(chunk))
		for i, id := range chunk {
			keys[i] = headKey(p, id)
		}
		items, err := s.table.Get(ctx, false, keys...)
		if err != nil {
			return nil, unavailable(err)
		}
		for i, item := range items {
			if item == nil || item.Bool("erased") {
				continue
			}
			session, err := sessionFrom(p, chunk[i], item)
			if err != nil {
				return nil, err
			}
			sessions = append(sessions, session)
		}
	}
	return sessions, nil
}
