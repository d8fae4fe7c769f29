package hissunotest

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"parley/shared/parley"
	"parley/shared/parleytest"
)

// signed is a token as the customer's backend makes it.
func (p *page) signed(claims object, kid string) string {
	p.t.Helper()
	return sign(p.t, claims, kid, p.keys.SigningSecret(p.project.ID, "k1"))
}

func sign(t testing.TB, claims object, kid, secret string) string {
	t.Helper()
	token := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims(claims))
	if kid != "" {
		token.Header["kid"] = kid
	}
	text, err := token.SignedString([]byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func in(d time.Duration) int64 { return time.Now().Add(d).Unix() }

func testTokens(t *testing.T, s *suite) {
	p := s.page(t, func(p *parley.Project) { p.TokenRequired = true })
	valid := func() object {
		return object{"userId": "user-1", "exp": in(time.Hour), "userMetadata": object{"plan": "pro", "email": "ann@shop.example"}}
	}
	but := func(name string, value any) object {
		c := valid()
		c[name] = value
		if value == nil {
			delete(c, name)
		}
		return c
	}
	header := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`))
	none := header + "." + strings.Split(p.signed(valid(), ""), ".")[1] + "."
	before := s.standing(t)
	for _, test := range []struct{ name, token, want string }{
		{"absent", "", "Widget token is required"},
		{"expired for long", p.signed(but("exp", in(-90*time.Second)), ""), "Token expired"},
		{"valid for too long", p.signed(but("exp", in(25*time.Hour)), ""), "Token is valid for too long"},
		{"never expires", p.signed(but("exp", nil), ""), "Invalid token"},
		{"not yet valid", p.signed(but("nbf", in(90*time.Second)), ""), "Invalid token"},
		{"wrong key", sign(t, valid(), "", "a secret of somebody else's"), "Invalid token"},
		{"wrong kid", p.signed(valid(), "k2"), "Invalid token"},
		{"alg none", none, "Invalid token"},
		{"nonsense", "nonsense", "Invalid token"},
		{"no user", p.signed(but("userId", nil), ""), "Token missing required userId field"},
		{"empty user", p.signed(but("userId", ""), ""), "Token missing required userId field"},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := p.message("Hello")
			m["widgetToken"] = test.token
			a := p.post(m)
			a.t = t
			if out := a.fails(http.StatusUnauthorized); out["error"] != test.want {
				t.Errorf("answer = %v", out)
			}
		})
	}
	parleytest.Same(t, before, s.standing(t))
	for name, text := range map[string]string{"just expired": p.signed(but("exp", in(-30*time.Second)), ""), "with a kid": p.signed(valid(), "k1"),
		"not quite valid": p.signed(but("nbf", in(30*time.Second)), "")} {
		q := p.with(newUUID())
		m := q.message("Hello")
		m["widgetToken"], m["userId"], m["userMetadata"] = text, "somebody else", object{"plan": "free", "vip": "yes"}
		q.post(m).is(http.StatusCreated)
		if got, want := q.metadata(), (map[string]string{"userId": "user-1", "plan": "pro", "email": "ann@shop.example"}); !maps.Equal(got, want) {
			t.Errorf("%s: operators see %v", name, got)
		}
		if o := q.stored().Owner; o.Contact == "" || !o.Proven {
			t.Errorf("%s: owner = %+v", name, o)
		}
	}
	q := p.with(newUUID())
	m := q.message("Hello")
	m["widgetToken"], m["userMetadata"] = q.signed(but("userMetadata", nil), ""), object{"vip": "yes"}
	q.post(m).is(http.StatusCreated)
	if got := q.metadata(); !maps.Equal(got, map[string]string{"userId": "user-1"}) {
		t.Errorf("unsigned metadata beside a token: %v", got)
	}
	unset := s.page(t, func(p *parley.Project) { p.TokenRequired, p.SigningKeys = true, nil })
	if out := unset.post(unset.message("Hello")).fails(http.StatusUnauthorized); out["error"] != "Project secret key is required" {
		t.Errorf("without a signing key: %v", out)
	}
}

// metadata is what operators see of the session's user.
func (p *page) metadata() map[string]string {
	p.t.Helper()
	detail, err := p.Store.ReadSession(p.t.Context(), p.operator(), parley.SessionID(p.session), parley.PageRequest{})
	if err != nil {
		p.t.Fatal(err)
	}
	return detail.About.Metadata
}

// odd is what a page or a token may have for metadata, and what is kept of it.
func odd() (said object, kept map[string]string) {
	long := strings.Repeat("ü", 400)
	said = object{"plan": 7, "seats": 1.50, "vip": true, "gone": nil, "tags": []any{"a", 1}, "shop": object{"id": 9007199254740993},
		"note": long, long: "x"}
	return said, map[string]string{"plan": "7", "seats": "1.5", "vip": "true", "tags": `["a",1]`, "shop": `{"id":9007199254740993}`,
		"note": long[:500], long[:500]: "x"}
}

// testOddMetadata: whatever the page says of its user is kept as text as far as it can
// be kept, and the message is answered.
func testOddMetadata(t *testing.T, s *suite) {
	p := s.page(t, nil)
	said, kept := odd()
	many := object{}
	for n := range 2 * parley.MaxMetadata {
		many[fmt.Sprintf("k%03d", n)] = n
	}
	id := strings.Repeat("7", 600)
	for _, test := range []struct {
		name       string
		user, said any
		want       map[string]string
	}{
		{"values of all kinds", nil, said, kept},
		{"a number for a user", 42, nil, map[string]string{"userId": "42"}},
		{"a long user", id, object{"plan": "pro"}, map[string]string{"userId": id[:500], "plan": "pro"}},
		{"no object", object{"id": 1}, "pro", map[string]string{"userId": `{"id":1}`}},
		{"a list", nil, []any{1}, nil},
		{"another user in the metadata", "u", object{"userId": "v"}, map[string]string{"userId": "u"}},
	} {
		q := p.with(newUUID())
		m := q.message("Hello")
		m["userId"], m["userMetadata"], m["pageTitle"] = test.user, test.said, 404
		q.post(m).is(http.StatusCreated)
		if got := q.metadata(); !maps.Equal(got, test.want) {
			t.Errorf("%s: operators see %v, want %v", test.name, got, test.want)
		}
	}
	q := p.with(newUUID())
	m := q.message("Hello")
	m["userId"], m["userMetadata"] = "u", many
	q.post(m).is(http.StatusCreated)
	if got := q.metadata(); len(got) != parley.MaxMetadata || got["userId"] != "u" || got["k000"] != "0" || got["k048"] != "48" {
		t.Errorf("of many pairs operators see %v", got)
	}
}

// testOddTokens: what is odd in a token refuses no message. Who it is signed for stays
// exact, or is nobody.
func testOddTokens(t *testing.T, s *suite) {
	p := s.page(t, nil)
	required := s.page(t, func(p *parley.Project) { p.TokenRequired = true })
	said, kept := odd()
	said["name"], said["email"] = strings.Repeat("n", 600), strings.Repeat("e", 300)+"@shop.example"
	kept["name"], kept["email"] = strings.Repeat("n", 500), said["email"].(string)
	kept["userId"] = "ann"
	send := func(p *page, claims object) (*page, *answer) {
		q := p.with(newUUID())
		m := q.message("Hello")
		claims["exp"] = in(time.Hour)
		m["widgetToken"] = q.signed(claims, "")
		return q, q.post(m)
	}
	q, a := send(required, object{"userId": "ann", "userMetadata": said, "sub": 42, "iss": object{}, "aud": 7, "iat": "today"})
	a.is(http.StatusCreated)
	if got := q.metadata(); !maps.Equal(got, kept) {
		t.Errorf("operators see %v, want %v", got, kept)
	}
	if got := q.contact(); got.External != "ann" || got.Email != "" || got.Name != kept["name"] {
		t.Errorf("contact = %+v", got)
	}
	for _, id := range []any{json.Number("9007199254740993"), strings.Repeat("7", parley.MaxIDBytes)} {
		q, a := send(required, object{"userId": id})
		a.is(http.StatusCreated)
		if got := q.contact(); got.External != fmt.Sprint(id) {
			t.Errorf("signed for %v, the contact is %+v", id, got)
		}
	}
	for _, id := range []string{strings.Repeat("7", parley.MaxIDBytes+1), "a\xff", "line\nline"} {
		q, a := send(p, object{"userId": id, "userMetadata": object{"plan": "pro"}})
		a.is(http.StatusCreated)
		if o := q.stored().Owner; o.Contact != "" || o.Proven {
			t.Errorf("signed for %q, the owner is %+v", id, o)
		}
		if got := q.metadata(); got["plan"] != "pro" || got["userId"] == "" {
			t.Errorf("signed for %q, operators see %v", id, got)
		}
		refused, a := send(required, object{"userId": id})
		a.fails(http.StatusUnauthorized)
		if _, err := s.Store.Session(t.Context(), refused.operator(), parley.SessionID(refused.session)); !errors.Is(err, parley.ErrNotFound) {
			t.Errorf("signed for %q where all must be signed in, the session: %v", id, err)
		}
	}
	for _, id := range []any{object{"id": 1}, []any{1}, true, nil} {
		_, a := send(p, object{"userId": id})
		if out := a.fails(http.StatusUnauthorized); out["error"] != "Token missing required userId field" {
			t.Errorf("signed for %v: %v", id, out)
		}
	}
}

// contact is who the session is proven to be of.
func (p *page) contact() parley.Contact {
	p.t.Helper()
	got, err := p.Store.Vouched(p.t.Context(), p.stored())
	if err != nil {
		p.t.Fatal(err)
	}
	return got
}

// testBound: the first token binds the conversation, and another user is refused.
func testBound(t *testing.T, s *suite) {
	p := s.page(t, nil)
	as := func(user string) object {
		m := p.message("Hello")
		if user != "" {
			m["widgetToken"] = p.signed(object{"userId": user, "exp": in(time.Hour)}, "")
		}
		return m
	}
	send := func(user string) *answer {
		a := p.post(as(user))
		if a.status == http.StatusCreated {
			p.read("")
		}
		return a
	}
	m := as("")
	m["userId"], m["userMetadata"] = "typed", object{"email": "ann@shop.example"}
	p.post(m).is(http.StatusCreated)
	p.read("")
	if o := p.stored().Owner; o.Contact != "" {
		t.Errorf("an address that was typed made a contact: %+v", o)
	}
	if got := p.metadata(); got["userId"] != "typed" {
		t.Errorf("metadata = %v", got)
	}
	send("ann").is(http.StatusCreated)
	before := p.stored().Seq
	send("ben").fails(http.StatusForbidden)
	if after := p.stored().Seq; after != before {
		t.Errorf("another user's message is stored")
	}
	send("").is(http.StatusCreated)
	send("ann").is(http.StatusCreated)
	bad := as("")
	bad["widgetToken"] = "nonsense"
	p.post(bad).fails(http.StatusUnauthorized)
}

func testOwnIDs(t *testing.T, s *suite) {
	t.Run("a project that asks for a challenge", func(t *testing.T) {
		ask := func(except ...parley.Channel) *page {
			return s.page(t, func(p *parley.Project) {
				p.Challenge = parley.ChallengeSettings{Numbers: parley.MinChallengeNumbers, Except: except}
			})
		}
		shut := ask()
		if out := shut.post(shut.message("Hello")).fails(http.StatusForbidden); out["error"] != "Please sign in to write here" {
			t.Errorf("a stranger: %v", out)
		}
		m := shut.message("Hello")
		m["widgetToken"] = shut.signed(object{"userId": "ann", "exp": in(time.Hour)}, "")
		shut.post(m).is(http.StatusCreated)
		open := ask(parley.ChannelHissuno)
		open.post(open.message("Hello")).is(http.StatusCreated)
	})
	p := s.page(t, nil)
	for _, id := range []string{"support", "kunde/42 ü", strings.Repeat("x", 128)} {
		q := p.with(id + newUUID()[:0])
		if out := q.post(q.message("Hello")).is(http.StatusCreated).object(); out["sessionId"] != id {
			t.Errorf("%q: accepted as %v", id, out["sessionId"])
		}
		if h := q.read(""); h.text == "" {
			t.Errorf("%q: heard %+v", id, h)
		}
		q.updates("")
	}
	required := s.page(t, func(p *parley.Project) { p.TokenRequired = true }).with("support")
	for name, c := range required.calls() {
		if name != "E1" {
			required.do(c).fails(http.StatusBadRequest)
		}
	}
}

func testOtherProject(t *testing.T, s *suite) {
	a := s.page(t, nil)
	question := fresh("Still there?")
	gate := make(chan struct{})
	s.script(question, gate, "Half", " whole.")
	run := a.say(question)
	a.awaitText(run, "Half")
	b := s.page(t, nil).with(a.session)
	before := s.standing(t)
	if got := b.status(); got["isRunning"] != false || got["status"] != "idle" {
		t.Errorf("E2 = %v", got)
	}
	b.do(b.calls()["E4"]).fails(http.StatusNotFound)
	if letters, _ := b.updates(""); len(letters) > 0 {
		t.Errorf("E5 = %+v", letters)
	}
	if got := b.do(b.calls()["E6"]).is(http.StatusOK).object(); got["cancelled"] != false {
		t.Errorf("E6 = %v", got)
	}
	b.do(b.calls()["E7"]).is(http.StatusOK)
	b.do(b.calls()["E7b"]).is(http.StatusOK)
	parleytest.Same(t, before, s.standing(t))
	if _, err := s.Store.Session(t.Context(), b.operator(), parley.SessionID(a.session)); parley.Code(err) != "not_found" {
		t.Errorf("its operator: %v", err)
	}
	close(gate)
	if h := a.read(""); h.text != "Half whole." {
		t.Errorf("heard %+v", h)
	}
}

// testAccess: every call by everybody who may not make it, and nothing changes.
func testAccess(t *testing.T, s *suite) {
	p := s.page(t, nil)
	p.ask("Mine")
	blocked := s.page(t, nil)
	blocked.ask("Mine")
	visitor := s.Store.CapabilityVisitor(blocked.project.ID, parley.SessionID(blocked.session))
	if err := s.Store.BlockVisitor(t.Context(), blocked.project.ID, visitor, true); err != nil {
		t.Fatal(err)
	}
	as := func(change func(*page)) *page {
		q := *p
		change(&q)
		return &q
	}
	bound := s.page(t, nil)
	m := bound.message("Mine")
	m["widgetToken"] = bound.signed(object{"userId": "ann", "exp": in(time.Hour)}, "")
	bound.post(m).is(http.StatusCreated)
	bound.read("")
	native := s.native(t, p)
	before := s.standing(t)
	for _, test := range []struct {
		name   string
		who    *page
		status int
		but    []string // that need no more than a project
	}{
		{"stranger without a key", as(func(q *page) { q.key = "" }), 400, nil},
		{"unknown key", as(func(q *page) { q.key = "pk_live_unknown" }), 401, []string{"E1"}},
		{"other origin", as(func(q *page) { q.origin = "https://evil.example" }), 403, nil},
		{"no origin but null", as(func(q *page) { q.origin = "null" }), 403, nil},
		{"blocked", blocked, 403, []string{"E1"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			who := *test.who
			who.t = t
			for name, c := range who.calls() {
				if !slices.Contains(test.but, name) {
					who.do(c).fails(test.status)
				}
			}
			parleytest.Same(t, before, s.standing(t))
		})
	}
	t.Run("forged and expired tokens", func(t *testing.T) {
		for _, token := range []string{sign(t, object{"userId": "ann", "exp": in(time.Hour)}, "", "forged"),
			bound.signed(object{"userId": "ann", "exp": in(-time.Hour)}, "")} {
			m := bound.message("Let me in")
			m["widgetToken"] = token
			bound.post(m).fails(http.StatusUnauthorized)
		}
		parleytest.Same(t, before, s.standing(t))
	})
	t.Run("a session of another channel", func(t *testing.T) {
		q := p.with(string(native))
		q.post(q.message("Let me in")).fails(http.StatusForbidden)
		q.do(q.calls()["E4"]).fails(http.StatusNotFound)
		if got := q.status(); got["status"] != "idle" {
			t.Errorf("E2 = %v", got)
		}
		for _, name := range []string{"E6", "E7", "E7b"} {
			q.do(q.calls()[name]).is(http.StatusOK)
		}
		if letters, _ := q.updates(""); len(letters) > 0 {
			t.Errorf("E5 = %q", contents(letters))
		}
		parleytest.Same(t, before, s.standing(t))
	})
}

// native is a session of a visitor with a token, in a page's project. An operator
// has it: its page is to be told so.
func (s *suite) native(t *testing.T, p *page) parley.SessionID {
	got, err := s.Store.Identify(t.Context(), parley.IdentifyRequest{Caller: parley.Caller{Project: p.project.ID}})
	if err != nil {
		t.Fatal(err)
	}
	sent, err := s.Store.Send(t.Context(), parley.Caller{Project: p.project.ID, Visitor: got.Visitor.ID, Generation: got.Visitor.Generation},
		parley.SendRequest{ID: parley.EntryID(newUUID()), Channel: parley.ChannelNative, Content: "Mine"})
	if err == nil {
		err = s.Store.TakeOver(t.Context(), p.operator(), sent.Session.ID, ola)
	}
	if err != nil {
		t.Fatal(err)
	}
	return sent.Session.ID
}

// testBlockedContact: a blocked contact's messages are refused in the session that it
// has, in new ones, and without its token too, until it is let in again.
func testBlockedContact(t *testing.T, s *suite) {
	p := s.page(t, nil)
	token := p.signed(object{"userId": "user-1", "exp": in(time.Hour)}, "")
	say := func(q *page, token string) *answer {
		m := q.message("Hello")
		if token != "" {
			m["widgetToken"] = token
		}
		return q.post(m)
	}
	say(p, token).is(http.StatusCreated)
	p.read("")
	contact := p.stored().Owner.Contact
	if err := s.Store.BlockContact(t.Context(), p.project.ID, contact, true); err != nil {
		t.Fatal(err)
	}
	for name, a := range map[string]*answer{"its session": say(p, token), "without a token": say(p, ""), "a new session": say(p.with(newUUID()), token)} {
		if out := a.fails(http.StatusForbidden); out["error"] == nil {
			t.Errorf("%s: %v", name, out)
		}
	}
	if err := s.Store.BlockContact(t.Context(), p.project.ID, contact, false); err != nil {
		t.Fatal(err)
	}
	say(p, "").is(http.StatusCreated)
}
