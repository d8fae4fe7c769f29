// Package smtpmail sends mail by an SMTP server (RFC 5321).
package smtpmail

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/smtp"
	"net/textproto"
	"net/url"
	"time"

	"parley/shared/mail"
)

// sendTime bounds one message, from the connection on. Our choice.
const sendTime = 20 * time.Second

// Server is an SMTP server.
type Server struct {
	address, host string
	// TLS is the configuration for encrypted connections; nil is Go's own.
	TLS *tls.Config
	// wrapped: the connection begins encrypted. Else it is encrypted as soon as
	// the server offers that.
	wrapped        bool
	user, password string
}

// Parse reads the address of a server: "smtp://host:port", port 25 if none, or
// "smtps://host:port" for one that is encrypted from its beginning, port 465. A
// user and a password may stand before the host; they are sent to no server that
// is elsewhere and not encrypted. An error has no part of the text in it.
func Parse(text string) (*Server, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "smtp" && u.Scheme != "smtps" || u.Hostname() == "" ||
		u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("a mail server's address is smtp://host:port or smtps://host:port, with user:password@ before the host where it wants that")
	}
	s := &Server{host: u.Hostname(), wrapped: u.Scheme == "smtps", user: u.User.Username()}
	s.password, _ = u.User.Password()
	port := "25"
	if s.wrapped {
		port = "465"
	}
	s.address = net.JoinHostPort(s.host, cmp.Or(u.Port(), port))
	return s, nil
}

// Send is a mail.Sender.
func (s *Server) Send(ctx context.Context, m mail.Message) error {
	data, err := m.Encode(time.Now())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, sendTime)
	defer cancel()
	c, err := s.connect(ctx)
	if err != nil {
		return fmt.Errorf("connect to the mail server: %w", err)
	}
	defer c.Close()
	if err := s.greet(c); err != nil {
		return fmt.Errorf("greet the mail server: %w", codeOnly(err))
	}
	if err := hand(c, m, data); err != nil {
		return refusal(err)
	}
	c.Quit() // the message is taken, whatever becomes of the goodbye
	return nil
}

func (s *Server) connect(ctx context.Context) (*smtp.Client, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", s.address)
	if err != nil {
		return nil, err
	}
	if deadline, ok := ctx.Deadline(); ok {
		conn.SetDeadline(deadline) // fails only for a closed connection, which the next use tells
	}
	if s.wrapped {
		conn = tls.Client(conn, s.config())
	}
	c, err := smtp.NewClient(conn, s.host)
	if err != nil {
		conn.Close()
	}
	return c, err
}

// greet encrypts the connection if the server can, and logs in if there is a user.
func (s *Server) greet(c *smtp.Client) error {
	if offered, _ := c.Extension("STARTTLS"); offered && !s.wrapped {
		if err := c.StartTLS(s.config()); err != nil {
			return err
		}
	}
	if s.user == "" {
		return nil
	}
	return c.Auth(smtp.PlainAuth("", s.user, s.password, s.host)) // which refuses where it would be readable
}

func (s *Server) config() *tls.Config {
	c := s.TLS.Clone()
	if c == nil {
		c = new(tls.Config)
	}
	c.ServerName = s.host
	return c
}

// hand gives the server the message. It has it when the end of the data is
// acknowledged.
func hand(c *smtp.Client, m mail.Message, data []byte) error {
	if err := c.Mail(m.From.Email); err != nil {
		return err
	}
	for _, to := range m.To {
		if err := c.Rcpt(to.Email); err != nil {
			return err
		}
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := w.Write(data); err != nil {
		return err
	}
	return w.Close()
}

// refusal makes what a server says of a message: a code of 500 and more is final
// (RFC 5321, section 4.2.1).
func refusal(err error) error {
	var said *textproto.Error
	if errors.As(err, &said) && said.Code >= 500 {
		return fmt.Errorf("%w: %w", mail.ErrRefused, codeOnly(err))
	}
	return fmt.Errorf("hand over the mail: %w", codeOnly(err))
}

// codeOnly leaves out the text of what a server says, which may have addresses,
// or what was sent to log in, in it.
func codeOnly(err error) error {
	if said := (*textproto.Error)(nil); errors.As(err, &said) {
		return fmt.Errorf("the mail server answers %d", said.Code)
	}
	return err
}
