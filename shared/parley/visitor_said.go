package parley

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"unicode/utf8"

	"parley/shared/table"
)

// Introduction is who the visitor of a page says they are, byte for byte as it came.
// Nobody vouches for it, so it stays with the visitor: whoever names the same person
// is told the same contact, and nothing of what another said.
type Introduction struct {
	External string  `json:"external,omitempty"`
	Email    string  `json:"email,omitempty"`
	Name     string  `json:"name,omitempty"`
	Picture  string  `json:"picture,omitempty"`
	Metadata Scalars `json:"metadata,omitempty"`
	// Created and Updated are milliseconds.
	Created int64 `json:"created"`
	Updated int64 `json:"updated"`
}

// Named reports whether it names somebody.
func (i Introduction) Named() bool { return i.External != "" || foldEmail(i.Email) != "" }

func (i Introduction) check() error {
	switch {
	case !i.Named():
		return invalid("identity", "an identity names an external id or an e-mail")
	case i.External != "" && CheckID("externalId", i.External) != nil:
		return CheckID("externalId", i.External)
	case len(i.Email) > maxEmailBytes:
		return tooLarge("email", maxEmailBytes)
	case exceeds(i.Name, MaxNameBytes):
		return tooLarge("name", MaxNameBytes)
	case exceeds(i.Picture, MaxPageBytes):
		return tooLarge("image", MaxPageBytes)
	case !utf8.ValidString(i.Email + i.Name + i.Picture):
		return invalid("identity", "an identity is UTF-8")
	}
	return i.Metadata.check()
}

// onTopOf is the introduction after an earlier one. What the same person says anew
// replaces what was said, and of somebody else nothing stays.
func (i Introduction) onTopOf(was Introduction) Introduction {
	same := i.External == was.External
	if i.External == "" && foldEmail(i.Email) == foldEmail(was.Email) {
		i.External, same = was.External, true
	}
	if !same || !was.Named() {
		i.Created = 0
		return i
	}
	i.Email, i.Name, i.Picture = cmp.Or(i.Email, was.Email), cmp.Or(i.Name, was.Name), cmp.Or(i.Picture, was.Picture)
	i.Metadata = i.Metadata.onTopOf(was.Metadata)
	i.Created, i.Updated = was.Created, was.Updated
	return i
}

// Scalars are values by name that keep their types: texts, numbers, booleans and
// nulls of JSON.
type Scalars map[string]json.RawMessage

func (m Scalars) check() error {
	if len(m) > MaxMetadata {
		return invalid("metadata", "metadata holds at most %d pairs", MaxMetadata)
	}
	for name, value := range m {
		if exceeds(name, MaxMetadataBytes) || len(value) > MaxMetadataBytes || !utf8.Valid(value) {
			return tooLarge("metadata", MaxMetadataBytes)
		}
		if len(value) == 0 || value[0] == '{' || value[0] == '[' || !json.Valid(value) {
			return invalid("metadata", "metadata holds texts, numbers, true, false and null")
		}
	}
	return nil
}

func (m Scalars) onTopOf(was Scalars) Scalars {
	if len(was) == 0 {
		return m
	}
	all := maps.Clone(was)
	maps.Copy(all, m)
	return all
}

// Texts are the values as text: what people and agents read. Nulls are left out.
func (m Scalars) Texts() map[string]string {
	if len(m) == 0 {
		return nil
	}
	out := map[string]string{}
	for name, value := range m {
		if text, said, err := hintOf(value); err == nil && said {
			out[name] = text
		}
	}
	return out
}

// Profile is what is known of a bare visitor.
type Profile struct {
	Visitor Visitor
	Said    Introduction
	// Known is the id by which the visitor knows whom it named: the same for
	// everybody who names the same; "" if it named nobody.
	Known ContactID
	// Contact is who somebody vouched for, nil if nobody did.
	Contact  *Contact
	Tracking Tracking
}

// Profile returns what is known of the caller, a bare visitor. One who is blocked is
// told it too.
func (s *Store) Profile(ctx context.Context, c Caller) (Profile, error) {
	if CheckID("visitor", string(c.Visitor)) != nil {
		return Profile{}, notFound("visitor")
	}
	items, err := s.ownItems(ctx, c, visitorSaidKey(c.Project, c.Visitor), visitorTrackKey(c.Project, c.Visitor))
	if err != nil && Code(err) != "blocked" {
		return Profile{}, err
	}
	p, err := s.profileFrom(c.Project, c.Visitor, items)
	if err != nil || p.Visitor.Contact == "" {
		return p, err
	}
	known, err := s.readContact(ctx, c.Project, p.Visitor.Contact)
	p.Contact = &known
	return p, err
}

// Owners returns what staff is told of the owners of sessions, in their order: the
// visitor, if it is still there, and the contact, if somebody vouched for it.
func (s *Store) Owners(ctx context.Context, c Caller, sessions []*Session) ([]Profile, error) {
	if !c.staff() {
		return nil, errOperatorsOnly()
	}
	keysOf := func(o Owner) []table.Key {
		return []table.Key{visitorKey(c.Project, o.Visitor), visitorSaidKey(c.Project, o.Visitor), visitorTrackKey(c.Project, o.Visitor), contactKey(c.Project, o.Contact)}
	}
	var want []table.Key
	for _, session := range sessions {
		keys := keysOf(session.Owner)
		if !session.Owner.Proven {
			keys = keys[:3]
		}
		want = append(want, keys...)
	}
	found, err := s.getAll(ctx, true, want)
	if err != nil {
		return nil, err
	}
	all := make([]Profile, len(sessions))
	for i, session := range sessions {
		o := session.Owner
		keys := keysOf(o)
		all[i].Visitor.ID = o.Visitor
		if item := found[keys[0]]; item != nil {
			if all[i], err = s.profileFrom(c.Project, o.Visitor, []table.Item{item, found[keys[1]], found[keys[2]]}); err != nil {
				return nil, err
			}
		}
		if item := found[keys[3]]; o.Proven && item != nil {
			known, err := contactFrom(o.Contact, item)
			if err != nil {
				return nil, err
			}
			all[i].Contact = &known
		}
	}
	return all, nil
}

