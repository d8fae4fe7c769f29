package cossistanttest

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"parley/shared/parley"
)

// routes are all routes, with the visitor's own id as VISITOR and a conversation's as CHAT.
var routes = []struct {
	method, path string
	body         any
}{
	{"PATCH", "/visitors/VISITOR", object{"browser": "Firefox"}},
	{"POST", "/visitors/VISITOR/activity", object{"sessionId": "tab", "activityType": "focus"}},
	{"PATCH", "/visitors/VISITOR/metadata", object{"metadata": object{"plan": "pro"}}},
	{"POST", "/contacts/identify", object{"email": "a@shop.example"}},
	{"GET", "/conversations", nil},
	{"POST", "/conversations", object{"conversationId": "CHAT", "defaultTimelineItems": []any{object{"id": "01AAAAAAAAAAAAAAAAAAAAAAAA", "text": "hello"}}}},
	{"GET", "/conversations/CHAT", nil},
	{"GET", "/conversations/CHAT/timeline", nil},
	{"POST", "/messages", object{"conversationId": "CHAT", "item": object{"id": "01BBBBBBBBBBBBBBBBBBBBBBBB", "text": "hello"}}},
	{"GET", "/conversations/CHAT/seen", nil},
	{"POST", "/conversations/CHAT/seen", object{}},
	{"POST", "/conversations/CHAT/typing", object{"isTyping": true}},
	{"POST", "/conversations/CHAT/rating", object{"rating": 5}},
	{"POST", "/feedback", object{"rating": 5, "source": "widget", "conversationId": "CHAT"}},
	{"POST", "/uploads/sign-url", object{"contentType": "text/plain"}},
	{"GET", "/support/state", nil},
	{"PATCH", "/support/onboarding", object{"stepId": "a", "completed": true}},
}

// of puts ids into a path or a body.
func of(v any, visitor, conversation string) any {
	switch v := v.(type) {
	case string:
		return strings.NewReplacer("VISITOR", visitor, "CHAT", conversation).Replace(v)
	case object:
		out := object{}
		for k := range v {
			out[k] = of(v[k], visitor, conversation)
		}
		return out
	}
	return v
}

func c1(t *testing.T, s *suite) {
	p := s.project(t, nil)
	for _, route := range append(routes, struct {
		method, path string
		body         any
	}{"GET", "/websites", nil}) {
		a := p.call(http.MethodOptions, of(route.path, "v", "c").(string), nil, "X-Public-Key", "",
			"Access-Control-Request-Method", route.method, "Access-Control-Request-Headers", "content-type,x-public-key,x-visitor-id,authorization")
		allowed := strings.ToLower(a.header.Get("Access-Control-Allow-Headers"))
		if a.status/100 != 2 || a.header.Get("Access-Control-Allow-Origin") == "" || !strings.Contains(a.header.Get("Access-Control-Allow-Methods"), route.method) ||
			!strings.Contains(allowed, "x-visitor-id") || !strings.Contains(allowed, "x-public-key") {
			t.Errorf("preflight of %s %s = %d %v", route.method, route.path, a.status, a.header)
		}
	}
}

func c2(t *testing.T, s *suite) {
	p := s.visitors(t)
	p.call("GET", "/conversations", nil, "X-Public-Key", "pk_live_no").fails(401)
	p.call("GET", "/conversations", nil, "Origin", "https://evil.example").fails(403)
	p.get("/conversations/unknown").fails(404)
	p.get("/nothing").fails(404)
	p.post("/messages", object{"conversationId": "x", "item": object{"text": 7}}).fails(400)
	p.begin(chat(), "m").ok()
	other := p.arrive()
	if code := other.begin(chat(), "m").fails(409).text("code"); code != "TIMELINE_ITEM_ID_CONFLICT" {
		t.Errorf("code = %s", code)
	}
	limited := s.project(t, func(q *parley.Project) { q.Budgets.VisitorMessages = 1 }).arrive()
	id := chat()
	limited.begin(id, ulid()).ok()
	limited.send(id, limited.said(ulid(), "more")).fails(429)
}

func c5(t *testing.T, s *suite) {
	p := s.project(t, nil)
	for _, key := range []string{"", "pk", "pk_live_unknown", "a\tb"} {
		p.call("GET", "/websites", nil, "X-Public-Key", key).fails(401)
	}
}

