package hissunotest

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"parley/shared/parley"
	"parley/shared/parleytest"
)

func testPreflight(t *testing.T, s *suite) {
	p := s.page(t, nil)
	for _, path := range []string{"/hissuno/chat", "/hissuno/chat/stream/cancel", "/hissuno/chat/close"} {
		a := p.do(call{method: http.MethodOptions, path: path, header: map[string]string{
			"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type,x-demo"}})
		allows := a.header.Get("Access-Control-Allow-Headers")
		if a.status != http.StatusNoContent || a.header.Get("Access-Control-Allow-Origin") != shop || a.header.Get("Vary") != "Origin" ||
			!strings.Contains(a.header.Get("Access-Control-Allow-Methods"), "POST") || !strings.Contains(allows, "content-type") || !strings.Contains(allows, "x-demo") {
			t.Errorf("preflight of %s = %d %v", path, a.status, a.header)
		}
	}
}

// calls are all calls of the widget about its conversation.
func (p *page) calls() map[string]call {
	return map[string]call{
		"E1":  {method: http.MethodGet, path: "/hissuno/embed?projectId=" + p.key},
		"E2":  {method: http.MethodGet, path: p.query("/hissuno/chat")},
		"E3":  {method: http.MethodPost, path: "/hissuno/chat", body: p.message("Let me in")},
		"E4":  {method: http.MethodGet, path: p.query("/hissuno/chat/stream")},
		"E5":  {method: http.MethodGet, path: p.query("/hissuno/chat/updates")},
		"E6":  {method: http.MethodPost, path: "/hissuno/chat/stream/cancel", body: p.body()},
		"E7":  {method: http.MethodPost, path: "/hissuno/chat/close", body: p.body()},
		"E7b": p.beacon(),
	}
}

// beacon is what a page sends that is being unloaded.
func (p *page) beacon() call {
	return call{method: http.MethodPost, path: "/hissuno/chat/close", body: `{"sessionId":"` + p.session + `","projectId":"` + p.key + `"}`,
		header: map[string]string{"Content-Type": "text/plain;charset=UTF-8"}}
}

func testReadable(t *testing.T, s *suite) {
	p := s.page(t, nil)
	stranger := *p
	stranger.origin = "https://evil.example"
	for name, c := range p.calls() {
		if name == "E4" { // what it streams
			q := p.with(newUUID())
			q.say("Hello")
			c = q.calls()[name]
		}
		a := p.do(c)
		readable(t, name, a, shop)
		if a.status > 299 {
			t.Errorf("%s = %d %s", name, a.status, a.body)
		}
		refused := stranger.do(c)
		readable(t, name, refused, stranger.origin)
		out := refused.fails(http.StatusForbidden)
		if out["error"] != "Origin not allowed" || out["blocked"] != true || out["reason"] == "" || out["help"] == "" {
			t.Errorf("%s from another origin: %v", name, out)
		}
	}
	bad := []call{
		{method: http.MethodGet, path: "/hissuno/chat"},
		{method: http.MethodGet, path: p.with(newUUID()).query("/hissuno/chat/stream")},
		{method: http.MethodPost, path: "/hissuno/chat", body: "{"},
		{method: http.MethodPost, path: "/hissuno/chat", body: object{"projectId": "pk_unknown", "messages": turns("x")}},
		{method: http.MethodGet, path: "/hissuno/embed?projectId=pk_unknown"},
	}
	if !s.HTTPAPI {
		bad = append(bad, call{method: http.MethodGet, path: "/hissuno/nothing"}, call{method: http.MethodDelete, path: "/hissuno/chat"})
	}
	for _, c := range bad {
		a := p.do(c)
		readable(t, c.method+" "+c.path, a, shop)
		a.fails(a.status)
		if a.status < 400 {
			t.Errorf("%s %s = %d", c.method, c.path, a.status)
		}
	}
}

func readable(t *testing.T, what string, a *answer, origin string) {
	t.Helper()
	if a.header.Get("Access-Control-Allow-Origin") != origin || a.header.Get("Vary") != "Origin" || a.header.Get("Access-Control-Allow-Credentials") != "" {
		t.Errorf("%s: %d with %v", what, a.status, a.header)
	}
}

func testSettings(t *testing.T, s *suite) {
	get := func(p *page) object {
		return p.do(call{method: http.MethodGet, path: "/hissuno/embed?projectId=" + p.key}).is(http.StatusOK).object()
	}
	want := object{"trigger": "bubble", "display": "sidepanel", "theme": "light", "position": "bottom-right", "title": "Shop",
		"drawerBadgeLabel": "Support", "tokenRequired": false}
	if got := get(s.page(t, nil)); !maps.Equal(got, want) {
		t.Errorf("without settings: %v", got)
	}
	got := get(s.page(t, func(p *parley.Project) {
		p.Greeting, p.TokenRequired = "Hello!", true
		p.Widget = parley.WidgetSettings{Title: "Help", Trigger: "drawer-badge", Display: "nonsense", Theme: "auto", Position: "top-left", Shortcut: "mod+k", Badge: "Ask"}
	}))
	want = object{"trigger": "drawer-badge", "display": "sidepanel", "theme": "auto", "position": "top-left", "title": "Help",
		"drawerBadgeLabel": "Ask", "tokenRequired": true, "shortcut": "mod+k", "initialMessage": "Hello!"}
	if !maps.Equal(got, want) {
		t.Errorf("with settings: %v", got)
	}
}

