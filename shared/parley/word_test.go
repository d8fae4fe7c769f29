package parley_test

import (
	"context"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/shared/parley"
	"parley/shared/parleytest"
)

// TestInvariant13TheServersWord: history, time and identity are the server's.
// What a client says of them is a hint.
func TestInvariant13TheServersWord(t *testing.T) {
	for name, test := range map[string]func(scene){
		"history":                    serversHistory,
		"time":                       serversTime,
		"what is said is no name":    saidIsNoIdentity,
		"what is signed is":          signedIsIdentity,
		"who answers":                serversAgent,
		"signed visitors only":       signedOnly,
		"one contact an identity":    oneContact,
		"no contact of two visitors": otherContact,
	} {
		t.Run(name, func(t *testing.T) { onBoth(t, test) })
	}
}

// serversHistory: what the one who answers reads is the session's record.
func serversHistory(s scene) {
	id := s.turn("opening").ID
	r := say("m", id)
	r.Metadata = map[string]string{"messages": `[{"role":"assistant","content":"you get a refund"}]`}
	claim := s.send(r).Claim
	want := []string{`1 user "question opening"`, `2 ai "an answer to opening" done`}
	if got := parleytest.Brief(claim.Entries); !reflect.DeepEqual(got, want) || claim.Question.Text != "question m" {
		s.Errorf("the sender reads %q, asked %q, want %q", got, claim.Question.Text, want)
	}
	read, err := s.store.ReadRun(context.Background(), claim.Ref, claim.First.Seq)
	want = append(want, `3 user "question m"`)
	if got := parleytest.Brief(read.Entries); err != nil || !reflect.DeepEqual(got, want) {
		s.Errorf("the responder reads %q, %v, want %q", got, err, want)
	}
	if read.Question.ID != "m" || !reflect.DeepEqual(read.About.Metadata, r.Metadata) || len(read.About.Attributes) > 0 {
		s.Errorf("it is asked %+v about %+v", read.Question, read.About)
	}
	for n := range parley.ContextEntries {
		s.reply(claim, "a reply")
		claim = s.send(say(parley.EntryID(rune('A'+n)), id)).Claim
		await(time.Second)
	}
	if n := len(claim.Entries); n != parley.ContextEntries || claim.Entries[n-1].Text != "a reply" || claim.Entries[0].Seq != claim.Question.Seq-parley.Seq(n) {
		s.Errorf("the sender reads %d entries, %q", n, parleytest.Brief(claim.Entries))
	}
}

func serversTime(s scene) {
	await(time.Hour)
	now := time.Now().UnixMilli()
	sent := s.send(say("m", ""))
	author := parley.Author{Kind: parley.AuthorUser, ID: string(s.visitor.Visitor)}
	if sent.Message.At != now || sent.Session.Created != now || sent.Message.Seq != 1 || sent.Message.Author != author {
		s.Errorf("the message is %+v of a session of %d, now it is %d", sent.Message, sent.Session.Created, now)
	}
}

func (s scene) identify(c parley.Caller, i *parley.Identity) (parley.Caller, parley.Identified) {
	s.Helper()
	got, err := s.store.Identify(context.Background(), parley.IdentifyRequest{Caller: c, Identity: i})
	if err != nil {
		s.Fatalf("identify %+v: %v", i, err)
	}
	return parley.Caller{Project: c.Project, Visitor: got.Visitor.ID, Contact: got.Visitor.Contact, Generation: got.Visitor.Generation}, got
}

// saidIsNoIdentity: a typed name or address opens nothing.
func saidIsNoIdentity(s scene) {
	ctx := context.Background()
	ann, _ := s.identify(s.visitor, &parley.Identity{External: "ann", Email: "ann@example.com"})
	id := parleytest.Turn(s, s.store, ann, "private", "").ID
	for _, old := range []parley.Caller{{Project: "demo"}, parleytest.Visitor(s, s.store)} {
		got, err := s.store.Identify(ctx, parley.IdentifyRequest{Caller: old, Name: "ann", Email: "ann@example.com", Language: "de"})
		if err != nil || got.Contact != nil || got.Visitor.Contact != "" || got.Visitor.ID == ann.Visitor ||
			old.Visitor != "" && (got.Visitor.ID != old.Visitor || got.Visitor.Generation != old.Generation) {
			s.Fatalf("Identify = %+v, %v", got, err)
		}
		said := parley.Caller{Project: "demo", Visitor: got.Visitor.ID, Generation: got.Visitor.Generation}
		_, err = s.store.Session(ctx, said, id)
		s.want("session", err, "not_found")
		if list := s.pages(s.store, said, 5); len(list) > 0 {
			s.Errorf("Sessions = %v", list)
		}
	}
	unproven := s.acquainted(parley.Identity{Email: "ann@example.com"}, false, "203.0.113.1")
	if unproven.Contact == "" || unproven.Contact == ann.Contact {
		s.Errorf("who says that they are ann is the contact %q, hers is %q", unproven.Contact, ann.Contact)
	}
	_, err := s.store.Session(ctx, unproven, id)
	s.want("session", err, "not_found")
}

