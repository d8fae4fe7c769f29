package hooks

import (
	"cmp"
	"strings"
	"unicode"
	"unicode/utf8"

	"parley/shared/mail"
	"parley/shared/parley"
)

// maxAnswerBytes is how much of people's answers one mail holds. Our choice: what
// stands around them fits beside it into mail.MaxTextBytes.
const maxAnswerBytes = 32 << 10

// replyMail is the mail, but for the address that it is from.
func replyMail(p *parley.Project, s *parley.Session, due parley.MailDue, link string) mail.Message {
	say := func(key string) string { return p.Say(key, s.Language) }
	parts := []string{say(parley.TextReplyMailIntro)}
	left := maxAnswerBytes
	for _, e := range due.Answers {
		text := answerText(e, say(parley.TextReplyMailFiles))
		if len(text) > left {
			parts = append(parts, cutText(text, left), say(parley.TextReplyMailCut))
			break
		}
		left -= len(text)
		parts = append(parts, text)
	}
	parts = append(parts, say(parley.TextReplyMailLink)+"\n"+link)
	if s.Channel == parley.ChannelNative {
		parts = append(parts, say(parley.TextReplyMailOnce))
	}
	m := mail.Message{
		ID:      mailID("reply", s.Project, s.ID, due.Answers[len(due.Answers)-1].Seq),
		Thread:  mailID("session", s.Project, s.ID),
		From:    mail.Address{Name: mail.Line(cmp.Or(p.ReplyMail.Name, p.Name), mail.MaxNameBytes)},
		To:      []mail.Address{{Email: strings.TrimSpace(due.To.Email)}},
		Subject: cmp.Or(mail.Line(say(parley.TextReplyMailSubject), mail.MaxSubjectBytes), "Parley"),
		Text:    strings.Join(parts, "\n\n") + "\n",
	}
	if p.ReplyMail.ReplyTo != "" {
		m.ReplyTo = mail.Address{Email: p.ReplyMail.ReplyTo}
	}
	return m
}

// answerText is one answer, under its author's name. Of files it has the names
// alone: their addresses open them for whoever has the mail.
func answerText(e parley.Entry, files string) string {
	var b strings.Builder
	if name := mail.Line(e.Author.Name, mail.MaxNameBytes); name != "" {
		b.WriteString(name + ":\n")
	}
	b.WriteString(readable(e.Text))
	first := true
	for _, part := range e.Parts {
		if part.Attachment == nil {
			continue
		}
		if first {
			b.WriteString("\n" + files)
			first = false
		}
		b.WriteString("\n- " + mail.Line(part.Attachment.Name, mail.MaxNameBytes))
	}
	return strings.TrimSpace(b.String())
}

// readable takes from a text what would hide or turn around what is read.
func readable(text string) string {
	text = strings.ReplaceAll(strings.ToValidUTF8(text, " "), "\r\n", "\n")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r):
			return -1
		}
		return r
	}, text)
}

// cutText shortens text to at most n bytes at a code point.
func cutText(text string, n int) string {
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}
