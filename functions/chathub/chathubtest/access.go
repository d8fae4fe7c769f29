package chathubtest

import (
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
		// ends says that the connection ends with the first frame that does something.
		ends bool
	}{
		{"blocked contact", func(t *testing.T, c *client, id parley.SessionID) {
			if err := s.Store.BlockContact(t.Context(), c.project.ID, s.contact(t, c.page, "ann"), true); err != nil {
				t.Fatal(err)
			}
		}, true},
		{"blocked visitor", func(t *testing.T, c *client, id parley.SessionID) {
			if err := s.Store.BlockVisitor(t.Context(), c.project.ID, c.stored(string(id)).Owner.Visitor, true); err != nil {
				t.Fatal(err)
			}
		}, true},
		{"revoked", func(t *testing.T, c *client, id parley.SessionID) {
			if err := s.Store.RevokeVisitor(t.Context(), c.project.ID, c.stored(string(id)).Owner.Visitor); err != nil {
				t.Fatal(err)
			}
		}, true},
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
