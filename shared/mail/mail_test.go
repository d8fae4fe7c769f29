package mail_test

import (
	"errors"
	"io"
	"mime"
	"mime/quotedprintable"
	netmail "net/mail"
	"strings"
	"testing"
	"time"

	"parley/shared/mail"
)

func message() mail.Message {
	return mail.Message{ID: "n1", From: mail.Address{Name: "Parley", Email: "support@shop.example"},
		To: []mail.Address{{Email: "ola@shop.example"}}, Subject: "Somebody waits", Text: "Hello"}
}

// TestEncode: what is written is read again by others as it was, whatever is in it.
func TestEncode(t *testing.T) {
	long := strings.TrimSpace(strings.Repeat("größe ", 24))
	for _, test := range []struct {
		name   string
		change func(m *mail.Message)
	}{
		{"plain", func(*mail.Message) {}},
		{"other scripts", func(m *mail.Message) {
			m.Subject, m.Text = long, "Größe? 日本語 🙂\nline 2\n.\n=3D "+strings.Repeat("x", 3000)
			m.From.Name, m.To = "Kundendienst, Öl & Söhne", append(m.To, mail.Address{Name: "日本語", Email: "a.b+c@x.example"})
		}},
		{"encoded words of a visitor's", func(m *mail.Message) {
			m.Subject, m.From.Name = "=?utf-8?q?a=0D=0ABcc:_x@evil.example?=", "=?utf-8?q?x?="
		}},
		{"quotes", func(m *mail.Message) { m.From.Name = `O"Neill \ <a@evil.example>, b` }},
		{"looks like headers", func(m *mail.Message) { m.Text = "\nBcc: x@evil.example\n\n.\nFrom x" }},
		{"answers", func(m *mail.Message) {
			m.Thread, m.ReplyTo = "s-1", mail.Address{Name: "Ola", Email: "ola@shop.example"}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := message()
			test.change(&m)
			raw, err := m.Encode(time.Unix(1790000000, 0))
			if err != nil {
				t.Fatal(err)
			}
			for _, line := range strings.Split(strings.TrimSuffix(string(raw), "\r\n"), "\r\n") {
				if len(line) > 900 || strings.ContainsAny(line, "\r\n") {
					t.Errorf("line %q", line)
				}
			}
			read(t, m, string(raw))
		})
	}
}

