// Package mailtest is a test kit: a mail server that keeps what it is sent.
package mailtest

import (
	"bufio"
	"errors"
	"io"
	"mime"
	"mime/quotedprintable"
	"net"
	netmail "net/mail"
	"net/textproto"
	"strings"
	"sync"
	"testing"
)

// Server is an SMTP server on loopback, without encryption. It ends with its test.
type Server struct {
	// Answer, if set before the first mail, is asked for each command, by its
	// verb, and for a message's end, as "."; an answer that is not "" is given in
	// place of the server's own, and "hang up" ends the connection.
	Answer func(verb string) string

	t        testing.TB
	listener net.Listener
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

// New starts a server.
func New(t testing.TB) *Server {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{t: t, listener: listener, arrived: make(chan struct{}, 1000)}
	s.open.Go(s.serve)
	t.Cleanup(func() {
		listener.Close()
		s.open.Wait()
	})
	return s
}

// URL is where the server is, as smtpmail.Parse takes it.
func (s *Server) URL() string { return "smtp://" + s.listener.Addr().String() }

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
			(&dialog{server: s, conn: textproto.NewConn(conn)}).run()
		})
	}
}

// dialog is one connection.
type dialog struct {
	server *Server
	conn   *textproto.Conn
	mail   Mail
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
	return verb != "DATA" || d.take()
}

// own is what the server says by itself.
func (d *dialog) own(verb, argument string) string {
	switch verb {
	case "EHLO", "HELO":
		return "250 mailtest"
	case "MAIL":
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
