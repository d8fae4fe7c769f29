package apitest

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"parley/shared/api"
	"parley/shared/parley"
)

func testConfig(t *testing.T, s *suite) {
	b := s.project(t, func(p *parley.Project) {
		p.Greeting, p.Language, p.Texts = "Hello!", "de", map[string]string{"apology": "Leider nein."}
	})
	type config struct {
		Project  struct{ ID, Name string }
		Agent    *struct{ ID, Name, Picture string }
		Greeting string
		Language string
		Texts    map[string]string
		Limits   struct{ MessageBytes int }
		Uploads  struct{ Enabled bool }
		CSAT     struct{ Enabled bool }
		URLs     api.URLs
	}
	got := into[config](b.get("/config"))
	if got.Project.ID != string(b.settings().ID) || got.Agent == nil || got.Agent.Name != "Ada" || got.Greeting != "Hello!" || got.Language != "de" ||
		got.Texts["apology"] != "Leider nein." || got.Limits.MessageBytes != parley.MaxMessageBytes || !got.Uploads.Enabled || !got.CSAT.Enabled {
		t.Errorf("config = %+v", got)
	}
	for _, address := range []string{got.URLs.Identify, got.URLs.Chat, got.URLs.Updates, got.URLs.Close, got.URLs.History, got.URLs.CSAT, got.URLs.Uploads} {
		if u, err := url.Parse(address); err != nil || u.Host == "" || strings.HasSuffix(address, "/") {
			t.Errorf("address %q is no base", address)
		}
	}
	bare := into[config](s.project(t, func(p *parley.Project) {
		p.Uploads.Disabled, p.CSAT = true, parley.CSATOff
	}).get("/config"))
	if bare.Uploads.Enabled || bare.CSAT.Enabled || bare.Language != "en" {
		t.Errorf("config of a project that offers nothing = %+v", bare)
	}
}

func testOpenAPI(t *testing.T, s *suite) {
	b := &browser{suite: s, t: t}
	if got := b.get("/openapi.yaml").body; got != api.OpenAPI {
		t.Errorf("the document has %d bytes, want %d", len(got), len(api.OpenAPI))
	}
}

// testHTTP: what is no call's method is answered with a problem too.
func testHTTP(t *testing.T, s *suite) {
	b := s.project(t, nil).visitor()
	a := b.do(call{method: http.MethodPut, path: "/history/s1"})
	a.fails(http.StatusMethodNotAllowed, "method_not_allowed")
	if got := a.header.Get("Allow"); got != "DELETE, GET" {
		t.Errorf("Allow = %q", got)
	}
	if ids := [2]string{a.header.Get(api.RequestIDHeader), b.get("/history").header.Get(api.RequestIDHeader)}; ids[0] == ids[1] {
		t.Errorf("two requests have the id %q", ids[0])
	}
}

// testNoPaths: so is a path that is no call's; one with too many slashes is still one.
func testNoPaths(t *testing.T, s *suite) {
	b := s.project(t, nil).visitor()
	for _, path := range []string{"/history/a/b", "/chat/s", "/uploads/x", "/close/x"} {
		b.do(call{method: http.MethodGet, path: path}).fails(http.StatusNotFound, "not_found")
	}
	if doubled := b.do(call{method: http.MethodGet, path: "//history//?limit=1"}); doubled.status != http.StatusOK {
		t.Errorf("doubled slashes = %d %s", doubled.status, doubled.body)
	}
}

