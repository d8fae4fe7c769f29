package console_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"parley/functions/operator/console"
	"parley/shared/browsertest"
	"parley/shared/web"
)

func TestHandler(t *testing.T) {
	h, err := console.New(console.Config{Origins: []string{"https://files.example.com"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		method, path string
		status       int
		contentType  string
		body         string
	}{
		{"GET", "/console/", 200, "text/html; charset=utf-8", "data-console"},
		{"HEAD", "/console/", 200, "text/html; charset=utf-8", ""},
		{"GET", "/console", 307, "", "/console/"},
		{"GET", "/console/js/main.js", 200, "text/javascript; charset=utf-8", "import"},
		{"GET", "/console/css/shell.css", 200, "text/css; charset=utf-8", ".shell"},
		{"GET", "/console/web/theme.css", 200, "text/css; charset=utf-8", "--ground"},
		{"GET", "/console/web/vendor/dompurify/purify.es.mjs", 200, "text/javascript; charset=utf-8", "DOMPurify"},
		{"GET", "/console/index.html", 404, "", ""},
		{"GET", "/console/nothing", 404, "", ""},
		{"POST", "/console/", 405, "", ""},
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(c.method, c.path, nil))
		r := w.Result()
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		if r.StatusCode != c.status || !strings.Contains(string(body), c.body) {
			t.Errorf("%s %s = %d %.60q, want %d with %q", c.method, c.path, r.StatusCode, body, c.status, c.body)
		}
		if c.status != http.StatusOK {
			continue
		}
		if got := r.Header.Get("Content-Type"); got != c.contentType {
			t.Errorf("%s %s has Content-Type %q, want %q", c.method, c.path, got, c.contentType)
		}
		policy := r.Header.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "img-src 'self' blob: https://files.example.com;", "frame-ancestors 'none'"} {
			if !strings.Contains(policy, want) {
				t.Errorf("%s %s has the policy %q, want it to have %q", c.method, c.path, policy, want)
			}
		}
	}
	if _, err := console.New(console.Config{Origins: []string{"https://*"}}); err == nil {
		t.Error("New with an origin that is none succeeds")
	}
}

func TestModules(t *testing.T) {
	h, err := console.New(console.Config{})
	if err != nil {
		t.Fatal(err)
	}
	policy, err := web.Policy()
	if err != nil {
		t.Fatal(err)
	}
	browsertest.Modules(t, h, policy, "testdata/unit.js")
}
