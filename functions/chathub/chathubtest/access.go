package chathubtest

import (
	"crypto/rand"
	"net/http"
	"strings"
	"testing"
	"time"

	"parley/shared/parley"
	"parley/shared/parleytest"
)

// deniedPages are those of everybody who may not connect as the page's user.
func (s *suite) deniedPages(t *testing.T, p *page) map[string]struct {
	page   *page
	status int // of negotiate
} {
	other := s.page(t, nil)
	blocked := p.with("access_token", p.signed(user("blocked")))
	blocked.connect().leave()
	if err := s.Store.BlockContact(t.Context(), p.project.ID, s.contact(t, p, "blocked"), true); err != nil {
		t.Fatal(err)
	}
	removed := s.page(t, nil) // whose project no function has in memory
	if err := s.Store.RemoveSigningKey(t.Context(), removed.project.ID, "k1"); err != nil {
		t.Fatal(err)
	}
	evil := p.with()
	evil.header.Set("Origin", "https://evil.example")
	token := func(text string) *page { return p.with("access_token", text) }
	return map[string]struct {
		page   *page
		status int
	}{
		"stranger":              {token(""), http.StatusUnauthorized},
		"nonsense":              {token("nonsense"), http.StatusUnauthorized},
		"expired":               {token(p.signed(object{"sub": "ann", "exp": in(-2 * time.Minute)})), http.StatusUnauthorized},
		"forged":                {token(sign(t, user("ann"), strings.Repeat("forged", 10))), http.StatusUnauthorized},
		"other project's token": {token(other.query.Get("access_token")), http.StatusUnauthorized},
		"other project":         {other.with("agentId", p.query.Get("agentId")), http.StatusUnauthorized},
		"revoked key":           {removed, http.StatusUnauthorized},
		"blocked":               {blocked, http.StatusOK},
		"other origin":          {evil, http.StatusOK},
		"other agent":           {p.with("agentId", string(p.project.ID)+".nobody"), http.StatusOK},
	}
}

// contact is that of one of the customer's people.
func (s *suite) contact(t *testing.T, p *page, sub string) parley.ContactID {
	t.Helper()
	who, err := s.Store.Acquaint(t.Context(), parley.AcquaintRequest{Project: p.project.ID, Channel: parley.ChannelChatHub, Proven: true, Identity: parley.Identity{External: sub}})
	if err != nil {
		t.Fatal(err)
	}
	return who.Contact.ID
}

// testAccessOfNegotiate: whoever may not connect is refused by both requests, and
// nothing changes.
func testAccessOfNegotiate(t *testing.T, s *suite) {
	p := s.page(t, nil)
	c := p.connect()
	c.say(fresh("Mine"))
	c.hears(1)
	c.settles(1)
	denied := s.deniedPages(t, p)
	before := s.standing(t)
	for name, d := range denied {
		t.Run(name, func(t *testing.T) {
			d.page.of(t).refused(d.status)
			after := s.standing(t)
			parleytest.Same(t, withoutExpired(before, after), after)
		})
	}
	c.quiet()
}

// frames are all kinds of frames that a client sends, with what would change something.
func frames(text string) map[string]string {
	return map[string]string{
		"SendMessageAsync": invocation("0", "SendMessageAsync", message(text)),
		"TypingAsync":      invocation("0", "TypingAsync"),
		"CancelAsync":      invocation("0", "CancelAsync"),
		"EndSessionAsync":  invocation("0", "EndSessionAsync"),
		"unknown method":   invocation("0", "Nothing"),
		"stream":           `{"type":4,"target":"SendMessageAsync","invocationId":"0","arguments":[]}|`,
		"stream item":      `{"type":2,"invocationId":"0"}|`,
		"completion":       `{"type":3,"invocationId":"0"}|`,
		"cancel":           `{"type":5,"invocationId":"0"}|`,
		"ping":             `{"type":6}|`,
		"ack":              `{"type":8,"sequenceId":1}|`,
	}
}

