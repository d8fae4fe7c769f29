package token

import (
	"encoding/base64"
	"errors"
	"slices"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"parley/shared/parley"
)

// IdentityLeeway is how far the clock of a customer's backend may be off.
const IdentityLeeway = time.Minute

// secretPrefix tells people, and scanners of leaked secrets, what they found.
const secretPrefix = "ss_"

// SigningSecret returns the secret with which a project's backend signs
// identities under the key id kid, as HMAC key byte for byte. It is stored
// nowhere: show it once.
func (k *Keyring) SigningSecret(project parley.ProjectID, kid string) string {
	return k.masters[0].signingSecret(project, kid)
}

func (m master) signingSecret(project parley.ProjectID, kid string) string {
	return secretPrefix + base64.RawURLEncoding.EncodeToString(m.derive("signing secret", string(project), kid))
}

// identityClaims are what a customer's backend says of a person. Sub is the
// external id.
type identityClaims struct {
	Email    string            `json:"email"`
	Name     string            `json:"name"`
	Picture  string            `json:"picture"`
	Metadata map[string]string `json:"metadata"`
	jwt.RegisteredClaims
}

// ReadIdentity checks an identity that a project's backend signed: HS256, with
// a kid that is one of the project's, not expired and, if it says so, begun,
// both by IdentityLeeway. The error is ErrExpired or ErrInvalid. Whether the
// fields are acceptable is for package parley to say.
func (k *Keyring) ReadIdentity(p *parley.Project, text string) (parley.Identity, error) {
	var c identityClaims
	err := k.parse(text, &c, func(t *jwt.Token) (any, error) { return k.signingKeys(p, t) }, jwt.WithLeeway(IdentityLeeway))
	if err != nil {
		return parley.Identity{}, err
	}
	return parley.Identity{External: c.Subject, Email: c.Email, Name: c.Name, Picture: c.Picture, Metadata: c.Metadata}, nil
}

// signingKeys are the secrets of the kid that a token names.
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
