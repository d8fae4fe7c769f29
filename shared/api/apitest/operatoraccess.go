package apitest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"parley/shared/api"
	"parley/shared/parley"
	"parley/shared/parleytest"
)

// desk is what calls of the operator API are about.
type desk struct {
	session  parley.SessionID
	run      string
	visitor  parley.VisitorID
	file     string
	operator parley.OperatorID
	public   string
	private  string // id
	hook     string
	hookKey  string
	contact  parley.ContactID
}

// ofDesk are all calls of the operator API by the scope that each needs; those
// that name something of a project name the desk's.
func ofDesk(d desk) map[parley.Scope][]call {
	session := ofStaff(d.session)
	post := func(path string, body any) call { return call{method: http.MethodPost, path: path, body: body} }
	get := func(path string) call { return call{method: http.MethodGet, path: path} }
	remove := func(path string) call { return call{method: http.MethodDelete, path: path} }
	message := func() map[string]any { return map[string]any{"messageId": fresh("m"), "content": "Let me in"} }
	const hooks = "/operator/project/hooks"
	hook := map[string]any{"url": "https://mallory.example/hook", "events": []string{"message"}}
	return map[parley.Scope][]call{
		parley.ScopeRead: {
			get("/operator/me"), post("/operator/ticket", nil), get("/operator/inbox"), get(fmt.Sprint("/operator/sessions?number=", d.session.Number())), get(session), get(session + "/updates"), get(session + "/runs/" + d.run),
			put(session+"/seen", map[string]any{"seen": 1}), get("/operator/figures"), get("/operator/ratings"), get("/operator/operators"),
		},
		parley.ScopeReply: {
			post(session+"/reply", message()), post(session+"/note", message()), put(session+"/holder", map[string]any{"holder": "human"}),
			put(session+"/state", map[string]any{"state": "spam"}), put(session+"/archived", map[string]any{"archived": true}),
			put(session+"/attributes", map[string]any{"attributes": map[string]string{"plan": "mine"}}), put(session+"/typing", map[string]any{"typing": true}),
			put("/operator/visitors/"+string(d.visitor)+"/blocked", map[string]any{"blocked": true}),
			put("/operator/contacts/"+string(d.contact)+"/blocked", map[string]any{"blocked": true}),
			post("/operator/uploads", map[string]any{"name": "a.txt", "type": "text/plain", "size": 1}),
			post("/operator/uploads/"+d.file+"/complete", nil),
		},
		parley.ScopeManage: {
			get("/operator/project"), put("/operator/project", map[string]any{"revision": 1, "project": map[string]any{}}),
			post("/operator/project/public-keys", map[string]any{}), remove("/operator/project/public-keys/" + d.public),
			post("/operator/project/signing-keys", nil), remove("/operator/project/signing-keys/k1"),
			remove("/operator/project/tokens"),
			remove("/operator/visitors/" + string(d.visitor)), remove("/operator/contacts/" + string(d.contact)),
			get("/operator/project/private-keys"), post("/operator/project/private-keys", map[string]any{"name": "mine", "scopes": []string{"manage"}}),
			remove("/operator/project/private-keys/" + d.private),
			get(hooks), post(hooks, hook), put(hooks+"/"+d.hook, hook), remove(hooks + "/" + d.hook),
			post(hooks+"/"+d.hook+"/keys", nil), remove(hooks + "/" + d.hook + "/keys/" + d.hookKey),
			get(hooks + "/" + d.hook + "/failed"), post(hooks+"/"+d.hook+"/replay", map[string]any{"sessionId": d.session, "from": 0}),
			put("/operator/operators/"+string(d.operator), map[string]any{"name": "Mallory"}), remove("/operator/operators/" + string(d.operator)),
		},
	}
}

// named are those of the calls that name something which belongs to a project.
func named(d desk) (calls []call) {
	for _, scope := range parley.Scopes() {
		for _, c := range ofDesk(d)[scope] {
			for _, id := range []string{string(d.session), string(d.visitor), string(d.contact), d.file, d.public, d.private, d.hook} {
				if strings.Contains(c.path, id) && !removesHook(c) {
					calls = append(calls, c)
					break
				}
			}
		}
	}
	return append(calls, call{method: http.MethodDelete, path: "/operator/operators/" + string(d.operator)})
}