// testOrigins: a browser may ask from anywhere and read what it is told; the
// project's list decides what that is.
func testOrigins(t *testing.T, s *suite) {
	live := fresh("pk_live")
	b := s.project(t, func(p *parley.Project) {
		p.PublicKeys = append(p.PublicKeys, live)
		p.Origins = []string{"https://shop.example", "*.help.example", "http://dev.example:8080"}
	})
	nobody := fresh("pk_live")
	s.project(t, func(p *parley.Project) { p.PublicKeys, p.Origins = []string{nobody}, nil })
	anybody := fresh("pk_live")
	s.project(t, func(p *parley.Project) { p.PublicKeys, p.Origins = []string{anybody}, []string{"*"} })
	tests := []struct {
		key, origin string
		allowed     bool
	}{
		{live, "https://shop.example", true},
		{live, "http://shop.example", false},
		{live, "https://shop.example:8443", false},
		{live, "https://www.shop.example", false},
		{live, "https://help.example", true},
		{live, "https://a.b.help.example", true},
		{live, "https://nothelp.example", false},
		{live, "http://dev.example:8080", true},
		{live, "https://dev.example:8080", false},
		{live, "http://localhost:3000", false},
		{live, "null", false},
		{live, "", true},
		{b.key, "http://localhost:3000", true},
		{b.key, "http://127.0.0.1", true},
		{b.key, "http://[::1]:8080", true},
		{b.key, "http://localhost.evil.example", false},
		{b.key, "https://shop.example", true},
		{nobody, "https://shop.example", false},
		{nobody, "", true},
		{anybody, "https://whoever.example", true},
		{anybody, "null", true},
	}
	for _, test := range tests {
		from := &browser{suite: s, t: t, key: test.key, origin: test.origin}
		a := from.do(call{method: http.MethodGet, path: "/config"})
		if test.allowed {
			a.is(http.StatusOK)
		} else {
			a.fails(http.StatusForbidden, "origin_refused")
		}
		if got := a.header.Get("Access-Control-Allow-Origin"); got != test.origin {
			t.Errorf("%s from %q: Access-Control-Allow-Origin = %q", test.key, test.origin, got)
		}
	}
	paths := []string{"/config", "/chat", "/updates/s1", "/close", "/history/s1", "/csat", "/uploads"}
	if !s.HTTPAPI {
		paths = append(paths, "/nowhere")
	}
	for _, path := range paths {
		from := &browser{suite: s, t: t, origin: "https://whoever.example"}
		response, _ := from.send(call{method: http.MethodOptions, path: path, header: map[string]string{
			"Access-Control-Request-Method": "DELETE", "Access-Control-Request-Headers": "authorization,parley-key,x-whatever"}})
		response.Body.Close()
		h := response.Header
		if response.StatusCode != http.StatusNoContent || h.Get("Access-Control-Allow-Origin") != from.origin || h.Get("Access-Control-Allow-Methods") != "DELETE" ||
			h.Get("Access-Control-Allow-Headers") != "authorization,parley-key,x-whatever" || h.Get("Access-Control-Max-Age") == "" || h.Get("Vary") != "Origin" {
			t.Errorf("preflight of %s = %d %v", path, response.StatusCode, h)
		}
	}
}

func testIdentify(t *testing.T, s *suite) {
	b := s.project(t, nil)
	first := into[identified](b.post("/identify", map[string]any{"name": "Ann", "email": "ann@example.com", "language": "de"}))
	second := into[identified](b.post("/identify", map[string]any{}))
	if first.Visitor.ID == "" || first.Visitor.ID == second.Visitor.ID || first.Contact != nil {
		t.Errorf("visitors %+v and %+v", first, second)
	}
	b.token = first.Token
	again := into[identified](b.post("/identify", map[string]any{}))
	if again.Visitor.ID != first.Visitor.ID {
		t.Errorf("with the old token: visitor %s, want %s", again.Visitor.ID, first.Visitor.ID)
	}
	for _, token := range []string{first.Token, again.Token} {
		b.token = token
		b.get("/history")
	}
	// Renewing does not make a token last for ever, nor lose anything before.
	early := time.Now().Add(-(parley.DefaultTokenDays - 1) * 24 * time.Hour).Unix()
	old, _, err := s.keysAt(t, s.Master, time.Hour).Visitor(b.settings(), parley.Visitor{ID: first.Visitor.ID, Generation: 1}, early)
	if err != nil {
		t.Fatal(err)
	}
	b.token = old
	last := into[struct {
		Token     string
		ExpiresAt time.Time
		Visitor   struct{ ID parley.VisitorID }
	}](b.post("/identify", map[string]any{}))
	if want := time.Unix(early, 0).Add(parley.DefaultTokenDays * 24 * time.Hour); last.Visitor.ID != first.Visitor.ID || !last.ExpiresAt.Equal(want) {
		t.Errorf("the last renewal is of %s until %v, want %s until %v", last.Visitor.ID, last.ExpiresAt, first.Visitor.ID, want)
	}
	limited := s.project(t, func(p *parley.Project) { p.Budgets.IdentifyPerHour = 1 })
	limited.post("/identify", map[string]any{})
	if p := limited.do(call{method: http.MethodPost, path: "/identify", body: "{}"}).fails(http.StatusTooManyRequests, "identify_limit"); p.RetryAfter < 1 {
		t.Errorf("problem = %+v, want when to try again", p)
	}
}

// testCallsLimit: who asks without pause is told to wait, in an answer that pages can
// read; another visitor of the same address is answered.
func testCallsLimit(t *testing.T, s *suite) {
	b := s.project(t, func(p *parley.Project) { p.Budgets.CallsPerMinute = 10 }).visitor()
	other := b.visitor()
	list := call{method: http.MethodGet, path: "/history"}
	answered := 0
	a := b.do(list)
	for ; a.status == http.StatusOK && answered < 100; a = b.do(list) { // a host may have several processes
		answered++
	}
	if p := a.fails(http.StatusTooManyRequests, "calls_limit"); answered < 10 || p.RetryAfter < 1 {
		t.Errorf("after %d calls: %+v, want when to try again", answered, p)
	}
	other.get("/history")
}

