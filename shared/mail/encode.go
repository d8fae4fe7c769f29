package mail

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"mime/quotedprintable"
	netmail "net/mail"
	"strings"
	"time"
	"unicode/utf8"
)

// Encode writes the message as it travels (RFC 5322), with lines that end with
// CR LF. An ErrRefused if Check refuses it.
func (m Message) Encode(at time.Time) ([]byte, error) {
	if err := m.Check(); err != nil {
		return nil, err
	}
	_, domain, _ := strings.Cut(m.From.Email, "@")
	var b bytes.Buffer
	header := func(name, value string) { fmt.Fprintf(&b, "%s: %s\r\n", name, value) }
	header("Date", at.Format(time.RFC1123Z))
	header("From", m.From.encode())
	header("To", encodeAll(m.To))
	if m.ReplyTo != (Address{}) {
		header("Reply-To", m.ReplyTo.encode())
	}
	header("Subject", encodeText(m.Subject))
	header("Message-ID", "<"+m.ID+"@"+domain+">")
	if m.Thread != "" {
		header("References", "<"+m.Thread+"@"+domain+">")
	}
	// Amazon SES replaces the Message-ID by one of its own.
	header("X-Parley-ID", m.ID)
	header("Auto-Submitted", "auto-generated") // RFC 3834: nobody's absence note answers it
	header("MIME-Version", "1.0")
	header("Content-Type", "text/plain; charset=utf-8")
	header("Content-Transfer-Encoding", "quoted-printable")
	b.WriteString("\r\n")
	body := quotedprintable.NewWriter(&b)
	body.Write([]byte(m.Text)) // a bytes.Buffer takes everything
	body.Close()
	if !strings.HasSuffix(m.Text, "\n") {
		b.WriteString("\r\n")
	}
	return b.Bytes(), nil
}

// fold begins a new line within a header.
const fold = "\r\n "

func encodeAll(all []Address) string {
	var out []string
	for _, a := range all {
		out = append(out, a.encode())
	}
	return strings.Join(out, ","+fold)
}

func (a Address) encode() string {
	if plain(a.Name) {
		return (&netmail.Address{Name: a.Name, Address: a.Email}).String()
	}
	return encodeText(a.Name) + fold + "<" + a.Email + ">"
}

// plain reports whether a text stands for itself in a header: some programs
// decode what looks like an encoded word wherever it stands.
func plain(text string) bool {
	for _, c := range []byte(text) {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return !strings.Contains(text, "=?")
}

// maxWord is how many bytes fit into one encoded word, of at most 75 characters
// (RFC 2047, section 2).
const maxWord = 45

// encodeText writes a text as encoded words where it needs that. The words are
// cut at the ends of characters (RFC 2047, section 5).
func encodeText(text string) string {
	if plain(text) {
		return text
	}
	var words []string
	for text != "" {
		n := min(maxWord, len(text))
		for n < len(text) && !utf8.RuneStart(text[n]) {
			n--
		}
		words = append(words, "=?utf-8?b?"+base64.StdEncoding.EncodeToString([]byte(text[:n]))+"?=")
		text = text[n:]
	}
	return strings.Join(words, fold)
}
