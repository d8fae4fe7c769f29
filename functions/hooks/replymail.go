package hooks

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"log/slog"

	"parley/shared/mail"
	"parley/shared/parley"
)

// This file mails people's answers to visitors who have left.

// replyMailer mails what is due in one session.
type replyMailer struct {
	Config
	counts counts
}

func (c *replyMailer) done() tally { return tally{replies: c.counts} }

// errNotDue says that the visitor may still come.
var errNotDue = errors.New("the answer is not due for a mail yet")

// stretch mails the answers of a stretch, in one mail. A mail that was sent
// and not noted is sent again, with the same id.
func (c *replyMailer) stretch(ctx context.Context, s parley.Stretch) (parley.Seq, error) {
	all := s.Entries[len(s.Entries)-1].Seq
	due, err := c.Store.MailDue(ctx, s)
	if err != nil {
		return s.After, err
	}
	if len(due.Answers) == 0 {
		return all, nil
	}
	before := due.Answers[0].Seq - 1
	if c.Now().Before(due.At) {
		return before, &parley.Later{At: due.At, Err: errNotDue}
	}
	if ctx.Err() != nil || !hasTime(ctx) {
		return before, &parley.Later{At: c.Now(), Err: errNoTime}
	}
	err = c.sendReply(ctx, s.Session, due)
	failures := 0 // of this mail: waiting for its time counts as a try, too
	if s.After == before {
		failures = s.Tries
	}
	retry := err != nil && !errors.Is(err, mail.ErrRefused) && failures < len(pauses) && c.Now().Sub(due.Answers[0].Time()) < MaxAge
	c.logReply(ctx, s.Session, len(due.Answers), retry, err)
	switch {
	case retry:
		c.counts.retried++
		return before, &parley.Later{At: c.Now().Add(pauses[failures]), Err: err}
	case err != nil: // given up; the answer is in the conversation all the same
		c.counts.failed++
		return all, nil
	}
	c.counts.delivered++
	return all, c.Store.Mailed(ctx, s.Session.Project, s.Session.ID, due.Answers[len(due.Answers)-1].Seq)
}

// sendReply makes the mail and hands it on.
func (c Config) sendReply(ctx context.Context, s *parley.Session, due parley.MailDue) error {
	if c.Mail == nil {
		return errors.Join(mail.ErrRefused, errors.New("this deployment sends no mail"))
	}
	p, err := c.Store.Project(ctx, s.Project)
	if err != nil {
		return err
	}
	upto := due.Answers[len(due.Answers)-1].Seq
	link := p.ReplyMail.Page
	if s.Channel == parley.ChannelNative {
		ticket, err := c.Store.PutLink(ctx, s, upto)
		if err != nil {
			return err
		}
		link += "#parley=" + ticket
	}
	m := replyMail(p, s, due, link)
	m.From.Email = c.MailFrom
	return c.Mail(ctx, m)
}

// mailID is the same whenever a mail of the same session up to the same answer is
// sent. It tells nobody the session's id, which may be a credential.
func mailID(kind string, of ...any) string {
	names, _ := json.Marshal(of) // strings and numbers always encode
	sum := sha256.Sum256(names)
	return kind + "." + hex.EncodeToString(sum[:16])
}

func (c Config) logReply(ctx context.Context, s *parley.Session, answers int, retry bool, err error) {
	attrs := []slog.Attr{slog.String("project", string(s.Project)), slog.Int("answers", answers)}
	if err != nil {
		attrs = append(attrs, slog.String("refused", err.Error()), slog.Bool("again", retry))
	}
	c.Log.LogAttrs(ctx, slog.LevelInfo, "reply mail", attrs...)
}
