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

// office is a project whose server reads and changes one conversation, of a visitor and
// of a contact.
type office struct {
	*page
	team              *server
	conversation, who string
}

func (s *suite) office(t *testing.T) office {
	t.Helper()
	o := office{page: s.visitors(t), conversation: chat()}
	o.begin(o.conversation, ulid()).ok()
	o.taken(o.conversation)
	o.team = o.server()
	o.who = o.team.do("POST", "/contacts", object{"externalId": "u1", "name": "Ann"}).ok().text("contact", "id")
	return o
}

// of fills the office's ids in.
func (o office) of(v any) any { return filled(v, o.visitor, o.conversation, o.who) }

func filled(v any, visitor, conversation, contact string) any {
	v = of(v, visitor, conversation)
	if path, ok := v.(string); ok {
		return strings.ReplaceAll(path, "WHO", contact)
	}
	return v
}

// whole is all that the team's server reads.
func (o office) whole() (all string) {
	o.t.Helper()
	for _, path := range []string{"/conversations/CHAT", "/conversations/CHAT/timeline", "/conversations/CHAT/seen", "/contacts/WHO", "/visitors/VISITOR"} {
		all += o.team.do("GET", o.of(path).(string), nil).ok().body
	}
	return all
}

// with is the team's server with another key, or in another's name.
func (o office) with(secret, actor string) *server {
	other := *o.team
	other.secret, other.actor = secret, actor
	return &other
}

// refused makes every call of servers as somebody who may make none of them, and checks
// that nothing changes.
func (o office) refused(who string, s *server, status int) {
	o.t.Helper()
	before := o.whole()
	for _, route := range serverRoutes {
		a := s.do(route.method, o.of(route.path).(string), o.of(route.body)).fails(status)
		if strings.Contains(a.body, o.conversation) {
			o.t.Errorf("%s: %s tells of it", who, a.what)
		}
	}
	if after := o.whole(); after != before {
		o.t.Errorf("after the calls of %s it is %s, before %s", who, after, before)
	}
}

// serverAccess: every call of servers by everybody who may not make it, after which
// everything is as before; what is another project's looks as if it were not there.
func serverAccess(t *testing.T, s *suite) {
	o := s.office(t)
	before := o.whole()
	revoked := o.server()
	if err := s.Store.RemovePrivateKey(t.Context(), o.project, revoked.key); err != nil {
		t.Fatal(err)
	}
	swapped := strings.NewReplacer("sk_live_", "sk_test_", "sk_test_", "sk_live_")
	for name, stranger := range map[string]*server{"no key": o.with("", "ann"), "an unknown key": o.with("sk_live_"+strings.Repeat("a", 64), "ann"), "a revoked key": o.with(revoked.secret, "ann"),
		"the public key": o.with(o.key, "ann"), "a cut key": o.with(o.team.secret[:len(o.team.secret)-1], "ann"), "a visitor's id": o.with(o.visitor, "ann"),
		"a live key that is said to be for tests": o.with(swapped.Replace(o.team.secret), "ann"), "a test key that is said to be live": o.with(swapped.Replace(o.forTests().secret), "ann")} {
		o.refused(name, stranger, 401)
	}
	// With the public key in its own header they are calls of pages, or none: what is a
	// page's call too does what it does for pages.
	pages := []string{"GET /conversations?visitorId=VISITOR", "GET /conversations/CHAT", "GET /conversations/CHAT/timeline", "GET /conversations/CHAT/seen", "POST /contacts/identify"}
	for _, route := range serverRoutes {
		if slices.Contains(pages, route.method+" "+route.path) {
			continue
		}
		a := o.call(route.method, o.of(route.path).(string), o.of(route.body), "X-Actor-User-Id", "ann")
		if want := 401; a.status != want && !(route.path == "/messages" && a.status == 400) {
			t.Errorf("with the public key %s = %d %s", a.what, a.status, a.body)
		}
	}
	for _, scope := range parley.Scopes() {
		narrow := o.server(scope)
		for _, route := range serverRoutes {
			if route.scope != scope {
				narrow.do(route.method, o.of(route.path).(string), o.of(route.body)).fails(403)
			}
		}
	}
	foreign := s.visitors(t).server()
	if inbox := foreign.do("GET", "/conversations/inbox", nil).ok().body; strings.Contains(inbox, o.conversation) {
		t.Errorf("another project's inbox is %s", inbox)
	}
	if theirs := foreign.do("POST", "/contacts", object{"externalId": "u1", "name": "Mallory"}).ok().text("contact", "id"); theirs == o.who {
		t.Error("a contact of that externalId is that of another project")
	}
	for _, route := range serverRoutes {
		path, body := o.of(route.path).(string), o.of(route.body)
		if strings.Contains(route.path, "VISITOR") || strings.Contains(route.path, "CHAT") || strings.Contains(route.path, "WHO") || route.path == "/messages" || strings.HasSuffix(route.path, "/identify") {
			theirs := foreign.do(route.method, path, body).fails(404)
			none := foreign.do(route.method, filled(route.path, ulid(), "none", "cnone").(string), filled(route.body, ulid(), "none", "cnone")).fails(404)
			if theirs.body != none.body {
				t.Errorf("%s: %s for another project's, %s for none", theirs.what, theirs.body, none.body)
			}
		}
		if route.acts {
			o.with(o.team.secret, "").do(route.method, path, body).fails(400)
		}
	}
	if after := o.whole(); after != before {
		t.Errorf("after all that it is %s, before %s", after, before)
	}
}

