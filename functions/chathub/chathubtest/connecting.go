package chathubtest

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/functions/chathub"
	"parley/shared/parley"
	"parley/shared/parleytest"
)

func testNegotiate(t *testing.T, s *suite) {
	a := s.page(t, nil).negotiate()
	if a.status != http.StatusOK || !strings.HasPrefix(a.header.Get("Content-Type"), "application/json") {
		t.Errorf("negotiate = %d %s", a.status, a.header.Get("Content-Type"))
	}
	var got struct {
		NegotiateVersion              int
		ConnectionID, ConnectionToken string
		AvailableTransports           []map[string]any
	}
	if err := json.Unmarshal([]byte(a.body), &got); err != nil || len(a.fields) != 4 || got.NegotiateVersion != 1 || got.ConnectionID == "" ||
		got.ConnectionToken == "" || got.ConnectionID == got.ConnectionToken || len(got.AvailableTransports) != 1 {
		t.Fatalf("negotiate = %s, %v", a.body, err)
	}
	one, _ := json.Marshal(got.AvailableTransports[0])
	if string(one) != `{"transferFormats":["Text"],"transport":"WebSockets"}` {
		t.Errorf("transports = %s", one)
	}
}

func testStateful(t *testing.T, s *suite) {
	p := s.page(t, nil)
	if a := p.negotiate("useStatefulReconnect", "true"); a.status != http.StatusOK || a.fields["useStatefulReconnect"] != nil {
		t.Errorf("negotiate = %d %s", a.status, a.body)
	}
	p.with("useStatefulReconnect", "true").connect().quiet()
}

func testConnectionToken(t *testing.T, s *suite) {
	p := s.page(t, nil)
	form := regexp.MustCompile(`^[A-Za-z0-9_-]+$`)
	seen := map[string]bool{}
	for range 20 {
		text, _ := p.negotiate().fields["connectionToken"].(string)
		if !form.MatchString(text) || seen[text] {
			t.Errorf("connectionToken = %q", text)
		}
		seen[text] = true
	}
}

func testCORS(t *testing.T, s *suite) {
	p := s.page(t, nil)
	names := "authorization,x-requested-with,x-signalr-user-agent"
	preflight := http.Header{"Origin": {shop}, "Access-Control-Request-Method": {"POST"}, "Access-Control-Request-Headers": {names}}
	a := p.ask(http.MethodOptions, url.Values{"agentId": p.query["agentId"]}.Encode(), preflight)
	readable(t, "preflight", a, shop)
	if a.status/100 != 2 || a.header.Get("Access-Control-Max-Age") == "" || a.header.Get("Access-Control-Allow-Methods") != "POST" {
		t.Errorf("preflight = %d %v", a.status, a.header)
	}
	allowed := strings.ToLower(a.header.Get("Access-Control-Allow-Headers"))
	for _, name := range strings.Split(names, ",") {
		if !strings.Contains(allowed, name) {
			t.Errorf("the preflight allows %q, not %s", allowed, name)
		}
	}
	stranger := p.with()
	stranger.header.Set("Origin", "https://evil.example")
	for name, ask := range map[string]answer{"answer": p.negotiate(), "no token": p.negotiate("access_token", ""), "no agent": p.negotiate("agentId", ""),
		"nobody": p.negotiate("agentId", "nobody.ada"), "disabled": p.negotiate("agentId", string(p.project.ID)+".off"),
		"GET": p.ask(http.MethodGet, p.query.Encode(), p.header)} {
		readable(t, name, ask, shop)
	}
	readable(t, "other origin", stranger.negotiate(), "https://evil.example")
	p.header.Del("Origin")
	if a := p.negotiate(); a.status != http.StatusOK || a.header.Get("Access-Control-Allow-Credentials") != "" || a.header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("without an origin: %d %v", a.status, a.header)
	}
}

func readable(t *testing.T, what string, a answer, origin string) {
	t.Helper()
	h := a.header
	if !slices.Equal(h.Values("Access-Control-Allow-Origin"), []string{origin}) || !slices.Equal(h.Values("Access-Control-Allow-Credentials"), []string{"true"}) || !strings.Contains(h.Get("Vary"), "Origin") {
		t.Errorf("%s: %d with %v", what, a.status, h)
	}
}

// refused checks that neither request of a client connects it, and returns what
// negotiate answers.
func (p *page) refused(status int) answer {
	p.t.Helper()
	a := p.negotiate()
	text, _ := a.fields["error"].(string)
	if a.status != status || text == "" || a.fields["connectionToken"] != nil {
		p.t.Errorf("negotiate = %d %s, want %d and an error", a.status, a.body, status)
	}
	ws, got := p.dial(p.query.Encode())
	if ws != nil || got < 400 || got > 499 || status == http.StatusUnauthorized && got != status {
		p.t.Errorf("the upgrade is answered %d", got)
	}
	return a
}

