// Package mailtest is a test kit: a mail server that keeps what it is sent.
package mailtest

import (
	"bufio"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/http"
	"net/http/httptest"
	netmail "net/mail"
	"net/textproto"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// Server is an SMTP server on loopback. It ends with its test.
type Server struct {
	// User and Password, if set before the first mail, are asked for; they are
	// taken by encrypted connections alone.
	User, Password string
	// Answer, if set before the first mail, is asked for each command, by its
	// verb, and for a message's end, as "."; an answer that is not "" is given in
	// place of the server's own, and "hang up" ends the connection.
	Answer func(verb string) string

	t        testing.TB
	listener net.Listener
	tls      *tls.Config // of encrypted connections; nil if there are none
	wrapped  bool        // they begin encrypted, and not by STARTTLS
	open     sync.WaitGroup
	mu       sync.Mutex
	got      []Mail
	arrived  chan struct{}
}

// Mail is what the server took.
type Mail struct {
	From string   // of the envelope
	To   []string // of the envelope
	Raw  string
	// Header, decoded where it has encoded words; Text, decoded, with lines that
	// end with "\n".
	Header netmail.Header
	Text   string
}

// Subject returns the decoded subject.
func (m Mail) Subject() string {
	text, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if err != nil {
		return m.Header.Get("Subject")
	}
	return text
}

// New starts a server without encryption.
func New(t testing.TB) *Server {
	t.Helper()
	return start(t, &Server{})
}

// NewTLS starts a server whose connections are encrypted, from their beginning if
// wrapped, else by STARTTLS, and returns what a client of it has to trust.
func NewTLS(t testing.TB, wrapped bool) (*Server, *tls.Config) {
	t.Helper()
	host := httptest.NewTLSServer(nil) // which has a certificate for loopback
	defer host.Close()
	trust := host.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	return start(t, &Server{tls: &tls.Config{Certificates: host.TLS.Certificates}, wrapped: wrapped}), trust
}

func start(t testing.TB, s *Server) *Server {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.t, s.listener, s.arrived = t, listener, make(chan struct{}, 1000)
	s.open.Go(s.serve)
	t.Cleanup(func() {
		listener.Close()
		s.open.Wait()
	})
	return s
}

// URL is where the server is, as smtpmail.Parse takes it.
func (s *Server) URL() string {
	u := url.URL{Scheme: "smtp", Host: s.listener.Addr().String()}
	if s.wrapped {
		u.Scheme = "smtps"
	}
	if s.User != "" {
		u.User = url.UserPassword(s.User, s.Password)
	}
	return u.String()
}

// Mails returns what the server has taken so far.
func (s *Server) Mails() []Mail {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Mail(nil), s.got...)
}

// Await returns what the server has taken as soon as that is at least n mails;
// the test fails if its own deadline comes first.
func (s *Server) Await(n int) []Mail {
	s.t.Helper()
	for len(s.Mails()) < n {
		select {
		case <-s.arrived:
		case <-s.t.Context().Done():
			s.t.Fatalf("%d of %d mails came", len(s.Mails()), n)
		}
	}
	return s.Mails()
}

func (s *Server) serve() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			if !errors.Is(err, net.ErrClosed) {
				s.t.Error(err)
			}
			return
		}
		s.open.Go(func() {
			defer conn.Close()
			d := &dialog{server: s, raw: conn, conn: textproto.NewConn(conn)}
			if s.wrapped {
				d.encrypt()
			}
			d.run()
		})
	}
}

// dialog is one connection.
type dialog struct {
	server    *Server
	raw       net.Conn
	conn      *textproto.Conn
	encrypted bool
	known     bool // who it is
	mail      Mail
}

// encrypt goes on with an encrypted connection. A client that does not trust it
// hangs up, which the next command finds.
func (d *dialog) encrypt() {
	d.raw, d.encrypted = tls.Server(d.raw, d.server.tls), true
	d.conn = textproto.NewConn(d.raw)
}