// removesHook reports whether a call removes a webhook, which is answered alike
// whether or not it was there.
func removesHook(c call) bool {
	under, ok := strings.CutPrefix(c.path, "/operator/project/hooks/")
	return ok && c.method == http.MethodDelete && !strings.Contains(under, "/")
}

// testOperatorAccess: every call of the operator API by everybody who may not
// make it, and nothing changes; what is another project's looks as if it were not there.
func testOperatorAccess(t *testing.T, s *suite) {
	b := s.project(t, nil)
	owner := b.estate()
	grace := b.staff("grace", parley.Scopes()...)
	keys := into[struct{ Keys []struct{ ID string } }](grace.get("/operator/project/private-keys")).Keys
	upload := into[granted](grace.do(call{method: http.MethodPost, path: "/operator/uploads",
		body: map[string]any{"name": "a.txt", "type": "text/plain", "size": 1}}).is(http.StatusCreated))
	hook := into[newHookAnswer](grace.do(call{method: http.MethodPost, path: "/operator/project/hooks",
		body: map[string]any{"url": "https://customer.example/hook", "events": []string{"message"}}}).is(http.StatusCreated))
	contact := b.visitor().as(jwt.MapClaims{"sub": "u1", "exp": time.Now().Add(time.Hour).Unix()}).Contact.ID
	mine := desk{owner.session, owner.run, owner.who().Visitor, upload.ID, "grace", b.key, keys[0].ID, string(hook.Hook.ID), hook.Key, contact}
	byScope := ofDesk(mine)
	every := slices.Concat(byScope[parley.ScopeRead], byScope[parley.ScopeReply], byScope[parley.ScopeManage])

	revoked := b.staff("", parley.Scopes()...)
	all, err := s.Store.PrivateKeys(t.Context(), b.settings().ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range all {
		if k.Operator == "" {
			if err := s.Store.RemovePrivateKey(t.Context(), k.Project, k.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	removed := b.staff("ivan", parley.Scopes()...)
	removed.do(call{method: http.MethodGet, path: "/operator/me"}).is(http.StatusOK)
	if err := s.Store.RemoveOperator(t.Context(), b.settings().ID, "ivan"); err != nil {
		t.Fatal(err)
	}
	with := func(change func(*browser)) *browser {
		who := *grace
		change(&who)
		return &who
	}
	token := func(text string) *browser { return with(func(b *browser) { b.token = text }) }
	type stranger struct {
		name   string
		who    *browser
		header map[string]string
		calls  []call
		status int
		code   string
	}
	unknown := func(name string, who *browser) stranger {
		return stranger{name, who, nil, every, http.StatusUnauthorized, "unknown_key"}
	}
	denied := []stranger{
		unknown("no key", token("")),
		unknown("unknown key", token("sk_live_"+fresh("")[1:])),
		unknown("public key", token(b.key)),
		unknown("public key in its header", with(func(who *browser) { who.key, who.token = b.key, "" })),
		unknown("visitor's token", token(owner.token)),
		unknown("revoked key", revoked),
		unknown("removed operator's key", removed),
		unknown("cut key", token(grace.token[:len(grace.token)-1])),
		unknown("key of the other kind", token(strings.Replace(grace.token, "sk_live_", "sk_test_", 1))),
		{"other site", with(func(b *browser) { b.origin = "https://shop.example" }), nil, every, http.StatusForbidden, "origin_refused"},
		{"operator who is another", grace, map[string]string{api.OperatorHeader: "heidi"}, every, http.StatusForbidden, "operator_unknown"},
		{"operator who is nobody", b.staff("", parley.Scopes()...), map[string]string{api.OperatorHeader: "nobody"}, every, http.StatusForbidden, "operator_unknown"},
	}
	if err := s.Store.PutOperator(t.Context(), s.project(t, nil).settings().ID, parley.Operator{ID: "judy", Name: "Judy"}); err != nil {
		t.Fatal(err)
	}
	for name, who := range map[string]string{"operator who was removed": "ivan", "another project's operator": "judy"} {
		denied = append(denied, stranger{name, denied[len(denied)-1].who, map[string]string{api.OperatorHeader: who}, every, http.StatusForbidden, "operator_unknown"})
	}
	for _, has := range parley.Scopes() {
		who := with(func(*browser) {})
		_, secret, err := s.Store.AddPrivateKey(t.Context(), b.settings().ID, parley.PrivateKey{Name: fresh("only"), Scopes: []parley.Scope{has}})
		if err != nil {
			t.Fatal(err)
		}
		who.token = secret
		who.do(call{method: http.MethodGet, path: "/operator/me"}) // its first use is noted
		for _, needs := range parley.Scopes() {
			if needs != has {
				denied = append(denied, stranger{fmt.Sprintf("%s with %s", needs, has), who, nil, byScope[needs], http.StatusForbidden, "scope_missing"})
			}
		}
	}
	if err := s.Store.PutOperator(t.Context(), b.settings().ID, parley.Operator{ID: "heidi", Name: "Heidi"}); err != nil {
		t.Fatal(err)
	}
	elsewhere := s.project(t, nil)
	mallory, visitorOfMallory := elsewhere.staff("", parley.Scopes()...), elsewhere.estate()
	before := s.standing(t)
	for _, d := range denied {
		t.Run(d.name, func(t *testing.T) {
			who := *d.who
			who.t = t
			for _, c := range d.calls {
				c.header = d.header
				who.do(c).fails(d.status, d.code)
			}
			parleytest.Same(t, before, s.standing(t))
		})
	}
	t.Run("other project", func(t *testing.T) {
		who := *mallory
		who.t = t
		nothing := desk{parley.SessionID(fresh("s")), owner.run, parley.VisitorID(fresh("v")), fresh("f"), "nobody", fresh("pk"), fresh("key"), fresh("wh"), hook.Key, parley.ContactID(fresh("c"))}
		theirs, none := named(mine), named(nothing)
		for i := range theirs {
			foreign, unknown := who.do(theirs[i]), who.do(none[i])
			foreign.fails(http.StatusNotFound, "not_found")
			if foreign.status != unknown.status || foreign.body != unknown.body {
				t.Errorf("%s %s = %d %s, of what is nowhere %d %s", theirs[i].method, theirs[i].path, foreign.status, foreign.body, unknown.status, unknown.body)
			}
		}
		// What is removed is gone, whether or not it was there.
		for _, id := range []string{mine.hook, nothing.hook} {
			who.do(call{method: http.MethodDelete, path: "/operator/project/hooks/" + id}).is(http.StatusOK)
		}
		// A run of theirs in a session of one's own is none of it.
		who.do(call{method: http.MethodGet, path: ofStaff(visitorOfMallory.session) + "/runs/" + owner.run}).fails(http.StatusNotFound, "not_found")
		if list := into[inboxPage](who.get("/operator/inbox")); slices.ContainsFunc(list.Sessions, func(i struct {
			Session staffSession
			Person  struct{ Name, Email string }
			Page    struct{ URL string }
			Seen    parley.Seq
			Unread  bool
		}) bool {
			return i.Session.ID == owner.session
		}) {
			t.Error("the inbox lists another project's session")
		}
		if list := into[inboxPage](who.get(fmt.Sprint("/operator/sessions?number=", owner.session.Number()))); len(list.Sessions) > 0 {
			t.Errorf("another project's session has a number here: %+v", list)
		}
		parleytest.Same(t, before, s.standing(t))
	})
	// None of these calls lacked anything but the right to make it.
	for _, scope := range []parley.Scope{parley.ScopeRead, parley.ScopeReply} {
		for _, c := range byScope[scope] {
			if a := grace.do(c); a.status >= 400 && a.status != http.StatusConflict {
				t.Errorf("%s %s = %d %s", c.method, c.path, a.status, a.body)
			}
		}
	}
}

// testOperatorValidation: each bad input has a specific code and changes nothing.
func testOperatorValidation(t *testing.T, s *suite) {
	b := s.project(t, nil)
	owner := b.estate()
	grace := b.staff("grace", parley.Scopes()...)
	session := ofStaff(owner.session)
	long := func(n int) string { return strings.Repeat("x", n) }
	post := func(path string, body any) call { return call{method: http.MethodPost, path: path, body: body} }
	get := func(path string) call { return call{method: http.MethodGet, path: path} }
	reply := func(name string, value any) call {
		return post(session+"/reply", map[string]any{"messageId": fresh("m"), "content": "Hello", name: value})
	}
	project := func(name string, value any) call {
		settings := into[struct {
			Revision int64
			Project  map[string]any
		}](grace.get("/operator/project"))
		settings.Project[name] = value
		return put("/operator/project", map[string]any{"revision": settings.Revision, "project": settings.Project})
	}
	key := func(body map[string]any) call { return post("/operator/project/private-keys", body) }
	hook := func(url string, events ...string) call {
		return post("/operator/project/hooks", map[string]any{"url": url, "events": events})
	}
	typed := map[string]string{"Content-Type": "text/plain"}
	eleven := make([]string, 11)
	for i := range eleven {
		eleven[i] = fmt.Sprint(i)
	}
	tests := []struct {
		name   string
		call   call
		status int
		code   string
		field  string
	}{
		{"state of the list", get("/operator/inbox?state=new"), 400, "invalid_field", "state"},
		{"holder of the list", get("/operator/inbox?holder=me"), 400, "invalid_field", "holder"},
		{"operator of the list", get("/operator/inbox?operator=" + long(129)), 400, "invalid_field", "operator"},
		{"limit of nothing", get("/operator/inbox?limit=0"), 400, "invalid_field", "limit"},
		{"limit too high", get("/operator/inbox?limit=101"), 400, "invalid_field", "limit"},
		{"cursor", get("/operator/inbox?cursor=%25"), 400, "invalid_cursor", "cursor"},
		{"no number", get("/operator/sessions"), 400, "invalid_field", "number"},
		{"a short number", get("/operator/sessions?number=12345678901"), 400, "invalid_field", "number"},
		{"a long number", get("/operator/sessions?number=1000000000000"), 400, "invalid_field", "number"},
		{"a number in words", get("/operator/sessions?number=twelve"), 400, "invalid_field", "number"},
		{"cursor of a session", get(session + "?cursor=eHl6"), 400, "invalid_cursor", "cursor"},
		{"cursor of ratings", get("/operator/ratings?cursor=eHl6"), 400, "invalid_cursor", "cursor"},
		{"updates after text", get(session + "/updates?after=x"), 400, "invalid_field", "after"},
		{"last event of another run", call{http.MethodGet, session + "/runs/" + owner.run, nil, map[string]string{"Last-Event-ID": "other/5"}}, 400, "invalid_field", "lastEventId"},
		{"unknown run", get(session + "/runs/nothing"), 404, "not_found", ""},

		{"no JSON", post(session+"/reply", "content=Hello"), 400, "invalid_json", ""},
		{"JSON that is not called so", call{http.MethodPost, session + "/reply", map[string]any{"messageId": "m"}, typed}, 415, "unsupported_media_type", ""},
		{"body too long", reply("x", long(api.MaxBodyBytes)), 413, "too_large", ""},
		{"no message id", reply("messageId", ""), 400, "invalid_field", "messageId"},
		{"message id too long", reply("messageId", long(129)), 413, "too_large", "messageId"},
		{"no content", reply("content", ""), 400, "invalid_field", "content"},
		{"content too long", reply("content", long(parley.MaxMessageBytes+1)), 413, "too_large", "content"},
		{"content is a number", reply("content", 1), 400, "invalid_field", "content"},
		{"too many attachments", reply("attachments", eleven), 400, "invalid_field", "attachments"},
		{"unknown attachment", reply("attachments", []string{"nothing"}), 422, "attachment_unknown", "attachments"},
		{"visitor's attachment", reply("attachments", []string{owner.file}), 422, "attachment_unknown", "attachments"},
		{"takeOver is text", reply("takeOver", "yes"), 400, "invalid_field", "takeOver"},
		{"note without content", post(session+"/note", map[string]any{"messageId": "n"}), 400, "invalid_field", "content"},
		{"no holder", put(session+"/holder", map[string]any{}), 400, "invalid_field", "holder"},
		{"holder who waits", put(session+"/holder", map[string]any{"holder": "waiting"}), 400, "invalid_field", "holder"},
		{"no state", put(session+"/state", map[string]any{}), 400, "invalid_field", "state"},
		{"state that is none", put(session+"/state", map[string]any{"state": "archived"}), 400, "invalid_field", "state"},
		{"archived perhaps", put(session+"/archived", map[string]any{}), 400, "invalid_field", "archived"},
		{"no attributes", put(session+"/attributes", map[string]any{}), 400, "invalid_field", "attributes"},
		{"attribute that is no text", put(session+"/attributes", map[string]any{"attributes": map[string]any{"n": 1}}), 400, "invalid_field", "attributes"},
		{"attribute too long", put(session+"/attributes", map[string]any{"attributes": map[string]string{"n": long(parley.MaxMetadataBytes + 1)}}), 413, "too_large", "attributes"},
		{"seen nothing", put(session+"/seen", map[string]any{}), 400, "invalid_field", "seen"},
		{"seen less than nothing", put(session+"/seen", map[string]any{"seen": -1}), 400, "invalid_field", "seen"},
		{"typing perhaps", put(session+"/typing", map[string]any{}), 400, "invalid_field", "typing"},
		{"blocked perhaps", put("/operator/visitors/"+string(owner.who().Visitor)+"/blocked", map[string]any{}), 400, "invalid_field", "blocked"},
		{"contact blocked perhaps", put("/operator/contacts/"+string(owner.who().Visitor)+"/blocked", map[string]any{}), 400, "invalid_field", "blocked"},
		{"contact who is nobody", put("/operator/contacts/nobody/blocked", map[string]any{"blocked": true}), 404, "not_found", ""},
		{"visitor who is nobody", put("/operator/visitors/nobody/blocked", map[string]any{"blocked": true}), 404, "not_found", ""},

		{"file without a name", post("/operator/uploads", map[string]any{"name": "", "type": "text/plain", "size": 5}), 400, "invalid_field", "name"},
		{"program", post("/operator/uploads", map[string]any{"name": "a.exe", "type": "application/x-msdownload", "size": 5}), 400, "invalid_field", "type"},
		{"program that is called text", post("/operator/uploads", map[string]any{"name": "invoice.pdf.bat", "type": "text/plain", "size": 5}), 422, "name_refused", "name"},
		{"extension with a dot", project("uploads", map[string]any{"extensions": []string{".sh"}}), 400, "invalid_field", "uploads"},
		{"unknown upload", post("/operator/uploads/nothing/complete", nil), 404, "not_found", ""},

		{"day that is none", get("/operator/figures?from=today"), 400, "invalid_field", "from"},
		{"days the wrong way", get("/operator/figures?from=2026-10-17&to=2026-10-16"), 400, "invalid_field", "from"},
		{"too many days", get("/operator/figures?from=2026-01-01&to=2026-04-03"), 400, "invalid_field", "from"},

		{"no revision", put("/operator/project", map[string]any{"project": map[string]any{}}), 400, "invalid_field", "revision"},
		{"no settings", put("/operator/project", map[string]any{"revision": 1}), 400, "invalid_field", "project"},
		{"setting that is none", project("greetings", "Hello"), 400, "invalid_field", "project"},
		{"setting of another type", project("greeting", 1), 400, "invalid_field", "greeting"},
		{"another id", project("id", "other"), 400, "invalid_field", "id"},
		{"origin with a path", project("origins", []string{"https://shop.example/chat"}), 400, "invalid_field", "origins"},
		{"greeting too long", project("greeting", long(parley.MaxTextBytes+1)), 413, "too_large", "greeting"},
		{"action of no use", project("actions", []any{map[string]any{"id": "a", "url": "https://shop.example"}}), 400, "invalid_field", "actions"},
		{"action by plain HTTP", project("actions", []any{map[string]any{"id": "a", "description": "d", "url": "http://shop.example"}}), 400, "invalid_field", "actions"},
		{"action with an unknown field", project("actions", []any{map[string]any{"id": "a", "description": "d", "url": "https://shop.example", "retry": 3}}), 400, "invalid_field", "project"},
		{"action with a long description", project("actions", []any{map[string]any{"id": "a", "description": long(1001), "url": "https://shop.example"}}), 413, "too_large", "actions"},
		{"secret that a browser may change", project("actions", []any{map[string]any{"id": "a", "description": "d", "url": "https://shop.example",
			"values": []any{map[string]any{"in": "header", "name": "X", "secret": "s", "open": true}}}}), 400, "invalid_field", "actions"},
		{"Slack by its address", project("notify", map[string]any{"slack": "https://hooks.slack.com/services/x"}), 400, "invalid_field", "notify"},
		{"mail to nobody", project("notify", map[string]any{"email": []string{"ola"}}), 400, "invalid_field", "notify"},
		{"hours that are none", project("notify", map[string]any{"quiet_hours": map[string]any{"from": "22:00", "to": "8"}}), 400, "invalid_field", "notify"},
		{"a zone that is none", project("notify", map[string]any{"time_zone": "Europe/Atlantis"}), 400, "invalid_field", "notify"},
		{"mode without a name", project("modes", []any{map[string]any{"id": "returns"}}), 400, "invalid_field", "modes"},
		{"mode with a capital", project("modes", []any{map[string]any{"id": "Returns", "name": "R"}}), 400, "invalid_field", "modes"},
		{"no agents", project("agents", []any{}), 400, "invalid_field", "agents"},
		{"secret as public key", project("public_keys", []string{grace.token}), 400, "invalid_field", "public_keys"},
		{"test is text", post("/operator/project/public-keys", map[string]any{"test": "yes"}), 400, "invalid_field", "test"},

		{"key without a name", key(map[string]any{"scopes": []string{"read"}}), 400, "invalid_field", "name"},
		{"key with a long name", key(map[string]any{"name": long(101), "scopes": []string{"read"}}), 413, "too_large", "name"},
		{"key without scopes", key(map[string]any{"name": "any"}), 400, "invalid_field", "scopes"},
		{"key with odd scopes", key(map[string]any{"name": "any", "scopes": []string{"all"}}), 400, "invalid_field", "scopes"},
		{"key of nobody", key(map[string]any{"name": "any", "scopes": []string{"read"}, "operator": "nobody"}), 400, "invalid_field", "operator"},
		{"webhook without an address", hook("", "message"), 400, "invalid_field", "url"},
		{"webhook of a network's own", hook("https://10.0.0.1/", "message"), 400, "invalid_field", "url"},
		{"webhook for nothing", hook("https://customer.example/"), 400, "invalid_field", "events"},
		{"webhook for an odd event", hook("https://customer.example/", "rain"), 400, "invalid_field", "events"},
		{"change of a webhook that is none", put("/operator/project/hooks/none", map[string]any{"url": "https://customer.example/", "events": []string{"message"}}), 404, "not_found", ""},
		{"second secret of none", post("/operator/project/hooks/none/keys", nil), 404, "not_found", ""},
		{"replay to none", post("/operator/project/hooks/none/replay", map[string]any{"sessionId": owner.session, "from": 0}), 404, "not_found", ""},
		{"operator with an odd id", put("/operator/operators/a.b", map[string]any{"name": "A"}), 400, "invalid_field", "operator"},
		{"operator without a name", put("/operator/operators/ada", map[string]any{}), 400, "invalid_field", "name"},
		{"operator with a picture of the page's", put("/operator/operators/ada", map[string]any{"name": "Ada", "picture": "/ada.png"}), 400, "invalid_field", "picture"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			before := s.standing(t)
			who := *grace
			who.t = t
			if p := who.do(test.call).fails(test.status, test.code); p.Field != test.field {
				t.Errorf("field %q, want %q", p.Field, test.field)
			}
			parleytest.Same(t, before, s.standing(t))
		})
	}
}
