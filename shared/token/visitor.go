package token

import (
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"parley/shared/parley"
)

// How long tokens are valid. Our choices.
const (
	// VisitorLife is that of a visitor's token: a visitor who returns within a
	// year still has the history. Every identify call renews it.
	VisitorLife = 365 * 24 * time.Hour
	// UnprovenLife is that of a dialect's token for a person whom only a browser
	// named. It is practically unlimited, since some clients store one for good
	// and cannot renew it. Raising the visitor's generation revokes it.
	UnprovenLife = 20 * 365 * 24 * time.Hour
	// ProvenLife is that of a dialect's token that the customer's server asked
	// for. A page that is open for longer must be reloaded.
	ProvenLife = 7 * 24 * time.Hour
	// TicketLife is that of a ticket. It is short because a ticket stands in URLs,
	// which end up in logs.
	TicketLife = time.Hour
)

const issuer = "parley"

// use is the purpose of a token. It is the token's audience, and the label of
// the keys that sign it.
type use string

const (
	useVisitor use = "visitor"
	useTicket  use = "ticket"
	useContact use = "contact"
)

// claims are those of visitor tokens, contact tokens and tickets. A ticket has a
// session and the key it was requested with; a visitor's token has a session only
// if it is valid for no other one.
type claims struct {
	Project    parley.ProjectID `json:"prj"`
	Contact    parley.ContactID `json:"con,omitempty"`
	Unproven   bool             `json:"unp,omitempty"`
	Generation int64            `json:"gen"`
	// Issued is the project's generation of tokens.
	Issued int64 `json:"pgn,omitempty"`
	// First is when the first token was issued that this one renews, in seconds.
	First   int64            `json:"fst,omitempty"`
	Session parley.SessionID `json:"ses,omitempty"`
	Key     string           `json:"key,omitempty"`
	jwt.RegisteredClaims
}

func (c *claims) caller() parley.Caller {
	return parley.Caller{Project: c.Project, Visitor: parley.VisitorID(c.Subject), Contact: c.Contact, Generation: c.Generation, Unproven: c.Unproven}
}

// of are the claims of every token of a project for one of its visitors.
func of(p *parley.Project, v parley.Visitor) claims {
	c := claims{Project: p.ID, Contact: v.Contact, Generation: v.Generation, Issued: p.TokenGeneration}
	c.Subject = string(v.ID)
	return c
}

// Visitor returns a token for a visitor of the project, and when it expires. first
// is when the first token was issued that it renews, in seconds of Unix time, 0 for
// now: no token outlives the project's TokenAge from then.
func (k *Keyring) Visitor(p *parley.Project, v parley.Visitor, first int64) (string, time.Time, error) {
	c := of(p, v)
	now := k.now()
	if c.First = first; first == 0 {
		c.First = now.Unix()
	}
	return k.issue(useVisitor, c, min(VisitorLife, time.Unix(c.First, 0).Add(p.TokenAge()).Sub(now.Truncate(time.Second))))
}

// ReadVisitor returns whom a visitor's token stands for. The error is ErrExpired,
// also for a token whose first one is too old; ErrRevoked; or ErrInvalid, also for a
// token of another project.
func (k *Keyring) ReadVisitor(p *parley.Project, text string) (parley.Caller, error) {
	c, err := k.readOf(p, useVisitor, text)
	if err != nil {
		return parley.Caller{}, err
	}
	caller := c.caller()
	caller.Only, caller.First = c.Session, c.First
	switch {
	case c.Session != "": // it is renewed by nobody
		caller.First = c.ExpiresAt.Add(-parley.ReplyLinkLife).Unix()
	case c.First == 0: // issued before tokens said so
		caller.First = c.ExpiresAt.Add(-VisitorLife).Unix()
	}
	if !k.now().Before(time.Unix(caller.First, 0).Add(p.TokenAge())) {
		return parley.Caller{}, ErrExpired
	}
	return caller, nil
}

// Link returns a visitor's token for who came by the link of a mail: it is good
// for one session, and not for long.
func (k *Keyring) Link(p *parley.Project, v parley.Visitor, session parley.SessionID) (string, time.Time, error) {
	c := of(p, v)
	c.Session = session
	return k.issue(useVisitor, c, parley.ReplyLinkLife)
}

// Contact returns a token for a person whom a dialect names; proven says that
// the customer's server vouched for them.
func (k *Keyring) Contact(p *parley.Project, v parley.Visitor, proven bool) (string, error) {
	c := of(p, v)
	c.Unproven = !proven
	life := UnprovenLife
	if proven {
		life = ProvenLife
	}
	text, _, err := k.issue(useContact, c, life)
	return text, err
}