// profileFrom reads the items of a visitor, of what it said and of where it is.
func (s *Store) profileFrom(project ProjectID, v VisitorID, items []table.Item) (p Profile, err error) {
	if p.Visitor, err = visitorFrom(v, items[0]); err != nil {
		return p, err
	}
	p.Visitor.Blocked = isBlocked(items[0])
	if p.Said, err = introductionFrom(items[1]); err != nil {
		return p, err
	}
	p.Known = s.saidContact(project, p.Said)
	p.Tracking, err = trackingFrom(items[2])
	return p, err
}

func introductionFrom(item table.Item) (i Introduction, err error) {
	err = decode(item, "introduction", &i)
	return i, err
}

// saidContact is the id of whom an introduction names. It tells nothing of them.
func (s *Store) saidContact(p ProjectID, i Introduction) ContactID {
	var sum []byte
	switch {
	case i.External != "":
		sum = s.derive("said contact", string(p), "external", i.External)
	case i.Named():
		sum = s.derive("said contact", string(p), "email", foldEmail(i.Email))
	default:
		return ""
	}
	return ContactID(ulidOf([16]byte(sum[:16])))
}

// Introduce keeps who the caller, a bare visitor, says they are: on top of what it has
// said of the same person, and instead of what it said of another. Said again it
// writes nothing; else it counts as a new visitor does. Errors: invalid_field,
// too_large, identify_limit, budget_spent.
func (s *Store) Introduce(ctx context.Context, c Caller, i Introduction) error {
	if err := i.check(); err != nil {
		return err
	}
	return s.say(ctx, c, func(was Introduction, _ bool) (Introduction, error) {
		now := i.onTopOf(was)
		return now, now.Metadata.check()
	})
}

// SayMetadata keeps more of what the caller, a bare visitor, says of itself, value by
// value. identity_missing, of kind ErrInvalid, of a visitor of whom nobody has said
// who it is; else errors as Introduce.
func (s *Store) SayMetadata(ctx context.Context, c Caller, m Scalars) error {
	if err := m.check(); err != nil {
		return err
	}
	return s.say(ctx, c, func(was Introduction, vouched bool) (Introduction, error) {
		if !was.Named() && !vouched {
			return was, &Error{Kind: ErrInvalid, Code: "identity_missing", Text: "say first who the visitor is"}
		}
		was.Metadata = m.onTopOf(was.Metadata)
		return was, was.Metadata.check()
	})
}

// saying makes of what a visitor has said of itself what it says now; vouched tells
// whether somebody else has said who it is.
type saying func(was Introduction, vouched bool) (Introduction, error)

// say replaces what a bare visitor says of itself.
func (s *Store) say(ctx context.Context, c Caller, change saying) error {
	p, err := s.Project(ctx, c.Project)
	if err != nil {
		return err
	}
	return again(func() error { return s.sayOnce(ctx, p, c, change) })
}

// sayOnce is refused where the visitor is no longer as it was read.
func (s *Store) sayOnce(ctx context.Context, p *Project, c Caller, change saying) error {
	items, err := s.ownItems(ctx, c, visitorSaidKey(p.ID, c.Visitor))
	if err != nil {
		return err
	}
	was, err := introductionFrom(items[1])
	if err != nil {
		return err
	}
	now, err := change(was, items[0].String("contact") != "")
	if err != nil || now.equal(was) {
		return err
	}
	actions, err := s.toSay(p.ID, c, items, now)
	if err != nil {
		return err
	}
	return s.arrive(ctx, p, c, actions)
}

func (i Introduction) equal(o Introduction) bool {
	same := func(a, b json.RawMessage) bool { return bytes.Equal(a, b) }
	return i.External == o.External && i.Email == o.Email && i.Name == o.Name && i.Picture == o.Picture && maps.EqualFunc(i.Metadata, o.Metadata, same)
}

// toSay are the actions that keep an introduction. Name and e-mail are also in the
// visitor's own item, of which lists are made.
func (s *Store) toSay(p ProjectID, c Caller, items []table.Item, now Introduction) ([]table.Action, error) {
	now.Updated = s.clock().UnixMilli()
	if now.Created == 0 {
		now.Created = now.Updated
	}
	v, err := visitorFrom(c.Visitor, items[0])
	if err != nil {
		return nil, err
	}
	v.Name, v.Email = now.Name, now.Email
	told, err := v.item(p, s.clock())
	if err != nil {
		return nil, err
	}
	said, err := record(visitorSaidKey(p, c.Visitor), "introduction", now, table.Item{"nonce": s.newID()})
	if err != nil {
		return nil, err
	}
	up := table.Update(visitorKey(p, c.Visitor), append(standingConditions(c), table.Equal("data", items[0].String("data")))...)
	up.Set = table.Item{"data": told["data"]}
	as := table.Absent()
	if items[1] != nil {
		as = table.Equal("data", items[1].String("data"))
	}
	return []table.Action{up, table.Put(said, as)}, nil
}
