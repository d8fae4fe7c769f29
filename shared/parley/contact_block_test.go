package parley_test

import (
	"context"
	"testing"
	"time"

	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/table"
	"parley/shared/table/meter"
)

// signedIn is a caller as whom a signed-in customer comes with a new browser.
func (s scene) signedIn(external string) parley.Caller {
	s.Helper()
	got, err := s.store.Identify(context.Background(), parley.IdentifyRequest{Caller: parley.Caller{Project: parleytest.Project},
		Identity: &parley.Identity{External: external}})
	if err != nil {
		s.Fatalf("identify %s: %v", external, err)
	}
	return callerOf(got)
}

func callerOf(got parley.Identified) parley.Caller {
	return parley.Caller{Project: parleytest.Project, Visitor: got.Visitor.ID, Contact: got.Visitor.Contact, Generation: got.Visitor.Generation}
}

func (s scene) block(c parley.ContactID, blocked bool) {
	s.Helper()
	if err := s.store.BlockContact(context.Background(), parleytest.Project, c, blocked); err != nil {
		s.Fatalf("block %v: %v", blocked, err)
	}
}

// writes is the code with which a message is refused, "" if it is not.
func (s scene) writes(c parley.Caller, id parley.EntryID, session parley.SessionID) string {
	s.Helper()
	_, err := s.store.Send(context.Background(), c, say(id, session))
	return parley.Code(err)
}

// TestBlockedContact: whoever is blocked as a contact writes from none of its
// browsers, also not from one that it signs in with later, until it is let in again. A
// block of one browser is of that one.
func TestBlockedContact(t *testing.T) {
	onBoth(t, func(s scene) {
		ctx := context.Background()
		phone, laptop := s.signedIn("mal"), s.signedIn("mal")
		other := s.signedIn("ann")
		sent, err := s.store.Send(ctx, phone, say("m1", ""))
		if err != nil {
			s.Fatal(err)
		}
		id := sent.Session.ID
		if err := s.store.BlockVisitor(ctx, parleytest.Project, laptop.Visitor, true); err != nil {
			s.Fatal(err)
		}
		if code := s.writes(phone, "m2", id); code != "" {
			s.Errorf("a block of another browser: %s", code)
		}
		s.block(phone.Contact, true)
		s.unchanged("a blocked contact", func() {
			if code := s.writes(phone, "m3", id); code != "blocked" {
				s.Errorf("its browser writes: %q", code)
			}
			s.want("it signs in again", func() error {
				_, err := s.store.Identify(ctx, parley.IdentifyRequest{Caller: parley.Caller{Project: parleytest.Project},
					Identity: &parley.Identity{External: "mal", Name: "Somebody else"}})
				return err
			}(), "blocked")
			s.want("it signs in with its old token", func() error {
				_, err := s.store.Identify(ctx, parley.IdentifyRequest{Caller: phone, Identity: &parley.Identity{External: "mal"}})
				return err
			}(), "blocked")
			_, err := s.store.Acquaint(ctx, parley.AcquaintRequest{Project: parleytest.Project, Proven: true, Identity: parley.Identity{External: "mal"}})
			s.want("its server asks for a token", err, "blocked")
		})
		if code := s.writes(other, "a1", ""); code != "" {
			s.Errorf("another contact: %s", code)
		}
		d, err := s.store.ReadSession(ctx, s.operator(), id, parley.PageRequest{})
		if err != nil || !d.Contact.Blocked || d.Visitor.Blocked {
			s.Errorf("operators see %+v, %+v, %v", d.Contact, d.Visitor, err)
		}

		// A browser that wrote without a name and signs in is one of the contact's.
		anonymous := parleytest.Visitor(s, s.store)
		begun, err := s.store.Send(ctx, anonymous, say("n1", ""))
		if err != nil {
			s.Fatal(err)
		}
		got, err := s.store.Identify(ctx, parley.IdentifyRequest{Caller: anonymous, Identity: &parley.Identity{External: "mal"}})
		if err != nil {
			s.Fatal(err)
		}
		if code := s.writes(callerOf(got), "n2", begun.Session.ID); code != "blocked" {
			s.Errorf("a browser that signs in while the contact is blocked: %q", code)
		}
		if code := s.writes(anonymous, "n3", begun.Session.ID); code == "" {
			s.Error("and it writes with its old token")
		}

		s.block(phone.Contact, false)
		for name, c := range map[parley.EntryID]parley.Caller{"phone": phone, "signed in": callerOf(got), "new": s.signedIn("mal")} {
			if code := s.writes(c, name, ""); code != "" {
				s.Errorf("%s, let in again: %s", name, code)
			}
		}
		if code := s.writes(laptop, "m9", ""); code != "blocked" {
			s.Errorf("letting in the contact lifts the block of one browser: %q", code)
		}
		s.want("nobody", s.store.BlockContact(ctx, parleytest.Project, "nobody", true), "not_found")
		s.want("another project's", s.store.BlockContact(ctx, "other", phone.Contact, true), "not_found")
	})
}

