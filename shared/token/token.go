// Package token makes and checks everything that is signed with the deployment's
// master secret: visitor tokens, tickets, the secrets with which customers sign
// identities, and the keyed hashes that package parley needs.
//
// Each use has keys of its own, derived with a label, so that nothing signed for
// one use is accepted for another.
package token

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"time"
)

// Limits.
const (
	// MinMasterBytes is the shortest master secret: as long as the hash
	// (RFC 7518, section 3.2, demands it of HS256 keys).
	MinMasterBytes = 32
	// MaxMasters is how many master secrets there may be: during a rotation, two.
	MaxMasters = 2
	// MaxBytes is the longest token that is parsed. Our choice: a few times the
	// size of a large identity.
	MaxBytes = 8 << 10
)

// Errors of checking a token. ErrExpired, ErrRevoked and ErrTooLong are returned only
// for a token with a valid signature.
var (
	ErrInvalid = errors.New("token is malformed or not ours")
	ErrExpired = errors.New("token has expired")
	// ErrRevoked is of a token that its project has made void.
	ErrRevoked = errors.New("token is no longer valid")
	// ErrTooLong is of an identity that would be valid for longer than the project allows.
	ErrTooLong = errors.New("identity is valid for too long")
)

// Config says what to sign with.
type Config struct {
	// Masters are one or two secrets of at least MinMasterBytes bytes. The first
	// signs and derives; signatures of either are valid. To rotate, put the new
	// one first, wait until everything that the old one signed has been replaced,
	// and then remove the old one.
	Masters [][]byte
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Keyring holds the master secrets. It is safe for concurrent use.
type Keyring struct {
	masters []master
	now     func() time.Time
}

// master is one secret. Its id stands in the header of what it signed, and
// reveals nothing about it.
type master struct {
	id     string
	secret []byte
}

// New returns a keyring. It fails without a secret, with more than MaxMasters,
// with a short one, and with the same one twice.
func New(c Config) (*Keyring, error) {
	if len(c.Masters) == 0 || len(c.Masters) > MaxMasters {
		return nil, fmt.Errorf("token: %d master secrets, want 1 to %d", len(c.Masters), MaxMasters)
	}
	k := &Keyring{now: c.Now}
	if k.now == nil {
		k.now = time.Now
	}
	for i, secret := range c.Masters {
		if len(secret) < MinMasterBytes {
			return nil, fmt.Errorf("token: master secret %d has %d bytes, want at least %d", i+1, len(secret), MinMasterBytes)
		}
		m := master{secret: append([]byte(nil), secret...)}
		m.id = hex.EncodeToString(m.derive("master id")[:6])
		if i > 0 && m.id == k.masters[0].id {
			return nil, errors.New("token: both master secrets are the same")
		}
		k.masters = append(k.masters, m)
	}
	return k, nil
}

// Derive returns 32 bytes that depend on the first master secret, the label and
// the parts, and that cannot be computed without the secret. Each use has a
// label of its own.
func (k *Keyring) Derive(label string, parts ...string) []byte {
	return k.masters[0].derive(label, parts...)
}

// DerivePrevious is Derive with the second master secret: what Derive returned
// before the current rotation. It is nil if there is none.
func (k *Keyring) DerivePrevious(label string, parts ...string) []byte {
	if len(k.masters) == 1 {
		return nil
	}
	return k.masters[1].derive(label, parts...)
}

// derive hashes the length of each part before it, so that different lists of
// parts are never the same bytes.
func (m master) derive(label string, parts ...string) []byte {
	mac := hmac.New(sha256.New, m.secret)
	for _, part := range append([]string{label}, parts...) {
		var length [8]byte
		binary.BigEndian.PutUint64(length[:], uint64(len(part)))
		mac.Write(length[:])
		mac.Write([]byte(part))
	}
	return mac.Sum(nil)
}