func c6(t *testing.T, s *suite) {
	p := s.project(t, nil)
	test := *p
	test.key = "pk_test_" + strings.TrimPrefix(p.key, "pk_live_")
	settings, err := s.Store.Project(t.Context(), p.project)
	if err != nil {
		t.Fatal(err)
	}
	test.key = settings.PublicKeys[1]
	for _, c := range []struct {
		page            *page
		origin, referer string
		status          int
	}{
		{p, "https://shop.example", "", 200}, {p, "https://shop.example:8443", "", 200}, {p, "https://a.example.com", "", 200}, {p, "https://example.com", "", 200},
		{p, "https://badexample.com", "", 403}, {p, "https://shop.example.evil.com", "", 403}, {p, "null", "", 403}, {p, "", "", 403},
		{p, "", "https://shop.example/a?b", 200}, {p, "", "https://evil.example/", 403}, {p, "https://evil.example", "https://shop.example/", 403},
		{p, "http://shop.example", "", 403}, {p, "http://localhost:3000", "", 403}, {p, "https://10.0.0.1", "", 403}, {p, "ftp://shop.example", "", 403},
		{&test, "http://localhost:5173", "", 200}, {&test, "http://shop.example", "", 200}, {&test, "http://evil.example", "", 403},
	} {
		a := c.page.call("GET", "/websites", nil, "Origin", c.origin, "Referer", c.referer)
		if a.status != c.status {
			t.Errorf("from %q, %q with %.8s = %d %s, want %d", c.origin, c.referer, c.page.key, a.status, a.body, c.status)
		}
	}
}

func c8(t *testing.T, s *suite) {
	p := s.visitors(t)
	first := p.get("/websites").ok().is(object{"visitor.id": p.visitor, "visitor.isBlocked": false, "visitor.contact": nil, "visitor.language": nil,
		"id": p.project, "organizationId": p.project, "name": "Shop", "status": "active", "domain": "shop.example", "defaultLanguage": "en",
		"description": nil, "logoUrl": nil, "lastOnlineAt": nil})
	if len(p.visitor) != 26 || first.text("availableHumanAgents", 0, "id") != "ann" || first.text("availableAIAgents", 0, "id") != "ada" {
		t.Errorf("website = %s", first.body)
	}
	foreign := s.visitors(t)
	native, err := s.Store.Identify(t.Context(), parley.IdentifyRequest{Caller: parley.Caller{Project: p.project}})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{foreign.visitor, "nonsense", ulid(), string(native.Visitor.ID), strings.ToLower(p.visitor)} {
		other := *p
		other.visitor = id
		if got := other.get("/websites").ok().text("visitor", "id"); got == id || len(got) != 26 {
			t.Errorf("an id %q that is not the project's arrives as %q", id, got)
		}
	}
}

func c11(t *testing.T, s *suite) {
	p := s.visitors(t)
	at := "/visitors/" + p.visitor
	p.patch(at, object{"browser": "Firefox", "deviceType": "desktop", "language": "de-DE", "timezone": "Europe/Berlin", "screenResolution": "1728x1117",
		"attribution": object{"version": 1, "firstTouch": object{"channel": "direct"}}, "currentPage": object{"url": "https://shop.example/a", "title": "A", "updatedAt": "2026-01-01T00:00:00.000Z"}}).
		ok().is(object{"id": p.visitor, "browser": "Firefox", "os": nil, "timezone": "Europe/Berlin", "attribution.firstTouch.channel": "direct", "currentPage.title": "A", "ip": nil, "contact": nil})
	p.patch(at, object{"attribution": object{"version": 1, "firstTouch": object{"channel": "paid"}}}).ok().is(object{"attribution.firstTouch.channel": "direct", "browser": "Firefox"})
	p.patch(at, object{"countryCode": "XYZ"}).fails(400)
	p.get("/websites").ok().is(object{"visitor.language": "de-DE"})
	for _, activity := range []string{"connected", "focus", "heartbeat", "route_change"} {
		p.post(at+"/activity", object{"sessionId": "tab", "activityType": activity, "currentPage": object{"url": "https://shop.example/b"}}).ok().is(object{"ok": true}).text("acceptedAt")
	}
	p.post(at+"/activity", object{"sessionId": "tab", "activityType": "sleep"}).fails(400)
	p.patch(at, object{}).ok().is(object{"currentPage.url": "https://shop.example/b"})
	unknown := *p
	unknown.visitor = ulid()
	unknown.patch("/visitors/"+unknown.visitor, object{}).fails(404)
}