// read fails the test unless the standard library reads the message.
func read(t *testing.T, want mail.Message, raw string) {
	t.Helper()
	got, err := netmail.ReadMessage(strings.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	h := got.Header
	if s, err := new(mime.WordDecoder).DecodeHeader(h.Get("Subject")); err != nil || s != want.Subject {
		t.Errorf("subject %q, %v, want %q", s, err, want.Subject)
	}
	addresses := func(name string, want ...mail.Address) {
		all, err := h.AddressList(name)
		if err != nil || len(all) != len(want) {
			t.Fatalf("%s = %q: %v, %v", name, h.Get(name), all, err)
		}
		for i, a := range all {
			if a.Name != want[i].Name || a.Address != want[i].Email {
				t.Errorf("%s = %+v, want %+v", name, a, want[i])
			}
		}
	}
	addresses("From", want.From)
	addresses("To", want.To...)
	if want.ReplyTo != (mail.Address{}) {
		addresses("Reply-To", want.ReplyTo)
	}
	text, err := io.ReadAll(quotedprintable.NewReader(got.Body))
	if s := strings.TrimSuffix(strings.ReplaceAll(string(text), "\r\n", "\n"), "\n"); err != nil || s != strings.TrimSuffix(want.Text, "\n") {
		t.Errorf("text %q, %v, want %q", s, err, want.Text)
	}
	if h.Get("Message-ID") != "<"+want.ID+"@shop.example>" || h.Get("Auto-Submitted") != "auto-generated" || h.Get("Bcc") != "" {
		t.Errorf("headers %v", h)
	}
	if thread := h.Get("References"); want.Thread == "" && thread != "" || want.Thread != "" && thread != "<"+want.Thread+"@shop.example>" {
		t.Errorf("thread %q", thread)
	}
	if at, err := h.Date(); err != nil || at.Unix() != 1790000000 {
		t.Errorf("date %v, %v", at, err)
	}
}

// TestCheck: what could add a header or a recipient is refused for good, and not
// told of.
func TestCheck(t *testing.T) {
	for name, change := range map[string]func(m *mail.Message){
		"no id":                   func(m *mail.Message) { m.ID = "" },
		"id with a bracket":       func(m *mail.Message) { m.ID = "secret>" },
		"thread with a line":      func(m *mail.Message) { m.Thread = "secret\r\n" },
		"nobody":                  func(m *mail.Message) { m.To = nil },
		"a crowd":                 func(m *mail.Message) { m.To = make([]mail.Address, mail.MaxRecipients+1) },
		"no subject":              func(m *mail.Message) { m.Subject = "" },
		"subject with a line":     func(m *mail.Message) { m.Subject = "secret\r\nBcc: x@evil.example" },
		"subject with a bare CR":  func(m *mail.Message) { m.Subject = "secret\rBcc: x@evil.example" },
		"subject, paragraph":      func(m *mail.Message) { m.Subject = "secret\u2029x" },
		"subject turned around":   func(m *mail.Message) { m.Subject = "secret\u202ex" },
		"subject not UTF-8":       func(m *mail.Message) { m.Subject = "secret\xff" },
		"subject too long":        func(m *mail.Message) { m.Subject = strings.Repeat("x", mail.MaxSubjectBytes+1) },
		"text with NUL":           func(m *mail.Message) { m.Text = "secret\x00" },
		"text with CR":            func(m *mail.Message) { m.Text = "secret\r.\r" },
		"text too long":           func(m *mail.Message) { m.Text = strings.Repeat("x", mail.MaxTextBytes+1) },
		"name with a line":        func(m *mail.Message) { m.From.Name = "secret\nBcc: x@evil.example" },
		"name too long":           func(m *mail.Message) { m.From.Name = strings.Repeat("x", mail.MaxNameBytes+1) },
		"recipient with a line":   func(m *mail.Message) { m.To[0].Email = "secret@x.example\r\nRCPT TO:<y@evil.example>" },
		"two recipients in one":   func(m *mail.Message) { m.To[0].Email = "secret@x.example,y@evil.example" },
		"recipient with brackets": func(m *mail.Message) { m.To[0].Email = "<secret@x.example>" },
		"answers to nowhere":      func(m *mail.Message) { m.ReplyTo.Name = "secret" },
	} {
		m := message()
		change(&m)
		_, err := m.Encode(time.Now())
		if !errors.Is(err, mail.ErrRefused) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: Encode = %v", name, err)
		}
	}
}

func TestCheckEmail(t *testing.T) {
	for email, good := range map[string]bool{
		"a@b.example": true, "a.b+c_d@x-y.example": true, "root@localhost": true, "o'neill@b.example": true,
		"": false, "a": false, "@b.example": false, "a@": false, "a@b@c": false, "a b@c.example": false, `"a b"@c.example`: false,
		"a@b.example\n": false, ".a@b.example": false, "a..b@c.example": false, "a@-b.example": false, "a@b..example": false,
		"größe@b.example": false, "a@größe.example": false, "Ola <a@b.example>": false,
		strings.Repeat("a", 64) + "@b.example": true, strings.Repeat("a", 65) + "@b.example": false,
		"a@" + strings.Repeat("b.", 126) + "b": false,
	} {
		if err := mail.CheckEmail(email); (err == nil) != good {
			t.Errorf("CheckEmail(%q) = %v", email, err)
		}
	}
}

func TestLine(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"short", "short"},
		{" a\r\nb\tc \x00\u202e\u2028 d ", "a b c d"},
		{"0123456789", "0123456789"},
		{"0123456789a", "0123456…"},
		{"012345ü89ab", "012345…"},
		{"01234 789ab", "01234 7…"},
		{"0\xff1", "0 1"},
	} {
		if got := mail.Line(test.text, 10); got != test.want {
			t.Errorf("Line(%q) = %q, want %q", test.text, got, test.want)
		}
	}
}
