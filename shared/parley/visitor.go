package parley

import (
	"context"
	"errors"
	"time"

	"parley/shared/table"
)

// Caller is who makes a call: a visitor, who may act for a contact, an
// operator, or the project's own server.
type Caller struct {
	Project ProjectID `json:"project,omitempty"`
	// Visitor, Contact and Generation are what the visitor's token says.
	Visitor    VisitorID `json:"visitor,omitempty"`
	Contact    ContactID `json:"contact,omitempty"`
	Generation int64     `json:"generation,omitempty"`
	// First is when the first of the visitor's tokens was issued from which this one
	// was renewed, in seconds of Unix time; 0 if there was none.
	First int64 `json:"first,omitempty"`
	// Capability says that the caller holds nothing but the id of a session, as
	// in dialects whose clients keep no token. Visitor is then CapabilityVisitor's
	// of that session and comes into being with it. Contact is set if a signature
	// came along.
	Capability bool `json:"capability,omitempty"`
	// Bare says that the caller holds nothing but the id of a bare visitor, as Arrive
	// makes them. Contact is then set if somebody vouched for it.
	Bare bool `json:"bare,omitempty"`
	// Channel is, where Capability or Bare is set, the dialect in which the caller
	// holds the id. A session of another dialect is unknown to it: ids are kept as
	// secret as the dialect needs that gave them.
	Channel Channel `json:"channel,omitempty"`
	// Only, if set, is the one session that the caller may read and answer: who came
	// by the link of a mail. All others are unknown to it.
	Only SessionID `json:"only,omitempty"`
	// Unproven says that nobody signed for Contact.
	Unproven bool `json:"unproven,omitempty"`
	// External is the external id by which a dialect keeps apart the sessions of
	// one contact, "" where it does not.
	External string `json:"external,omitempty"`
	// Operator is set instead for a private key that acts as a person, and Server
	// for one that acts as the project's server, with Operator beside it where
	// that names the person who acts.
	Operator OperatorID `json:"operator,omitempty"`
	Server   bool       `json:"server,omitempty"`
	// Address is the network address of the request, for budgets; "" if there is none.
	// It is never stored.
	Address string `json:"-"`
}

// staff reports whether a private key makes the call: then every session of the
// project may be read and changed, internal entries are shown, and nothing that
// is done is a sign of the visitor's page.
func (c Caller) staff() bool { return c.Operator != "" || c.Server }

// Author is the caller as the author of what it does: only Kind and ID are known
// of it.
func (c Caller) Author() Author {
	switch {
	case c.staff():
		return Author{Kind: AuthorHuman, ID: string(c.Operator)}
	case c.Contact != "":
		return Author{Kind: AuthorUser, ID: string(c.Contact)}
	}
	return Author{Kind: AuthorUser, ID: string(c.Visitor)}
}

// proven reports whether a signature named the caller's contact.
func (c Caller) proven() bool { return c.Contact != "" && !c.Unproven }

// CapabilityVisitor is the visitor of a session whose id is the credential:
// one of its own, that no token is ever issued for.
func (s *Store) CapabilityVisitor(p ProjectID, id SessionID) VisitorID {
	return VisitorID("w" + base62(s.derive("capability", string(p), string(id)), 22))
}

// capabilityGeneration is that of every CapabilityVisitor until it is revoked.
const capabilityGeneration = 1

// generation is what the visitor's item must say for the caller to stand.
func (c Caller) generation() int64 {
	if c.Capability {
		return capabilityGeneration
	}
	return c.Generation
}

// Visitor is an anonymous browser, or one of a contact's browsers.
type Visitor struct {
	ID VisitorID `json:"-"`
	// Generation invalidates tokens: one that carries a lower number is revoked.
	Generation int64     `json:"-"`
	Contact    ContactID `json:"-"`
	Blocked    bool      `json:"-"`
	// Bare says that the id is the visitor's credential; see Arrive.
	Bare bool `json:"-"`
	// Heard is when the page of a bare visitor gave its last sign, in milliseconds,
	// within HeardEvery.
	Heard   int64 `json:"-"`
	Created int64 `json:"created"` // milliseconds
	// Name, Email, Language and Metadata are what the browser said: a hint, no identity.
	// Metadata has an item of its own, since the visitor's is written with every
	// message; only ReadSession tells it.
	Name     string            `json:"name,omitempty"`
	Email    string            `json:"email,omitempty"`
	Language string            `json:"language,omitempty"`
	Metadata map[string]string `json:"-"`
}

