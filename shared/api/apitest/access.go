package apitest

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/shared/api"
	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/token"
)

// ofSession are all calls on one session, with the browser's key and token.
func (b *browser) ofSession(id parley.SessionID, run string) []call {
	session := "/" + string(id)
	return []call{
		{method: http.MethodPost, path: "/chat", body: ask("Let me in").with("sessionId", id)},
		{method: http.MethodGet, path: runPath(id, run)},
		{method: http.MethodPost, path: "/chat" + session + "/cancel"},
		{method: http.MethodPost, path: "/chat" + session + "/typing", body: map[string]any{"typing": true}},
		{method: http.MethodPost, path: "/chat" + session + "/vote", body: map[string]any{"messageId": run, "vote": "up"}},
		{method: http.MethodPost, path: "/chat" + session + "/form", body: map[string]any{"messageId": run, "call": "1", "arguments": map[string]any{}}},
		{method: http.MethodGet, path: "/updates" + session},
		{method: http.MethodPost, path: "/close", body: map[string]any{"key": b.key, "token": b.token, "session": id},
			header: map[string]string{api.KeyHeader: "", "Authorization": ""}},
		{method: http.MethodGet, path: "/history" + session},
		{method: http.MethodPost, path: "/csat", body: map[string]any{"sessionId": id, "score": 1}},
		{method: http.MethodGet, path: "/csat" + session},
		{method: http.MethodDelete, path: "/history" + session},
	}
}

// ofVisitor are all calls that need a visitor and no session of it.
func (b *browser) ofVisitor(file string) []call {
	return []call{
		{method: http.MethodPost, path: "/chat", body: ask("Let me in")},
		{method: http.MethodGet, path: "/history"},
		{method: http.MethodPost, path: "/uploads", body: map[string]any{"name": "a.txt", "type": "text/plain", "size": 5}},
		{method: http.MethodPost, path: "/uploads/" + file + "/complete"},
	}
}

// estate is a visitor with a session, whose reply is finished, and a file.
type estate struct {
	*browser
	session parley.SessionID
	run     string
	file    string
}

func (b *browser) estate() estate {
	b.t.Helper()
	e := estate{browser: b.visitor()}
	m := ask("Mine")
	e.session, e.run = e.chat(m).accepted.Session.ID, m.id()
	e.file = e.grant("mine.txt", "text/plain", 4).ID
	return e
}

