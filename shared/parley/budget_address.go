package parley

import (
	"context"
	"net/netip"
	"strings"
	"time"
)

// A network address is counted by the part of it that one home or one office has: a
// whole address of IPv4, and of IPv6 the first 64 bits, which are one network (RFC
// 4291, section 2.5.4). Whoever is given more networks has seldom more than those of
// 48 bits (RFC 6177), so these are counted besides, with a limit that is wider. Only
// keyed hashes of these prefixes are stored.

// widerNetwork is how many times the limit of an address holds for the 65,536
// networks of a /48. Our choice: providers give such prefixes to one customer, or
// share them among a few hundred, of whom few write on one day.
const widerNetwork = 8

const (
	networkBits      = 64
	widerNetworkBits = 48
)

// networks returns the prefixes by which an address is counted: itself of IPv4, also
// where that is written as IPv6, and two of IPv6. What is no address is its own.
func networks(address string) []string {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return []string{address}
	}
	a = a.Unmap().WithZone("")
	if a.Is4() {
		return []string{a.String()}
	}
	var out []string
	for _, bits := range []int{networkBits, widerNetworkBits} {
		p, err := a.Prefix(bits)
		if err != nil {
			return []string{address}
		}
		out = append(out, p.String())
	}
	return out
}

// Network returns the part of an address that one home or one office has: a whole
// address of IPv4, a prefix of 64 bits of IPv6. What is no address is its own.
func Network(address string) string { return networks(address)[0] }

// AddressHash stands for the caller's network address in counters and logs: keyed
// hashes of its networks, joined by ".". "" without an address.
func (s *Store) AddressHash(c Caller) string {
	if c.Address == "" {
		return ""
	}
	var hashes []string
	for _, n := range networks(c.Address) {
		hashes = append(hashes, base62(s.derive("address", string(c.Project), n), 12))
	}
	return strings.Join(hashes, ".")
}

// addressLimit is what the counters of one of a caller's networks hold.
type addressLimit struct {
	subject string
	times   int64
}

// limitsOf returns the networks of an AddressHash.
func limitsOf(addressHash string) []addressLimit {
	if addressHash == "" {
		return nil
	}
	narrow, wide, both := strings.Cut(addressHash, ".")
	out := []addressLimit{{narrow, 1}}
	if both {
		out = append(out, addressLimit{wide, widerNetwork})
	}
	return out
}

// takeOfAddress takes what each of the caller's networks needs from its counters of one
// name, of which a window holds most for an address. It returns them, to be given back.
// Where one refuses, nothing is taken. Errors as counters.take.
func (s *Store) takeOfAddress(ctx context.Context, c Caller, name string, length time.Duration, need, most amounts) ([]counter, error) {
	var took []counter
	for _, n := range limitsOf(s.AddressHash(c)) {
		k := s.counters.counter(c.Project, name, n.subject, length)
		times := most.merge(most, func(m, _ int64) int64 { return n.times * m })
		if err := s.counters.take(ctx, k, need, need, times); err != nil {
			s.counters.giveEach(took, need)
			return nil, err
		}
		took = append(took, k)
	}
	return took, nil
}
