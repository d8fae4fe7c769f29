package token

import (
	"errors"

	"github.com/golang-jwt/jwt/v5"

	"parley/shared/parley"
)

// User is the person that a token of Hissuno's widget names.
type User struct {
	ID string
	// Metadata is nil where the token has none.
	Metadata map[string]string
}

// ErrNoUser is returned for a valid token that names nobody.
var ErrNoUser = errors.New("token names no user")

type userClaims struct {
	UserID   string            `json:"userId"`
	Metadata map[string]string `json:"userMetadata"`
	jwt.RegisteredClaims
}

// ReadUser checks a token of Hissuno's widget. It is signed like an identity
// (HS256; not expired and not before its nbf, each with IdentityLeeway), but its
// header need not have a kid; then the project's signing secrets are all tried.
// The error is ErrExpired, ErrNoUser or ErrInvalid.
func (k *Keyring) ReadUser(p *parley.Project, text string) (User, error) {
	var c userClaims
	err := k.parse(text, &c, func(t *jwt.Token) (any, error) {
		if _, named := t.Header["kid"]; named {
			return k.signingKeys(p, t)
		}
		var keys jwt.VerificationKeySet
		for _, kid := range p.SigningKeys {
			for _, m := range k.masters {
				keys.Keys = append(keys.Keys, []byte(m.signingSecret(p.ID, kid)))
			}
		}
		if len(keys.Keys) == 0 {
			return nil, errors.New("no signing key")
		}
		return keys, nil
	}, jwt.WithLeeway(IdentityLeeway))
	if err != nil {
		return User{}, err
	}
	if c.UserID == "" {
		return User{}, ErrNoUser
	}
	return User{c.UserID, c.Metadata}, nil
}