// ReadContact returns whom a token of Contact stands for. The error is
// ErrExpired, ErrRevoked, or ErrInvalid, also for a token of another project.
func (k *Keyring) ReadContact(p *parley.Project, text string) (parley.Caller, error) {
	c, err := k.readOf(p, useContact, text)
	if err != nil {
		return parley.Caller{}, err
	}
	return c.caller(), nil
}

// readOf is read for a token that must be the project's, and none of those that the
// project has made void.
func (k *Keyring) readOf(p *parley.Project, u use, text string) (*claims, error) {
	c, err := k.read(u, text)
	switch {
	case err != nil:
		return nil, err
	case c.Project != p.ID:
		return nil, fmt.Errorf("%w: it is another project's", ErrInvalid)
	case c.Issued < p.TokenGeneration:
		return nil, ErrRevoked
	}
	return c, nil
}

// Ticket lets a client that cannot set headers read one session.
type Ticket struct {
	// Key is the public key with which it was requested. The ticket is valid only
	// while that key is, and for the same origins.
	Key string
	// Caller is whose session it is, Session the one that may be read.
	Caller  parley.Caller
	Session parley.SessionID
	// Issued is the project's generation of tokens when the ticket was made. Whoever
	// reads the ticket must check it, as the project is known by Key only.
	Issued int64
}

// Ticket returns the text of a ticket.
func (k *Keyring) Ticket(t Ticket) (string, error) {
	c := claims{Project: t.Caller.Project, Contact: t.Caller.Contact, Generation: t.Caller.Generation, Issued: t.Issued,
		Session: t.Session, Key: t.Key}
	c.Subject = string(t.Caller.Visitor)
	text, _, err := k.issue(useTicket, c, TicketLife)
	return text, err
}

// ReadTicket returns what a ticket says. The error is ErrExpired or ErrInvalid.
func (k *Keyring) ReadTicket(text string) (Ticket, error) {
	c, err := k.read(useTicket, text)
	if err != nil {
		return Ticket{}, err
	}
	return Ticket{Key: c.Key, Caller: c.caller(), Session: c.Session, Issued: c.Issued}, nil
}

func (k *Keyring) issue(u use, c claims, life time.Duration) (string, time.Time, error) {
	// Expiry is in whole seconds (RFC 7519, NumericDate); rounding down keeps
	// what is told to clients true.
	expires := k.now().Add(life).Truncate(time.Second)
	c.Issuer, c.Audience, c.ExpiresAt = issuer, jwt.ClaimStrings{string(u)}, jwt.NewNumericDate(expires)
	t := jwt.NewWithClaims(jwt.SigningMethodHS256, c)
	m := k.masters[0]
	t.Header["kid"] = m.id
	text, err := t.SignedString(m.derive(string(u), string(c.Project)))
	if err != nil {
		return "", time.Time{}, fmt.Errorf("sign %s token: %w", u, err)
	}
	return text, expires.UTC(), nil
}

func (k *Keyring) read(u use, text string) (*claims, error) {
	c := new(claims)
	err := k.parse(text, c, func(t *jwt.Token) (any, error) {
		for _, m := range k.masters {
			if m.id == t.Header["kid"] {
				return m.derive(string(u), string(c.Project)), nil
			}
		}
		return nil, errors.New("unknown kid")
	}, jwt.WithIssuer(issuer), jwt.WithAudience(string(u)))
	if err != nil {
		return nil, err
	}
	return c, nil
}

// parse checks a token of HS256 that must expire, and nothing else is accepted.
func (k *Keyring) parse(text string, c jwt.Claims, key jwt.Keyfunc, options ...jwt.ParserOption) error {
	if len(text) > MaxBytes {
		return fmt.Errorf("%w: longer than %d bytes", ErrInvalid, MaxBytes)
	}
	options = append(options, jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}),
		jwt.WithExpirationRequired(), jwt.WithStrictDecoding(), jwt.WithTimeFunc(k.now))
	_, err := jwt.NewParser(options...).ParseWithClaims(text, c, func(t *jwt.Token) (any, error) {
		// RFC 7515, section 4.1.11: what a header calls critical must be understood.
		if _, critical := t.Header["crit"]; critical {
			return nil, errors.New("critical header")
		}
		return key(t)
	})
	switch {
	case err == nil:
		return nil
	case onlyExpired(err):
		return ErrExpired
	}
	return fmt.Errorf("%w: %w", ErrInvalid, err)
}

// onlyExpired reports whether a token is invalid for no other reason than its
// age.
func onlyExpired(err error) bool {
	if !errors.Is(err, jwt.ErrTokenExpired) {
		return false
	}
	for _, other := range []error{jwt.ErrTokenNotValidYet, jwt.ErrTokenInvalidAudience, jwt.ErrTokenInvalidIssuer} {
		if errors.Is(err, other) {
			return false
		}
	}
	return true
}