// forTests is a server with a key for tests.
func (p *page) forTests() *server {
	p.t.Helper()
	return p.serverBy(parley.PrivateKey{Scopes: parley.Scopes(), Test: true})
}

// serverPages: a private key is for no page, even of the project's own host; one for
// tests is for those of a developer's machine besides.
func serverPages(t *testing.T, s *suite) {
	o := s.office(t)
	before := o.whole()
	const laptop = "http://localhost:5173"
	from := func(team *server, origin, method, path string, body any) *answer {
		return team.call(method, path, body, "Origin", origin, "Authorization", "Bearer "+team.secret, "X-Actor-User-Id", "ann")
	}
	foreign := []string{"https://evil.example"}
	if strings.HasPrefix(s.Origin, "https:") { // the project's host is no developer's machine
		foreign = append(foreign, s.Origin)
	}
	for _, route := range serverRoutes {
		for team, origins := range map[*server][]string{o.team: {"https://evil.example", s.Origin, laptop}, o.forTests(): foreign} {
			for _, origin := range origins {
				from(team, origin, route.method, o.of(route.path).(string), o.of(route.body)).fails(403)
			}
		}
	}
	from(o.forTests(), laptop, "GET", o.of("/conversations/CHAT").(string), nil).ok().is(object{"conversation.id": o.conversation})
	if after := o.whole(); after != before {
		t.Errorf("after all that it is %s, before %s", after, before)
	}
}

// serverActors: nobody makes a call, even one that needs no person, in the name of
// somebody who is not of the team: who never was, who was removed, who is another
// project's; nor as another person than the one whose key it is.
func serverActors(t *testing.T, s *suite) {
	o := s.office(t)
	owned := func(p *page, id parley.OperatorID) *server {
		t.Helper()
		if err := s.Store.PutOperator(t.Context(), p.project, parley.Operator{ID: id, Name: string(id)}); err != nil {
			t.Fatal(err)
		}
		return p.serverBy(parley.PrivateKey{Scopes: parley.Scopes(), Operator: id})
	}
	carl, removed := owned(o.page, "carl"), owned(o.page, "bob")
	owned(s.visitors(t), "eve")
	for _, was := range []*server{removed, o.with(o.team.secret, "bob")} {
		was.do("GET", "/conversations/"+o.conversation, nil).ok()
	}
	if err := s.Store.RemoveOperator(t.Context(), o.project, "bob"); err != nil {
		t.Fatal(err)
	}
	o.refused("a removed operator's key", removed, 401)
	for name, stranger := range map[string]*server{"nobody": o.with(o.team.secret, "zoe"), "a removed operator": o.with(o.team.secret, "bob"),
		"another project's operator": o.with(o.team.secret, "eve"), "another than the key's operator": o.with(carl.secret, "ann")} {
		o.refused(name, stranger, 403)
	}
	carl.do("POST", "/conversations/"+o.conversation+"/read", object{}).ok()
}

// serverSubjects: of a visitor who was blocked the server is told, and vouches for nobody
// by it; one who was erased and one of another widget are, as subjects of its calls, as
// if they were not there.
func serverSubjects(t *testing.T, s *suite) {
	o := s.office(t)
	blocked, barred, erased := o.arrive(), o.arrive(), o.arrive()
	known := o.team.do("POST", "/contacts/identify", object{"visitorId": barred.visitor, "externalId": "u2"}).ok().text("contact", "id")
	native, err := s.Store.Identify(t.Context(), parley.IdentifyRequest{Caller: parley.Caller{Project: o.project}})
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range []error{
		s.Store.BlockVisitor(t.Context(), o.project, parley.VisitorID(blocked.visitor), true),
		s.Store.BlockContact(t.Context(), o.project, parley.ContactID(known), true),
		s.Store.EraseVisitor(t.Context(), o.staff(), parley.VisitorID(erased.visitor)),
	} {
		if change != nil {
			t.Fatal(change)
		}
	}
	before := o.whole()
	subject := func(visitor string) (about, list, vouched *answer) {
		return o.team.do("GET", "/visitors/"+visitor, nil), o.team.do("GET", "/conversations?visitorId="+visitor, nil),
			o.team.do("POST", "/contacts/identify", object{"visitorId": visitor, "externalId": "u1"})
	}
	for name, p := range map[string]*page{"a blocked visitor": blocked, "one whose contact is blocked": barred} {
		t.Run(name, func(t *testing.T) {
			about, list, vouched := subject(p.visitor)
			about.ok().is(object{"id": p.visitor, "isBlocked": true})
			list.fails(403)
			vouched.fails(403)
			p.get("/conversations").fails(403)
		})
	}
	about, list, vouched := subject(ulid())
	for name, visitor := range map[string]string{"an erased visitor": erased.visitor, "a visitor of the native channel": string(native.Visitor.ID)} {
		a, l, v := subject(visitor)
		for got, none := range map[*answer]*answer{a: about, l: list, v: vouched} {
			if got.fails(404); got.body != none.body {
				t.Errorf("%s: %s is answered %s, for an unknown one %s", name, got.what, got.body, none.body)
			}
		}
	}
	if contact := o.team.do("GET", "/visitors/"+blocked.visitor, nil).ok().at("contact"); contact != nil {
		t.Errorf("who was blocked has become %v", contact)
	}
	o.team.do("GET", "/visitors/"+barred.visitor, nil).ok().is(object{"contact.id": known})
	if after := o.whole(); after != before {
		t.Errorf("after all that it is %s, before %s", after, before)
	}
}
