package apitest

import (
	"encoding/base64"
	"net/http"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"parley/shared/parley"
	"parley/shared/parleytest"
)

// challenge is one in the form of ALTCHA.
type challenge struct {
	Algorithm string `json:"algorithm"`
	Challenge string `json:"challenge"`
	MaxNumber int64  `json:"maxnumber,omitempty"`
	Salt      string `json:"salt"`
	Signature string `json:"signature"`
	Number    int64  `json:"number"`
}

// solved is what a solver of ALTCHA sends for a challenge.
func (c challenge) solved(t testing.TB) string {
	t.Helper()
	c.Number = parleytest.Solve(t, parley.Challenge{Salt: c.Salt, Hash: c.Challenge, Max: c.MaxNumber, Signature: c.Signature}).Number
	c.MaxNumber = 0
	return base64.StdEncoding.EncodeToString([]byte(encode(t, c)))
}

// testChallenge: where a project wants it, a stranger is let in for a solution, once;
// whoever is known or vouched for needs none.
func testChallenge(t *testing.T, s *suite) {
	type config struct {
		Challenge *string
		URLs      struct{ Identify string }
	}
	off := s.project(t, nil)
	if got := into[config](off.get("/config")); got.Challenge != nil {
		t.Errorf("without a challenge the configuration names %s", *got.Challenge)
	}
	off.do(call{method: http.MethodGet, path: "/identify/challenge"}).fails(http.StatusNotFound, "not_found")

	b := s.project(t, func(p *parley.Project) { p.Challenge.Numbers = parley.MinChallengeNumbers })
	enter := func(altcha string) *answer {
		return b.do(call{method: http.MethodPost, path: "/identify", body: map[string]any{"altcha": altcha}})
	}
	get := func() challenge { return into[challenge](b.get("/identify/challenge")) }
	if got := into[config](b.get("/config")); got.Challenge == nil || *got.Challenge != got.URLs.Identify+"/identify/challenge" {
		t.Errorf("configuration = %+v", got)
	}
	before := s.standing(t)
	enter("").fails(http.StatusForbidden, "challenge_required")
	first := get()
	unsolved := first
	unsolved.Number = -1
	sha1 := first
	sha1.Algorithm = "SHA-1"
	for _, bad := range []string{"x", "e30=", encode(t, first), base64.StdEncoding.EncodeToString([]byte(encode(t, unsolved))), sha1.solved(t),
		into[challenge](s.project(t, func(p *parley.Project) { p.Challenge.Numbers = parley.MinChallengeNumbers }).get("/identify/challenge")).solved(t)} {
		enter(bad).fails(http.StatusForbidden, "challenge_invalid")
	}
	for key := range before {
		if _, ok := s.standing(t)[key]; !ok {
			t.Errorf("%v is gone", key)
		}
	}
	good := first.solved(t)
	known := *b
	known.token = into[identified](enter(good).is(http.StatusOK)).Token
	enter(good).fails(http.StatusForbidden, "challenge_used")
	known.get("/history")
	into[identified](known.post("/identify", map[string]any{}))
	signedIn := *b
	signedIn.as(jwt.MapClaims{"sub": "ann"})

	// Its solver sets no headers.
	bare := &browser{suite: s, t: t, origin: b.origin}
	byQuery := into[challenge](bare.get("/identify/challenge?key=" + b.key))
	enter(byQuery.solved(t)).is(http.StatusOK)
	bare.do(call{method: http.MethodGet, path: "/identify/challenge"}).fails(http.StatusUnauthorized, "unknown_key")
	bare.origin = "https://evil.example"
	bare.do(call{method: http.MethodGet, path: "/identify/challenge?key=" + b.key}).fails(http.StatusForbidden, "origin_refused")
}