// testAccess: nobody reads or changes what is not theirs (invariant 9). Every
// call is made by everybody who may not make it, and nothing changes.
func testAccess(t *testing.T, s *suite) {
	b := s.project(t, func(p *parley.Project) { p.TokenGeneration = 1 })
	owner, other := b.estate(), b.visitor()
	elsewhere := s.project(t, nil).visitor()
	revoked, blocked := b.estate(), b.estate()
	if err := s.Store.RevokeVisitor(t.Context(), b.settings().ID, revoked.who().Visitor); err != nil {
		t.Fatal(err)
	}
	if err := s.Store.BlockVisitor(t.Context(), b.settings().ID, blocked.who().Visitor, true); err != nil {
		t.Fatal(err)
	}
	as := func(change func(*browser)) estate {
		copied := *owner.browser
		change(&copied)
		return estate{&copied, owner.session, owner.run, owner.file}
	}
	withToken := func(text string) estate { return as(func(b *browser) { b.token = text }) }
	visitor := parley.Visitor{ID: owner.who().Visitor, Generation: owner.who().Generation}
	first := int64(0)
	issued := func(k *token.Keyring) string {
		text, _, err := k.Visitor(b.settings(), visitor, first)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	void, _, err := s.keys.Visitor(&parley.Project{ID: b.settings().ID}, visitor, 0)
	if err != nil {
		t.Fatal(err)
	}
	ticket := into[transcript](owner.get("/history/" + string(owner.session))).Ticket

	first = time.Now().Add(-parley.DefaultTokenDays * 24 * time.Hour).Unix()
	aged := issued(s.keysAt(t, s.Master, time.Hour)) // whose first token was issued so long ago
	first = 0

	denied := []struct {
		name   string
		who    estate
		status int
		code   string
	}{
		{"no key", as(func(b *browser) { b.key = "" }), http.StatusUnauthorized, "unknown_key"},
		{"unknown key", as(func(b *browser) { b.key = fresh("pk_test") }), http.StatusUnauthorized, "unknown_key"},
		{"other origin", as(func(b *browser) { b.origin = "https://evil.example" }), http.StatusForbidden, "origin_refused"},
		{"no token", withToken(""), http.StatusUnauthorized, "token_missing"},
		{"nonsense", withToken("nonsense"), http.StatusUnauthorized, "token_invalid"},
		{"alg none", withToken(unsigned(owner.token)), http.StatusUnauthorized, "token_invalid"},
		{"forged", withToken(issued(s.keysAt(t, strings.Repeat("forged", 10), 0))), http.StatusUnauthorized, "token_invalid"},
		{"ticket for a token", withToken(ticket), http.StatusUnauthorized, "token_invalid"},
		{"other project's token", withToken(elsewhere.token), http.StatusUnauthorized, "token_invalid"},
		{"other project's key", as(func(b *browser) { b.key = elsewhere.key }), http.StatusUnauthorized, "token_invalid"},
		{"expired", withToken(issued(s.keysAt(t, s.Master, token.VisitorLife+time.Second))), http.StatusUnauthorized, "token_expired"},
		{"of the generation before", withToken(void), http.StatusUnauthorized, "token_revoked"},
		{"renewed for too long", withToken(aged), http.StatusUnauthorized, "token_expired"},
		{"revoked", revoked, http.StatusUnauthorized, "token_revoked"},
		{"blocked", blocked, http.StatusForbidden, "blocked"},
	}
	before := s.standing(t)
	for _, d := range denied {
		t.Run(d.name, func(t *testing.T) {
			who := d.who
			who.t = t
			calls := slices.Concat(who.ofSession(who.session, who.run), who.ofVisitor(who.file))
			if d.code != "token_missing" { // that is how visitors begin
				calls = append(calls, call{method: http.MethodPost, path: "/identify", body: map[string]any{}})
			}
			if d.code == "unknown_key" || d.code == "origin_refused" { // it asks for no token
				calls = append(calls, call{method: http.MethodGet, path: "/config"}, call{method: http.MethodGet, path: "/identify/challenge"})
			}
			for _, c := range calls {
				who.do(c).fails(d.status, d.code)
			}
			parleytest.Same(t, before, s.standing(t))
		})
	}
	for name, who := range map[string]*browser{"other visitor": other, "other project": elsewhere} {
		t.Run(name, func(t *testing.T) {
			who := *who
			who.t = t
			theirs := append(who.ofSession(owner.session, owner.run), who.ofVisitor(owner.file)[3])
			unknown := append(who.ofSession(parley.SessionID(fresh("s")), owner.run), who.ofVisitor(fresh("x"))[3])
			for i := range theirs {
				foreign, none := who.do(theirs[i]), who.do(unknown[i])
				foreign.fails(http.StatusNotFound, "not_found")
				if foreign.status != none.status || foreign.body != none.body {
					t.Errorf("%s of a foreign id = %d %s, of an unknown one %d %s", theirs[i].path, foreign.status, foreign.body, none.status, none.body)
				}
			}
			who.do(call{method: http.MethodPost, path: "/chat", body: ask("See this").with("attachments", []string{owner.file})}).
				fails(http.StatusUnprocessableEntity, "attachment_unknown")
			if list := into[sessions](who.get("/history")); len(list.Sessions) != 0 {
				t.Errorf("lists %+v", list.Sessions)
			}
			parleytest.Same(t, before, s.standing(t))
		})
	}
}

// unsigned is a token that says it needs no signature.
func unsigned(text string) string {
	header := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`))
	return header + "." + strings.Split(text, ".")[1] + "."
}
