package token

import (
	"cmp"
	"encoding/base64"
	"errors"
	"slices"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"parley/shared/parley"
)

// IdentityLeeway is how far the clock of a customer's server may be wrong.
const IdentityLeeway = time.Minute

// secretPrefix lets people and scanners for leaked secrets recognise a signing
// secret.
const secretPrefix = "ss_"

// SigningSecret returns the secret with which a project's server signs
// identities under the key id kid; its bytes are the HMAC key. It is derived
// each time and stored nowhere, so show it once.
func (k *Keyring) SigningSecret(project parley.ProjectID, kid string) string {
	return k.masters[0].signingSecret(project, kid)
}

func (m master) signingSecret(project parley.ProjectID, kid string) string {
	return secretPrefix + base64.RawURLEncoding.EncodeToString(m.derive("signing secret", string(project), kid))
}

// identityClaims are what a customer's server says about a person. Sub is the
// external id.
type identityClaims struct {
	Email    string            `json:"email"`
	Name     string            `json:"name"`
	Picture  string            `json:"picture"`
	Metadata map[string]string `json:"metadata"`
	jwt.RegisteredClaims
}

// passClaims say besides which agents an identity is for.
type passClaims struct {
	identityClaims
	Agents []parley.AgentID `json:"agents"`
}

// Pass is an identity that its bearer shows again and again, as the clients of a chat
// hub do each time they connect.
type Pass struct {
	parley.Identity
	// Holder tells its bearers apart: the token's own id (jti), or else whom it names.
	Holder string
	agents []parley.AgentID // nil is all
}

// Covers reports whether the pass is for an agent of its project.
func (p Pass) Covers(a parley.AgentID) bool { return p.agents == nil || slices.Contains(p.agents, a) }

// ReadIdentity checks an identity that a project's server signed: HS256, a kid
// of the project, not expired and not before its nbf, each with IdentityLeeway, and
// valid for no longer than the project allows. The error is ErrExpired, ErrTooLong or
// ErrInvalid. Package parley checks the fields.
func (k *Keyring) ReadIdentity(p *parley.Project, text string) (parley.Identity, error) {
	var c identityClaims
	if err := k.parseSigned(p, text, &c, &c.RegisteredClaims); err != nil {
		return parley.Identity{}, err
	}
	return c.identity(), nil
}

// ReadPass is ReadIdentity for an identity that names somebody by external id, and may
// say which agents it is for.
func (k *Keyring) ReadPass(p *parley.Project, text string) (Pass, error) {
	var c passClaims
	if err := k.parseSigned(p, text, &c, &c.RegisteredClaims); err != nil {
		return Pass{}, err
	}
	if c.Subject == "" {
		return Pass{}, ErrInvalid
	}
	return Pass{Identity: c.identity(), Holder: cmp.Or(c.ID, c.Subject), agents: c.Agents}, nil
}

// parseSigned reads claims that a project's server signed; registered are among them.
func (k *Keyring) parseSigned(p *parley.Project, text string, c jwt.Claims, registered *jwt.RegisteredClaims) error {
	if err := k.parse(text, c, func(t *jwt.Token) (any, error) { return k.signingKeys(p, t) }, jwt.WithLeeway(IdentityLeeway)); err != nil {
		return err
	}
	return k.checkLife(p, *registered)
}

func (c identityClaims) identity() parley.Identity {
	return parley.Identity{External: c.Subject, Email: c.Email, Name: c.Name, Picture: c.Picture, Metadata: c.Metadata}
}

// checkLife returns ErrTooLong unless what a customer's server signed ends soon enough
// after it was issued. What does not say when, or says in the future, counts from now.
func (k *Keyring) checkLife(p *parley.Project, c jwt.RegisteredClaims) error {
	from := k.now()
	if c.IssuedAt != nil && c.IssuedAt.Before(from) {
		from = c.IssuedAt.Time
	}
	if c.ExpiresAt.Sub(from) > p.IdentityLife()+IdentityLeeway {
		return ErrTooLong
	}
	return nil
}

// signingKeys returns the secrets for the kid in a token's header: one for each
// master.
func (k *Keyring) signingKeys(p *parley.Project, t *jwt.Token) (any, error) {
	kid, _ := t.Header["kid"].(string)
	if kid == "" || !slices.Contains(p.SigningKeys, kid) {
		return nil, errors.New("unknown kid")
	}
	return k.secretsOf(p, kid), nil
}

// secretsOf returns the secrets under key ids: one for each, and each master.
func (k *Keyring) secretsOf(p *parley.Project, kids ...string) (keys jwt.VerificationKeySet) {
	for _, kid := range kids {
		for _, m := range k.masters {
			keys.Keys = append(keys.Keys, []byte(m.signingSecret(p.ID, kid)))
		}
	}
	return keys
}