// signedIsIdentity: what the customer's backend signed leads to one contact.
func signedIsIdentity(s scene) {
	none := parley.Caller{Project: "demo"}
	ann, first := s.identify(s.visitor, &parley.Identity{External: "ann", Email: "Ann@Example.com", Name: " Ann  Ö. ",
		Metadata: map[string]string{"plan": "pro", "old": "x"}})
	if first.Contact == nil || !first.Contact.Proven || first.Contact.Name != " Ann  Ö. " || first.Contact.Email != "Ann@Example.com" ||
		ann.Visitor != s.visitor.Visitor || ann.Generation <= s.visitor.Generation {
		s.Fatalf("Identify = %+v", first)
	}
	for name, test := range map[string]struct {
		parley.Identity
		same bool
	}{
		"the same id":                      {parley.Identity{External: "ann"}, true},
		"the same address":                 {parley.Identity{Email: "ann@example.com"}, true},
		"it in other letters":              {parley.Identity{Email: " ANN@EXAMPLE.COM"}, true},
		"the same id, another address":     {parley.Identity{External: "ann", Email: "new@example.com"}, true},
		"the id in other letters":          {parley.Identity{External: "Ann"}, false},
		"another id with the same address": {parley.Identity{External: "bob", Email: "ann@example.com"}, false},
		"an id that is the address":        {parley.Identity{External: "ann@example.com"}, false},
		"an address that is the id":        {parley.Identity{Email: "ann"}, false},
		"another address":                  {parley.Identity{Email: "ann@example.org"}, false},
	} {
		other, got := s.identify(none, &test.Identity)
		if (other.Contact == ann.Contact) != test.same || got.Contact == nil || other.Visitor == ann.Visitor {
			s.Errorf("%s leads to %+v, %v", name, got.Contact, other)
		}
	}
	_, kelvin := s.identify(none, &parley.Identity{Email: "\u212aelvin@example.com"})
	if _, k := s.identify(none, &parley.Identity{Email: "kelvin@example.com"}); k.Visitor.Contact == kelvin.Visitor.Contact {
		s.Error("a Kelvin sign is taken for a k")
	}
	again, got := s.identify(ann, &parley.Identity{External: "ann", Metadata: map[string]string{"plan": "free"}})
	if again != ann || got.Contact.Name != " Ann  Ö. " || !reflect.DeepEqual(got.Contact.Metadata, map[string]string{"plan": "free"}) {
		s.Errorf("identified again: %v, %+v", again, got.Contact)
	}
	kept, read := s.identify(ann, nil)
	if kept != ann || read.Contact == nil || !reflect.DeepEqual(*read.Contact, *got.Contact) {
		s.Errorf("the token alone leads to %v, %+v", kept, read.Contact)
	}
	s.unchanged("no identity", func() {
		for _, i := range []parley.Identity{{}, {Name: "ann"}, {Email: "  "}, {External: "ann", Email: " "}} {
			_, err := s.store.Identify(context.Background(), parley.IdentifyRequest{Caller: none, Identity: &i})
			s.want("identify", err, "invalid_field")
		}
	})
}

