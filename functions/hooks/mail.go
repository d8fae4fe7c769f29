package hooks

import (
	"context"
	"errors"
	"strings"

	"parley/shared/mail"
	"parley/shared/parley"
)

// errNoMail is what a deployment is told that sends no mail and has a project
// that wants some.
var errNoMail = errors.New("mail is not configured: set the template's MailFrom, or MAIL_FROM and SMTP_URL for make run")

// mail sends a notice by e-mail.
func (t *teller) mail(ctx context.Context, p *parley.Project, n notice) (final bool, err error) {
	if t.Mail == nil {
		return true, errNoMail
	}
	err = t.Mail(ctx, t.message(p, n))
	return errors.Is(err, mail.ErrRefused), err
}

// message is a notice as a mail.
func (t *teller) message(p *parley.Project, n notice) mail.Message {
	w := words{p, t.Console}
	m := mail.Message{ID: n.id, From: mail.Address{Name: mail.Line(p.Name, mail.MaxNameBytes), Email: t.MailFrom}, Text: w.text(n)}
	if n.thread != n.id {
		m.Thread = n.thread
	}
	for _, email := range p.Notify.Email {
		m.To = append(m.To, mail.Address{Email: email})
	}
	subject := w.headline(n)
	if len(n.waits) == 1 {
		subject += " " + w.who(n.waits[0])
	}
	if p.Name != "" {
		subject = p.Name + ": " + subject
	}
	m.Subject = mail.Line(subject, mail.MaxSubjectBytes)
	return m
}

// text is a notice as plain text.
func (w words) text(n notice) string {
	var b strings.Builder
	b.WriteString(mail.Line(w.headline(n), mail.MaxSubjectBytes) + "\n")
	shown, more := n.shown()
	for _, wait := range shown {
		b.WriteString("\n")
		for _, l := range w.lines(wait) {
			b.WriteString(l.label + ": " + l.text + "\n")
		}
		if link := w.link(wait); link != "" {
			b.WriteString(w.say(parley.TextNotifyOpen) + ": " + link + "\n")
		}
	}
	if more > 0 {
		b.WriteString("\n" + w.more(more) + "\n")
	}
	return b.String()
}
