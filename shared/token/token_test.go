package token_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"parley/shared/parley"
	"parley/shared/token"
)

var (
	noon    = time.Date(2026, 11, 5, 12, 0, 0, 500e6, time.UTC)
	oldest  = []byte(strings.Repeat("o", 32))
	newest  = []byte(strings.Repeat("n", 32))
	another = []byte(strings.Repeat("x", 32))
)

func keyring(t testing.TB, at time.Time, masters ...[]byte) *token.Keyring {
	t.Helper()
	k, err := token.New(token.Config{Masters: masters, Now: func() time.Time { return at }})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestNew(t *testing.T) {
	short := newest[:31]
	tests := []struct {
		name    string
		masters [][]byte
		ok      bool
	}{
		{"none", nil, false},
		{"one", [][]byte{newest}, true},
		{"two", [][]byte{newest, oldest}, true},
		{"three", [][]byte{newest, oldest, another}, false},
		{"short", [][]byte{short}, false},
		{"second short", [][]byte{newest, short}, false},
		{"twice the same", [][]byte{newest, newest}, false},
	}
	for _, test := range tests {
		if _, err := token.New(token.Config{Masters: test.masters}); (err == nil) != test.ok {
			t.Errorf("%s: New = %v, want ok %v", test.name, err, test.ok)
		}
	}
}

func TestDerivePrevious(t *testing.T) {
	if got := keyring(t, noon, newest).DerivePrevious("file", "x"); got != nil {
		t.Errorf("DerivePrevious without a second master = %x, want nil", got)
	}
	was := keyring(t, noon, oldest).Derive("file", "x")
	if got := keyring(t, noon, newest, oldest).DerivePrevious("file", "x"); !bytes.Equal(got, was) {
		t.Errorf("DerivePrevious = %x, want %x as before the rotation", got, was)
	}
}

func TestDerive(t *testing.T) {
	k := keyring(t, noon, newest)
	lists := [][]string{{"a"}, {"a", ""}, {"a", "b"}, {"ab"}, {"a", "bc"}, {"ab", "c"}, {"a", "b", "c"}, {"b", "a"}, {""}}
	for i, a := range lists {
		one := k.Derive(a[0], a[1:]...)
		if len(one) != 32 || !bytes.Equal(one, k.Derive(a[0], a[1:]...)) {
			t.Errorf("Derive(%q) = %d bytes, or not the same twice", a, len(one))
		}
		for _, b := range lists[:i] {
			if bytes.Equal(one, k.Derive(b[0], b[1:]...)) {
				t.Errorf("Derive(%q) = Derive(%q)", a, b)
			}
		}
		if bytes.Equal(one, keyring(t, noon, oldest).Derive(a[0], a[1:]...)) {
			t.Errorf("Derive(%q) does not depend on the master", a)
		}
		if !bytes.Equal(one, keyring(t, noon, newest, oldest).Derive(a[0], a[1:]...)) {
			t.Errorf("Derive(%q) depends on the second master", a)
		}
	}
}

var (
	shop    = &parley.Project{ID: "shop"}
	visitor = parley.Visitor{ID: "v1", Contact: "c1", Generation: 3}
)

func TestVisitor(t *testing.T) {
	text, expires, err := keyring(t, noon, newest).Visitor(shop, visitor, 0)
	if err != nil {
		t.Fatal(err)
	}
	if want := noon.Truncate(time.Second).Add(token.VisitorLife); !expires.Equal(want) {
		t.Errorf("expires %v, want %v", expires, want)
	}
	parts := strings.Split(text, ".")
	ticket, err := keyring(t, noon, newest).Ticket(token.Ticket{Caller: parley.Caller{Project: "shop", Visitor: "v1"}})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, project, text string
		keys                *token.Keyring
		want                error
	}{
		{"valid", "shop", text, keyring(t, noon, newest), nil},
		{"signed by the old master", "shop", text, keyring(t, noon, another, newest), nil},
		{"master taken away", "shop", text, keyring(t, noon, another), token.ErrInvalid},
		{"last moment", "shop", text, keyring(t, expires.Add(-1), newest), nil},
		{"expired", "shop", text, keyring(t, expires, newest), token.ErrExpired},
		{"another project", "shop2", text, keyring(t, noon, newest), token.ErrInvalid},
		{"another project, expired", "shop2", text, keyring(t, expires, newest), token.ErrExpired},
		{"ticket", "shop", ticket, keyring(t, noon, newest), token.ErrInvalid},
		{"empty", "shop", "", keyring(t, noon, newest), token.ErrInvalid},
		{"no signature", "shop", parts[0] + "." + parts[1] + ".", keyring(t, noon, newest), token.ErrInvalid},
		{"two parts", "shop", parts[0] + "." + parts[1], keyring(t, noon, newest), token.ErrInvalid},
		{"claims changed", "shop", parts[0] + "." + flip(parts[1]) + "." + parts[2], keyring(t, noon, newest), token.ErrInvalid},
		{"header changed", "shop", flip(parts[0]) + "." + parts[1] + "." + parts[2], keyring(t, noon, newest), token.ErrInvalid},
		{"signature changed", "shop", parts[0] + "." + parts[1] + "." + flip(parts[2]), keyring(t, noon, newest), token.ErrInvalid},
		{"too long", "shop", text + strings.Repeat("A", token.MaxBytes), keyring(t, noon, newest), token.ErrInvalid},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := test.keys.ReadVisitor(&parley.Project{ID: parley.ProjectID(test.project)}, test.text)
			if !errors.Is(err, test.want) || err != nil && test.want == nil {
				t.Fatalf("ReadVisitor = %v, want %v", err, test.want)
			}
			want := parley.Caller{Project: "shop", Visitor: "v1", Contact: "c1", Generation: 3, First: noon.Unix()}
			if err == nil && got != want || err != nil && got != (parley.Caller{}) {
				t.Errorf("ReadVisitor = %+v, want %+v", got, want)
			}
		})
	}
}

