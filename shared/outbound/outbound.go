// Package outbound sends requests to hosts that a customer named, for webhooks
// and actions. Nobody can make it reach what only this process can reach. For
// each connection every address is checked after the name was resolved, and the
// connection is made to that same address; so a name that resolves differently
// the next time gains nothing.
package outbound

import (
	"cmp"
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

// ErrRefused is wrapped by the error of a request that is not allowed, because
// of its URL or an address of its host.
var ErrRefused = errors.New("refused")

// Config says how a Client sends requests. The zero value is right for
// production.
type Config struct {
	// Private allows http, every port, and loopback and private addresses: for
	// tests and `make run`. Other special addresses stay forbidden.
	Private bool
	// Runtime is the address of the Lambda runtime's own interface, as
	// AWS_LAMBDA_RUNTIME_API gives it (127.0.0.1:9001), "" outside of Lambda.
	// It is refused even with Private.
	Runtime string
	// Resolve returns the addresses of a host; nil means the system's resolver.
	Resolve func(ctx context.Context, host string) ([]netip.Addr, error)
	// Dial limits resolving and connecting; Header, the wait for the answer's
	// headers after that; Whole, everything up to the end of the body. Zero means
	// 3 s, 5 s and 10 s. Our choices: a function is billed while it waits.
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
	client := &Client{rules: rules, resolve: c.Resolve, dial: cmp.Or(c.Dial, 3*time.Second), max: cmp.Or(c.MaxBytes, 64<<10)}
	client.http = &http.Client{
		Timeout: cmp.Or(c.Whole, 10*time.Second),
		// Redirects are not followed: that would send a request, meant for one host,
		// to another one that nobody named.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{ // no Proxy: the environment's could reach what is refused here
			DialContext:            client.connect,
			TLSClientConfig:        &tls.Config{RootCAs: c.Roots, MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout:    client.dial,
			ResponseHeaderTimeout:  cmp.Or(c.Header, 5*time.Second),
			MaxResponseHeaderBytes: maxHeaderBytes,
			DisableCompression:     true, // a bound on the bytes read is one on those received
			IdleConnTimeout:        5 * time.Second,
			MaxIdleConns:           16,
		},
	}
	return client, nil
}

// Do sends a request. Redirects are returned and not followed. The answer's body
// fails with ErrTooLarge beyond the limit; close it. An error is an *Error. It
// wraps ErrRefused if retrying is useless, context.DeadlineExceeded after any
// timeout, and context.Canceled if the caller gave up.
func (c *Client) Do(r *http.Request) (*http.Response, error) {
	if err := c.rules.checkURL(r.URL); err != nil {
		return nil, failure(r.URL, err)
	}
	res, err := c.http.Do(r)
	if err != nil {
		return nil, failure(r.URL, err)
	}
	res.Body = &limitedBody{res.Body, c.max}
	return res, nil
}

// CheckURL checks a URL without calling it, for settings when they are stored.
// The error wraps ErrRefused. What its host resolves to is checked later, with
// each request.
func (c *Client) CheckURL(raw string) error {
	u, err := url.Parse(raw)
	if err != nil { // not wrapped: its text contains the URL
		return fmt.Errorf("%w: the URL is malformed", ErrRefused)
	}
	return c.rules.checkURL(u)
}

// connect resolves the host and connects to the first of its addresses that
// answers. It refuses the host if any address is forbidden, although another may
// be fine: a public service has no private address beside its public one, but an
// attack does.
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

// addresses returns the host's addresses, IPv4 first, since a function outside a
// VPC cannot reach IPv6 addresses.
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

// dialFirst tries the addresses in turn, each for an equal share of the time
// that is left.
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