func c13(t *testing.T, s *suite) {
	p := s.visitors(t)
	other := p.arrive()
	for _, route := range routes[:3] {
		p.call(route.method, of(route.path, other.visitor, "").(string), route.body).fails(404)
	}
	p.post("/contacts/identify", object{"visitorId": other.visitor, "email": "a@b"}).fails(404)
	p.get("/conversations?visitorId=" + other.visitor).fails(404)
}

func c14(t *testing.T, s *suite) {
	p := s.visitors(t)
	p.post("/contacts/identify", object{"visitorId": p.visitor, "externalId": " ", "email": ""}).fails(400)
	first := p.post("/contacts/identify", object{"visitorId": p.visitor, "externalId": "u1", "email": "Ann@Shop.Example", "name": "Ann", "image": "https://shop.example/a.png",
		"metadata": object{"plan": "pro"}}).ok().is(object{"contact.email": "Ann@Shop.Example", "contact.externalId": "u1", "visitorId": p.visitor})
	p.get("/websites").ok().is(object{"visitor.contact.name": "Ann", "visitor.contact.email": "Ann@Shop.Example", "visitor.contact.image": "https://shop.example/a.png", "visitor.contact.id": first.text("contact", "id")})
	p.begin(chat(), ulid()).ok()
	other := p.arrive()
	second := other.post("/contacts/identify", object{"visitorId": other.visitor, "externalId": "u1"}).ok().
		is(object{"contact.id": first.text("contact", "id"), "contact.name": nil, "contact.email": nil, "contact.image": nil, "contact.metadata": nil})
	for _, a := range []*answer{second, other.get("/websites").ok(), other.patch("/visitors/"+other.visitor, object{}).ok(), other.get("/conversations").ok()} {
		if strings.Contains(a.body, "Ann@") || strings.Contains(a.body, `"pro"`) || strings.Contains(a.body, p.visitor) || strings.Contains(a.body, "question") {
			t.Errorf("%s shows what somebody else said: %s", a.what, a.body)
		}
	}
	byMail := func() string {
		v := p.arrive()
		return v.post("/contacts/identify", object{"visitorId": v.visitor, "email": "Bob@shop.example"}).ok().text("contact", "id")
	}
	if a, b := byMail(), byMail(); a != b || a == first.text("contact", "id") {
		t.Errorf("contacts by e-mail are %s and %s", a, b)
	}
}

func c17(t *testing.T, s *suite) {
	p := s.visitors(t)
	at := "/visitors/" + p.visitor + "/metadata"
	p.patch(at, object{"metadata": object{"plan": "pro"}}).fails(400)
	p.post("/contacts/identify", object{"externalId": "u1"}).ok()
	p.get("/websites").ok().is(object{"visitor.contact.metadataHash": ""})
	p.patch(at, object{"metadata": object{"plan": "pro"}}).ok()
	before := p.get("/websites").text("visitor", "contact", "metadataHash")
	p.patch(at, object{"metadata": object{"mrr": 99}}).ok().is(object{"contact.metadata.plan": "pro", "contact.metadata.mrr": 99})
	if after := p.get("/websites").ok().text("visitor", "contact", "metadataHash"); after != "2ed7db8f" || after == before {
		t.Errorf("metadataHash = %s, then %s", before, after)
	}
	p.patch(at, object{"metadata": object{"a": object{}}}).fails(400)
}

// c19: who names a contact for whom somebody vouched, by id and by e-mail, is shown
// none of its conversations, and none of those who named it before.
func c19(t *testing.T, s *suite) {
	p := s.visitors(t)
	proven, named := p.arrive(), p.arrive()
	if _, err := s.Store.Prove(t.Context(), parley.Caller{Project: p.project, Channel: parley.ChannelCossistant, Bare: true, Visitor: parley.VisitorID(proven.visitor)},
		parley.Identity{External: "u1", Email: "ann@shop.example", Name: "Ann of the shop"}); err != nil {
		t.Fatal(err)
	}
	who := object{"externalId": "u1", "email": "ann@shop.example"}
	named.post("/contacts/identify", who).ok()
	theirs := []string{chat(), chat()}
	proven.begin(theirs[0], ulid()).ok()
	named.begin(theirs[1], ulid()).ok()
	p.post("/contacts/identify", who).ok().is(object{"contact.name": nil})
	if got := p.get("/conversations").ok().ids("conversations"); len(got) != 0 {
		t.Errorf("by a plain identify there are %q", got)
	}
	for _, id := range theirs {
		p.get("/conversations/" + id).fails(404)
		p.get("/conversations/" + id + "/timeline").fails(404)
		p.send(id, p.said(ulid(), "hello")).fails(404)
	}
	if got := proven.get("/conversations").ok().ids("conversations"); !slices.Equal(got, theirs[:1]) {
		t.Errorf("the proven one has %q", got)
	}
}

