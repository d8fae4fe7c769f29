package main

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"

	"parley/shared/browsertest"
)

// examples is the folder of the clients that the articles have people copy.
const examples = "../docs/examples"

// TestExamples runs each of them against a real Parley: it prints a reply while
// it is written, loses nothing of it when the connection is lost, rates and closes.
func TestExamples(t *testing.T) {
	tests := []struct {
		name    string
		needs   []string
		command func(t *testing.T) []string
	}{
		{"Shell", []string{"bash", "curl", "jq"}, func(*testing.T) []string { return []string{"bash", "chat.sh"} }},
		{"Go", []string{"go"}, builtExample},
		{"NodeJS", []string{"node"}, func(*testing.T) []string { return []string{"node", "chat.mjs"} }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for _, name := range test.needs {
				need(t, name)
			}
			chatThroughCut(t, test.command(t))
		})
	}
}

// need skips a test that needs a program which is not there, never in CI.
func need(t *testing.T, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err == nil {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is missing", program)
	}
	t.Skipf("%s is missing: its example is not run", program)
}

// builtExample compiles the Go program, so that ending it ends all of it.
func builtExample(t *testing.T) []string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "chat")
	// As functions are compiled, so that no library is compiled in one more way for this.
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-tags", "lambda.norpc", "-o", program, "chat.go")
	build.Dir, build.Env = examples, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return []string{program}
}

// chatThroughCut has a program ask something, and cuts its connection in the
// middle of the reply.
func chatThroughCut(t *testing.T, command []string) {
	m := newModel(t)
	p := start(t, t.TempDir(), m.env()...)
	e := newEdge(t, p.page)
	cmd := exec.CommandContext(t.Context(), command[0], append(command[1:], `Tell me a "story".`)...)
	var out, refusals buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = examples, &out, &refusals
	cmd.Env = append(os.Environ(), "PARLEY="+e.URL, "KEY="+p.key)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	m.says <- "Half a \"story\",\n"
	m.says <- "no more"
	waitFor(t, "beginning of the reply", func() bool { return out.String() == "Half a \"story\",\nno more" })
	e.CloseClientConnections()
	m.says <- " and no less."
	m.says <- ""
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v: %s", err, refusals.String())
	}
	const reply = "Half a \"story\",\nno more and no less."
	if want := reply + "\n[done]\nRated 5 of 5.\n"; out.String() != want {
		t.Errorf("it printed %q, want %q", out.String(), want)
	}
	if !strings.Contains(refusals.String(), "The connection was lost") {
		t.Errorf("it noticed no cut: %q", refusals.String())
	}
	if n := m.calls.Load(); n != 1 {
		t.Errorf("the model was called %d times, want once", n)
	}
	e.check(p, []string{`user Tell me a "story".`, "ai " + reply}, 1)
}

// TestExamplePage uses the page of the examples, from a site of its own: through
// a cut and a reload in the middle of replies, a rating, and the way out.
func TestExamplePage(t *testing.T) {
	m := newModel(t)
	p := start(t, t.TempDir(), m.env()...)
	e := newEdge(t, p.page)
	site := httptest.NewServer(http.FileServer(http.Dir(examples)))
	t.Cleanup(site.Close)
	b := &tab{t, browsertest.New(t)}
	address := site.URL + "/chat.html?key=" + p.key + "&parley=" + url.QueryEscape(e.URL)
	says := func(want string) {
		t.Helper()
		b.await(`[...document.querySelectorAll("#messages p")].map((p) => p.className + " " + p.textContent).join("|") === ` + want)
	}

	b.do(chromedp.Navigate(address))
	b.await(`localStorage.token`)
	b.do(chromedp.SendKeys(chromedp.CSS("form input"), "Tell me a <b>story</b>.\r"))
	m.says <- "Half a story"
	says(`"user Tell me a <b>story</b>.|ai Half a story"`)
	e.CloseClientConnections()
	b.await(`document.querySelector("#notice").textContent === "The connection was lost; going on."`)
	m.says <- ", and the other half."
	m.says <- ""
	says(`"user Tell me a <b>story</b>.|ai Half a story, and the other half."`)
	b.await(`document.querySelector("#notice").textContent === ""`)

	b.do(chromedp.SendKeys(chromedp.CSS("form input"), "Another.\r"))
	m.says <- "Once upon"
	says(`"user Tell me a <b>story</b>.|ai Half a story, and the other half.|user Another.|ai Once upon"`)
	b.do(chromedp.Reload())
	m.says <- " a time."
	m.says <- ""
	says(`"user Tell me a <b>story</b>.|ai Half a story, and the other half.|user Another.|ai Once upon a time."`)

	b.do(chromedp.Click(chromedp.CSS("#rating button")))
	b.await(`document.querySelector("#notice").textContent === "Rated 5 of 5."`)
	b.do(chromedp.Navigate("about:blank"))
	e.check(p, []string{"user Tell me a <b>story</b>.", "ai Half a story, and the other half.", "user Another.", "ai Once upon a time."}, 2)
}

// edge stands before a Parley: it can lose the connections of clients, and notes
// what they ask.
type edge struct {
	*httptest.Server
	t *testing.T

	mu    sync.Mutex
	token string
	// resumed is whether a stream was asked for behind an event; closes counts
	// the closes that were accepted.
	resumed bool
	closes  int
}

func newEdge(t *testing.T, page string) *edge {
	t.Helper()
	target, err := url.Parse(page)
	if err != nil {
		t.Fatal(err)
	}
	e := &edge{t: t}
	e.Server = httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host // the addresses that /config names are to lead here
		},
		FlushInterval:  -1, // what is streamed is passed on at once
		ModifyResponse: e.note,
		ErrorLog:       log.New(io.Discard, "", 0), // of the connections that were lost
	})
	t.Cleanup(e.Close)
	return e
}

func (e *edge) note(response *http.Response) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	r := response.Request
	if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		e.token = token
	}
	ok := response.StatusCode == http.StatusOK
	e.resumed = e.resumed || ok && strings.Contains(r.URL.Path, "/runs/") && r.Header.Get("Last-Event-ID") != ""
	if ok && r.URL.Path == "/close" {
		e.closes++
	}
	return nil
}

// check compares what Parley has of the visitor with what was said and done. A
// beacon may still be under way.
func (e *edge) check(p *process, said []string, closes int) {
	e.t.Helper()
	waitFor(e.t, "close", func() bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		return e.closes >= closes
	})
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.resumed || e.closes != closes {
		e.t.Errorf("resumed behind an event: %v; closed %d times, want %d", e.resumed, e.closes, closes)
	}
	v := &visitor{t: e.t, base: p.page, key: p.key, token: e.token}
	sessions := v.history()
	if len(sessions) != 1 {
		e.t.Fatalf("sessions %q, want one", sessions)
	}
	var texts []string
	for _, entry := range v.transcript(sessions[0]) {
		if entry.Type == "message" {
			texts = append(texts, string(entry.Author.Kind)+" "+entry.Text)
		}
	}
	if !slices.Equal(texts, said) {
		e.t.Errorf("Parley has %q, want %q", texts, said)
	}
	var rated struct{ Rating struct{ Score int } }
	v.json("GET", "/csat/"+sessions[0], nil, &rated)
	if rated.Rating.Score != 5 {
		e.t.Errorf("the rating is %d, want 5", rated.Rating.Score)
	}
}