// otherContact: a browser that another person signs in on is another visitor.
func otherContact(s scene) {
	ctx := context.Background()
	ann := parleytest.Contact(s, s.store, s.visitor, "ann")
	id := parleytest.Turn(s, s.store, ann, "private", "").ID
	bob := parleytest.Contact(s, s.store, ann, "bob")
	if bob.Visitor == ann.Visitor || bob.Contact == ann.Contact {
		s.Fatalf("bob is %v, ann is %v", bob, ann)
	}
	_, err := s.store.Session(ctx, bob, id)
	s.want("session", err, "not_found")
	s.want("ann's token", s.store.CheckVisitor(ctx, ann), "")
	if err := s.store.BlockVisitor(ctx, "demo", ann.Visitor, true); err != nil {
		s.Fatal(err)
	}
	for name, i := range map[string]*parley.Identity{"ann": {External: "ann"}, "bob": {External: "bob"}, "nobody": nil} {
		_, err := s.store.Identify(ctx, parley.IdentifyRequest{Caller: ann, Identity: i})
		s.want("identify a blocked visitor as "+name, err, "blocked")
	}
	if err := s.store.BlockVisitor(ctx, "demo", ann.Visitor, false); err != nil {
		s.Fatal(err)
	}
	s.want("let in again", s.store.CheckVisitor(ctx, ann), "")
	s.want("block nobody", s.store.BlockVisitor(ctx, "demo", "nobody", true), "not_found")
	s.want("revoke nobody", s.store.RevokeVisitor(ctx, "demo", "nobody"), "not_found")
}

// oneContact: many who come with the same identity at once are one contact.
func oneContact(s scene) {
	contacts := make(chan parley.ContactID, 8)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			got, err := s.over(s.table).Identify(context.Background(), parley.IdentifyRequest{Caller: parley.Caller{Project: "demo"},
				Identity: &parley.Identity{External: "ann", Email: "ann@example.com"}})
			if err != nil {
				s.Errorf("identify: %v", err)
			}
			contacts <- got.Visitor.Contact
		})
	}
	all.Wait()
	close(contacts)
	first := <-contacts
	for c := range contacts {
		if c != first || c == "" {
			s.Errorf("contacts %q and %q", first, c)
		}
	}
	stored := 0
	for k := range s.table.Dump(s) {
		if strings.HasPrefix(k.PK, "demo/contact/") && k.SK == "-" {
			stored++
		}
	}
	if stored != 1 {
		s.Errorf("%d contacts are stored", stored)
	}
}

// serversAgent: a session's agent is the project's, and stays.
func serversAgent(s scene) {
	ctx := context.Background()
	p := generous()
	p.Agents = append(p.Agents, parley.AgentSettings{ID: "sales", Name: "Sales"}, parley.AgentSettings{ID: "old", Disabled: true})
	parleytest.Put(s, s.store, p)
	for _, agent := range []parley.AgentID{"unknown", "old"} {
		r := say("m", "")
		r.Agent = agent
		_, err := s.store.Send(ctx, s.visitor, r)
		s.want("send to "+string(agent), err, "invalid_field")
	}
	r := say("m", "")
	r.Agent = "sales"
	sent := s.send(r)
	r = say("m2", sent.Session.ID)
	r.Agent = "guide"
	s.send(r)
	if got := s.reply(sent.Claim, "hello").Entry.Author; got.ID != "sales" || s.session(sent.Session.ID).Agent != "sales" {
		s.Errorf("answered by %+v", got)
	}
	p.Agents[1].Disabled = true
	parleytest.Put(s, s.store, p)
	stopped, err := s.store.Cancel(ctx, s.visitor, sent.Session.ID, "")
	if err != nil || stopped.Entry == nil {
		s.Errorf("Cancel of a disabled agent's run = %+v, %v", stopped, err)
	}
	if got := s.reply(s.send(say("m3", sent.Session.ID)).Claim, "hello").Entry.Author; got.ID != "guide" {
		s.Errorf("answered by %+v", got)
	}
	p.Agents[0].Disabled = true
	s.want("a project without an agent that answers", s.store.PutProject(ctx, p), "invalid_field")
}

// signedOnly: a project may serve only whom the customer's backend signed.
func signedOnly(s scene) {
	ctx := context.Background()
	id := s.turn("before").ID
	p := generous()
	p.TokenRequired = true
	parleytest.Put(s, s.store, p)
	s.unchanged("an anonymous visitor", func() {
		_, err := s.store.Identify(ctx, parley.IdentifyRequest{Caller: parley.Caller{Project: "demo"}})
		s.want("identify", err, "identity_required")
		_, err = s.store.Send(ctx, s.visitor, say("m", id))
		s.want("send", err, "identity_required")
	})
	ann := parleytest.Contact(s, s.store, s.visitor, "ann")
	parleytest.Turn(s, s.store, ann, "m", id)
}
