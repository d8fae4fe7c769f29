package browsertest

import (
	_ "embed"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

//go:embed harness.js
var harness []byte

// Modules runs the tests of ES modules where they run: script, a path of the
// test's folder, imports the modules from handler and test, equal and run from
// "/harness.js". policy is the Content-Security-Policy of the page in which it runs.
func Modules(t *testing.T, handler http.Handler, policy, script string) {
	t.Helper()
	body, err := os.ReadFile(script)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/", handler)
	serve := func(path, contentType, body string) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", contentType)
			w.Header().Set("Content-Security-Policy", policy)
			w.Write([]byte(body))
		})
	}
	serve("/harness.js", "text/javascript; charset=utf-8", string(harness))
	serve("/unit.js", "text/javascript; charset=utf-8", string(body))
	serve("/unit.html", "text/html; charset=utf-8",
		`<!doctype html><html lang="en"><title>Unit tests</title><script type="module" src="/unit.js"></script></html>`)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)

	ctx := New(t)
	if err := chromedp.Do(ctx, chromedp.Navigate(server.URL+"/unit.html")); err != nil {
		t.Fatal(err)
	}
	report, err := chromedp.Run(ctx, chromedp.Poll[struct {
		Passed   int
		Failures []string
	}]("window.report", chromedp.WithPollingInterval(20*time.Millisecond), chromedp.WithPollingTimeout(30*time.Second)))
	if err != nil {
		t.Fatalf("the tests do not end: %v", err)
	}
	for _, f := range report.Failures {
		t.Error(f)
	}
	if report.Passed == 0 {
		t.Error("no test passed")
	}
}