func c20(t *testing.T, s *suite) {
	p := s.visitors(t)
	if err := s.Store.BlockVisitor(t.Context(), p.project, parley.VisitorID(p.visitor), true); err != nil {
		t.Fatal(err)
	}
	p.get("/websites").ok().is(object{"visitor.isBlocked": true, "visitor.id": p.visitor})
	for _, route := range routes {
		p.call(route.method, of(route.path, p.visitor, chat()).(string), of(route.body, p.visitor, chat())).fails(403)
	}
}

func c21(t *testing.T, s *suite) {
	p := s.visitors(t)
	id, hello, m1 := chat(), ulid(), ulid()
	welcome := object{"id": hello, "type": "message", "text": "Hi!", "aiAgentId": "ada", "userId": nil, "visitorId": nil, "parts": []any{}}
	for range 2 {
		a := p.begin(id, m1, welcome).ok().is(object{"conversation.id": id, "conversation.status": "open", "conversation.visitorId": p.visitor, "conversation.websiteId": p.project})
		if got := a.ids("initialTimelineItems"); !slices.Equal(got, []string{hello, m1}) {
			t.Errorf("items = %q", got)
		}
	}
	m2 := ulid()
	if got := p.begin(id, m2, welcome).ok().ids("initialTimelineItems"); !slices.Equal(got, []string{m2}) {
		t.Errorf("items of a new message = %q", got)
	}
	if got := p.get("/conversations/" + id + "/timeline").ok().ids("items"); !slices.Contains(got, m2) || len(slices.DeleteFunc(got, func(i string) bool { return i != m1 && i != hello && i != m2 })) != 3 {
		t.Errorf("timeline = %q", got)
	}
	other := p.arrive()
	if code := other.begin(id, ulid()).fails(409).text("code"); code != "CONVERSATION_ID_CONFLICT" {
		t.Errorf("code = %s", code)
	}
	if code := other.begin(chat(), m1).fails(409).text("code"); code != "TIMELINE_ITEM_ID_CONFLICT" {
		t.Errorf("code = %s", code)
	}
	if got := other.get("/conversations").ok().ids("conversations"); len(got) != 0 {
		t.Errorf("after conflicts there are %q", got)
	}
}

func c24(t *testing.T, s *suite) {
	p := s.visitors(t)
	id := chat()
	say := func(user, agent, visitor any) object {
		return object{"id": ulid(), "type": "message", "text": "Hi!", "userId": user, "aiAgentId": agent, "visitorId": visitor}
	}
	a := p.begin(id, ulid(), say(nil, "ada", nil), say("ann", nil, nil), say(nil, "eve", nil), say("eve", nil, nil), say(nil, nil, p.visitor)).ok()
	timeline := p.get("/conversations/" + id + "/timeline").ok()
	for i, want := range [][3]any{{nil, "ada", nil}, {"ann", nil, nil}, {nil, nil, nil}, {nil, nil, nil}, {nil, nil, p.visitor}, {nil, nil, p.visitor}} {
		for _, items := range []any{a.at("initialTimelineItems", i), timeline.at("items", i)} {
			got := items.(object)
			for j, name := range []string{"userId", "aiAgentId", "visitorId"} {
				if value, there := got[name]; !there || value != want[j] {
					t.Errorf("item %d: %s = %v, want %v", i, name, value, want[j])
				}
			}
		}
	}
	session, err := s.Store.Session(t.Context(), p.staff(), parley.SessionID(id))
	if err != nil || session.Messages > 2 || session.Title != "question" {
		t.Errorf("session = %+v, %v: welcome messages count", session, err)
	}
}