// TestVisitorAge: whoever renews a token for ever has it until the project's age from
// the first one; what else a project says of its tokens holds from now on.
func TestVisitorAge(t *testing.T) {
	day := 24 * time.Hour
	at := noon.Truncate(time.Second)
	first, expires := at.Unix(), time.Time{}
	text, _, err := keyring(t, at, newest).Visitor(shop, visitor, 0)
	renewals := 0
	for ; err == nil; renewals++ {
		var c parley.Caller
		if c, err = keyring(t, at, newest).ReadVisitor(shop, text); err != nil {
			break
		}
		if c.First != first {
			t.Fatalf("after %d renewals the first token is of %d, want %d", renewals, c.First, first)
		}
		if text, expires, err = keyring(t, at, newest).Visitor(shop, visitor, c.First); err != nil {
			t.Fatal(err)
		}
		at = at.Add(100 * day)
	}
	end := time.Unix(first, 0).Add(parley.DefaultTokenDays * day)
	if !errors.Is(err, token.ErrExpired) || !expires.Equal(end) || renewals != 4 {
		t.Errorf("after %d renewals until %v: %v, want %v until %v after 4", renewals, expires, err, token.ErrExpired, end)
	}
	of := func(days int, generation int64) *parley.Project {
		return &parley.Project{ID: "shop", TokenDays: days, TokenGeneration: generation}
	}
	issue := func(p *parley.Project, first time.Time) string {
		text, _, err := keyring(t, first, newest).Visitor(p, visitor, 0)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	legacy := signed(t, noon, map[string]any{"prj": "shop", "gen": 3, "con": "c1", "sub": "v1"})
	for _, test := range []struct {
		name, text string
		project    *parley.Project
		at         time.Time
		want       error
	}{
		{"last moment of a short age", issue(of(2, 0), noon), of(2, 0), noon.Add(2*day - time.Second), nil},
		{"short age over", issue(of(2, 0), noon), of(2, 0), noon.Add(2 * day), token.ErrExpired},
		{"age lowered", issue(shop, noon), of(2, 0), noon.Add(2 * day), token.ErrExpired},
		{"age raised", issue(of(2, 0), noon), of(3000, 0), noon.Add(day), nil},
		{"from before there were first tokens", legacy, shop, noon.Add(100 * day), nil},
		{"that, with an age lowered", legacy, of(2, 0), noon.Add(2 * day), token.ErrExpired},
		{"that, made void", legacy, of(0, 1), noon, token.ErrRevoked},
		{"generation before", issue(of(0, 4), noon), of(0, 5), noon, token.ErrRevoked},
		{"same generation", issue(of(0, 5), noon), of(0, 5), noon, nil},
		{"generation that this process does not know yet", issue(of(0, 6), noon), of(0, 5), noon, nil},
		{"generation before, and expired", issue(of(2, 4), noon), of(2, 5), noon.Add(3 * day), token.ErrExpired},
	} {
		if _, err := keyring(t, test.at, newest).ReadVisitor(test.project, test.text); !errors.Is(err, test.want) || err != nil && test.want == nil {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
	}
	for name, proven := range map[string]bool{"unproven": false, "proven": true} {
		text, err := keyring(t, noon, newest).Contact(of(0, 4), visitor, proven)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := keyring(t, noon, newest).ReadContact(of(0, 4), text); err != nil {
			t.Errorf("%s contact: %v", name, err)
		}
		if _, err := keyring(t, noon, newest).ReadContact(of(0, 5), text); !errors.Is(err, token.ErrRevoked) {
			t.Errorf("%s contact of the generation before: %v", name, err)
		}
	}
}

// signed is a visitor's token with these claims, as it was made at a time.
func signed(t testing.TB, at time.Time, c jwt.MapClaims) string {
	t.Helper()
	k := keyring(t, at, newest)
	text, _, err := k.Visitor(shop, visitor, 0)
	if err != nil {
		t.Fatal(err)
	}
	j, _, err := jwt.NewParser().ParseUnverified(text, jwt.MapClaims{})
	if err != nil {
		t.Fatal(err)
	}
	whole := j.Claims.(jwt.MapClaims)
	delete(whole, "fst")
	for name, value := range c {
		whole[name] = value
	}
	return sign(t, jwt.SigningMethodHS256, map[string]any{"kid": j.Header["kid"]}, whole, k.Derive("visitor", "shop"))
}

// TestIdentityLife: what a customer's server signs ends within the project's time from
// when it was issued.
func TestIdentityLife(t *testing.T) {
	keys := keyring(t, noon, newest)
	secret := []byte(keys.SigningSecret("shop", "k1"))
	const none = time.Duration(1<<63 - 1)
	for _, test := range []struct {
		name     string
		seconds  int
		iat, exp time.Duration
		want     error
	}{
		{"a day from now", 0, none, 24 * time.Hour, nil},
		{"a day and the leeway", 0, none, 24*time.Hour + 59*time.Second, nil},
		{"longer", 0, none, 24*time.Hour + 62*time.Second, token.ErrTooLong},
		{"a day from when it was issued", 0, -12 * time.Hour, 12 * time.Hour, nil},
		{"longer from when it was issued", 0, -13 * time.Hour, 12 * time.Hour, token.ErrTooLong},
		{"issued in the future", 0, 30 * 24 * time.Hour, 30 * 24 * time.Hour, token.ErrTooLong},
		{"issued by a clock that is ahead", 0, 30 * time.Second, 24 * time.Hour, nil},
		{"a year", 0, -time.Hour, 365 * 24 * time.Hour, token.ErrTooLong},
		{"project's own, shorter", 300, none, 5 * time.Minute, nil},
		{"longer than the project's own", 300, none, 10 * time.Minute, token.ErrTooLong},
		{"project's own, longer", 7 * 86400, -24 * time.Hour, 6 * 24 * time.Hour, nil},
		{"expired, and was valid for too long", 300, -time.Hour, -2 * time.Minute, token.ErrExpired},
	} {
		p := &parley.Project{ID: "shop", SigningKeys: []string{"k1"}, IdentitySeconds: test.seconds}
		c := jwt.MapClaims{"sub": "u-1", "userId": "u-1", "exp": noon.Add(test.exp).Unix()}
		if test.iat != none {
			c["iat"] = noon.Add(test.iat).Unix()
		}
		text := sign(t, jwt.SigningMethodHS256, map[string]any{"kid": "k1"}, c, secret)
		_, identityErr := keys.ReadIdentity(p, text)
		_, userErr := keys.ReadUser(p, text)
		for reader, err := range map[string]error{"ReadIdentity": identityErr, "ReadUser": userErr} {
			if !errors.Is(err, test.want) || err != nil && test.want == nil {
				t.Errorf("%s: %s = %v, want %v", test.name, reader, err, test.want)
			}
		}
	}
}

// flip changes a letter in the middle of a base64 text.
func flip(s string) string {
	b := []byte(s)
	if b[len(b)/2] == 'A' {
		b[len(b)/2] = 'B'
	} else {
		b[len(b)/2] = 'A'
	}
	return string(b)
}

func TestPass(t *testing.T) {
	keys := keyring(t, noon, newest)
	project := &parley.Project{ID: "shop", SigningKeys: []string{"k1"}}
	for _, test := range []struct {
		name   string
		claims jwt.MapClaims
		want   error
		holder string
		ann    bool // whether it covers the agent ann
	}{
		{"all agents", jwt.MapClaims{"sub": "u-1"}, nil, "u-1", true},
		{"an id of its own", jwt.MapClaims{"sub": "u-1", "jti": "t-1"}, nil, "t-1", true},
		{"some agents", jwt.MapClaims{"sub": "u-1", "agents": []string{"bob", "ann"}}, nil, "u-1", true},
		{"other agents", jwt.MapClaims{"sub": "u-1", "agents": []string{"bob"}}, nil, "u-1", false},
		{"no agents", jwt.MapClaims{"sub": "u-1", "agents": []string{}}, nil, "u-1", false},
		{"agents that are no list", jwt.MapClaims{"sub": "u-1", "agents": "ann"}, token.ErrInvalid, "", true},
		{"nobody", jwt.MapClaims{"email": "ann@shop.example"}, token.ErrInvalid, "", true},
		{"expired", jwt.MapClaims{"sub": "u-1", "exp": noon.Add(-time.Hour).Unix()}, token.ErrExpired, "", true},
		{"too long", jwt.MapClaims{"sub": "u-1", "exp": noon.Add(48 * time.Hour).Unix()}, token.ErrTooLong, "", true},
	} {
		if test.claims["exp"] == nil {
			test.claims["exp"] = noon.Add(time.Hour).Unix()
		}
		text := sign(t, jwt.SigningMethodHS256, map[string]any{"kid": "k1"}, test.claims, []byte(keys.SigningSecret("shop", "k1")))
		got, err := keys.ReadPass(project, text)
		if !errors.Is(err, test.want) || err != nil && test.want == nil || got.Holder != test.holder || got.Covers("ann") != test.ann {
			t.Errorf("%s: ReadPass = %+v, %v", test.name, got, err)
		}
	}
	odd := sign(t, jwt.SigningMethodHS256, map[string]any{"kid": "k1"}, jwt.MapClaims{"sub": "u-1", "agents": "ann", "exp": noon.Add(time.Hour).Unix()},
		[]byte(keys.SigningSecret("shop", "k1")))
	if _, err := keys.ReadIdentity(project, odd); err != nil {
		t.Errorf("ReadIdentity minds what only a pass is asked for: %v", err)
	}
}

func TestTicket(t *testing.T) {
	want := token.Ticket{Key: "pk_1", Session: "s1", Issued: 4,
		Caller: parley.Caller{Project: "shop", Visitor: "v1", Contact: "c1", Generation: 3}}
	text, err := keyring(t, noon, newest).Ticket(want)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := keyring(t, noon.Add(time.Hour-time.Second), oldest, newest).ReadTicket(text); err != nil || got != want {
		t.Errorf("ReadTicket = %+v, %v; want %+v", got, err, want)
	}
	if _, err := keyring(t, noon.Add(time.Hour), newest).ReadTicket(text); !errors.Is(err, token.ErrExpired) {
		t.Errorf("ReadTicket after an hour = %v, want %v", err, token.ErrExpired)
	}
	session, _, err := keyring(t, noon, newest).Visitor(shop, visitor, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := keyring(t, noon, newest).ReadTicket(session); !errors.Is(err, token.ErrInvalid) {
		t.Errorf("ReadTicket of a visitor's token = %v, want %v", err, token.ErrInvalid)
	}
}

// sign makes a token as a customer's backend would, or an attacker.
func sign(t testing.TB, method jwt.SigningMethod, header map[string]any, claims jwt.MapClaims, key any) string {
	t.Helper()
	j := jwt.NewWithClaims(method, claims)
	for k, v := range header {
		j.Header[k] = v
	}
	text, err := j.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestIdentity(t *testing.T) {
	keys := keyring(t, noon, newest)
	project := &parley.Project{ID: "shop", SigningKeys: []string{"k1", "k2"}}
	secret := func(p parley.ProjectID, kid string) []byte { return []byte(keys.SigningSecret(p, kid)) }
	in := func(d time.Duration) int64 { return noon.Add(d).Unix() }
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(&rsaKey.PublicKey)})
	kid := func(id any) map[string]any { return map[string]any{"kid": id} }
	who := func(change func(jwt.MapClaims)) jwt.MapClaims {
		c := jwt.MapClaims{"sub": "u-1", "email": "ann@example.com", "name": "Ann", "picture": "https://example.com/ann.png",
			"metadata": map[string]string{"plan": "pro"}, "exp": in(time.Minute), "iss": "whoever", "aud": []string{"whatever"}}
		if change != nil {
			change(c)
		}
		return c
	}
	with := func(name string, value any) jwt.MapClaims {
		return who(func(c jwt.MapClaims) { c[name] = value })
	}
	valid := sign(t, jwt.SigningMethodHS256, kid("k1"), who(nil), secret("shop", "k1"))
	parts := strings.Split(valid, ".")
	hs := jwt.SigningMethodHS256
	tests := []struct {
		name, text string
		want       error
	}{
		{"valid", valid, nil},
		{"second key", sign(t, hs, kid("k2"), who(nil), secret("shop", "k2")), nil},
		{"expired 30 s ago", sign(t, hs, kid("k1"), with("exp", in(-30*time.Second)), secret("shop", "k1")), nil},
		{"expired 61 s ago", sign(t, hs, kid("k1"), with("exp", in(-61*time.Second)), secret("shop", "k1")), token.ErrExpired},
		{"begins in 30 s", sign(t, hs, kid("k1"), with("nbf", in(30*time.Second)), secret("shop", "k1")), nil},
		{"begins in 62 s", sign(t, hs, kid("k1"), with("nbf", in(62*time.Second)), secret("shop", "k1")), token.ErrInvalid},
		{"expired and not begun", sign(t, hs, kid("k1"), who(func(c jwt.MapClaims) {
			c["exp"], c["nbf"] = in(-time.Hour), in(time.Hour)
		}), secret("shop", "k1")), token.ErrInvalid},
		{"no exp", sign(t, hs, kid("k1"), who(func(c jwt.MapClaims) { delete(c, "exp") }), secret("shop", "k1")), token.ErrInvalid},
		{"exp is no number", sign(t, hs, kid("k1"), with("exp", "soon"), secret("shop", "k1")), token.ErrInvalid},
		{"alg none", sign(t, jwt.SigningMethodNone, kid("k1"), who(nil), jwt.UnsafeAllowNoneSignatureType), token.ErrInvalid},
		{"HS384", sign(t, jwt.SigningMethodHS384, kid("k1"), who(nil), secret("shop", "k1")), token.ErrInvalid},
		{"RS256", sign(t, jwt.SigningMethodRS256, kid("k1"), who(nil), rsaKey), token.ErrInvalid},
		{"HS256 with a public key", sign(t, hs, kid("k1"), who(nil), public), token.ErrInvalid},
		{"no kid", sign(t, hs, nil, who(nil), secret("shop", "k1")), token.ErrInvalid},
		{"kid of the project's past", sign(t, hs, kid("k0"), who(nil), secret("shop", "k0")), token.ErrInvalid},
		{"kid is no text", sign(t, hs, kid(1), who(nil), secret("shop", "k1")), token.ErrInvalid},
		{"secret of another kid", sign(t, hs, kid("k1"), who(nil), secret("shop", "k2")), token.ErrInvalid},
		{"secret of another project", sign(t, hs, kid("k1"), who(nil), secret("shop2", "k1")), token.ErrInvalid},
		{"unknown critical header", sign(t, hs, map[string]any{"kid": "k1", "crit": []string{"b64"}}, who(nil), secret("shop", "k1")), token.ErrInvalid},
		{"metadata of other types", sign(t, hs, kid("k1"), with("metadata", map[string]any{"n": 1}), secret("shop", "k1")), token.ErrInvalid},
		{"claims changed", parts[0] + "." + flip(parts[1]) + "." + parts[2], token.ErrInvalid},
		{"too long", sign(t, hs, kid("k1"), with("name", strings.Repeat("a", token.MaxBytes)), secret("shop", "k1")), token.ErrInvalid},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := keys.ReadIdentity(project, test.text)
			if !errors.Is(err, test.want) || err != nil && test.want == nil {
				t.Fatalf("ReadIdentity = %v, want %v", err, test.want)
			}
			if err == nil && (got.External != "u-1" || got.Email != "ann@example.com" || got.Name != "Ann" ||
				got.Picture != "https://example.com/ann.png" || got.Metadata["plan"] != "pro") {
				t.Errorf("ReadIdentity = %+v", got)
			}
		})
	}
}

