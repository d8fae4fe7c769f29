package parley

import (
	"cmp"
	"context"
	"time"
)

// This file says for how long a project trusts what was signed: its visitors' tokens,
// and the identities of its own backend.

const (
	// DefaultTokenDays is for how long a visitor's token is renewed by itself, in
	// days from the first one. Our choice: a year's life, and a month to come back.
	DefaultTokenDays = 400
	// MaxTokenDays is the longest that a project may choose. Our choice.
	MaxTokenDays = 3650
	// DefaultIdentityLife is the longest life of a signed identity. Our choice: what a
	// page asks its backend for once a day.
	DefaultIdentityLife = 24 * time.Hour
	// MaxIdentitySeconds is the longest that a project may choose: 30 days. Our choice.
	MaxIdentitySeconds = 30 * 86400
)

// TokenAge is how old the first of a visitor's tokens may be.
func (p *Project) TokenAge() time.Duration {
	return time.Duration(cmp.Or(p.TokenDays, DefaultTokenDays)) * 24 * time.Hour
}

// IdentityLife is the longest life of an identity that the project's backend signs.
func (p *Project) IdentityLife() time.Duration {
	return cmp.Or(time.Duration(p.IdentitySeconds)*time.Second, DefaultIdentityLife)
}

// VoidTokens makes every token of a visitor, every ticket and every link of a mail
// invalid that was issued so far, within the life of the cache of projects.
// Conversations whose id is the credential have no token, and are not touched.
func (s *Store) VoidTokens(ctx context.Context, id ProjectID) (Settings, error) {
	return s.changeSettings(ctx, id, func(p *Project) error {
		p.TokenGeneration++
		return nil
	})
}