func c26(t *testing.T, s *suite) {
	p := s.visitors(t)
	id := chat()
	p.begin(id, ulid(), object{"id": ulid(), "text": "Hi!"}).ok()
	m := ulid()
	for range 2 {
		p.send(id, p.said(m, "more")).ok().is(object{"item.id": m, "item.text": "more", "item.visibility": "public", "item.visitorId": p.visitor, "item.userId": nil, "item.aiAgentId": nil, "item.conversationId": id})
	}
	a := p.get("/conversations/" + id + "/timeline").ok()
	if n := len(slices.DeleteFunc(a.ids("items"), func(i string) bool { return i != m })); n != 1 {
		t.Errorf("the message is there %d times", n)
	}
	last := ""
	for i := range a.ids("items") {
		if at := a.text("items", i, "createdAt"); at <= last {
			t.Errorf("item %d is of %s, after %s", i, at, last)
		} else {
			last = at
		}
	}
}

func c28(t *testing.T, s *suite) {
	p := s.visitors(t)
	id := chat()
	p.begin(id, ulid()).ok()
	for _, field := range []string{"userId", "aiAgentId"} {
		item := p.said(ulid(), "as somebody")
		item[field] = "ann"
		p.send(id, item).fails(400)
	}
	hidden := p.said(ulid(), "hidden")
	hidden["visibility"] = "private"
	p.send(id, hidden).ok().is(object{"item.visibility": "public"})
	event := func(kind string) object {
		return object{"id": ulid(), "type": "event", "text": "", "visitorId": p.visitor, "parts": []any{object{"type": "event", "eventType": kind}}}
	}
	p.send(id, event("resolved")).fails(400)
	told := event("visitor_identified")
	for range 2 {
		a := p.send(id, told).ok().is(object{"item.id": told["id"], "item.type": "event"})
		if a.text("item", "parts", 0, "eventType") != "visitor_identified" {
			t.Errorf("event = %s", a.body)
		}
	}
	p.send(id, p.said(ulid(), strings.Repeat("x", 14_001))).fails(413)
	p.send(id, p.said(ulid(), strings.Repeat("x", 14_000))).ok()
}

// taken gives a conversation to a person, so that no answer comes between.
func (p *page) taken(conversation string) {
	p.t.Helper()
	if err := p.Store.TakeOver(p.t.Context(), p.staff(), parley.SessionID(conversation), parley.Author{Kind: parley.AuthorHuman, ID: "ann"}); err != nil {
		p.t.Fatal(err)
	}
	// Entries that follow one another at once have times ahead of the clock: what comes
	// next in another conversation shall be later.
	time.Sleep(5 * time.Millisecond)
}

func c30(t *testing.T, s *suite) {
	p := s.visitors(t)
	for name, end := range map[string]func(id parley.SessionID) error{
		"resolved": func(id parley.SessionID) error {
			return s.Store.Resolve(t.Context(), p.staff(), id, parley.Author{Kind: parley.AuthorHuman, ID: "ann"})
		},
		"spam": func(id parley.SessionID) error {
			return s.Store.MarkSpam(t.Context(), p.staff(), id, parley.Author{Kind: parley.AuthorHuman, ID: "ann"})
		},
		"archived": func(id parley.SessionID) error { return s.Store.Archive(t.Context(), p.staff(), id, true) },
	} {
		id := chat()
		p.begin(id, ulid()).ok()
		p.taken(id)
		if err := end(parley.SessionID(id)); err != nil {
			t.Fatal(err)
		}
		before := p.get("/conversations/" + id + "/timeline").ok().ids("items")
		p.send(id, p.said(ulid(), "more")).fails(409)
		p.begin(id, ulid()).fails(409)
		if after := p.get("/conversations/" + id + "/timeline").ok().ids("items"); !slices.Equal(before, after) {
			t.Errorf("%s: %q after a refusal, before %q", name, after, before)
		}
	}
}

