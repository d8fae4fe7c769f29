package parley

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"

	"parley/shared/table"
)

// Contact is a person known by external id or e-mail. Name, Email and Picture
// are kept as they came, byte for byte. Of one whom nobody vouches for only that by
// which it is known is kept here: whoever types somebody's address is taken for
// that contact, and what they say besides stays with their own visitor.
type Contact struct {
	ID       ContactID `json:"-"`
	External string    `json:"external,omitempty"`
	Email    string    `json:"email,omitempty"`
	// Formerly is the first e-mail address, where Email is another one by now: the
	// contact is still found by it.
	Formerly string            `json:"formerly,omitempty"`
	Name     string            `json:"name,omitempty"`
	Picture  string            `json:"picture,omitempty"`
	Metadata map[string]string `json:"metadata,omitempty"`
	// Overrides are the values that the customer's server brings for the requests
	// of actions in this contact's sessions.
	Overrides Overrides `json:"overrides,omitzero"`
	// Context is what the customer's server wants the agent to know in this
	// contact's sessions: a JSON object, or nil.
	Context json.RawMessage `json:"context,omitempty"`
	// Proven says that a signature or a private key vouched for the identity.
	Proven  bool  `json:"proven,omitempty"`
	Created int64 `json:"created"` // milliseconds
	// Blocked says that all of the contact's visitors are refused.
	Blocked bool `json:"-"`
}

// Identity is what a verified signature of the customer's backend says of a person.
type Identity struct {
	External, Email, Name, Picture string
	Metadata                       map[string]string
	// Overrides, where not nil, replace those of the contact.
	Overrides *Overrides
	// Context, where not nil, replaces that of the contact; {} leaves none.
	Context json.RawMessage
}

// MaxNameBytes is the longest name, e-mail or picture address. Our choice;
// an e-mail address has at most 254.
const MaxNameBytes = 500

// MaxContactContextBytes is the longest Context of a contact, in bytes of JSON.
// Our choice: what agents are told of one.
const MaxContactContextBytes = 4000

// maxEmailBytes is the longest e-mail address (RFC 5321, with its erratum 1690): it
// is part of a key, where every byte may take three.
const maxEmailBytes = 254

// Keepable returns the identity without what beside the external id cannot be kept:
// a name that is too long is cut, an address is left out. Where a signature says who
// somebody is, none of that is a reason to turn them away.
func (i Identity) Keepable() Identity {
	i.Name = fit(i.Name, MaxNameBytes)
	if len(i.Email) > maxEmailBytes || foldEmail(i.Email) == "" {
		i.Email = ""
	}
	if exceeds(i.Picture, MaxPageBytes) {
		i.Picture = ""
	}
	return i
}

func (i Identity) check() error {
	if i.External == "" && i.Email == "" || i.Email != "" && foldEmail(i.Email) == "" {
		return invalid("identity", "an identity names an external id or an e-mail")
	}
	if err := checkAnyID("identity", i.External); err != nil {
		return err
	}
	if len(i.Email) > maxEmailBytes || exceeds(i.Name, MaxNameBytes) || exceeds(i.Picture, MaxPageBytes) {
		return tooLarge("identity", MaxNameBytes)
	}
	if i.Overrides != nil {
		if err := i.Overrides.check("overrides"); err != nil {
			return err
		}
	}
	return cmp.Or(checkAnyObject("context", i.Context, MaxContactContextBytes), checkAbout(Page{}, i.Metadata))
}

// IdentifyRequest asks for a visitor, or says who one is.
type IdentifyRequest struct {
	// Caller is the visitor of the old token; a zero Visitor asks for a new one.
	Caller Caller
	// Identity is set when the customer's backend signed one.
	Identity *Identity
	// Name, Email, Language and Metadata are what the browser says: hints.
	Name, Email, Language string
	Metadata              map[string]string
	// Solution is of a challenge of this project and address; a new visitor for whom
	// nobody signs needs one where the project says so.
	Solution *Solution
}