// identity signs an identity as the backend of the browser's project would.
func (b *browser) identity(kid string, claims jwt.MapClaims) string {
	b.t.Helper()
	if _, ok := claims["exp"]; !ok {
		claims["exp"] = time.Now().Add(time.Minute).Unix()
	}
	j := jwt.NewWithClaims(jwt.SigningMethodHS256, claims)
	j.Header["kid"] = kid
	text, err := j.SignedString([]byte(b.keys.SigningSecret(b.settings().ID, kid)))
	if err != nil {
		b.t.Fatal(err)
	}
	return text
}

// as identifies the browser's visitor with an identity.
func (b *browser) as(claims jwt.MapClaims) identified {
	b.t.Helper()
	got := into[identified](b.post("/identify", map[string]any{"identity": b.identity("k1", claims)}))
	b.token = got.Token
	return got
}

func testIdentifyContact(t *testing.T, s *suite) {
	b := s.project(t, func(p *parley.Project) { p.TokenRequired = true })
	post := func(identity string) *answer {
		return b.do(call{method: http.MethodPost, path: "/identify", body: map[string]any{"identity": identity}})
	}
	post("").fails(http.StatusForbidden, "identity_required")
	for _, bad := range []string{"x.y.z", b.identity("k2", jwt.MapClaims{"sub": "u1"}), s.project(t, nil).identity("k1", jwt.MapClaims{"sub": "u1"})} {
		post(bad).fails(http.StatusUnauthorized, "identity_invalid")
	}
	post(b.identity("k1", jwt.MapClaims{"sub": "u1", "exp": time.Now().Add(-61 * time.Second).Unix()})).fails(http.StatusUnauthorized, "identity_expired")
	day := time.Now().Add(25 * time.Hour).Unix()
	post(b.identity("k1", jwt.MapClaims{"sub": "u1", "exp": day})).fails(http.StatusUnauthorized, "identity_too_long")
	post(b.identity("k1", jwt.MapClaims{"sub": "u1", "exp": day, "iat": time.Now().Add(time.Hour).Unix()})).fails(http.StatusUnauthorized, "identity_too_long")
	post(b.identity("k1", jwt.MapClaims{"name": "Nobody"})).fails(http.StatusBadRequest, "invalid_field")
	got := into[identified](post(b.identity("k1", jwt.MapClaims{"sub": "u1", "email": "Ann@example.com", "name": "Ann",
		"picture": "https://shop.example/ann.png", "metadata": map[string]string{"plan": "pro"}})).is(http.StatusOK))
	if c := got.Contact; c == nil || c.ExternalID != "u1" || c.Email != "Ann@example.com" || c.Name != "Ann" || c.Picture != "https://shop.example/ann.png" {
		t.Errorf("contact = %+v", c)
	}
	again := into[identified](post(b.identity("k1", jwt.MapClaims{"sub": "u1", "exp": time.Now().Add(-30 * time.Second).Unix()})).is(http.StatusOK))
	if again.Contact.ID != got.Contact.ID || again.Contact.Name != "Ann" || again.Visitor.ID == got.Visitor.ID {
		t.Errorf("in another browser: %+v, want the same contact and another visitor", again)
	}
}

// testClaim: earlier sessions become the contact's on proof of the old token,
// and only then.
func testClaim(t *testing.T, s *suite) {
	b := s.project(t, nil).visitor()
	old := *b
	session := b.chat(ask("Before I sign in")).accepted.Session.ID
	user := fresh("u")

	stranger := *b
	stranger.token = ""
	stranger.as(jwt.MapClaims{"sub": user})
	stranger.do(call{method: http.MethodGet, path: "/history/" + string(session)}).fails(http.StatusNotFound, "not_found")

	got := b.as(jwt.MapClaims{"sub": user, "name": "Ann"})
	if got.Contact == nil || got.Contact.ExternalID != user {
		t.Fatalf("identified = %+v", got)
	}
	old.do(call{method: http.MethodGet, path: "/history"}).fails(http.StatusUnauthorized, "token_revoked")
	for name, page := range map[string]*browser{"this browser": b, "the other browser": &stranger} {
		if list := into[sessions](page.get("/history")); len(list.Sessions) != 1 || list.Sessions[0].ID != session {
			t.Errorf("%s lists %+v", name, list.Sessions)
		}
		page.get("/history/" + string(session))
		page.chat(ask("Signed in").with("sessionId", session))
	}
	if again := b.as(jwt.MapClaims{"sub": user}); again.Visitor.ID != got.Visitor.ID {
		t.Errorf("again = %+v, want visitor %s", again, got.Visitor.ID)
	}
	if renewed := into[identified](b.post("/identify", map[string]any{})); renewed.Contact == nil || renewed.Contact.Name != "Ann" {
		t.Errorf("renewed = %+v", renewed)
	}
	if other := b.as(jwt.MapClaims{"sub": fresh("u")}); other.Visitor.ID == got.Visitor.ID {
		t.Error("a contact's visitor became another contact's")
	}
	b.do(call{method: http.MethodGet, path: "/history/" + string(session)}).fails(http.StatusNotFound, "not_found")
}