func c31(t *testing.T, s *suite) {
	p := s.visitors(t)
	id := chat()
	p.begin(id, ulid()).ok()
	native, err := s.Store.Identify(t.Context(), parley.IdentifyRequest{Caller: parley.Caller{Project: p.project}})
	if err != nil {
		t.Fatal(err)
	}
	as := func(visitor string) *page { other := *p; other.visitor = visitor; return &other }
	for who, other := range map[string]*page{"another visitor": p.arrive(), "another project's": s.visitors(t), "a forged one": as(ulid()),
		"a native visitor": as(string(native.Visitor.ID)), "nobody": as("")} {
		for _, route := range routes {
			path := route.path + " "
			if b, ok := route.body.(object); ok {
				if c, ok := b["conversationId"].(string); ok {
					path += c
				}
			}
			if !strings.Contains(path, "CHAT") || route.path == "/conversations" {
				continue
			}
			foreign := other.call(route.method, of(route.path, other.visitor, id).(string), of(route.body, other.visitor, id)).fails(404)
			unknown := other.call(route.method, of(route.path, other.visitor, "none").(string), of(route.body, other.visitor, "none")).fails(404)
			if foreign.body != unknown.body {
				t.Errorf("%s, %s %s: %s for a foreign one, %s for none", who, route.method, route.path, foreign.body, unknown.body)
			}
		}
	}
	for _, visitor := range []string{ulid(), string(native.Visitor.ID), ""} {
		for _, route := range routes {
			if visitor == "" && strings.Contains(route.path, "VISITOR") {
				continue // there is no such address
			}
			if a := as(visitor).call(route.method, of(route.path, visitor, id).(string), of(route.body, visitor, id)); a.status != 404 {
				t.Errorf("%s as %q = %d %s", a.what, visitor, a.status, a.body)
			}
		}
	}
}

func c32(t *testing.T, s *suite) {
	p := s.visitors(t)
	id := chat()
	want := []string{ulid(), ulid(), ulid()}
	p.begin(id, want[2], object{"id": want[0], "text": "Hi!"}, object{"id": want[1], "text": "How may we help?"}).ok()
	if err := s.Store.TakeOver(t.Context(), p.staff(), parley.SessionID(id), parley.Author{Kind: parley.AuthorHuman, ID: "ann"}); err != nil {
		t.Fatal(err)
	}
	for range 9 {
		want = append(want, ulid())
		p.send(id, p.said(want[len(want)-1], "more")).ok()
	}
	var got []string
	for cursor, pages := "", 0; pages < 9; pages++ {
		a := p.get("/conversations/" + id + "/timeline?limit=4&cursor=" + cursor).ok()
		ids := a.ids("items")
		if len(ids) > 4 {
			t.Errorf("a page has %d items", len(ids))
		}
		got = append(ids, got...)
		if a.at("nextCursor") == nil {
			if a.at("hasNextPage") != false {
				t.Error("the last page has a next one")
			}
			break
		}
		cursor = a.text("nextCursor")
	}
	messages := slices.DeleteFunc(slices.Clone(got), func(i string) bool { return !slices.Contains(want, i) })
	all := slices.Sorted(slices.Values(got))
	if !slices.Equal(messages, want) || len(slices.Compact(all)) != len(got) || len(got) == len(want) { // and that Ann has joined
		t.Errorf("pages = %q, want %q and an event, each once", got, want)
	}
	p.get("/conversations/" + id + "/timeline?limit=101").fails(400)
}

// c33: notes for the team are in no answer, neither while they are the newest entry nor
// after it.
func c33(t *testing.T, s *suite) {
	p := s.visitors(t)
	id, first, asked := chat(), ulid(), ulid()
	p.begin(id, first).ok()
	p.taken(id)
	p.send(id, p.said(asked, "anybody there?")).ok()
	const secret = "a note for the team"
	note := func() {
		t.Helper()
		if _, err := s.Store.Reply(t.Context(), p.staff(), parley.Author{Kind: parley.AuthorHuman, ID: "ann"},
			parley.ReplyRequest{ID: parley.EntryID(ulid()), Session: parley.SessionID(id), Content: secret, Internal: true}); err != nil {
			t.Fatal(err)
		}
	}
	hidden := func(newest string) {
		t.Helper()
		for _, a := range []*answer{p.get("/conversations").ok(), p.get("/conversations/" + id).ok(), p.get("/conversations/" + id + "/timeline").ok(),
			p.get("/conversations/" + id + "/timeline?limit=1").ok(), p.get("/conversations/" + id + "/seen").ok(), p.begin(id, first).ok()} {
			if strings.Contains(a.body, secret) || strings.Contains(a.body, "private") {
				t.Errorf("%s = %s", a.what, a.body)
			}
		}
		if got := p.get("/conversations").ok().text("conversations", 0, "lastTimelineItem", "id"); got != newest {
			t.Errorf("lastTimelineItem = %s, want %s", got, newest)
		}
		if got := p.get("/conversations/" + id + "/timeline").ok().ids("items"); !slices.Contains(got, newest) {
			t.Errorf("timeline = %q, want %s in it", got, newest)
		}
	}
	note()
	hidden(asked)
	more := ulid()
	if a := p.send(id, p.said(more, "more")).ok(); strings.Contains(a.body, secret) {
		t.Errorf("%s = %s", a.what, a.body)
	}
	note()
	hidden(more)
}

