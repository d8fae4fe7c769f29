package bucket

import (
	"mime"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

// disposition is the only form that a header may have: nothing in the quotes
// that ends them, nothing in the encoded name that RFC 8187 does not allow.
var disposition = regexp.MustCompile(`^attachment; filename="[ !#$&-\[\]-~]*"; filename\*=UTF-8''([A-Za-z0-9!#$&+.^_|~-]|%[0-9A-F]{2})+$`)

func FuzzAttachment(f *testing.F) {
	for _, name := range []string{
		"", "a.png", `"`, `\"; x="`, "a\r\nb: c", "../..", "…", "\u202egpj.exe", "\xff", "%0d%0a", "a''b", "  ", "=?utf-8?q?a?=",
		strings.Repeat("€", 200) + ".tar.gz", "." + strings.Repeat("e", 300), strings.Repeat(". ", 200) + "x",
	} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		header := attachment(name)
		if !disposition.MatchString(header) {
			t.Errorf("attachment(%q) = %q", name, header)
		}
		// S3 allows 2 KB for all metadata, content type and names of headers included.
		if len(header) > 1500 {
			t.Errorf("attachment(%q) has %d bytes", name, len(header))
		}
		kind, params, err := mime.ParseMediaType(header)
		if err != nil || kind != "attachment" || params["filename"] != clean(name) || len(params) != 1 {
			t.Errorf("attachment(%q) = %q reads as %s, %q, %v", name, header, kind, params, err)
		}
		cleaned := clean(name)
		if cleaned == "" || len(cleaned) > maxName || !utf8.ValidString(cleaned) || strings.ContainsAny(cleaned, "/\\\r\n\x00\u202e") {
			t.Errorf("clean(%q) = %q", name, cleaned)
		}
		if again := clean(cleaned); again != cleaned {
			t.Errorf("clean(%q) = %q, clean of that %q", name, cleaned, again)
		}
	})
}

func TestShorten(t *testing.T) {
	long := strings.Repeat("a", 300)
	for name, want := range map[string]string{
		long[:255]:                    long[:255],
		long[:256]:                    long[:255],
		long + ".pdf":                 long[:251] + ".pdf",
		long + "." + long[:19]:        long[:235] + "." + long[:19],
		long + "." + long[:20]:        long[:255],
		strings.Repeat("ä", 128):      strings.Repeat("ä", 127),
		"x" + strings.Repeat("€", 99): "x" + strings.Repeat("€", 84),
	} {
		if got := shorten(name); got != want {
			t.Errorf("shorten(%q) = %q (%d bytes), want %q", name, got, len(got), want)
		}
	}
}