func testOrigins(t *testing.T, s *suite) {
	for _, test := range []struct {
		list []string
		want map[string]bool
	}{
		{nil, map[string]bool{shop: false, "null": false, "http://localhost:3000": false}},
		{[]string{"*"}, map[string]bool{shop: true, "null": true, "http://localhost:3000": true}},
		{[]string{"https://a.example"}, map[string]bool{"https://a.example": true, "https://A.Example": true, "http://a.example": true, "https://b.a.example": false, "https://a.example:8443": false}},
		{[]string{"*.a.example"}, map[string]bool{"https://a.example": true, "http://b.a.example": true, "https://b.a.example:8443": false, "https://ba.example": false}},
		{[]string{"a.example:8080"}, map[string]bool{"http://a.example:8080": true, "http://a.example": false}},
	} {
		p := s.page(t, func(p *parley.Project) { p.Origins = test.list })
		for origin, want := range test.want {
			p.origin = origin
			a := p.do(call{method: http.MethodGet, path: p.query("/hissuno/chat")})
			if a.status == http.StatusOK != want {
				t.Errorf("list %q, origin %s: %d", test.list, origin, a.status)
			}
		}
	}
	testing := s.page(t, func(p *parley.Project) { p.Origins, p.PublicKeys = nil, []string{"pk_test_" + p.PublicKeys[0]} })
	testing.origin = "http://localhost:3000"
	testing.status()
	testing.origin = ""
	testing.status()
}

func testBadRequests(t *testing.T, s *suite) {
	p := s.page(t, nil)
	without := func(field string) object {
		m := p.message("Hello")
		delete(m, field)
		return m
	}
	with := func(field string, value any) object {
		m := p.message("Hello")
		m[field] = value
		return m
	}
	before := s.standing(t)
	for _, test := range []struct {
		name   string
		body   any
		status int
	}{
		{"no messages", without("messages"), 400},
		{"empty messages", with("messages", []any{}), 400},
		{"only the assistant's", with("messages", []any{object{"role": "assistant", "content": "Hi"}}), 400},
		{"empty message", with("messages", turns("  ")), 400},
		{"content that is no string", with("messages", []any{object{"role": "user", "content": 7}}), 400},
		{"no project", without("projectId"), 400},
		{"no JSON", "{", 400},
		{"no object", "[]", 400},
		{"not UTF-8", "{\"projectId\":\"\xff\"}", 400},
		{"session that is no string", with("sessionId", 7), 400},
		{"long session", with("sessionId", strings.Repeat("x", 129)), 400},
		{"session with a control character", with("sessionId", "a\x00b"), 400},
		{"unknown project", with("projectId", "pk_live_unknown"), 401},
		{"the project's id", with("projectId", string(p.project.ID)), 401},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := *p
			p.t = t
			p.do(call{method: http.MethodPost, path: "/hissuno/chat", body: test.body}).fails(test.status)
		})
	}
	for _, path := range []string{"/hissuno/chat", "/hissuno/chat/stream", "/hissuno/chat/updates"} {
		p.do(call{method: http.MethodGet, path: path + "?projectId=" + p.key}).fails(400)
		p.do(call{method: http.MethodGet, path: path + "?sessionId=" + p.session}).fails(400)
	}
	p.do(call{method: http.MethodPost, path: "/hissuno/chat/close", body: "nonsense", header: map[string]string{"Content-Type": "text/plain"}}).fails(400)
	parleytest.Same(t, before, s.standing(t))
	out := p.post(without("sessionId")).is(http.StatusCreated).object()
	if id, _ := out["sessionId"].(string); len(id) != 36 {
		t.Errorf("a client without a session gets %v", out)
	}
}

func testLongInput(t *testing.T, s *suite) {
	p := s.page(t, nil)
	long := strings.Repeat("ü", 2048)
	if out := p.post(p.message(long + "x")).fails(http.StatusRequestEntityTooLarge); out["error"] != "Message too long. Maximum 4096 bytes allowed." {
		t.Errorf("a long message: %v", out)
	}
	p.say(" " + long + "\n")
	history := p.message("again")
	var all []object
	for range 300 {
		all = append(all, turns(strings.Repeat("a", 2000), strings.Repeat("b", 2000))...)
	}
	history["messages"] = append(all, turns("The end")...)
	p.with(newUUID()).post(object{"projectId": p.key, "sessionId": newUUID(), "messages": history["messages"]}).is(http.StatusCreated)
	history["messages"] = slices.Repeat(all, 4)
	p.post(history).fails(http.StatusRequestEntityTooLarge)
}

// testPaths: an apiUrl may end in a slash, and have what it likes before its end.
func testPaths(t *testing.T, s *suite) {
	p := s.page(t, nil)
	for _, base := range []string{"/hissuno/chat/", "/hissuno/tenant-7/chat", "/hissuno//a/chat/b/chat/"} {
		q := p.with(newUUID())
		chat := func(end string) string { return base + end }
		q.do(call{method: http.MethodPost, path: base, body: q.message("Hello")}).is(http.StatusCreated)
		h := heardOf(t, q.do(call{method: http.MethodGet, path: q.query(chat("/stream"))}).is(http.StatusOK).events)
		if h.text == "" {
			t.Errorf("%s: heard %+v", base, h)
		}
		q.do(call{method: http.MethodGet, path: q.query(base)}).is(http.StatusOK)
		q.do(call{method: http.MethodGet, path: q.query(chat("/updates"))}).is(http.StatusOK)
		q.do(call{method: http.MethodPost, path: chat("/stream/cancel"), body: q.body()}).is(http.StatusOK)
		q.do(call{method: http.MethodPost, path: chat("/close"), body: q.body()}).is(http.StatusOK)
		embed := strings.TrimSuffix(strings.TrimSuffix(base, "/"), "chat") + "embed"
		q.do(call{method: http.MethodGet, path: embed + "?projectId=" + q.key}).is(http.StatusOK)
	}
}
