package web_test

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"parley/shared/browsertest"
	"parley/shared/web"
)

func TestPolicy(t *testing.T) {
	got, err := web.Policy("https://api.example.com", "http://localhost:9000")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"default-src 'none'", "script-src 'self'", "style-src 'self'", "require-trusted-types-for 'script'",
		"connect-src 'self' https://api.example.com http://localhost:9000;",
		"img-src 'self' blob: https://api.example.com http://localhost:9000;",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("Policy(…) = %q, want it to have %q", got, want)
		}
	}
	if strings.Contains(got, "unsafe") {
		t.Errorf("Policy(…) = %q allows something unsafe", got)
	}
	for _, bad := range []string{"", "example.com", "https://", "https://a.example/", "https://a.example; script-src *", "https://*.example", "https://a.example b"} {
		if got, err := web.Policy(bad); err == nil {
			t.Errorf("Policy(%q) = %q, want an error", bad, got)
		}
	}
}

// What is vendored is byte for byte what was published.
func TestVendorIsUnchanged(t *testing.T) {
	f, err := os.Open("files/vendor/SHA256SUMS")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	listed := map[string]bool{"README.md": true, "SHA256SUMS": true}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		want, name, _ := strings.Cut(lines.Text(), "  ")
		listed[name] = true
		body, err := os.ReadFile(filepath.Join("files/vendor", name))
		if err != nil {
			t.Error(err)
			continue
		}
		if sum := sha256.Sum256(body); hex.EncodeToString(sum[:]) != want {
			t.Errorf("SHA-256 of %s = %x, want %s", name, sum, want)
		}
	}
	err = filepath.WalkDir("files/vendor", func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() && !listed[strings.TrimPrefix(path, "files/vendor/")] {
			t.Errorf("%s is not in SHA256SUMS", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestModules(t *testing.T) {
	page, err := web.New(web.Config{Files: fstest.MapFS{"index.html": {}}, Index: "/{$}", Prefix: "/page/"})
	if err != nil {
		t.Fatal(err)
	}
	policy, err := web.Policy()
	if err != nil {
		t.Fatal(err)
	}
	browsertest.Modules(t, page, policy, "testdata/unit.js")
}
