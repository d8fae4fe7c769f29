package parley

import (
	"cmp"
	"context"
	"slices"

	"parley/shared/table"
)

// InboxRequest asks for a page of a project's sessions.
type InboxRequest struct {
	// States are one or several, or "archived" for those that are; none is open.
	States []State
	// Holder is who answers; "" is anybody. Operator is who has the session; ""
	// is anybody.
	Holder   Holder
	Operator OperatorID
	PageRequest
}

// InboxItem is a session as the inbox lists it.
type InboxItem struct {
	Session *Session
	// Person is who the owner is: the contact, or, not proven, what the browser said.
	Person Contact
	Page   Page
	// Seen is how far the caller has seen the session.
	Seen Seq
}

// Unread reports whether the newest message is the visitor's and the caller has
// not seen it.
func (i InboxItem) Unread() bool {
	last := i.Session.Last
	return last != nil && last.Kind == AuthorUser && last.Seq > i.Seen
}

func (r *InboxRequest) check() error {
	if len(r.States) == 0 {
		r.States = []State{StateOpen}
	}
	unknown := func(s State) bool {
		return !slices.Contains([]State{StateOpen, StateClosed, StateResolved, StateSpam, listArchived}, s)
	}
	switch {
	case slices.ContainsFunc(r.States, unknown):
		return invalid("state", "state is open, closed, resolved, spam or archived")
	case r.Holder != "" && !slices.Contains([]Holder{HolderAI, HolderWaiting, HolderHuman}, r.Holder):
		return invalid("holder", "holder is ai, waiting or human")
	case r.Operator != "" && CheckID("operator", string(r.Operator)) != nil:
		return invalid("operator", "operator is the id of an operator")
	}
	return r.PageRequest.check()
}

// holders are those whose sessions the request is about: what an operator has
// is a human's.
func (r *InboxRequest) holders() []Holder {
	switch {
	case r.Holder != "":
		return []Holder{r.Holder}
	case r.Operator != "":
		return []Holder{HolderHuman}
	}
	return []Holder{HolderWaiting, HolderHuman, HolderAI}
}

// Inbox returns sessions of the states that are asked for, newest activity first, and the cursor of
// the next page, "" at the end. It follows changes as the index does, within
// about a second.
func (s *Store) Inbox(ctx context.Context, c Caller, r InboxRequest) ([]InboxItem, string, error) {
	if err := cmp.Or(c.checkStaff(), r.check()); err != nil {
		return nil, "", err
	}
	after, err := placeOf(r.PageRequest)
	if err != nil {
		return nil, "", err
	}
	p, err := s.Project(ctx, c.Project)
	if err != nil {
		return nil, "", err
	}
	var partitions []string
	for _, state := range r.States {
		for _, holder := range r.holders() {
			for shard := range p.shards() {
				partitions = append(partitions, inboxPartition(p.ID, state, holder, shard))
			}
		}
	}
	l := lister{store: s, project: p.ID, index: table.Work, limit: r.Limit, after: after, belongs: r.wants}
	sessions, next, err := l.page(ctx, partitions)
	if err != nil {
		return nil, "", err
	}
	items, err := s.inboxItems(ctx, c, sessions)
	return items, next, err
}

// wants reports whether a session still is what the index lists it as.
func (r *InboxRequest) wants(s *Session) bool {
	return slices.Contains(r.States, s.listed()) && (r.Holder == "" || s.Holder == r.Holder) &&
		(r.Operator == "" || s.Holder == HolderHuman && s.Operator == r.Operator)
}

// inboxItems adds to sessions whose they are, where the visitor is, and how far
// the caller has seen them.
func (s *Store) inboxItems(ctx context.Context, c Caller, sessions []*Session) ([]InboxItem, error) {
	var keys []table.Key
	for _, session := range sessions {
		keys = append(keys, inboxKeys(c, session)...)
	}
	found, err := s.getAll(ctx, true, keys)
	if err != nil {
		return nil, err
	}
	items := make([]InboxItem, len(sessions))
	for i, session := range sessions {
		k := inboxKeys(c, session)
		about, err := aboutFrom(found[k[0]])
		if err != nil {
			return nil, err
		}
		items[i] = InboxItem{Session: session, Page: about.Page, Seen: Seq(found[k[1]].Int("seq"))}
		if items[i].Person, err = personFrom(session.Owner, k[2:], found); err != nil {
			return nil, err
		}
	}
	return items, nil
}

// inboxKeys are what the inbox shows of a session besides its own item: about,
// the caller's mark, and the owner.
func inboxKeys(c Caller, session *Session) []table.Key {
	return append([]table.Key{aboutKey(c.Project, session.ID), c.seenKey(session.ID)}, ownerKeys(c.Project, session.Owner)...)
}

// seenKey is the caller's mark of what it has seen.
func (c Caller) seenKey(id SessionID) table.Key {
	return Mark{Kind: MarkSeen, By: c.Author()}.key(c.Project, id)
}