func testRefused(t *testing.T, s *suite) {
	p := s.page(t, nil)
	other := s.page(t, nil)
	before := s.standing(t)
	valid := p.query.Get("access_token")
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"JWT","kid":"k1"}`)) + "." + strings.Split(valid, ".")[1] + "."
	for name, text := range map[string]string{
		"absent":           "",
		"nonsense":         "nonsense",
		"alg none":         none,
		"expired":          p.signed(object{"sub": "ann", "exp": in(-2 * time.Minute)}),
		"never expires":    p.signed(object{"sub": "ann"}),
		"too long":         p.signed(object{"sub": "ann", "exp": in(25 * time.Hour)}),
		"not yet valid":    p.signed(object{"sub": "ann", "exp": in(time.Hour), "nbf": in(2 * time.Minute)}),
		"nobody":           p.signed(object{"exp": in(time.Hour)}),
		"forged":           sign(t, user("ann"), "forged"),
		"of another":       other.query.Get("access_token"),
		"a public key":     p.project.PublicKeys[0],
		"of no known form": p.signed(object{"sub": "ann", "exp": in(time.Hour), "agents": 7}),
	} {
		t.Run(name, func(t *testing.T) { p.with("access_token", text).of(t).refused(http.StatusUnauthorized) })
	}
	id := string(p.project.ID)
	for agent, want := range map[string]string{
		"":             "invalid_request: ",
		"ada":          "invalid_request: ",
		"." + "ada":    "invalid_request: ",
		id + ".":       "invalid_request: ",
		id + ".nobody": "unknown_agent: ",
		id + ".off":    "unknown_agent: ",
		id + ".\x00":   "invalid_request: ",
	} {
		t.Run("agent "+agent, func(t *testing.T) {
			if a := p.with("agentId", agent).of(t).refused(http.StatusOK); !strings.HasPrefix(a.fields["error"].(string), want) {
				t.Errorf("error = %s", a.body)
			}
		})
	}
	limited := p.with("access_token", p.signed(object{"sub": "ann", "exp": in(time.Hour), "agents": []string{"bob"}}))
	if a := limited.refused(http.StatusOK); !strings.HasPrefix(a.fields["error"].(string), "unknown_agent: ") {
		t.Errorf("a token for another agent: %s", a.body)
	}
	// Who has no token of a project does not learn that it is there.
	foreign := other.with("agentId", id+".ada").refused(http.StatusUnauthorized)
	unknown := other.with("agentId", "nobody.ada").refused(http.StatusUnauthorized)
	if foreign.body != unknown.body {
		t.Errorf("a foreign project is answered %s, an unknown one %s", foreign.body, unknown.body)
	}
	parleytest.Same(t, before, s.standing(t))
	limited.with("agentId", id+".bob").connect().quiet()
}

func testOrigins(t *testing.T, s *suite) {
	for _, test := range []struct {
		list []string
		keys []string
		want map[string]bool
	}{
		{nil, nil, map[string]bool{shop: false, "http://localhost:3000": false, "": true}},
		{[]string{"*"}, nil, map[string]bool{shop: true, "null": true}},
		{[]string{"*.shop.example"}, nil, map[string]bool{shop: true, "https://a.shop.example": true, "https://evil.example": false, "null": false}},
		{nil, []string{"pk_test_"}, map[string]bool{shop: false, "http://localhost:3000": true}},
	} {
		p := s.page(t, func(p *parley.Project) {
			p.Origins = test.list
			for _, prefix := range test.keys {
				p.PublicKeys = append(p.PublicKeys, prefix+string(p.ID))
			}
		})
		for origin, want := range test.want {
			p.header.Set("Origin", origin)
			if origin == "" {
				p.header.Del("Origin")
			}
			if want {
				p.connect().leave()
			} else if a := p.refused(http.StatusOK); !strings.HasPrefix(a.fields["error"].(string), "origin_refused: ") {
				t.Errorf("list %q, origin %s: %s", test.list, origin, a.body)
			}
		}
	}
}

func testConnects(t *testing.T, s *suite) {
	p := s.page(t, nil).with("theme", "dark", "session", "x")
	p.with("id", p.negotiate().fields["connectionToken"].(string)).connect().quiet()
}

func testNoNegotiation(t *testing.T, s *suite) {
	p := s.page(t, nil)
	p.connect().quiet()
	for _, id := range []string{"made-up", strings.Repeat("x", 300), "../..", "%00"} {
		p.with("id", id).connect().quiet()
	}
}

func testTokenPlaces(t *testing.T, s *suite) {
	p := s.page(t, nil)
	valid, bad := p.query.Get("access_token"), "nonsense"
	for _, test := range []struct {
		name   string
		header string
		query  []string
		want   bool
	}{
		{"address", "", []string{valid}, true},
		{"header", "Bearer " + valid, nil, true},
		{"header in small letters", "bearer " + valid, nil, true},
		{"the last counts", "", []string{bad, valid}, true},
		{"not the first", "", []string{valid, bad}, false},
		{"the header before the address", "Bearer " + valid, []string{bad}, true},
		{"not the address before the header", "Bearer " + bad, []string{valid}, false},
		{"another scheme", "Basic " + valid, nil, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := p.with("access_token", "").of(t)
			if p.query["access_token"] = test.query; test.query == nil {
				p.query.Del("access_token")
			}
			if test.header != "" {
				p.header.Set("Authorization", test.header)
			}
			if !test.want {
				p.refused(http.StatusUnauthorized)
				return
			}
			if a := p.negotiate(); test.query == nil && a.status != http.StatusOK {
				t.Errorf("negotiate = %d %s", a.status, a.body)
			}
			p.connect().quiet()
		})
	}
}

func testMetadata(t *testing.T, s *suite) {
	p := s.page(t, nil)
	text := `{"a b":"1 + 1 = \"zwei\"","größe":"ß 漢字 😀","%":"100 %41","n":7,"list":[1, {"x":true}],"none":null,"":"empty"}`
	want := map[string]string{"a b": `1 + 1 = "zwei"`, "größe": "ß 漢字 😀", "%": "100 %41", "n": "7", "list": `[1,{"x":true}]`, "": "empty"}
	q := p.query.Encode()
	component := strings.ReplaceAll(url.QueryEscape(text), "+", "%20")
	for name, encoded := range map[string]string{
		"as encodeURIComponent writes it": component,
		"as a form":                       url.QueryEscape(text),
		"escaped twice":                   url.QueryEscape(component),
	} {
		t.Run(name, func(t *testing.T) {
			p := p.of(t)
			c := p.openRaw(q + "&metadata=" + encoded)
			c.ping()
			if got := p.about(c.say("Hello").ConversationID).Metadata; !maps.Equal(got, want) {
				t.Errorf("metadata = %q, want %q", got, want)
			}
			if errors := c.errors(); errors != nil {
				t.Errorf("errors = %q", errors)
			}
		})
	}
	c := p.with("metadata", `{"plan":"pro","page":"/"}`).connect()
	id := c.result(c.invoke("SendMessageAsync", object{"content": "Hello", "metadata": object{"page": "/pricing", "deep": object{"a": 1}}})).ConversationID
	if got, want := p.about(id).Metadata, (map[string]string{"plan": "pro", "page": "/pricing", "deep": `{"a":1}`}); !maps.Equal(got, want) {
		t.Errorf("with the message's: %q", got)
	}
}

// openRaw is open with a query as it is written.
func (p *page) openRaw(query string) *client {
	p.t.Helper()
	ws, status := p.dial(query)
	if ws == nil {
		p.t.Fatalf("refused with %d", status)
	}
	c := &client{page: p, ws: ws}
	c.write(`{"protocol":"json","version":1}|`)
	c.frame()
	c.frames = nil
	return c
}

func testBadMetadata(t *testing.T, s *suite) {
	p := s.page(t, nil)
	for name, text := range map[string]string{"no JSON": "{", "a list": "[1]", "a text": `"x"`, "null": "null", "too long": `{"a":"` + strings.Repeat("x", chathub.MaxMetadataBytes) + `"}`} {
		t.Run(name, func(t *testing.T) {
			c := p.with("metadata", text, "access_token", p.signed(object{"sub": "ann", "jti": fresh("t"), "exp": in(time.Hour)})).of(t).open()
			first := c.ping()
			if got := c.errors(); !slices.Equal(got, []string{"invalid_metadata"}) || len(first) != 1 {
				t.Errorf("the first record is answered %+v", first)
			}
			if got := p.about(c.say("Hello").ConversationID).Metadata; len(got) > 0 {
				t.Errorf("metadata = %q", got)
			}
		})
	}
}

func testLanguage(t *testing.T, s *suite) {
	for tag, want := range map[string]string{"es-MX": "es-MX", "": "", "de": "de", "zh-Hant-TW": "zh-Hant-TW", "x": "", "es_MX": "", "en;q=1": "", strings.Repeat("a", 36): "",
		"de-" + strings.Repeat("a-", 20) + "a": ""} {
		c := s.page(t, nil).with("language", tag).connect()
		if got := c.stored(c.say("Hello").ConversationID).Language; got != want || c.errors() != nil {
			t.Errorf("language %q is kept as %q, want %q; errors %q", tag, got, want, c.errors())
		}
	}
}

func testHandshake(t *testing.T, s *suite) {
	p := s.page(t, nil)
	for text, want := range map[string]string{
		`{"protocol":"json","version":1}|`:             "",
		`{"protocol":"json","version":2}|`:             "",
		`{"version":1,"more":[{}],"protocol":"json"}|`: "",
		`{"protocol":"messagepack","version":1}|`:      "invalid_request: ",
		`{"protocol":"json","version":3}|`:             "invalid_request: ",
		`{"protocol":"JSON","version":1}|`:             "invalid_request: ",
	} {
		ws, _ := p.dial(p.query.Encode())
		c := &client{page: p, ws: ws}
		c.write(text)
		first := c.frame()[0]
		if want == "" && first.text != "{}" || want != "" && (first.Error == nil || !strings.HasPrefix(*first.Error, want) || first.Type != nil) {
			t.Errorf("%s is answered %s", text, first.text)
		}
		if want == "" {
			c.ping()
			c.quiet()
		} else if c.frame() != nil || c.ended == 0 {
			t.Errorf("%s: the connection stays: %s", text, c.transcript())
		}
	}
}
