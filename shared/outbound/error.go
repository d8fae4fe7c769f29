package outbound

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/url"
	"syscall"
)

// Error says why a request got no answer, in words that may be logged and shown
// to the customer who named the host: of the URL only the host is in them, and
// of the host's answer nothing.
type Error struct {
	// Host is the URL's host without its port.
	Host string
	// Text is the reason, e.g. "no answer in time".
	Text  string
	cause error
}

func (e *Error) Error() string { return "ask " + e.Host + ": " + e.Text }

// Unwrap returns ErrRefused, context.DeadlineExceeded, context.Canceled or nil.
func (e *Error) Unwrap() error { return e.cause }

// failure describes an error of net/http, whose own text contains the URL.
func failure(u *url.URL, err error) error {
	e := &Error{Host: u.Hostname()}
	for _, known := range []error{ErrRefused, context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, known) {
			e.cause = known
		}
	}
	e.Text = reason(err)
	return e
}

func reason(err error) string {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	var dns *net.DNSError
	var certificate *tls.CertificateVerificationError
	var timeout net.Error
	var dial *net.OpError
	switch {
	case errors.Is(err, ErrRefused):
		return err.Error()
	case errors.Is(err, context.Canceled):
		return "given up"
	case errors.As(err, &dns) && dns.IsNotFound:
		return "the host has no address"
	case errors.As(err, &dns):
		return "the host's name could not be resolved"
	case errors.As(err, &certificate):
		return "the host's certificate is not valid for it"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "the connection was refused"
	case errors.As(err, &dial) && dial.Op == "dial":
		return "no connection"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "no answer in time"
	}
	return "the connection broke, or the answer was no HTTP"
}

// ErrTooLarge is the error of reading an answer's body beyond the limit.
var ErrTooLarge = errors.New("the answer is too long")

// limitedBody is a body that fails with ErrTooLarge if it is longer than the
// limit.
type limitedBody struct {
	io.ReadCloser
	left int64
}

// Read implements io.Reader. It reads one byte more than the limit, to tell a
// body that ends there from one that goes on.
func (b *limitedBody) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, ErrTooLarge
	}
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return n - 1, ErrTooLarge
	}
	return n, err
}