func c34(t *testing.T, s *suite) {
	p := s.visitors(t)
	var chats []string
	for range 8 {
		chats = append(chats, chat())
		p.begin(chats[len(chats)-1], ulid()).ok()
		p.taken(chats[len(chats)-1])
	}
	a := p.get("/conversations?visitorId=" + p.visitor).ok().is(object{"pagination.page": 1, "pagination.limit": 6, "pagination.total": 8, "pagination.totalPages": 2, "pagination.hasMore": true})
	slices.Reverse(chats)
	if got := a.ids("conversations"); !slices.Equal(got, chats[:6]) {
		t.Errorf("conversations = %q, want %q", got, chats[:6])
	}
	if got := p.get("/conversations?page=2").ok().is(object{"pagination.hasMore": false}).ids("conversations"); !slices.Equal(got, chats[6:]) {
		t.Errorf("page 2 = %q, want %q", got, chats[6:])
	}
	if err := s.Store.Resolve(t.Context(), p.staff(), parley.SessionID(chats[3]), parley.Author{Kind: parley.AuthorHuman, ID: "ann"}); err != nil {
		t.Fatal(err)
	}
	if got := p.get("/conversations?status=closed").ok().ids("conversations"); !slices.Equal(got, chats[3:4]) {
		t.Errorf("closed = %q", got)
	}
	at := "/conversations/" + chats[0]
	seen := p.post(at+"/seen", object{}).ok().text("lastSeenAt")
	p.post(at+"/seen", object{"visitorId": p.visitor}).ok()
	p.post(at+"/seen", object{"visitorId": ulid()}).fails(404)
	rows := p.get(at + "/seen").ok()
	mine := slices.DeleteFunc(rows.at("seenData").([]any), func(row any) bool { return row.(object)["visitorId"] == nil })
	if len(mine) != 1 || mine[0].(object)["visitorId"] != p.visitor || mine[0].(object)["lastSeenAt"] != seen {
		t.Errorf("seen = %s, want one row of the visitor at %s", rows.body, seen)
	}
	p.get(at).ok().is(object{"conversation.visitorLastSeenAt": seen})
	p.post(at+"/typing", object{"isTyping": true, "visitorPreview": "I wan"}).ok().is(object{"conversationId": chats[0], "isTyping": true, "visitorPreview": "I wan"})
}

func c36(t *testing.T, s *suite) {
	p := s.visitors(t)
	id := chat()
	p.begin(id, ulid()).ok()
	at := "/conversations/" + id + "/rating"
	p.post(at, object{"rating": 5}).fails(409)
	if err := s.Store.Resolve(t.Context(), p.staff(), parley.SessionID(id), parley.Author{Kind: parley.AuthorHuman, ID: "ann"}); err != nil {
		t.Fatal(err)
	}
	p.post(at, object{"rating": 0}).fails(400)
	p.post(at, object{"rating": 6}).fails(400)
	p.post(at, object{"rating": 4, "comment": "fine"}).ok().is(object{"conversationId": id, "rating": 4})
	if a := p.get("/conversations").ok(); a.at("conversations", 0, "visitorRating") != 4.0 {
		t.Errorf("list = %s", a.body)
	}
	if a := p.post("/feedback", object{"rating": 5, "source": "widget", "topic": "look"}).ok().is(object{"feedback.rating": 5, "feedback.conversationId": nil, "feedback.visitorId": p.visitor}); a.status != 201 {
		t.Errorf("feedback = %d", a.status)
	}
	p.post("/feedback", object{"rating": 3, "conversationId": id}).ok()
	p.post("/feedback", object{"rating": 6}).fails(400)
}

