package cossistanttest

import (
	"slices"
	"strings"
	"testing"

	"parley/shared/parley"
)

// serverRoutes are the calls of servers, with ids as in routes and a contact's as WHO,
// and the scope that each needs.
var serverRoutes = []struct {
	method, path string
	body         any
	scope        parley.Scope
	acts         bool
}{
	{"GET", "/conversations/inbox", nil, parley.ScopeRead, false},
	{"GET", "/conversations?visitorId=VISITOR", nil, parley.ScopeRead, false},
	{"GET", "/conversations/CHAT", nil, parley.ScopeRead, false},
	{"GET", "/conversations/CHAT/timeline", nil, parley.ScopeRead, false},
	{"GET", "/conversations/CHAT/seen", nil, parley.ScopeRead, false},
	{"POST", "/messages", object{"conversationId": "CHAT", "item": object{"id": "01AAAAAAAAAAAAAAAAAAAAAAAA", "text": "Let me in", "userId": "ann"}}, parley.ScopeReply, true},
	{"POST", "/conversations/CHAT/resolve", nil, parley.ScopeReply, true},
	{"POST", "/conversations/CHAT/reopen", nil, parley.ScopeReply, true},
	{"POST", "/conversations/CHAT/spam", nil, parley.ScopeReply, true},
	{"POST", "/conversations/CHAT/not-spam", nil, parley.ScopeReply, true},
	{"POST", "/conversations/CHAT/archive", nil, parley.ScopeReply, true},
	{"POST", "/conversations/CHAT/unarchive", nil, parley.ScopeReply, true},
	{"POST", "/conversations/CHAT/join-escalation", nil, parley.ScopeReply, true},
	{"POST", "/conversations/CHAT/ai/resume", nil, parley.ScopeReply, true},
	{"POST", "/conversations/CHAT/read", object{}, parley.ScopeReply, true},
	{"GET", "/visitors/VISITOR", nil, parley.ScopeRead, false},
	{"POST", "/contacts/identify", object{"visitorId": "VISITOR", "externalId": "mallory"}, parley.ScopeManage, false},
	{"POST", "/contacts", object{"externalId": "mallory"}, parley.ScopeManage, false},
	{"GET", "/contacts/WHO", nil, parley.ScopeRead, false},
	{"PATCH", "/contacts/WHO", object{"name": "Mallory"}, parley.ScopeManage, false},
	{"PATCH", "/contacts/WHO/metadata", object{"metadata": object{"plan": "mine"}}, parley.ScopeManage, false},
	{"DELETE", "/contacts/WHO", nil, parley.ScopeManage, false},
}

// Tabled are the calls that the access tables have, as "METHOD /path" below the base of
// the protocol, with {session}, {visitor} and {contact} for ids.
func Tabled() (all []string) {
	name := func(method, path string) {
		path, _, _ = strings.Cut(path, "?")
		all = append(all, method+" "+strings.NewReplacer("CHAT", "{session}", "VISITOR", "{visitor}", "WHO", "{contact}").Replace(path))
	}
	for _, r := range routes {
		name(r.method, r.path)
	}
	for _, r := range serverRoutes {
		name(r.method, r.path)
	}
	return all
}

