package web_test

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
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

// TestLasting: a page's HTML is checked each time, and names files that never change; a
// file that did has another address.
func TestLasting(t *testing.T) {
	get := func(script, path string) *httptest.ResponseRecorder {
		t.Helper()
		page, err := web.New(web.Config{Index: "/{$}", Prefix: "/page/", Files: fstest.MapFS{
			"index.html": {Data: []byte(`<a href="/"></a><script type="module" src="/page/js/main.js"></script>`)},
			"js/main.js": {Data: []byte(script)}, "more.html": {Data: []byte(`<img src="/page/web/icon.svg">`)}}})
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		page.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		return w
	}
	source := regexp.MustCompile(`src="(/page/~[\w-]+/([^"]+))"`)
	addresses := map[string]bool{}
	for _, script := range []string{"one", "two", "two"} {
		for path, file := range map[string]string{"/": "js/main.js", "/page/more.html": "web/icon.svg"} {
			w := get(script, path)
			m := source.FindStringSubmatch(w.Body.String())
			if m == nil || m[2] != file || w.Header().Get("Cache-Control") != "no-cache" {
				t.Fatalf("%s: %s, %v", path, w.Body, w.Header())
			}
			addresses[m[1]] = true
			lasting := get(script, m[1])
			if lasting.Code != http.StatusOK || lasting.Header().Get("Cache-Control") != "public, max-age=31536000, immutable" {
				t.Errorf("%s: %d, %v", m[1], lasting.Code, lasting.Header())
			}
			now := get(script, "/page/"+file)
			if now.Body.String() != lasting.Body.String() || now.Header().Get("Cache-Control") != "no-cache" {
				t.Errorf("/page/%s: %s, %v", file, now.Body, now.Header())
			}
			if other := get(script+"!", m[1]); other.Code != http.StatusNotFound {
				t.Errorf("after a release %s is still there: %d", m[1], other.Code)
			}
		}
	}
	if len(addresses) != 4 {
		t.Errorf("two releases have the addresses %v", addresses)
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