func c38(t *testing.T, s *suite) {
	p := s.visitors(t)
	ask := func(kind, name string) object {
		return object{"contentType": kind, "fileName": name, "websiteId": p.project, "useCdn": false,
			"scope": object{"type": "conversation", "organizationId": p.project, "websiteId": p.project, "conversationId": chat()}}
	}
	wrong := ask("text/plain", "a.txt")
	wrong["websiteId"] = "other"
	p.post("/uploads/sign-url", wrong).fails(400)
	p.post("/uploads/sign-url", ask("text/html", "a.html")).fails(400)
	id := chat()
	put := func(content []byte) (address string) {
		a := p.post("/uploads/sign-url", ask("text/plain", "a.txt")).ok()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, a.text("uploadUrl"), bytes.NewReader(content))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "text/plain")
		r.Header.Set("Origin", s.Origin)
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode/100 != 2 || response.Header.Get("Access-Control-Allow-Origin") == "" {
			t.Fatalf("PUT = %d %v", response.StatusCode, response.Header)
		}
		return a.text("publicUrl")
	}
	first, second := put([]byte("hello")), put([]byte("hello"))
	if first == second {
		t.Error("two files of one name have one address")
	}
	for range 2 {
		response, err := http.Get(first)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != 200 {
			t.Errorf("%s = %d", first, response.StatusCode)
		}
	}
	file := object{"type": "file", "url": second, "mediaType": "text/plain", "fileName": "mine.txt", "size": 5}
	a := p.post("/conversations", object{"conversationId": id, "visitorId": p.visitor, "defaultTimelineItems": []any{object{"id": ulid(), "text": "", "parts": []any{file}}}}).ok()
	part := a.at("initialTimelineItems", 0, "parts", 0).(object)
	if part["type"] != "file" || part["filename"] != "mine.txt" || part["size"] != 5.0 || part["url"] != second {
		t.Errorf("part = %v", part)
	}
	for _, url := range []string{put(bytes.Repeat([]byte("x"), 5<<20+1)), put([]byte("%PDF-1.4 is no text")), "https://evil.example/a.png"} {
		file["url"] = url
		if a := p.send(id, p.said(ulid(), "", file)); a.status/100 != 4 {
			t.Errorf("a message with %.60s = %d %s", url, a.status, a.body)
		}
	}
}

func c52(t *testing.T, s *suite) {
	p := s.visitors(t)
	id := chat()
	p.begin(id, ulid()).ok()
	identity := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"sub": "u1", "exp": time.Now().Add(time.Hour).Unix()})
	identity.Header["kid"] = "k1"
	signed, err := identity.SignedString([]byte(s.keys.SigningSecret(p.project, "k1")))
	if err != nil {
		t.Fatal(err)
	}
	prove := func(v *page) {
		v.post("/contacts/identify", object{"visitorId": v.visitor, "externalId": "u1", "metadata": object{"parleyIdentity": signed}}).ok()
	}
	prove(p)
	other := p.arrive()
	if got := other.get("/conversations").ok().ids("conversations"); len(got) != 0 {
		t.Errorf("before proof there are %q", got)
	}
	prove(other)
	a := other.get("/conversations").ok()
	if got := a.ids("conversations"); !slices.Equal(got, []string{id}) || strings.Contains(a.body, p.visitor) || a.text("conversations", 0, "visitorId") != other.visitor {
		t.Errorf("shared = %s", a.body)
	}
	timeline := other.get("/conversations/" + id + "/timeline").ok()
	if strings.Contains(timeline.body, p.visitor) || timeline.text("items", 0, "visitorId") != other.visitor {
		t.Errorf("timeline = %s", timeline.body)
	}
	other.send(id, other.said(ulid(), "from here")).ok()
}

func c53(t *testing.T, s *suite) {
	p := s.visitors(t)
	if a := p.get("/support/state").ok(); a.body != `{"featureFlags":[],"onboarding":{"steps":{}}}` {
		t.Errorf("state = %s", a.body)
	}
	p.patch("/support/onboarding", object{"stepId": "tour", "completed": true, "metadata": object{"at": 3}}).ok().
		is(object{"onboarding.steps.tour.completed": true, "onboarding.steps.tour.metadata.at": 3})
	p.get("/support/state").ok().is(object{"onboarding.steps.tour.completed": true})
	if a := p.arrive().get("/support/state").ok(); strings.Contains(a.body, "tour") {
		t.Errorf("another visitor's state = %s", a.body)
	}
	p.patch("/support/onboarding", object{"stepId": "long", "metadata": object{"x": strings.Repeat("x", 5000)}}).fails(413)
	p.patch("/support/onboarding", object{"reset": true}).ok()
	if a := p.get("/support/state").ok(); strings.Contains(a.body, "tour") {
		t.Errorf("state after a reset = %s", a.body)
	}
}
