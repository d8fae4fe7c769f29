package apitest

import (
	"net/http"
	"testing"
	"time"

	"parley/shared/parley"
	"parley/shared/parleytest"
)

// testLink: the link of a mail opens one session, once, and gives no right to anything else.
func testLink(t *testing.T, s *suite) {
	b := s.project(t, func(p *parley.Project) { p.TokenGeneration = 1 })
	id := b.settings().ID
	known := func() *browser {
		who, err := s.Store.Identify(t.Context(), parley.IdentifyRequest{Caller: parley.Caller{Project: id},
			Identity: &parley.Identity{External: fresh("u"), Email: "ann@example.com"}})
		if err != nil {
			t.Fatal(err)
		}
		known := *b
		known.token = s.issue(t, b.settings(), who.Visitor)
		return &known
	}
	owner := known()
	m := ask("Mine")
	mine, run := owner.chat(m).accepted.Session.ID, m.id()
	second := owner.chat(ask("Mine too")).accepted.Session.ID
	other := b.estate()
	elsewhere := s.project(t, nil)
	ticketOf := func(session parley.SessionID) string {
		got, err := s.Store.Peek(t.Context(), parley.Caller{Project: id, Server: true}, session, 0)
		if err != nil {
			t.Fatal(err)
		}
		text, err := s.Store.PutLink(t.Context(), got.Session, got.Session.Seq)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	open := func(b *browser, ticket string) *answer {
		return b.do(call{method: http.MethodPost, path: "/identify/link", body: map[string]any{"ticket": ticket}})
	}
	ticket := ticketOf(mine)
	before := s.standing(t)
	for name, d := range map[string]struct {
		who    *browser
		ticket string
		status int
		code   string
	}{
		"no key":                              {&browser{suite: s, t: t, origin: b.origin}, ticket, http.StatusUnauthorized, "unknown_key"},
		"other origin":                        {&browser{suite: s, t: t, key: b.key, origin: "https://evil.example"}, ticket, http.StatusForbidden, "origin_refused"},
		"other project":                       {elsewhere, ticket, http.StatusGone, "link_over"},
		"forged":                              {b, ticket[:len(ticket)-1] + "!", http.StatusGone, "link_over"},
		"none":                                {b, "", http.StatusGone, "link_over"},
		"a token":                             {b, owner.token, http.StatusGone, "link_over"},
		"another's token beside a forged one": {other.browser, "x", http.StatusGone, "link_over"},
	} {
		open(d.who, d.ticket).fails(d.status, d.code)
		parleytest.Same(t, before, s.standing(t))
		if t.Failed() {
			t.Fatal(name)
		}
	}
	guest := *b
	guest.token = into[struct{ Token, Session string }](open(b, ticket)).Token
	open(b, ticket).fails(http.StatusGone, "link_used")

	// It reads and answers the one session, and lists no other.
	if got := into[transcript](guest.get("/history/" + string(mine))); got.Session.ID != mine {
		t.Errorf("read %+v", got.Session)
	}
	if got := guest.chat(ask("Thanks").with("sessionId", mine)).accepted.Session.ID; got != mine {
		t.Errorf("wrote to %s", got)
	}
	if list := into[sessions](guest.get("/history")); len(list.Sessions) != 1 || list.Sessions[0].ID != mine {
		t.Errorf("lists %+v", list.Sessions)
	}
	before = s.standing(t)
	for _, foreign := range []parley.SessionID{second, other.session} { // the same contact's, and a stranger's
		for _, c := range guest.ofSession(foreign, run) {
			if c.path == "/chat/"+string(foreign)+"/form" { // refused for all sessions alike
				guest.do(c).fails(http.StatusForbidden, "link_limited")
				continue
			}
			guest.do(c).fails(http.StatusNotFound, "not_found")
		}
	}
	for _, c := range []call{
		{method: http.MethodPost, path: "/identify", body: map[string]any{}},
		{method: http.MethodPost, path: "/chat", body: ask("A new one")},
		{method: http.MethodDelete, path: "/history/" + string(mine)},
		{method: http.MethodPost, path: "/chat/" + string(mine) + "/form", body: map[string]any{"messageId": run, "call": "1", "arguments": map[string]any{}}},
	} {
		guest.do(c).fails(http.StatusForbidden, "link_limited")
	}
	parleytest.Same(t, before, s.standing(t))

	// It ends with its time, with the project's generation of tokens, and with the visitor's.
	void, _, err := s.keys.Link(&parley.Project{ID: id}, parley.Visitor{ID: owner.who().Visitor, Contact: owner.who().Contact, Generation: owner.who().Generation}, mine)
	if err != nil {
		t.Fatal(err)
	}
	gone := *b
	gone.token = void
	gone.do(call{method: http.MethodGet, path: "/history/" + string(mine)}).fails(http.StatusUnauthorized, "token_revoked")
	late := *b
	visitor := parley.Visitor{ID: owner.who().Visitor, Contact: owner.who().Contact, Generation: owner.who().Generation}
	expired, _, err := s.keysAt(t, s.Master, parley.ReplyLinkLife+time.Second).Link(b.settings(), visitor, mine)
	if err != nil {
		t.Fatal(err)
	}
	late.token = expired
	late.do(call{method: http.MethodGet, path: "/history/" + string(mine)}).fails(http.StatusUnauthorized, "token_expired")
	next := ticketOf(mine)
	if err := s.Store.BlockVisitor(t.Context(), id, visitor.ID, true); err != nil {
		t.Fatal(err)
	}
	open(b, next).fails(http.StatusForbidden, "blocked")
	guest.do(call{method: http.MethodGet, path: "/history/" + string(mine)}).fails(http.StatusForbidden, "blocked")
	if err := s.Store.BlockVisitor(t.Context(), id, visitor.ID, false); err != nil {
		t.Fatal(err)
	}
	if err := s.Store.RevokeVisitor(t.Context(), id, visitor.ID); err != nil {
		t.Fatal(err)
	}
	open(b, next).fails(http.StatusUnauthorized, "token_revoked")
	guest.do(call{method: http.MethodGet, path: "/history/" + string(mine)}).fails(http.StatusUnauthorized, "token_revoked")
}

// issue makes a visitor's token as the server does.
func (s *suite) issue(t *testing.T, p *parley.Project, v parley.Visitor) string {
	t.Helper()
	text, _, err := s.keysAt(t, s.Master, 0).Visitor(p, v, 0)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