// Identified is the visitor that a token is to be issued for.
type Identified struct {
	Visitor Visitor
	Contact *Contact
	// First is the Caller's where the token only renews that one; 0 begins anew.
	First int64
}

// Identify returns a visitor: a new one, the one of the old token, or, with a
// signed identity, one linked to that contact. With an old token as well, the
// visitor's sessions so far become the contact's: at once in every list, and for
// good by a job. That makes the old token invalid. A visitor who is linked to
// another contact stays so, and a new one is returned. A new visitor for whom nobody
// signs may have to solve a challenge; see letIn for the errors. An old token alone is renewed
// for as long as the project says; a signed identity begins that time anew.
func (s *Store) Identify(ctx context.Context, r IdentifyRequest) (Identified, error) {
	if err := cmp.Or(checkLength("name", r.Name, MaxNameBytes), checkLength("name", r.Email, MaxNameBytes),
		checkLength("language", r.Language, MaxLanguageBytes), checkAbout(Page{}, r.Metadata)); err != nil {
		return Identified{}, err
	}
	p, err := s.Project(ctx, r.Caller.Project)
	if err != nil {
		return Identified{}, err
	}
	if r.Identity == nil {
		return s.anonymous(ctx, p, r)
	}
	if err := r.Identity.check(); err != nil {
		return Identified{}, err
	}
	return againFor(func() (Identified, error) { return s.identify(ctx, p, r) })
}

// identify is Identify with a signed identity. It is refused where the visitor or the
// contact is no longer as it was read.
func (s *Store) identify(ctx context.Context, p *Project, r IdentifyRequest) (Identified, error) {
	var v Visitor
	var err error
	if r.Caller.Visitor != "" {
		if v, err = s.visitor(ctx, r.Caller); err != nil {
			return Identified{}, err
		}
	}
	known, err := s.lookUp(ctx, p.ID, *r.Identity, true)
	if err != nil {
		return Identified{}, err
	}
	switch {
	case v.ID != "" && v.Contact == known.contact.ID:
		return Identified{Visitor: v, Contact: &known.contact}, s.learn(ctx, known)
	case v.ID != "" && v.Contact == "":
		return s.link(ctx, p, v, known)
	}
	v, err = s.newVisitor(ctx, p, r, "", &known)
	return Identified{Visitor: v, Contact: &known.contact}, err
}

func (s *Store) anonymous(ctx context.Context, p *Project, r IdentifyRequest) (Identified, error) {
	if r.Caller.Visitor == "" {
		if p.TokenRequired {
			return Identified{}, errIdentity()
		}
		id, err := s.letIn(p, ChannelNative, r.Caller, r.Solution)
		if err != nil {
			return Identified{}, err
		}
		v, err := s.newVisitor(ctx, p, r, id, nil)
		return Identified{Visitor: v}, refusedAs(err, errChallengeUsed())
	}
	v, err := s.visitor(ctx, r.Caller)
	if err == nil && r.Caller.Only != "" {
		err = errLimited() // else the token that it asks for would open all
	}
	who := Identified{Visitor: v, First: r.Caller.First}
	if err != nil || v.Contact == "" {
		return who, err
	}
	contact, err := s.readContact(ctx, p.ID, v.Contact)
	who.Contact = &contact
	return who, err
}

// readContact returns ErrNotFound if there is no such contact.
func (s *Store) readContact(ctx context.Context, p ProjectID, id ContactID) (Contact, error) {
	return read(ctx, s, false, contactKey(p, id), func(item table.Item) (Contact, error) { return contactFrom(id, item) })
}

