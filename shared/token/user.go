package token

import (
	"encoding/json"
	"errors"

	"github.com/golang-jwt/jwt/v5"

	"parley/shared/parley"
)

// User is the person that a token of Hissuno's widget names.
type User struct {
	// ID is exactly what was signed, be it a string or a number, of any length.
	ID string
	// Metadata is nil where the token has none.
	Metadata parley.Hints
}

// ErrNoUser is returned for a valid token that names nobody.
var ErrNoUser = errors.New("token names no user")

type userClaims struct {
	UserID   userID
	Metadata parley.Hints
	jwt.RegisteredClaims
}

// UnmarshalJSON is json.Unmarshaler. Of the registered claims it takes those that
// bound when the token is valid: the others say nothing here, be they what they may.
func (c *userClaims) UnmarshalJSON(data []byte) error {
	var in struct {
		UserID    userID           `json:"userId"`
		Metadata  parley.Hints     `json:"userMetadata"`
		Expires   *jwt.NumericDate `json:"exp"`
		NotBefore *jwt.NumericDate `json:"nbf"`
		Issued    json.RawMessage  `json:"iat"`
	}
	err := json.Unmarshal(data, &in)
	*c = userClaims{in.UserID, in.Metadata, jwt.RegisteredClaims{ExpiresAt: in.Expires, NotBefore: in.NotBefore}}
	if issued := new(jwt.NumericDate); len(in.Issued) > 0 && issued.UnmarshalJSON(in.Issued) == nil {
		c.IssuedAt = issued // else it counts from now
	}
	return err
}

// userID is a string, or a number as it was written; "" for anything else, which
// names nobody.
type userID string

// UnmarshalJSON is json.Unmarshaler.
func (id *userID) UnmarshalJSON(data []byte) error {
	switch c := data[0]; {
	case c == '"':
		return json.Unmarshal(data, (*string)(id))
	case c == '-' || '0' <= c && c <= '9':
		*id = userID(data)
	default:
		*id = ""
	}
	return nil
}

// ReadUser checks a token of Hissuno's widget. It is signed like an identity
// (HS256; not expired and not before its nbf, each with IdentityLeeway; valid for no
// longer than the project allows), but its header need not have a kid; then the
// project's signing secrets are all tried. The error is ErrExpired, ErrTooLong,
// ErrNoUser or ErrInvalid.
func (k *Keyring) ReadUser(p *parley.Project, text string) (User, error) {
	var c userClaims
	err := k.parse(text, &c, func(t *jwt.Token) (any, error) {
		if _, named := t.Header["kid"]; named {
			return k.signingKeys(p, t)
		}
		if len(p.SigningKeys) == 0 {
			return nil, errors.New("no signing key")
		}
		return k.secretsOf(p, p.SigningKeys...), nil
	}, jwt.WithLeeway(IdentityLeeway))
	if err == nil {
		err = k.checkLife(p, c.RegisteredClaims)
	}
	if err != nil {
		return User{}, err
	}
	if c.UserID == "" {
		return User{}, ErrNoUser
	}
	return User{string(c.UserID), c.Metadata}, nil
}
