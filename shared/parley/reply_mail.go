package parley

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"parley/shared/mail"
	"parley/shared/table"
)

// This file says when a person's answer goes to its visitor by mail: when no page
// has shown itself since the answer was written, and somebody vouched for the
// visitor's address. What a browser says of an address is never enough.

// ReplyMail says whether people's answers reach visitors who have left, by mail.
type ReplyMail struct {
	Enabled bool `json:"enabled,omitempty"`
	// Name is whom the mail is from; "" is the project's name.
	Name string `json:"name,omitempty"`
	// ReplyTo is the address that answers to the mail go to; "" leaves them to the
	// address that the deployment sends from.
	ReplyTo string `json:"reply_to,omitempty"`
	// Page is the page that the mail's link opens: an https address without a
	// fragment, at most MaxPageBytes; on this machine also an http one.
	Page string `json:"page,omitempty"`
}

func (r ReplyMail) check() error {
	if !r.Enabled && r == (ReplyMail{}) {
		return nil
	}
	if err := checkSettingTexts("reply_mail", sized{r.Name, mail.MaxNameBytes}, sized{r.Page, MaxPageBytes}); err != nil {
		return err
	}
	if mail.Line(r.Name, mail.MaxNameBytes) != strings.TrimSpace(r.Name) {
		return invalid("reply_mail", "name is one line")
	}
	if r.ReplyTo != "" && mail.CheckEmail(r.ReplyTo) != nil {
		return invalid("reply_mail", "reply_to is an e-mail address")
	}
	u, err := url.Parse(r.Page)
	local := err == nil && u.Scheme == "http" && slices.Contains([]string{"localhost", "127.0.0.1", "::1"}, u.Hostname())
	if err != nil || u.Scheme != "https" && !local || u.Host == "" || u.User != nil || strings.Contains(r.Page, "#") ||
		strings.ContainsFunc(r.Page, func(c rune) bool { return c <= ' ' || c >= utf8.RuneSelf || c == 0x7f }) {
		return invalid("reply_mail", "page is an https address in ASCII, without a user, a password or a fragment")
	}
	return nil
}

const (
	// ReplyMailAfter is how long no page may have shown itself since a person
	// answered. A page that is there asks for news at least once a minute: see
	// api.Retry, and hold in local/bundle.
	ReplyMailAfter = 2 * time.Minute
	// ReplyMailEvery is the shortest time between two mails of one session: what is
	// answered meanwhile travels together.
	ReplyMailEvery = 10 * time.Minute
)

// FollowerReplyMail sends people's answers by mail.
const FollowerReplyMail Follower = "replymail"

// missable notes that a person's answer is to meet a page, where the project
// wants to know. The first such answer stands until a page shows itself.
func (c *change) missable(e *Entry) {
	if c.project.ReplyMail.Enabled && c.session.Unmet == 0 && e.answersByMail() {
		c.session.Unmet = e.Seq
	}
}

// answersByMail reports whether an entry is a person's answer to the visitor.
func (e Entry) answersByMail() bool {
	return e.IsMessage() && !e.Internal && e.Author.Kind == AuthorHuman
}

// meets notes that the caller's page has shown itself, which is no sign that somebody looks
// at it: it undoes no close. Where no answer waits to be met it costs nothing.
func (s *Store) meets(ctx context.Context, c Caller, session *Session) error {
	if c.staff() || session.Unmet == 0 {
		return nil
	}
	p, err := s.Project(ctx, session.Project)
	if err != nil {
		return err
	}
	_, err = s.change(ctx, p, session, func(c *change) error {
		if c.session.Unmet == 0 {
			return errNothing
		}
		c.session.Unmet = 0
		return nil
	})
	return ignoreGone(err)
}

// MailDue is what a stretch of a session holds that is to be mailed.
type MailDue struct {
	// Answers are people's answers that no page has met, in order; none if nothing
	// is to be mailed.
	Answers []Entry
	// At is when the mail is due.
	At time.Time
	// To is the contact whose mail it is.
	To Contact
}

// MailDue returns what is to be mailed of a stretch. Answers that were mailed
// already, or to somebody for whom nobody vouched, or in a session that takes no
// messages any more, are none.
func (s *Store) MailDue(ctx context.Context, w Stretch) (MailDue, error) {
	var d MailDue
	session := w.Session
	p, err := s.Project(ctx, session.Project)
	if err != nil || !p.ReplyMail.Enabled || session.Unmet == 0 || session.State == StateSpam || !session.Owner.Proven {
		return d, err
	}
	items, err := s.table.Get(ctx, true, visitorKey(p.ID, session.Owner.Visitor), contactKey(p.ID, session.Owner.Contact), mailedKey(p.ID, session.ID))
	if err != nil {
		return d, unavailable(err)
	}
	mailed := items[2]
	for _, e := range w.Entries {
		if e.answersByMail() && e.Seq >= session.Unmet && e.Seq > Seq(mailed.Int("seq")) {
			d.Answers = append(d.Answers, e)
		}
	}
	if len(d.Answers) == 0 || isBlocked(items[0]) || items[1] == nil {
		d.Answers = nil
		return d, nil
	}
	if d.To, err = contactFrom(session.Owner.Contact, items[1]); err != nil {
		return d, err
	}
	if !d.To.Proven || mail.CheckEmail(strings.TrimSpace(d.To.Email)) != nil {
		d.Answers = nil
		return d, nil
	}
	d.At = d.Answers[0].Time().Add(ReplyMailAfter)
	if next := timeAt(mailed, "at").Add(ReplyMailEvery); next.After(d.At) {
		d.At = next
	}
	return d, nil
}

// Mailed notes that everything up to an answer was mailed. ErrNotFound if the
// session is gone.
func (s *Store) Mailed(ctx context.Context, p ProjectID, id SessionID, upto Seq) error {
	mailed := mailedKey(p, id).With(table.Item{"seq": int64(upto), "at": s.clock().UnixMilli(), "nonce": s.newID()})
	return refusedAs(s.write(ctx, table.Put(mailed), checkThere(p, id)), errGone())
}

// mailedKey is how far a session's answers were mailed, and when.
func mailedKey(p ProjectID, id SessionID) table.Key { return markKey(p, id, "mailed", "") }