// Vouched returns the contact whom somebody vouched for and whose session it is.
// Zero if it is nobody's, or the contact's record is gone.
func (s *Store) Vouched(ctx context.Context, session *Session) (Contact, error) {
	o := session.Owner
	if o.Contact == "" || !o.Proven {
		return Contact{}, nil
	}
	c, err := s.readContact(ctx, session.Project, o.Contact)
	if err != nil {
		return Contact{}, ignoreGone(err)
	}
	return c, nil
}

func errIdentity() error {
	return denied("identity_required", "this project serves signed-in visitors only")
}

// visitor returns the caller's own visitor if its token stands. ErrNotFound for who
// holds the id of a session that nobody has begun.
func (s *Store) visitor(ctx context.Context, c Caller) (Visitor, error) {
	items, err := s.ownItems(ctx, c)
	if err == nil && items[0] == nil { // of who holds the id of a session that has not begun
		err = notFound("session")
	}
	if err != nil {
		return Visitor{}, err
	}
	return visitorFrom(c.Visitor, items[0])
}

// CheckVisitor returns nil if the caller's token stands, and an error of visitor's else.
func (s *Store) CheckVisitor(ctx context.Context, c Caller) error {
	_, err := s.visitor(ctx, c)
	return err
}

// newVisitor makes a visitor, of a fresh id where id is "", and of a contact where known
// is not nil, which it makes too or has learn what is new. It counts first, and writes
// all or nothing. It is refused if there is a visitor of this id.
func (s *Store) newVisitor(ctx context.Context, p *Project, r IdentifyRequest, id VisitorID, known *knownContact) (Visitor, error) {
	if id == "" {
		id = VisitorID("v" + s.newID())
	}
	v := Visitor{ID: id, Generation: 1, Created: s.clock().UnixMilli(),
		Name: r.Name, Email: r.Email, Language: r.Language, Metadata: r.Metadata}
	return s.bearVisitor(ctx, p, r.Caller, v, known, true)
}

// bearVisitor stores a new visitor, and counts it against its address where that is
// wanted.
func (s *Store) bearVisitor(ctx context.Context, p *Project, c Caller, v Visitor, known *knownContact, count bool) (Visitor, error) {
	if known != nil && known.contact.Blocked {
		return Visitor{}, errBlocked()
	}
	item, err := v.item(p.ID, s.clock())
	if err != nil {
		return Visitor{}, err
	}
	item["nonce"] = s.newID()
	actions := []table.Action{table.Put(item, table.Absent())}
	if len(v.Metadata) > 0 {
		about, err := v.aboutItem(p.ID)
		if err != nil {
			return Visitor{}, err
		}
		actions = append(actions, table.Put(about))
	}
	if known != nil {
		v.Contact = known.contact.ID
		item["contact"] = string(v.Contact)
		actions = append(append(actions, table.Put(linkItem(p.ID, v.Contact, v.ID))), known.actions...)
	}
	if !count {
		return v, s.write(ctx, actions...)
	}
	return v, s.arrive(ctx, p, c, actions)
}

// freeBytes are what a new visitor may bring without being counted for it: a name and
// a few words, which the rate of new visitors bounds. So most cost no more.
const freeBytes = 2 << 10

// arrive stores a new visitor, or what one says of itself anew, which counts as much.
func (s *Store) arrive(ctx context.Context, p *Project, c Caller, actions []table.Action) error {
	spent := &spending{store: s, project: p, caller: c}
	if n := stored(actions); n > freeBytes {
		if err := spent.share(amounts{ofBytes: n}); err != nil {
			return err
		}
	}
	if err := s.takeIdentify(ctx, p, c); err != nil {
		return err
	}
	err := s.write(ctx, actions...)
	spent.count(ctx, err)
	return err
}