// serverAccess: every call of servers by everybody who may not make it, after which
// everything is as before; what is another project's looks as if it were not there.
func serverAccess(t *testing.T, s *suite) {
	p := s.visitors(t)
	id := chat()
	p.begin(id, ulid()).ok()
	p.taken(id)
	team := p.server()
	who := team.do("POST", "/contacts", object{"externalId": "u1", "name": "Ann"}).ok().text("contact", "id")
	fill := func(v any, visitor, conversation, contact string) any {
		v = of(v, visitor, conversation)
		if path, ok := v.(string); ok {
			return strings.ReplaceAll(path, "WHO", contact)
		}
		return v
	}
	whole := func() string {
		return team.do("GET", "/conversations/"+id, nil).ok().body + team.do("GET", "/conversations/"+id+"/timeline", nil).ok().body +
			team.do("GET", "/conversations/"+id+"/seen", nil).ok().body + team.do("GET", "/contacts/"+who, nil).ok().body + team.do("GET", "/visitors/"+p.visitor, nil).ok().body
	}
	before := whole()

	with := func(secret, actor string) *server {
		other := *team
		other.secret, other.actor = secret, actor
		return &other
	}
	revoked := p.server()
	if err := s.Store.RemovePrivateKey(t.Context(), p.project, revoked.key); err != nil {
		t.Fatal(err)
	}
	for name, stranger := range map[string]*server{"no key": with("", "ann"), "an unknown key": with("sk_live_"+strings.Repeat("a", 64), "ann"), "a revoked key": with(revoked.secret, "ann"),
		"the public key": with(p.key, "ann"), "a cut key": with(team.secret[:len(team.secret)-1], "ann"), "a visitor's id": with(p.visitor, "ann")} {
		for _, route := range serverRoutes {
			a := stranger.do(route.method, fill(route.path, p.visitor, id, who).(string), fill(route.body, p.visitor, id, who)).fails(401)
			if strings.Contains(a.body, id) {
				t.Errorf("%s: %s tells of it", name, a.what)
			}
		}
	}
	// With the public key in its own header they are calls of pages, or none: what is a
	// page's call too does what it does for pages.
	pages := []string{"GET /conversations?visitorId=VISITOR", "GET /conversations/CHAT", "GET /conversations/CHAT/timeline", "GET /conversations/CHAT/seen", "POST /contacts/identify"}
	for _, route := range serverRoutes {
		if slices.Contains(pages, route.method+" "+route.path) {
			continue
		}
		a := p.call(route.method, fill(route.path, p.visitor, id, who).(string), fill(route.body, p.visitor, id, who), "X-Actor-User-Id", "ann")
		if want := 401; a.status != want && !(route.path == "/messages" && a.status == 400) {
			t.Errorf("with the public key %s = %d %s", a.what, a.status, a.body)
		}
	}
	for _, scope := range parley.Scopes() {
		narrow := p.server(scope)
		for _, route := range serverRoutes {
			if route.scope != scope {
				narrow.do(route.method, fill(route.path, p.visitor, id, who).(string), fill(route.body, p.visitor, id, who)).fails(403)
			}
		}
	}
	foreign := s.visitors(t).server()
	if inbox := foreign.do("GET", "/conversations/inbox", nil).ok().body; strings.Contains(inbox, id) {
		t.Errorf("another project's inbox is %s", inbox)
	}
	if theirs := foreign.do("POST", "/contacts", object{"externalId": "u1", "name": "Mallory"}).ok().text("contact", "id"); theirs == who {
		t.Error("a contact of that externalId is that of another project")
	}
	for _, route := range serverRoutes {
		path, body := fill(route.path, p.visitor, id, who).(string), fill(route.body, p.visitor, id, who)
		if strings.Contains(route.path, "VISITOR") || strings.Contains(route.path, "CHAT") || strings.Contains(route.path, "WHO") || route.path == "/messages" || strings.HasSuffix(route.path, "/identify") {
			theirs := foreign.do(route.method, path, body).fails(404)
			none := foreign.do(route.method, fill(route.path, ulid(), "none", "cnone").(string), fill(route.body, ulid(), "none", "cnone")).fails(404)
			if theirs.body != none.body {
				t.Errorf("%s: %s for another project's, %s for none", theirs.what, theirs.body, none.body)
			}
		}
		if route.acts {
			with(team.secret, "").do(route.method, path, body).fails(400)
			with(team.secret, "bob").do(route.method, path, body).fails(403)
		}
	}
	for _, route := range serverRoutes { // a private key is for no page, even of the project's own host
		for _, origin := range []string{"https://evil.example", s.Origin} {
			team.call(route.method, fill(route.path, p.visitor, id, who).(string), fill(route.body, p.visitor, id, who),
				"Origin", origin, "Authorization", "Bearer "+team.secret, "X-Actor-User-Id", "ann").fails(403)
		}
	}
	if after := whole(); after != before {
		t.Errorf("after all that it is %s, before %s", after, before)
	}
}
