package lambdahttp

import (
	"context"
	"crypto/subtle"
	"net/http"
	"net/netip"
)

// Headers of the distribution, which no handler sees. The distribution itself sets the
// secret; the other two are set by its function on viewer requests, in template.yaml,
// which replaces what a client sends under these names.
const (
	// OriginSecretHeader is where the distribution proves itself.
	OriginSecretHeader = "Parley-Origin-Secret"
	// ClientAddressHeader has the network address of the distribution's client.
	ClientAddressHeader = "Parley-Client-Address"
	// ClientHostHeader has the host that the client asked: one of the distribution's
	// names, for it answers to no other.
	ClientHostHeader = "Parley-Client-Host"
)

// Front is the distribution in front of functions. The zero value is for functions that
// clients call directly.
type Front struct {
	// Secrets are what the distribution may send in OriginSecretHeader: its secret and,
	// while that is being replaced, the one before. An empty one is never right.
	Secrets []string
	// Only has requests refused that did not come through the distribution.
	Only bool
}

// Client is where a request comes from.
type Client struct {
	// Address is the network address, without a port.
	Address string
	// Host is the host of the distribution that the request came through; "" if it came
	// directly.
	Host string
}

// Client reads the distribution's headers and takes them away. The platform says in
// source who called: if the request proves that this was the distribution, its headers
// name the client, and otherwise none is believed. Forwarding headers never are, for a
// client can send them. It returns false if the request must be refused.
func (f Front) Client(h http.Header, source string) (Client, bool) {
	proven := f.proven(h.Get(OriginSecretHeader))
	address, host := h.Get(ClientAddressHeader), h.Get(ClientHostHeader)
	for _, name := range []string{OriginSecretHeader, ClientAddressHeader, ClientHostHeader} {
		h.Del(name)
	}
	if !proven {
		return Client{Address: source}, !f.Only
	}
	c := Client{Address: source, Host: host}
	if ip, err := netip.ParseAddr(address); err == nil {
		c.Address = ip.String()
	}
	return c, true
}

// proven compares with every secret, in a time that does not tell how much is right.
func (f Front) proven(sent string) bool {
	right := 0
	for _, secret := range f.Secrets {
		if secret != "" {
			right |= subtle.ConstantTimeCompare([]byte(sent), []byte(secret))
		}
	}
	return right == 1
}

type throughKey struct{}

// Through reports whether the request came through the distribution, at whose host all
// functions are reached.
func Through(ctx context.Context) bool { return ctx.Value(throughKey{}) != nil }