// Proven returns the contact whom a signed identity names, made if need be. What
// the identity says replaces what was known; that counts against the rate of new
// visitors of the caller's address. Errors: identify_limit, blocked.
func (s *Store) Proven(ctx context.Context, c Caller, i Identity) (Contact, error) {
	if err := i.check(); err != nil {
		return Contact{}, err
	}
	p, err := s.Project(ctx, c.Project)
	if err != nil {
		return Contact{}, err
	}
	return againFor(func() (Contact, error) {
		known, err := s.lookUpCounted(ctx, p, c, i)
		if err == nil && known.contact.Blocked {
			err = errBlocked()
		}
		if err != nil {
			return Contact{}, err
		}
		return known.contact, s.learn(ctx, known)
	})
}

func linkItem(p ProjectID, c ContactID, v VisitorID) table.Item {
	return contactVisitorKey(p, c, v).With(table.Item{"visitor": string(v)})
}

// link makes an anonymous visitor the contact's and has its sessions moved.
// The generation rises: the old token proved the visitor, not the contact. The
// visitor of a blocked contact is blocked from then on, as all of them are.
func (s *Store) link(ctx context.Context, p *Project, v Visitor, known knownContact) (Identified, error) {
	up := table.Update(visitorKey(p.ID, v.ID), table.Equal("gen", v.Generation), table.Missing("blocked"), table.Missing("contact"))
	v.Contact, v.Generation = known.contact.ID, v.Generation+1
	up.Set = table.Item{"gen": v.Generation, "contact": string(v.Contact)}
	if known.contact.Blocked {
		up.Set[barred] = true
	}
	link := linkItem(p.ID, v.Contact, v.ID)
	link["moving"], link["nonce"] = true, s.newID()
	job := dueItem(claimJobKey(p.ID, v.ID), s.clock().Add(lookAfter), p.ID, string(v.ID), string(v.Contact))
	actions := append([]table.Action{up, table.Put(link, table.Absent()), table.Put(job)}, known.actions...)
	return Identified{Visitor: v, Contact: &known.contact}, s.write(ctx, actions...)
}

// knownContact is a contact as it is and as an identity will have it.
type knownContact struct {
	contact Contact
	// news says that the identity says something new: actions store it. Else they
	// only check that the contact is blocked, or not, as it was read.
	news bool
	// made says that there was none before.
	made    bool
	actions []table.Action
}

// lookUp finds the contact of an identity, by external id if it has one, else by
// e-mail, or thinks out a new one. What a signed identity says replaces what was
// known. Those whom somebody signed for and those who only say so are never the same.
func (s *Store) lookUp(ctx context.Context, p ProjectID, i Identity, proven bool) (knownContact, error) {
	var pointers []table.Key
	if i.External != "" {
		pointers = append(pointers, externalKey(p, proven, i.External))
	}
	if i.Email != "" {
		pointers = append(pointers, emailKey(p, proven, i.Email))
	}
	if !proven {
		i = Identity{External: i.External, Email: i.Email}
	}
	items, err := s.table.Get(ctx, true, pointers...)
	if err != nil {
		return knownContact{}, unavailable(err)
	}
	if items[0] == nil {
		c := Contact{ID: ContactID("c" + s.newID()), Proven: proven, Created: s.clock().UnixMilli()}
		c.learn(i)
		actions, err := s.makeContact(p, c, pointers, items)
		return knownContact{c, true, true, actions}, err
	}
	id := ContactID(items[0].String("contact"))
	got, err := s.get(ctx, true, contactKey(p, id))
	if err != nil {
		return knownContact{}, err
	}
	c, err := contactFrom(id, got)
	if err != nil {
		return knownContact{}, err
	}
	asItWas := table.Missing("blocked")
	if c.Blocked {
		asItWas = table.Equal("blocked", true)
	}
	known := knownContact{contact: c, actions: []table.Action{table.Check(contactKey(p, id), table.Exists(), asItWas)}}
	if !proven || c.Blocked { // who is blocked has nothing changed
		return known, nil
	}
	known.contact.learn(i)
	item, err := known.contact.item(p)
	if err != nil || item.String("data") == got.String("data") {
		return known, err
	}
	up := table.Set(item.Key(), table.Item{"data": item["data"]}, table.Equal("data", got.String("data")), asItWas)
	known.news, known.actions = true, []table.Action{up}
	return known, nil
}