// ownerKeys are what tells whose a session is: the contact, if somebody vouched for
// it, and else what the session's own visitor says.
func ownerKeys(p ProjectID, o Owner) []table.Key {
	switch {
	case o.Contact == "":
		return []table.Key{visitorKey(p, o.Visitor)}
	case o.Proven:
		return []table.Key{contactKey(p, o.Contact)}
	}
	return []table.Key{contactKey(p, o.Contact), visitorKey(p, o.Visitor)}
}

// personFrom reads an owner's items, found under ownerKeys; those that are not there
// say nothing.
func personFrom(o Owner, keys []table.Key, found map[table.Key]table.Item) (Contact, error) {
	var person Contact
	if item := found[keys[0]]; o.Contact != "" && item != nil {
		var err error
		if person, err = contactFrom(o.Contact, item); err != nil {
			return person, err
		}
	}
	item := found[keys[len(keys)-1]]
	if o.Proven || item == nil {
		return person, nil
	}
	v, err := visitorFrom(o.Visitor, item)
	person.Name, person.Email = cmp.Or(v.Name, person.Name), cmp.Or(v.Email, person.Email)
	return person, err
}

// Detail is a session with all that is known of it.
type Detail struct {
	Session *Session
	About   About
	// Visitor and Contact are whose it is, nil where there is none.
	Visitor *Visitor
	Contact *Contact
	// Profile is what is known besides of a visitor who is bare, nil of others.
	Profile *Profile
	Rating  *Rating
	// Tags are the newest review's, Participants the operators who take part.
	Tags         []string
	Participants []OperatorID
	// Seen is how far the caller has seen the session, VisitorSeen how far the visitor
	// has, as far as its widget tells.
	Seen, VisitorSeen Seq
	// Entries are a page of the transcript, internal ones too, oldest first; Next
	// is the cursor of those before, "" at the beginning.
	Entries []Entry
	Next    string
}

// ReadSession returns a session as operators see it. Reading it is no sign of
// the visitor's page and marks nothing as seen.
func (s *Store) ReadSession(ctx context.Context, c Caller, id SessionID, r PageRequest) (Detail, error) {
	if !c.staff() {
		return Detail{}, errOperatorsOnly()
	}
	var d Detail
	var err error
	if d.Session, d.Entries, d.Next, err = s.Transcript(ctx, c, id, r); err != nil {
		return Detail{}, err
	}
	reviews, err := s.reviews(ctx, c.Project, id, 1)
	if err != nil {
		return Detail{}, err
	}
	for _, r := range reviews {
		d.Tags = r.Tags
	}
	if d.Participants, err = s.participants(ctx, c.Project, id); err != nil {
		return Detail{}, err
	}
	o := d.Session.Owner
	keys := []table.Key{aboutKey(c.Project, id), ratingKey(c.Project, id), c.seenKey(id)}
	visitor, contact := visitorKey(c.Project, o.Visitor), contactKey(c.Project, o.Contact)
	said := visitorAboutKey(c.Project, o.Visitor) // of whom somebody vouched for the contact's item tells
	if o.Visitor != "" {
		keys = append(keys, visitor)
	}
	if o.Contact != "" {
		keys = append(keys, contact)
	}
	if o.Visitor != "" && !o.Proven {
		keys = append(keys, said)
	}
	told := []table.Key{visitor, visitorSaidKey(c.Project, o.Visitor), visitorTrackKey(c.Project, o.Visitor)}
	if ulidForm().MatchString(string(o.Visitor)) {
		keys = append(keys, told[1:]...)
	}
	// Who became a contact in the middle has a mark as either.
	seen := []table.Key{Mark{Kind: MarkSeen, By: Author{Kind: AuthorUser, ID: string(o.Visitor)}}.key(c.Project, id),
		Mark{Kind: MarkSeen, By: Author{Kind: AuthorUser, ID: string(o.Contact)}}.key(c.Project, id)}
	keys = append(keys, seen...)
	found, err := s.getAll(ctx, true, keys)
	if err != nil {
		return Detail{}, err
	}
	d.Seen = Seq(found[keys[2]].Int("seq"))
	d.VisitorSeen = Seq(max(found[seen[0]].Int("seq"), found[seen[1]].Int("seq")))
	if d.About, err = aboutFrom(found[keys[0]]); err != nil {
		return Detail{}, err
	}
	if d.Rating, err = ratingFrom(found[keys[1]]); err != nil {
		return Detail{}, err
	}
	if item := found[visitor]; item != nil {
		v, err := visitorFrom(o.Visitor, item)
		if err != nil {
			return Detail{}, err
		}
		if err := v.learn(found[said]); err != nil {
			return Detail{}, err
		}
		d.Visitor = &v
		if v.Bare {
			p, err := s.profileFrom(c.Project, o.Visitor, []table.Item{item, found[told[1]], found[told[2]]})
			if err != nil {
				return Detail{}, err
			}
			d.Profile = &p
		}
	}
	if item := found[contact]; item != nil {
		known, err := contactFrom(o.Contact, item)
		if err != nil {
			return Detail{}, err
		}
		d.Contact = &known
	}
	return d, nil
}