// run answers commands until the client or the test hangs up.
func (d *dialog) run() {
	d.say("220 mailtest")
	for {
		line, err := d.conn.ReadLine()
		if err != nil {
			return
		}
		verb, argument, _ := strings.Cut(line, " ")
		if !d.answer(strings.ToUpper(verb), argument) {
			return
		}
	}
}

// answer reports whether the connection goes on.
func (d *dialog) answer(verb, argument string) bool {
	answer := d.own(verb, argument)
	if d.server.Answer != nil {
		if other := d.server.Answer(verb); other == "hang up" {
			return false
		} else if other != "" {
			return d.say(other)
		}
	}
	if !d.say(answer) || verb == "QUIT" {
		return false
	}
	if verb == "STARTTLS" && strings.HasPrefix(answer, "2") {
		d.encrypt()
	}
	return verb != "DATA" || d.take()
}

// own is what the server says by itself.
func (d *dialog) own(verb, argument string) string {
	switch verb {
	case "EHLO", "HELO":
		return "250-mailtest\r\n" + d.offers() + "250 8BITMIME"
	case "STARTTLS":
		if d.server.tls == nil || d.encrypted {
			return "502 no"
		}
		return "220 go on"
	case "AUTH":
		return d.login(argument)
	case "MAIL":
		if d.server.User != "" && !d.known {
			return "530 who are you?"
		}
		d.mail = Mail{From: path(argument)}
	case "RCPT":
		d.mail.To = append(d.mail.To, path(argument))
	case "DATA":
		return "354 go on"
	case "QUIT":
		return "221 bye"
	case "RSET", "NOOP":
	default:
		return "500 what?"
	}
	return "250 good"
}

// offers are lines of what a client may ask for.
func (d *dialog) offers() string {
	switch {
	case d.server.tls != nil && !d.encrypted:
		return "250-STARTTLS\r\n"
	case d.server.User != "":
		return "250-AUTH PLAIN\r\n"
	}
	return ""
}

// login answers AUTH PLAIN (RFC 4616).
func (d *dialog) login(argument string) string {
	want := "\x00" + d.server.User + "\x00" + d.server.Password
	got, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(argument, "PLAIN "))
	switch {
	case d.server.tls != nil && !d.encrypted:
		return "538 not in clear text"
	case err != nil || string(got) != want:
		return "535 no such user as " + string(got)
	}
	d.known = true
	return "235 welcome"
}

// path is the address of "FROM:<a@example> …".
func path(argument string) string {
	_, rest, _ := strings.Cut(argument, "<")
	address, _, _ := strings.Cut(rest, ">")
	return address
}

// take reads a message and keeps it.
func (d *dialog) take() bool {
	raw, err := io.ReadAll(d.conn.DotReader())
	if err != nil {
		return false
	}
	answer := ""
	if d.server.Answer != nil {
		answer = d.server.Answer(".")
	}
	if answer == "" || strings.HasPrefix(answer, "hang up") || strings.HasPrefix(answer, "2") {
		d.keep(string(raw))
	}
	if answer == "hang up" {
		return false
	}
	if answer == "" {
		answer = "250 taken"
	}
	return d.say(answer)
}

func (d *dialog) keep(raw string) {
	d.mail.Raw = raw
	m, err := netmail.ReadMessage(bufio.NewReader(strings.NewReader(raw)))
	if err != nil {
		d.server.t.Errorf("mail %q: %v", raw, err)
		return
	}
	text, err := io.ReadAll(quotedprintable.NewReader(m.Body))
	if err != nil {
		d.server.t.Errorf("mail %q: %v", raw, err)
	}
	d.mail.Header, d.mail.Text = m.Header, strings.ReplaceAll(string(text), "\r\n", "\n")
	d.server.mu.Lock()
	d.server.got = append(d.server.got, d.mail)
	d.server.mu.Unlock()
	d.server.arrived <- struct{}{}
}

func (d *dialog) say(line string) bool { return d.conn.PrintfLine("%s", line) == nil }