// TestIdentityRotation: a customer changes its secret and the operator the
// master without a moment in which signed visitors are refused.
func TestIdentityRotation(t *testing.T) {
	signed := func(keys *token.Keyring, kid string) string {
		return sign(t, jwt.SigningMethodHS256, map[string]any{"kid": kid},
			jwt.MapClaims{"sub": "u-1", "exp": noon.Add(time.Minute).Unix()}, []byte(keys.SigningSecret("shop", kid)))
	}
	before, during, after := keyring(t, noon, oldest), keyring(t, noon, newest, oldest), keyring(t, noon, newest)
	tests := []struct {
		name  string
		keys  *token.Keyring
		kids  []string
		text  string
		valid bool
	}{
		{"before", before, []string{"k1"}, signed(before, "k1"), true},
		{"during, secret of the old master", during, []string{"k1", "k2"}, signed(before, "k1"), true},
		{"during, secret of the new master", during, []string{"k1", "k2"}, signed(during, "k2"), true},
		{"after, secret of the new master", after, []string{"k2"}, signed(during, "k2"), true},
		{"after, kid taken away", after, []string{"k2"}, signed(after, "k1"), false},
		{"after, secret of the old master", after, []string{"k2"}, signed(before, "k2"), false},
	}
	for _, test := range tests {
		_, err := test.keys.ReadIdentity(&parley.Project{ID: "shop", SigningKeys: test.kids}, test.text)
		if (err == nil) != test.valid {
			t.Errorf("%s: ReadIdentity = %v, want valid %v", test.name, err, test.valid)
		}
	}
}

