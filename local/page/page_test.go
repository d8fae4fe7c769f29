package page_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"parley/local/page"
)

func TestHandler(t *testing.T) {
	h, err := page.New(page.Config{Key: "pk_test_1", Base: "https://api.example.com", Origins: []string{"https://api.example.com"}})
	if err != nil {
		t.Fatal(err)
	}
	get := func(method, path, etag string) *http.Response {
		r := httptest.NewRequest(method, path, nil)
		r.Header.Set("If-None-Match", etag)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Result()
	}
	for _, c := range []struct {
		method, path string
		status       int
		contentType  string
		body         string
	}{
		{"GET", "/", 200, "text/html; charset=utf-8", "data-parley"},
		{"HEAD", "/", 200, "text/html; charset=utf-8", ""},
		{"GET", "/demo.json", 200, "application/json", `{"key":"pk_test_1","base":"https://api.example.com"}`},
		{"GET", "/page/js/main.js", 200, "text/javascript; charset=utf-8", "import"},
		{"GET", "/page/web/vendor/dompurify/purify.es.mjs", 200, "text/javascript; charset=utf-8", "DOMPurify"},
		{"GET", "/page/css/chat.css", 200, "text/css; charset=utf-8", ".panel"},
		{"GET", "/page/web/icon.svg", 200, "image/svg+xml", "<svg"},
		{"GET", "/page/web/vendor/marked/LICENSE", 200, "text/plain; charset=utf-8", "MarkedJS"},
		{"GET", "/page/testdata/unit.js", 404, "", ""},
		{"GET", "/nothing", 404, "", ""},
		{"POST", "/", 405, "", ""},
	} {
		r := get(c.method, c.path, "")
		body, _ := io.ReadAll(r.Body)
		if r.StatusCode != c.status || !strings.Contains(string(body), c.body) {
			t.Errorf("%s %s = %d %.60q, want %d with %q", c.method, c.path, r.StatusCode, body, c.status, c.body)
		}
		if c.status != 200 {
			continue
		}
		if got := r.Header.Get("Content-Type"); got != c.contentType {
			t.Errorf("%s %s has Content-Type %q, want %q", c.method, c.path, got, c.contentType)
		}
		if r.Header.Get("Content-Security-Policy") == "" || r.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s %s lacks its security headers: %v", c.method, c.path, r.Header)
		}
		if again := get(c.method, c.path, r.Header.Get("ETag")); again.StatusCode != http.StatusNotModified {
			t.Errorf("%s %s with its ETag = %d, want 304", c.method, c.path, again.StatusCode)
		}
	}
}