// testAccessOfFrames: who was let in and may no more, and who is another user, does
// nothing to a session whatever frame they send, though they name it.
func testAccessOfFrames(t *testing.T, s *suite) {
	for _, standing := range []struct {
		name string
		// take takes the right away from whoever is connected.
		take func(t *testing.T, c *client, id parley.SessionID)
	}{
		{"blocked contact", func(t *testing.T, c *client, id parley.SessionID) {
			if err := s.Store.BlockContact(t.Context(), c.project.ID, s.contact(t, c.page, "ann"), true); err != nil {
				t.Fatal(err)
			}
		}},
		{"blocked visitor", func(t *testing.T, c *client, id parley.SessionID) {
			if err := s.Store.BlockVisitor(t.Context(), c.project.ID, c.stored(string(id)).Owner.Visitor, true); err != nil {
				t.Fatal(err)
			}
		}},
		{"revoked", func(t *testing.T, c *client, id parley.SessionID) {
			if err := s.Store.RevokeVisitor(t.Context(), c.project.ID, c.stored(string(id)).Owner.Visitor); err != nil {
				t.Fatal(err)
			}
		}},
		{"erased contact", func(t *testing.T, c *client, id parley.SessionID) {
			if err := s.Store.EraseContact(t.Context(), c.operator(), s.contact(t, c.page, "ann")); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(standing.name, func(t *testing.T) {
			for name, frame := range frames("Let me in") {
				t.Run(name, func(t *testing.T) {
					s := s.of(t)
					c := s.page(t, nil).connect()
					id := parley.SessionID(c.say(fresh("Mine")).ConversationID)
					c.hears(1)
					c.settles(1)
					standing.take(t, c, id)
					before := withoutConnections(s.standing(t))
					c.write(frame)
					got := c.frame()
					does := strings.HasSuffix(name, "Async")
					switch {
					case len(got) == 0:
						t.Fatal("the frame is not answered")
					case does && (!got[0].is(3) || got[0].Error == nil || !got[len(got)-1].is(7) || c.frame() != nil):
						t.Errorf("answered %+v", got)
					}
					parleytest.Same(t, before, withoutConnections(s.standing(t)))
				})
			}
		})
	}
	for name, other := range map[string]func(p *page) *page{
		"other visitor": func(p *page) *page { return p.with("access_token", p.signed(user("bob"))) },
		"other project": func(p *page) *page {
			q := s.page(t, nil)
			return q.with("sessionId", p.query.Get("sessionId"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := s.of(t)
			p := s.page(t, nil)
			c := p.connect()
			q := fresh("Mine")
			said, gates := gated("So far", " so good.")
			s.Model.Script(q, said)
			id := parley.SessionID(c.say(q).ConversationID)
			c.hearsText("So far")
			stood := *c.stored(string(id))
			for kind, frame := range frames("Let me in") {
				d := other(p.with("sessionId", string(id))).of(t).connect()
				if got := d.errors(); len(got) != 1 || got[0] != "session_not_found" {
					t.Errorf("%s: errors = %q", kind, got)
				}
				d.write(frame)
				if d.frame() == nil {
					t.Errorf("%s is not answered", kind)
				}
			}
			if got := *c.stored(string(id)); got.Rev != stood.Rev {
				t.Errorf("the session was %+v and is %+v", stood, got)
			}
			close(gates[1])
			if m := c.hears(1); m.final != "So far so good." {
				t.Errorf("the owner hears %+v", m)
			}
		})
	}
}

// testBlockedHears: who is blocked while connected, alone or as a contact, is told
// nothing any more of what people write; let in again, it is told what it has missed.
func testBlockedHears(t *testing.T, s *suite) {
	for name, block := range map[string]func(c *client, id string, blocked bool) error{
		"visitor": func(c *client, id string, blocked bool) error {
			return s.Store.BlockVisitor(t.Context(), c.project.ID, c.stored(id).Owner.Visitor, blocked)
		},
		"contact": func(c *client, id string, blocked bool) error {
			return s.Store.BlockContact(t.Context(), c.project.ID, c.stored(id).Owner.Contact, blocked)
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := s.of(t).page(t, nil).connect()
			id := c.say(fresh("Mine")).ConversationID
			c.hears(1)
			c.settles(1)
			writes := func(text string) {
				t.Helper()
				if _, err := s.Store.Reply(t.Context(), c.operator(), ola, parley.ReplyRequest{ID: parley.EntryID(rand.Text()), Session: parley.SessionID(id), Content: text}); err != nil {
					t.Fatal(err)
				}
			}
			if err := block(c, id, true); err != nil {
				t.Fatal(err)
			}
			writes("Are you there?")
			time.Sleep(300 * time.Millisecond) // for what must not come
			c.quiet()
			if err := block(c, id, false); err != nil {
				t.Fatal(err)
			}
			writes("Welcome back.")
			if first, second := c.hears(2), c.hears(3); first.final != "Are you there?" || second.final != "Welcome back." {
				t.Errorf("let in again it hears %q and %q", first.final, second.final)
			}
		})
	}
}

// testBlockedReply: who is blocked while a reply is written does not hear the end of it,
// nor anything of the next; let in again, it is told both.
func testBlockedReply(t *testing.T, s *suite) {
	c := s.page(t, nil).connect()
	q, next := fresh("Long"), fresh("Short")
	said, gates := gated("So far", " so good.")
	s.Model.Script(q, said)
	id := c.say(q).ConversationID
	c.hearsText("So far")
	c.say(next)
	visitor := c.stored(id).Owner.Visitor
	if err := s.Store.BlockVisitor(t.Context(), c.project.ID, visitor, true); err != nil {
		t.Fatal(err)
	}
	close(gates[1])
	c.eventually("the end of both replies", func() bool { return c.stored(id).Run == nil && len(c.lines(id)) >= 3 })
	time.Sleep(300 * time.Millisecond) // for what must not come
	for got := c.ping(); len(got) != 1 || !got[0].is(6); {
		got = c.frame()
	}
	if all := c.messages(); len(all) != 1 || all[0].finished {
		t.Errorf("it hears %+v", all)
	}
	if err := s.Store.BlockVisitor(t.Context(), c.project.ID, visitor, false); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Store.Reply(t.Context(), c.operator(), ola, parley.ReplyRequest{ID: parley.EntryID(rand.Text()), Session: parley.SessionID(id), Content: "Welcome back."}); err != nil {
		t.Fatal(err)
	}
	c.await("the welcome", func(record) bool {
		all := c.messages()
		return len(all) > 0 && all[len(all)-1].final == "Welcome back."
	})
	if first := c.messages()[0]; first.final != "So far so good." {
		t.Errorf("let in again it hears %+v", first)
	}
}

// testKeysRemoved: a key or a website that is removed ends no connection that is there.
func testKeysRemoved(t *testing.T, s *suite) {
	for name, remove := range map[string]func(p *page) error{
		"signing key": func(p *page) error { return s.Store.RemoveSigningKey(t.Context(), p.project.ID, "k1") },
		"public key and website": func(p *page) error {
			now, err := s.Store.Project(t.Context(), p.project.ID)
			if err != nil {
				return err
			}
			after := *now
			after.PublicKeys, after.Origins = []string{"pk_live_" + rand.Text()}, []string{"https://elsewhere.example"}
			return s.Store.PutProject(t.Context(), after)
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := s.of(t).page(t, nil).connect()
			c.say(fresh("Hello"))
			c.hears(1)
			c.settles(1)
			if err := remove(c.page); err != nil {
				t.Fatal(err)
			}
			c.quiet()
			c.say(fresh("Still here"))
			c.hears(2)
			if got := c.errors(); len(got) > 0 {
				t.Errorf("errors = %q", got)
			}
		})
	}
}

// testExpired: a connection that has expired, and of whose end nobody was told, is
// nobody's: no frame on it does anything, and a call has the client connect anew.
func testExpired(t *testing.T, s *suite) {
	all := map[string]*client{}
	for kind := range frames("") {
		c := s.page(t, nil).connect()
		c.say(fresh("Mine"))
		c.hears(1)
		c.settles(1)
		all[kind] = c
	}
	s.Pass(t, parley.ConnectionLife)
	before := withoutConnections(s.standing(t))
	for kind, frame := range frames("Let me in") {
		c := all[kind]
		c.write(frame)
		got := c.frame()
		switch does := strings.HasSuffix(kind, "Async"); {
		case len(got) == 0:
			t.Errorf("%s is not answered", kind)
		case does && (!got[0].is(3) || got[0].Error == nil || !got[len(got)-1].is(7) || !got[len(got)-1].AllowReconnect || c.frame() != nil):
			t.Errorf("%s is answered %+v", kind, got)
		}
	}
	parleytest.Same(t, before, withoutConnections(s.standing(t)))
}
