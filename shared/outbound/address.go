package outbound

import (
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// MaxURLBytes is the longest URL. Our choice.
const MaxURLBytes = 2000

// rules say which addresses may be called.
type rules struct {
	private bool
	runtime netip.AddrPort
}

// checkURL accepts https at port 443 or 8443. A host that a customer named thus
// gets nothing but a TLS handshake, which no other protocol mistakes for a
// command; and with so few ports nobody can scan others' hosts through this
// deployment.
func (r rules) checkURL(u *url.URL) error {
	problem := ""
	port := u.Port()
	switch {
	case len(u.String()) > MaxURLBytes:
		problem = fmt.Sprintf("the URL is longer than %d bytes", MaxURLBytes)
	case u.Scheme != "https" && (u.Scheme != "http" || !r.private):
		problem = "the URL does not begin with https://"
	case u.Hostname() == "" || u.Opaque != "":
		problem = "the URL names no host"
	case u.User != nil:
		problem = "the URL has a user or a password in it"
	case u.Fragment != "":
		problem = "the URL has a fragment"
	case port != "" && !validPort(port), port != "" && port != "443" && port != "8443" && !r.private:
		problem = "the URL's port is neither 443 nor 8443"
	}
	if problem != "" {
		return fmt.Errorf("%w: %s", ErrRefused, problem)
	}
	if a, err := netip.ParseAddr(u.Hostname()); err == nil {
		n, _ := strconv.ParseUint(port, 10, 16) // 0 if absent: no rule forbids the default ports
		return r.checkAddress(netip.AddrPortFrom(a, uint16(n)))
	}
	if h := strings.ToLower(strings.TrimSuffix(u.Hostname(), ".")); !r.private && (h == "localhost" || strings.HasSuffix(h, ".localhost")) {
		return refusedAddress(ofThisMachine)
	}
	return nil
}

func validPort(port string) bool {
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0
}

// block is a range of refused addresses, with the reason.
type block struct {
	prefix netip.Prefix
	why    string
}

const (
	ofThisMachine = "of this machine"
	ofPrivateUse  = "of a private network"
)

// blocks are the special-purpose ranges that are not globally reachable, or that
// embed other addresses
// (https://www.iana.org/assignments/iana-ipv4-special-registry,
// https://www.iana.org/assignments/iana-ipv6-special-registry), and multicast.
var blocks = []block{
	{netip.MustParsePrefix("0.0.0.0/8"), ofThisMachine}, // with the unspecified address
	{netip.MustParsePrefix("127.0.0.0/8"), ofThisMachine},
	{netip.MustParsePrefix("10.0.0.0/8"), ofPrivateUse},
	{netip.MustParsePrefix("172.16.0.0/12"), ofPrivateUse},
	{netip.MustParsePrefix("192.168.0.0/16"), ofPrivateUse},
	{netip.MustParsePrefix("100.64.0.0/10"), "of a provider's private network"}, // RFC 6598
	{netip.MustParsePrefix("169.254.0.0/16"), "of the local link"},              // the metadata service among them
	{netip.MustParsePrefix("192.0.0.0/24"), "reserved"},
	{netip.MustParsePrefix("192.0.2.0/24"), "for documentation"},
	{netip.MustParsePrefix("198.51.100.0/24"), "for documentation"},
	{netip.MustParsePrefix("203.0.113.0/24"), "for documentation"},
	{netip.MustParsePrefix("192.88.99.0/24"), "of a 6to4 relay"},
	{netip.MustParsePrefix("198.18.0.0/15"), "for benchmarks"},
	{netip.MustParsePrefix("224.0.0.0/4"), "of many hosts"},
	{netip.MustParsePrefix("240.0.0.0/4"), "reserved"}, // with broadcast

	{netip.MustParsePrefix("::1/128"), ofThisMachine},
	{netip.MustParsePrefix("::/128"), ofThisMachine},
	{netip.MustParsePrefix("fc00::/7"), ofPrivateUse},
	{netip.MustParsePrefix("fe80::/10"), "of the local link"},
	{netip.MustParsePrefix("ff00::/8"), "of many hosts"},
	{netip.MustParsePrefix("2001::/23"), "reserved"}, // Teredo, ORCHID, benchmarks
	{netip.MustParsePrefix("2001:db8::/32"), "for documentation"},
	{netip.MustParsePrefix("3fff::/20"), "for documentation"},
}

var (
	// globalUnicast contains all public IPv6 addresses (RFC 4291, section 2.4, as
	// IANA has assigned them so far), and no IPv4-compatible, translated or other
	// forms.
	globalUnicast = netip.MustParsePrefix("2000::/3")
	nat64         = netip.MustParsePrefix("64:ff9b::/96") // RFC 6052: the last 4 bytes are the IPv4 address
	sixToFour     = netip.MustParsePrefix("2002::/16")    // RFC 3056: bytes 2 to 5 are
)

// checkAddress refuses an address that is not public, in whatever form it is
// written. The error says what kind of address it is but not which, so as not to
// reveal what names resolve to inside a network.
func (r rules) checkAddress(at netip.AddrPort) error {
	a := embedded(at.Addr().Unmap())
	if a.Zone() != "" {
		return refusedAddress("of the local link")
	}
	if r.isRuntime(a, at.Port()) {
		return refusedAddress(ofThisMachine)
	}
	for _, b := range blocks {
		if b.prefix.Contains(a) && !(r.private && allowedIfPrivate(a)) {
			return refusedAddress(b.why)
		}
	}
	if a.Is6() && !globalUnicast.Contains(a) && !(r.private && allowedIfPrivate(a)) {
		return refusedAddress("reserved")
	}
	return nil
}

// embedded returns the IPv4 address to which a gateway would translate an IPv6
// address, or the address itself.
func embedded(a netip.Addr) netip.Addr {
	b := a.As16()
	switch {
	case nat64.Contains(a):
		return netip.AddrFrom4([4]byte(b[12:16]))
	case sixToFour.Contains(a):
		return netip.AddrFrom4([4]byte(b[2:6]))
	}
	return a
}

func allowedIfPrivate(a netip.Addr) bool { return a.IsLoopback() || a.IsPrivate() }

// isRuntime reports whether an address reaches the Lambda runtime. Where
// loopback addresses are allowed, any of them does.
func (r rules) isRuntime(a netip.Addr, port uint16) bool {
	if !r.runtime.IsValid() {
		return false
	}
	own := r.runtime.Addr().Unmap()
	if !r.private {
		return a == own
	}
	return port == r.runtime.Port() && (a == own || a.IsLoopback() && own.IsLoopback())
}

func refusedAddress(why string) error {
	return fmt.Errorf("%w: an address of the host is %s", ErrRefused, why)
}