// lookUpCounted is lookUp of a signed identity that counts what is new of it against the
// rate of new visitors of the caller's address.
func (s *Store) lookUpCounted(ctx context.Context, p *Project, c Caller, i Identity) (knownContact, error) {
	known, err := s.lookUp(ctx, p.ID, i, true)
	if err == nil && known.news {
		err = s.takeIdentify(ctx, p, c)
	}
	return known, err
}

// learn stores what is new of a contact.
func (s *Store) learn(ctx context.Context, known knownContact) error {
	if !known.news {
		return nil
	}
	return s.write(ctx, known.actions...)
}

// makeContact stores a new contact with the pointers that are free; an e-mail
// that is another contact's stays with that one.
func (s *Store) makeContact(p ProjectID, c Contact, pointers []table.Key, taken []table.Item) ([]table.Action, error) {
	item, err := c.item(p)
	if err != nil {
		return nil, err
	}
	item["nonce"] = s.newID()
	actions := []table.Action{table.Put(item, table.Absent())}
	for n, k := range pointers {
		if taken[n] == nil {
			actions = append(actions, table.Put(k.With(table.Item{"contact": string(c.ID), "nonce": s.newID()}), table.Absent()))
		}
	}
	return actions, nil
}

func (c Contact) item(p ProjectID) (table.Item, error) {
	return record(contactKey(p, c.ID), "contact", c, nil)
}

func (c *Contact) learn(i Identity) {
	if c.Formerly == "" && i.Email != "" && foldEmail(i.Email) != foldEmail(c.Email) {
		c.Formerly = c.Email
	}
	c.External, c.Email = cmp.Or(i.External, c.External), cmp.Or(i.Email, c.Email)
	c.Name, c.Picture = cmp.Or(i.Name, c.Name), cmp.Or(i.Picture, c.Picture)
	if i.Metadata != nil {
		c.Metadata = maps.Clone(i.Metadata)
	}
	if i.Overrides != nil {
		c.Overrides = *i.Overrides
	}
	if i.Context != nil {
		c.Context = i.Context
	}
}

func contactFrom(id ContactID, item table.Item) (Contact, error) {
	c := Contact{ID: id}
	if item == nil {
		return c, notFound("contact")
	}
	c.Blocked = item.Bool("blocked")
	err := decode(item, "contact", &c)
	return c, err
}

// moveSessions gives a visitor's sessions to its contact: the job behind link.
// It may be begun again at any point. The index lags behind the table by
// seconds at the most, the job begins a minute after the last session could
// have been made.
func (s *Store) moveSessions(ctx context.Context, p *Project, v VisitorID, c ContactID) error {
	q := table.Query{Index: table.Owner, Partition: visitorKey(p.ID, v).PK, Limit: 100}
	for item, err := range s.items(ctx, q) {
		if err != nil {
			return err
		}
		if err := s.moveSession(ctx, p, item, c); err != nil {
			return err
		}
	}
	return s.write(ctx, table.Put(linkItem(p.ID, c, v)), table.Delete(claimJobKey(p.ID, v)))
}

func (s *Store) moveSession(ctx context.Context, p *Project, indexed table.Item, c ContactID) error {
	_, id, ok := splitTimeAndSession(indexed.String("os"))
	if !ok {
		return errNoName
	}
	session, err := s.head(ctx, p.ID, id)
	if err != nil {
		return ignoreGone(err)
	}
	_, err = s.change(ctx, p, session, func(ch *change) error {
		if ch.session.Owner.Contact != "" {
			return errNothing
		}
		ch.session.Owner.Contact, ch.session.Owner.Proven = c, true
		return ch.event(EventIdentified, Author{Kind: AuthorUser, ID: string(c)})
	})
	return ignoreGone(err)
}
