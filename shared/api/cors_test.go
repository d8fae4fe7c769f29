package api_test

import (
	"net/url"
	"strings"
	"testing"

	"parley/shared/api"
)

func TestAllows(t *testing.T) {
	tests := []struct {
		entry, origin string
		want          bool
	}{
		{"*", "https://a.example", true},
		{"*", "null", true},
		{"https://a.example", "https://a.example", true},
		{"https://a.example", "https://A.Example", true},
		{"https://a.example/", "https://a.example", true},
		{"https://a.example:443", "https://a.example", true},
		{"https://a.example", "http://a.example", false},
		{"https://a.example", "https://a.example:444", false},
		{"https://a.example", "https://a.example.evil.example", false},
		{"https://a.example", "https://b.a.example", false},
		{"a.example", "https://a.example", true},
		{"a.example", "http://a.example", true},
		{"a.example", "http://a.example:8080", false},
		{"a.example:8080", "http://a.example:8080", true},
		{"a.example", "ftp://a.example", false},
		{"*.a.example", "https://a.example", true},
		{"*.a.example", "https://b.a.example", true},
		{"*.a.example", "https://c.b.a.example", true},
		{"*.a.example", "https://ba.example", false},
		{"*.a.example", "https://b.a.example:8443", false},
		{"*.a.example:8443", "https://b.a.example:8443", true},
		{"https://*.a.example", "https://b.a.example", true},
		{"https://*.a.example", "http://b.a.example", false},
		{"app://a.example", "app://a.example", true},
		{"http://[::1]:8080", "http://[::1]:8080", true},
		{"", "https://a.example", false},
		{"*.", "https://a.example", false},
		{"https://", "https://a.example", false},
		{"a.example", "null", false},
		{"a.example", "", false},
		{"a.example", "https://a.example@evil.example", false},
		{"a.example", "https://evil.example/a.example", false},
		{"a.example", "a.example", false},
	}
	for _, test := range tests {
		if got := api.Allows(test.entry, test.origin); got != test.want {
			t.Errorf("entry %q, origin %q: %v, want %v", test.entry, test.origin, got, test.want)
		}
	}
}

// FuzzAllows: what an entry allows ends in the entry's own host.
func FuzzAllows(f *testing.F) {
	f.Add("*.a.example", "https://b.a.example")
	f.Add("https://a.example:8080", "https://a.example:8080")
	f.Add("a.example", "https://a.example@b.example")
	f.Fuzz(func(t *testing.T, entry, origin string) {
		if entry == "*" || !api.Allows(entry, origin) {
			return
		}
		u, err := url.Parse(strings.ToLower(origin))
		if err != nil || u.Hostname() == "" {
			t.Fatalf("entry %q allows %q, which is no origin", entry, origin)
		}
		host := strings.ToLower(entry)
		if _, rest, ok := strings.Cut(host, "://"); ok {
			host = rest
		}
		allowed, err := url.Parse("x://" + strings.TrimPrefix(host, "*."))
		if err != nil || allowed.Hostname() == "" || u.Hostname() != allowed.Hostname() && !strings.HasSuffix(u.Hostname(), "."+allowed.Hostname()) {
			t.Errorf("entry %q allows %q", entry, origin)
		}
	})
}
