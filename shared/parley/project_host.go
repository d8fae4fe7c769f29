package parley

import "strings"

// OwnsHost reports whether a host, without its port, is one of the project's own:
// one of its allowed origins, or below one that begins with "*.". The origin "*"
// is nobody's.
func (p *Project) OwnsHost(host string) bool {
	host = strings.ToLower(host)
	for _, origin := range p.Origins {
		own := strings.ToLower(origin)
		if _, after, ok := strings.Cut(own, "://"); ok {
			own = after
		}
		if end := strings.IndexAny(own, ":/"); end >= 0 {
			own = own[:end]
		}
		if below, ok := strings.CutPrefix(own, "*."); ok && below != "" && strings.HasSuffix(host, "."+below) {
			return true
		}
		if own != "" && own == host {
			return true
		}
	}
	return false
}