// item is a new visitor.
func (v Visitor) item(p ProjectID, now time.Time) (table.Item, error) {
	beside := table.Item{"gen": v.Generation, "day": day(now), "spent": int64(0)}
	if v.Bare {
		beside[bare], beside[heard] = true, v.Heard
	}
	return record(visitorKey(p, v.ID), "visitor", v, beside)
}

// aboutItem keeps a visitor's Metadata.
func (v Visitor) aboutItem(p ProjectID) (table.Item, error) {
	return record(visitorAboutKey(p, v.ID), "visitor", v.Metadata, nil)
}

// learn takes the Metadata from its item, which may be nil.
func (v *Visitor) learn(about table.Item) error { return decode(about, "visitor", &v.Metadata) }

func visitorFrom(id VisitorID, item table.Item) (Visitor, error) {
	if item == nil {
		return Visitor{}, notFound("visitor")
	}
	v := Visitor{ID: id, Generation: item.Int("gen"), Contact: ContactID(item.String("contact")), Blocked: item.Bool("blocked"),
		Bare: item.Bool(bare), Heard: item.Int(heard)}
	err := decode(item, "visitor", &v)
	return v, err
}

// Errors that tell a client to get itself a new token, or that it never will.
func errRevoked() error { return denied("token_revoked", "the token is no longer valid") }
func errBlocked() error { return denied("blocked", "this visitor is blocked") }

// standingOf checks the visitor's item against the caller's token.
func standingOf(item table.Item, c Caller) error {
	switch {
	case c.Capability && item == nil:
		return nil // the session may be about to begin
	case c.Bare && !item.Bool(bare):
		return notFound("visitor")
	case c.Bare && isBlocked(item):
		return errBlocked()
	case c.Bare:
		return nil
	case item == nil || item.Int("gen") != c.generation():
		return errRevoked()
	case !c.Capability && item.String("contact") != string(c.Contact):
		return errRevoked()
	case isBlocked(item):
		return errBlocked()
	}
	return nil
}

// checkVisitor makes a transaction fail unless the caller's token stands.
func checkVisitor(c Caller) table.Action {
	return table.Check(visitorKey(c.Project, c.Visitor), standingConditions(c)...)
}

func standingConditions(c Caller) []table.Condition {
	stands := []table.Condition{table.Equal("gen", c.generation()), table.Missing("blocked"), table.Missing(barred)}
	switch {
	case c.Bare:
		return append(stands[1:], table.Equal(bare, true))
	case c.Capability:
		return stands
	case c.Contact != "":
		return append(stands, table.Equal("contact", string(c.Contact)))
	}
	return append(stands, table.Missing("contact"))
}

// settleVisitor gives back what a run reserved on the given day and did not
// use. When nobody knows whether that was done it is not repeated: a loss
// leaves the visitor with less.
func (s *Store) settleVisitor(ctx context.Context, c Caller, reservedOn, tokens int64) error {
	if tokens == 0 {
		return nil
	}
	up := table.Add(visitorKey(c.Project, c.Visitor), map[string]int64{"spent": -tokens}, table.Equal("day", reservedOn))
	err := retry(ctx, func() error {
		err := s.table.Write(ctx, up)
		if errors.Is(err, table.ErrUnknown) {
			return nil
		}
		return unrefused(err)
	})
	return unavailable(err)
}

// RevokeVisitor makes every token of a visitor invalid. ErrNotFound if there
// is no such visitor.
func (s *Store) RevokeVisitor(ctx context.Context, p ProjectID, v VisitorID) error {
	up := table.Add(visitorKey(p, v), map[string]int64{"gen": 1}, table.Exists())
	return refusedAs(s.write(ctx, up), notFound("visitor"))
}
