package parley

import (
	"context"
	"errors"
	"maps"
	"strconv"
	"time"

	"parley/shared/table"
)

// This file is the link of a mailed answer. It opens one conversation, once.

// ReplyLinkLife is how long the link of a mail works, and how long who came by it may
// use the conversation. Our choice: a holiday's mail is read within a week.
const ReplyLinkLife = 7 * 24 * time.Hour

// MaxReplyLinkBytes is the longest ticket of a link that is looked at. Our choice:
// more than there ever is.
const MaxReplyLinkBytes = 100

// linkBytes of the alphabet of ids are 190 bits.
const linkBytes = 32

// PutLink makes the ticket with which a mail's link opens a session of the native
// API, for a mail that ends with an answer: the same one each time, so that a mail
// that is sent again is the same. Only its hash is stored.
func (s *Store) PutLink(ctx context.Context, session *Session, upto Seq) (string, error) {
	p, o := session.Project, session.Owner
	project, err := s.Project(ctx, p)
	if err != nil {
		return "", err
	}
	visitor, err := s.get(ctx, true, visitorKey(p, o.Visitor))
	if err == nil && visitor == nil {
		err = errGone()
	}
	if err != nil {
		return "", err
	}
	ticket := base62(s.derive("link of a mail", string(p), string(session.ID), strconv.FormatInt(int64(upto), 10)), linkBytes)
	item := linkKey(p, ticket).With(table.Item{"session": string(session.ID), "contact": string(o.Contact),
		"gen": visitor.Int("gen"), "issued": project.TokenGeneration, "until": s.clock().Add(ReplyLinkLife).UnixMilli(),
		table.ExpiresAt: s.clock().Add(2 * ReplyLinkLife).Unix()})
	err = s.write(ctx, table.Put(item, table.Absent()), checkThere(p, session.ID))
	if stood, ok := standing(err, 0); ok && stood != nil {
		return ticket, nil // of an earlier try
	}
	return ticket, refusedAs(err, errGone())
}

var (
	errLinkOver error = &Error{Kind: ErrDenied, Code: "link_over", Text: "this link has expired, or is none of this project's"}
	// errLinkUsed is told apart: who meets it may have opened the link themselves.
	errLinkUsed error = &Error{Kind: ErrDenied, Code: "link_used", Text: "this link has been used already"}
)

// linkKey holds a hash: who reads the table cannot use what is in it.
func linkKey(p ProjectID, ticket string) table.Key {
	return table.Key{PK: path(string(p), "link", hashSecret(ticket)), SK: skOnly}
}

// OpenLink uses a link up. It returns the session's visitor, for whom a token is
// to be issued that is good for this session only: a mail may have been passed on.
// Errors, of kind ErrDenied: link_over, link_used, and blocked or token_revoked if
// the visitor is.
func (s *Store) OpenLink(ctx context.Context, p ProjectID, ticket string) (*Session, Visitor, error) {
	if len(ticket) > MaxReplyLinkBytes {
		return nil, Visitor{}, errLinkOver
	}
	link, err := s.get(ctx, true, linkKey(p, ticket))
	switch {
	case err != nil:
		return nil, Visitor{}, err
	case link == nil || link.Int("until") <= s.clock().UnixMilli():
		return nil, Visitor{}, errLinkOver
	case link.Bool("used"):
		return nil, Visitor{}, errLinkUsed
	}
	project, err := s.Project(ctx, p)
	if err != nil {
		return nil, Visitor{}, err
	}
	if link.Int("issued") < project.TokenGeneration {
		return nil, Visitor{}, errRevoked()
	}
	session, err := s.head(ctx, p, SessionID(link.String("session")))
	if errors.Is(err, ErrNotFound) || err == nil && (string(session.Owner.Contact) != link.String("contact") || session.State == StateSpam) {
		return nil, Visitor{}, errLinkOver
	}
	if err != nil {
		return nil, Visitor{}, err
	}
	c := Caller{Project: p, Visitor: session.Owner.Visitor, Contact: session.Owner.Contact, Generation: link.Int("gen"), Only: session.ID}
	v, err := s.visitor(ctx, c)
	if err != nil {
		return nil, Visitor{}, err
	}
	used := maps.Clone(link)
	used["used"], used["nonce"] = true, s.newID() // by the nonce a try that was done is known again
	err = s.write(ctx, table.Put(used, table.Exists(), table.Missing("used")), checkVisitor(c), checkThere(p, session.ID))
	if stood, ok := standing(err, 0); ok && stood.Bool("used") {
		return nil, Visitor{}, errLinkUsed
	}
	return session, v, refusedAs(err, errLinkOver)
}

// onlySession is the list of a caller who may use one session.
func (s *Store) onlySession(ctx context.Context, c Caller, after place) ([]*Session, string, error) {
	session, err := s.open(ctx, c, c.Only, false)
	if err != nil || !after.before(session) {
		return nil, "", err
	}
	return []*Session{session}, "", nil
}

// errLimited is of a call that whoever came by a mail's link may not make.
func errLimited() error {
	return denied("link_limited", "this token opens one conversation, to read it and to answer")
}
