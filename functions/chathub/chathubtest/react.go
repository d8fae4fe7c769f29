package chathubtest

import (
	_ "embed"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"parley/functions/chathub"
	"parley/shared/browsertest"
	"parley/shared/parley"
)

//go:embed react.js
var reactScript []byte

// reactFiles are the modules of React's releases, below their folders' node_modules.
// Those that others require come first.
var reactFiles = map[string][]struct{ name, file string }{
	"18": {
		{"react", "react/cjs/react.production.min.js"},
		{"scheduler", "scheduler/cjs/scheduler.production.min.js"},
		{"react-dom/client", "react-dom/cjs/react-dom.production.min.js"},
	},
	"19": {
		{"react", "react/cjs/react.production.js"},
		{"scheduler", "scheduler/cjs/scheduler.production.js"},
		{"react-dom", "react-dom/cjs/react-dom.production.js"},
		{"react-dom/client", "react-dom/cjs/react-dom-client.production.js"},
	},
}

// react is a script that makes React of a release known to a page, as a bundler would.
func react(t testing.TB, release string) []byte {
	t.Helper()
	var script strings.Builder
	script.WriteString("const modules = {}; const require = (name) => modules[name];\n")
	for _, m := range reactFiles[release] {
		b, err := os.ReadFile(filepath.Join(packages(t), "react"+release, "node_modules", m.file))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&script, "modules[%q] = ((module) => { ((exports) => {%s\n})(module.exports); return module.exports; })({ exports: {} });\n", m.name, b)
	}
	script.WriteString("const React = modules.react; const { createRoot } = modules['react-dom/client'];\n")
	return []byte(script.String())
}

// showsReplies: a page with React shows replies whole and never shows one without
// text, however busy its processor is.
func showsReplies(t *testing.T, s *suite, release string) {
	mux := http.NewServeMux()
	serve(mux, "/signalr.js", "text/javascript", signalRForPages(t))
	serve(mux, "/react.js", "text/javascript", react(t, release))
	serve(mux, "/app.js", "text/javascript", reactScript)
	serve(mux, "/{$}", "text/html", []byte(`<!doctype html><html lang="en"><title>Chat</title><div id="root"></div>
<script src="/signalr.js"></script><script src="/react.js"></script><script src="/app.js"></script></html>`))
	site := httptest.NewServer(mux)
	t.Cleanup(site.Close)
	p := s.page(t, func(p *parley.Project) { p.Origins = []string{site.URL} })

	ctx := browsertest.New(t)
	if err := chromedp.Do(ctx, chromedp.Navigate(site.URL)); err != nil {
		t.Fatal(err)
	}
	await := func(condition string) {
		t.Helper()
		if _, err := chromedp.Run(ctx, chromedp.Poll[bool]("!!("+condition+")")); err != nil {
			t.Fatalf("%s: %v", condition, err)
		}
	}
	eval := func(expression string) {
		t.Helper()
		if err := chromedp.Do(ctx, chromedp.Evaluate[chromedp.Void](expression, chromedp.EvalAwaitPromise)); err != nil {
			t.Fatalf("%s: %v", expression, err)
		}
	}
	if _, err := chromedp.Call(ctx, emulation.SetCPUThrottlingRate, emulation.SetCPUThrottlingRateParams{Rate: 6}); err != nil {
		t.Fatal(err)
	}
	if got, err := chromedp.Run(ctx, chromedp.Evaluate[string]("React.version")); err != nil || !strings.HasPrefix(got, release+".") {
		t.Fatalf("React %q, %v", got, err)
	}
	eval(fmt.Sprintf("void open(%q)", p.Base+chathub.Path+"?"+p.query.Encode()))
	await(`document.querySelector("[data-ready=true]")`)
	var want []string
	for _, pieces := range [][]string{{"Yes"}, {"One", ", two", ", three."}, {"No"}, strings.SplitAfter("A reply of many words that come one by one, as those of models do.", " "), {"Well"}} {
		q := fresh("Tell me")
		s.Model.Script(q, steps(pieces...))
		want = append(want, strings.Join(pieces, ""))
		eval(fmt.Sprintf(`connection.invoke("SendMessageAsync", {content: %q}).then(() => {})`, q))
		await(fmt.Sprintf(`document.querySelectorAll("p").length == %d && document.querySelector("[data-typing=false]")`, len(want)))
	}
	got, err := chromedp.Run(ctx, chromedp.Evaluate[[]string](`[...document.querySelectorAll("p")].map((p) => p.textContent)`))
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("shown are %q, %v; want %q", got, err, want)
	}
	if n, err := chromedp.Run(ctx, chromedp.Evaluate[int]("blanks")); err != nil || n != 0 {
		t.Errorf("a message had no text %d times, %v", n, err)
	}
	// The page does show one where nothing lies between the last piece and the final.
	eval(`void [false, true].forEach((isFinal) => receive({ messageId: "none", content: "Lost", isFinal }))`)
	await("blanks > 0")
}
