package token

import (
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

// ReadIdentity checks an identity that a project's server signed: HS256, a kid
// of the project, not expired and not before its nbf, each with IdentityLeeway, and
// valid for no longer than the project allows. The error is ErrExpired, ErrTooLong or
// ErrInvalid. Package parley checks the fields.
func (k *Keyring) ReadIdentity(p *parley.Project, text string) (parley.Identity, error) {
	var c identityClaims
	err := k.parse(text, &c, func(t *jwt.Token) (any, error) { return k.signingKeys(p, t) }, jwt.WithLeeway(IdentityLeeway))
	if err == nil {
		err = k.checkLife(p, c.RegisteredClaims)
	}
	if err != nil {
		return parley.Identity{}, err
	}
	return parley.Identity{External: c.Subject, Email: c.Email, Name: c.Name, Picture: c.Picture, Metadata: c.Metadata}, nil
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
	var keys jwt.VerificationKeySet
	for _, m := range k.masters {
		keys.Keys = append(keys.Keys, []byte(m.signingSecret(p.ID, kid)))
	}
	return keys, nil
}