// TestBlockedContactOfSessions: where the id of a session is the credential, a block
// is of all the contact's sessions, and of those that it would begin.
func TestBlockedContactOfSessions(t *testing.T) {
	onBoth(t, func(s scene) {
		ctx := context.Background()
		signed := func(id parley.SessionID) (parley.Caller, error) {
			c := parley.Caller{Project: parleytest.Project, Visitor: s.store.CapabilityVisitor(parleytest.Project, id), Capability: true, Channel: parley.ChannelNative}
			contact, err := s.store.Proven(ctx, c, parley.Identity{External: "mal"})
			c.Contact = contact.ID
			return c, err
		}
		c, err := signed("one")
		if err != nil {
			s.Fatal(err)
		}
		if code := s.writes(c, "m1", "one"); code != "" {
			s.Fatal(code)
		}
		unsigned := c
		unsigned.Contact = ""
		s.block(c.Contact, true)
		if code := s.writes(unsigned, "m2", "one"); code != "blocked" {
			s.Errorf("without a token: %q", code)
		}
		if _, err := signed("one"); parley.Code(err) != "blocked" {
			s.Errorf("its token: %v", err)
		}
		if code := s.writes(c, "m3", "one"); code != "blocked" { // read before the block
			s.Errorf("with a token: %q", code)
		}
		fresh := parley.Caller{Project: parleytest.Project, Visitor: s.store.CapabilityVisitor(parleytest.Project, "two"),
			Capability: true, Channel: parley.ChannelNative, Contact: c.Contact}
		s.unchanged("a new session", func() {
			if code := s.writes(fresh, "m4", "two"); code != "blocked" {
				s.Errorf("a new session: %q", code)
			}
		})
		s.block(c.Contact, false)
		if code := s.writes(unsigned, "m5", "one"); code != "" {
			s.Errorf("let in again: %s", code)
		}
	})
}

// TestBlockIsCarriedThrough: a block whose process died half way is carried through
// by the sweep, and costs a message nothing.
func TestBlockIsCarriedThrough(t *testing.T) {
	onBoth(t, func(s scene) {
		ctx := context.Background()
		phone := s.signedIn("mal")
		if code := s.writes(phone, "m1", ""); code != "" {
			s.Fatal(code)
		}
		dying := s.over(dies{s.table, phone.Visitor})
		if err := dying.BlockContact(ctx, parleytest.Project, phone.Contact, true); err == nil {
			s.Fatal("nothing died")
		}
		await(2 * time.Minute)
		parleytest.Sweep(s, s.store)
		if code := s.writes(phone, "m2", ""); code != "blocked" {
			s.Errorf("after the sweep: %q", code)
		}
		for k := range s.table.Dump(s) {
			if k.SK == "job/block" {
				s.Errorf("the job is not done: %v", k)
			}
		}
		s.block(phone.Contact, false)
		m := meter.New(meter.Config{Table: s.table})
		s.store = s.over(m)
		s.writes(phone, "m3", "")
		m.Reset()
		await(time.Second)
		s.writes(phone, "m4", "")
		signedIn := m.Counts().WriteUnits()
		s.writes(s.visitor, "a1", "")
		m.Reset()
		await(time.Second)
		s.writes(s.visitor, "a2", "")
		if other := m.Counts().WriteUnits(); signedIn != other {
			s.Errorf("a signed-in visitor's message costs %d write units, another's %d", signedIn, other)
		}
	})
}

// dies is a table that is gone before a visitor is blocked.
type dies struct {
	table.Table
	visitor parley.VisitorID
}

func (d dies) Write(ctx context.Context, actions ...table.Action) error {
	for _, a := range actions {
		if a.Kind == table.UpdateAction && a.Key.PK == "demo/visitor/"+string(d.visitor) {
			return context.Canceled
		}
	}
	return d.Table.Write(ctx, actions...)
}
