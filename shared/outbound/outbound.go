// Package outbound asks hosts that a customer named: webhooks, actions. Nobody
// can have it reach what only this process can reach: every address is looked
// at after the name was resolved and before it is dialled, for each connection,
// and the connection goes to the very address that was looked at. So a name that
// resolves to something else the next time gains nothing.
package outbound

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"time"
)

// ErrRefused is what a request wraps that may not be made at all: its URL, or
// an address of its host, is one that this client does not talk to.
var ErrRefused = errors.New("refused")

// Config says how a Client asks. The zero value is what is right for production.
type Config struct {
	// Private allows http, every port, loopback and private addresses: for tests
	// and for `make run`. All other addresses that are refused stay so.
	Private bool
	// Runtime is the address of the Lambda runtime's own interface, as
	// AWS_LAMBDA_RUNTIME_API gives it (127.0.0.1:9001), "" outside of Lambda.
	// It is refused even with Private.
	Runtime string
	// Resolve returns the addresses of a host; nil means the system's resolver.
	Resolve func(ctx context.Context, host string) ([]netip.Addr, error)
	// Dial bounds resolving and connecting, Header the wait for the answer's
	// header after that, Whole everything to the end of the body. Zero means
	// 3 s, 5 s and 10 s. Our choices: a function waits for its own bill.
	Dial, Header, Whole time.Duration
	// MaxBytes is the longest body of an answer; zero means 64 KiB.
	MaxBytes int64
	// Roots are the certificate authorities; nil means the system's.
	Roots *x509.CertPool
}

// maxHeaderBytes is the longest header of an answer. Our choice.
const maxHeaderBytes = 16 << 10

// Client makes requests. It is safe for concurrent use.
type Client struct {
	http    *http.Client
	rules   rules
	resolve func(ctx context.Context, host string) ([]netip.Addr, error)
	dial    time.Duration
	max     int64
}

// New returns a Client. It fails if Runtime is no address.
func New(c Config) (*Client, error) {
	rules := rules{private: c.Private}
	if c.Runtime != "" {
		at, err := netip.ParseAddrPort(c.Runtime)
		if err != nil {
			return nil, errors.New("outbound: Runtime is not an address and a port")
		}
		rules.runtime = at
	}
	if c.Resolve == nil {
		c.Resolve = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		}
	}
	client := &Client{rules: rules, resolve: c.Resolve, dial: orDefault(c.Dial, 3*time.Second), max: c.MaxBytes}
	if client.max == 0 {
		client.max = 64 << 10
	}
	client.http = &http.Client{
		Timeout: orDefault(c.Whole, 10*time.Second),
		// A redirect is an answer like any other: following it would ask a host
		// that nobody named, with what was meant for another.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{ // no Proxy: the environment's could reach what is refused here
			DialContext:            client.connect,
			TLSClientConfig:        &tls.Config{RootCAs: c.Roots, MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout:    client.dial,
			ResponseHeaderTimeout:  orDefault(c.Header, 5*time.Second),
			MaxResponseHeaderBytes: maxHeaderBytes,
			DisableCompression:     true, // a bound on the bytes read is one on those received
			IdleConnTimeout:        5 * time.Second,
			MaxIdleConns:           16,
		},
	}
	return client, nil
}

func orDefault(d, def time.Duration) time.Duration {
	if d == 0 {
		return def
	}
	return d
}

// Do makes a request. A redirect is returned as it came. The answer's body fails
// with ErrTooLarge past the limit; close it. An error is an *Error, which
// wraps ErrRefused where trying again is useless, context.DeadlineExceeded after
// any timeout, and context.Canceled where the caller gave up.
func (c *Client) Do(r *http.Request) (*http.Response, error) {
	if err := c.rules.checkURL(r.URL); err != nil {
		return nil, failure(r.URL, err)
	}
	res, err := c.http.Do(r)
	if err != nil {
		return nil, failure(r.URL, err)
	}
	res.Body = &bounded{res.Body, c.max}
	return res, nil
}

// CheckURL reports what is wrong with a URL before anybody asks it, wrapping
// ErrRefused: for settings, when they are stored. What a name resolves to is
// looked at when it is asked.
func (c *Client) CheckURL(raw string) error {
	u, err := url.Parse(raw)
	if err != nil { // whose text has the URL in it
		return fmt.Errorf("%w: the URL is malformed", ErrRefused)
	}
	return c.rules.checkURL(u)
}

// connect resolves the host, refuses it if any of its addresses is refused,
// though another may be good, and connects to the first that takes it. A public
// service has no private address beside its public one; an attack does.
func (c *Client) connect(ctx context.Context, network, hostPort string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, c.dial)
	defer cancel()
	host, port, err := net.SplitHostPort(hostPort)
	if err != nil {
		return nil, err
	}
	n, err := net.DefaultResolver.LookupPort(ctx, network, port)
	if err != nil {
		return nil, err
	}
	addresses, err := c.addresses(ctx, host)
	if err != nil {
		return nil, err
	}
	for _, a := range addresses {
		if err := c.rules.checkAddress(netip.AddrPortFrom(a, uint16(n))); err != nil {
			return nil, err
		}
	}
	return dialFirst(ctx, network, addresses, port)
}

// maxAddresses bounds how many addresses of one host are tried.
const maxAddresses = 8

// addresses returns those of a host, IPv4 first: a function outside of a VPC
// has no way to an IPv6 address.
func (c *Client) addresses(ctx context.Context, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a}, nil
	}
	found, err := c.resolve(ctx, host)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, &net.DNSError{Err: "no address", Name: host, IsNotFound: true}
	}
	slices.SortStableFunc(found, func(a, b netip.Addr) int { return a.Unmap().BitLen() - b.Unmap().BitLen() })
	return found, nil
}

// dialFirst tries the addresses in turn, each within its share of the time left.
func dialFirst(ctx context.Context, network string, addresses []netip.Addr, port string) (net.Conn, error) {
	addresses = addresses[:min(len(addresses), maxAddresses)]
	deadline, _ := ctx.Deadline() // connect has set one
	var failed error
	for i, a := range addresses {
		share := time.Until(deadline) / time.Duration(len(addresses)-i)
		dialer := net.Dialer{Timeout: max(share, time.Millisecond)}
		conn, err := dialer.DialContext(ctx, network, net.JoinHostPort(a.String(), port))
		if err == nil {
			return conn, nil
		}
		failed = err
		if ctx.Err() != nil {
			break
		}
	}
	return nil, failed
}