func TestSigningSecret(t *testing.T) {
	k := keyring(t, noon, newest)
	secrets := map[string]bool{k.SigningSecret("shop", "k1"): true, k.SigningSecret("shop", "k2"): true,
		k.SigningSecret("shop2", "k1"): true, k.SigningSecret("shopk", "1"): true, keyring(t, noon, oldest).SigningSecret("shop", "k1"): true}
	if len(secrets) != 5 {
		t.Errorf("%d different secrets, want 5", len(secrets))
	}
	for s := range secrets {
		if !strings.HasPrefix(s, "ss_") || len(s) != 3+43 {
			t.Errorf("secret %q is not ss_ and 43 letters", s)
		}
	}
}

// FuzzRead: whatever a stranger sends is refused with an error of this package.
func FuzzRead(f *testing.F) {
	keys := keyring(f, noon, newest)
	text, _, err := keys.Visitor(shop, visitor, 0)
	if err != nil {
		f.Fatal(err)
	}
	ticket, err := keys.Ticket(token.Ticket{Session: "s1"})
	if err != nil {
		f.Fatal(err)
	}
	identity := sign(f, jwt.SigningMethodHS256, map[string]any{"kid": "k1"},
		jwt.MapClaims{"sub": "u-1", "exp": noon.Add(time.Minute).Unix()}, []byte(keys.SigningSecret("shop", "k1")))
	issued := map[string]bool{text: true, ticket: true, identity: true}
	for s := range issued {
		f.Add(s)
		f.Add(s[:len(s)-1])
	}
	f.Add("")
	f.Add("..")
	f.Add("e30.e30.")
	f.Add("eyJhbGciOiJub25lIn0.eyJleHAiOjFlOTl9.")
	f.Add("eyJhbGciOjF9.bnVsbA.AA")
	project := &parley.Project{ID: "shop", SigningKeys: []string{"k1"}}
	f.Fuzz(func(t *testing.T, s string) {
		_, visitorErr := keys.ReadVisitor(project, s)
		_, ticketErr := keys.ReadTicket(s)
		_, identityErr := keys.ReadIdentity(project, s)
		for _, err := range []error{visitorErr, ticketErr, identityErr} {
			if err == nil && !issued[s] {
				t.Errorf("%q is accepted", s)
			}
			if err != nil && !errors.Is(err, token.ErrInvalid) && !errors.Is(err, token.ErrExpired) {
				t.Errorf("%q: %v is none of the package's errors", s, err)
			}
		}
	})
}
