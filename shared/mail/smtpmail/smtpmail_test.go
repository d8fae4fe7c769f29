package smtpmail_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"

	"parley/shared/mail"
	"parley/shared/mail/mailtest"
	"parley/shared/mail/smtpmail"
)

func message() mail.Message {
	return mail.Message{ID: "n1", From: mail.Address{Email: "support@shop.example"},
		To: []mail.Address{{Email: "ola@shop.example"}, {Email: "per@shop.example"}}, Subject: "Größe", Text: ".\nHello\n..\n"}
}

func server(t *testing.T, url string) *smtpmail.Server {
	t.Helper()
	s, err := smtpmail.Parse(url)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSend(t *testing.T) {
	to := mailtest.New(t)
	if err := server(t, to.URL()).Send(t.Context(), message()); err != nil {
		t.Fatal(err)
	}
	got := to.Await(1)[0]
	if got.From != "support@shop.example" || !slices.Equal(got.To, []string{"ola@shop.example", "per@shop.example"}) ||
		got.Subject() != "Größe" || strings.TrimSuffix(got.Text, "\n") != ".\nHello\n.." || got.Header.Get("Message-ID") != "<n1@shop.example>" {
		t.Errorf("took %+v", got)
	}
}

// TestRefused: what a server refuses for good is final, everything else is not;
// nothing of what it says is told.
func TestRefused(t *testing.T) {
	for _, test := range []struct {
		verb, answer string
		final        bool
		taken        int
	}{
		{"MAIL", "550 secret", true, 0},
		{"RCPT", "550 no such user secret@shop.example", true, 0},
		{"RCPT", "450 later, secret@shop.example", false, 0},
		{"DATA", "421 busy, secret", false, 0},
		{".", "554 spam, secret", true, 0},
		{".", "451 not now, secret", false, 0},
		{".", "hang up", false, 1}, // and nobody can know that it was taken
		{"EHLO", "hang up", false, 0},
		{"QUIT", "500 never heard of, secret", true, 1},
	} {
		to := mailtest.New(t)
		to.Answer = func(verb string) string {
			if verb == test.verb {
				return test.answer
			}
			return ""
		}
		err := server(t, to.URL()).Send(t.Context(), message())
		if test.verb == "QUIT" {
			if err != nil {
				t.Errorf("after a refused goodbye: Send = %v", err)
			}
		} else if err == nil || errors.Is(err, mail.ErrRefused) != test.final || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s %q: Send = %v", test.verb, test.answer, err)
		}
		if n := len(to.Mails()); n != test.taken {
			t.Errorf("%s %q: %d mails taken, want %d", test.verb, test.answer, n, test.taken)
		}
	}
}

// TestEncrypted: a server that offers encryption is used with it, by both ways; a
// user logs in; what a wrong password is answered is told without its text, and
// may be mended; a server that is not trusted, or would read the password in clear
// text elsewhere, gets nothing.
func TestEncrypted(t *testing.T) {
	for _, wrapped := range []bool{false, true} {
		to, trust := mailtest.NewTLS(t, wrapped)
		to.User, to.Password = "parley", "secret"
		s := server(t, to.URL())
		if err := s.Send(t.Context(), message()); err == nil || len(to.Mails()) > 0 {
			t.Errorf("wrapped %v: a server that nobody trusts: Send = %v", wrapped, err)
		}
		s.TLS = trust
		if err := s.Send(t.Context(), message()); err != nil || len(to.Mails()) != 1 {
			t.Errorf("wrapped %v: Send = %v", wrapped, err)
		}
		s = server(t, strings.Replace(to.URL(), ":secret@", ":wrong-secret@", 1))
		s.TLS = trust
		if err := s.Send(t.Context(), message()); err == nil || errors.Is(err, mail.ErrRefused) || strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), "535") {
			t.Errorf("wrapped %v: a wrong password: Send = %v", wrapped, err)
		}
		s = server(t, strings.Replace(to.URL(), "parley:secret@", "", 1))
		s.TLS = trust
		if err := s.Send(t.Context(), message()); !errors.Is(err, mail.ErrRefused) {
			t.Errorf("wrapped %v: nobody logged in: Send = %v", wrapped, err)
		}
		if n := len(to.Mails()); n != 1 {
			t.Errorf("wrapped %v: %d mails taken", wrapped, n)
		}
	}
}

// TestNobodyThere: a server that is gone, or silent, is worth another attempt.
func TestNobodyThere(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	ctx, cancel := context.WithCancel(t.Context())
	accepted := make(chan net.Conn, 1)
	go func() {
		conn, err := silent.Accept()
		if err == nil {
			accepted <- conn
		}
		cancel()
	}()
	err = server(t, "smtp://"+silent.Addr().String()).Send(ctx, message())
	if err == nil || errors.Is(err, mail.ErrRefused) {
		t.Errorf("a silent server: Send = %v", err)
	}
	(<-accepted).Close()
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	if err := server(t, "smtp://"+gone.Addr().String()).Send(t.Context(), message()); err == nil || errors.Is(err, mail.ErrRefused) {
		t.Errorf("no server: Send = %v", err)
	}
}

func TestParse(t *testing.T) {
	for url, good := range map[string]bool{
		"smtp://localhost": true, "smtp://127.0.0.1:1025": true, "smtps://user:secret@mail.example:465/": true,
		"": false, "localhost:25": false, "http://secret.example": false, "smtp://": false,
		"smtp://secret.example/path": false, "smtp://secret.example?x=1": false, "smtp://secret:%zz@x": false,
	} {
		if _, err := smtpmail.Parse(url); (err == nil) != good || err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("Parse(%q) = %v", url, err)
		}
	}
}
