package hissuno_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"parley/functions/hissuno"
	"parley/shared/agent"
	"parley/shared/agent/openai"
	"parley/shared/api"
	"parley/shared/api/apitest"
	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/run"
	"parley/shared/token"
)

// rig is the function behind one origin, and a page with the hook at another.
type rig struct {
	api, pages *httptest.Server
	store      *parley.Store
	keys       *token.Keyring
	model      *apitest.ModelServer

	mu       sync.Mutex
	requests []string // "METHOD path", with the content type of beacons, " after" if it goes on from an event
	refuse   int      // the status with which messages are refused, 0 not
	open     []string // URLs of requests that have not ended
	anew     []string // URLs of requests for updates that go on from nothing
}

func newRig(t *testing.T, hold time.Duration) *rig {
	t.Helper()
	keys, err := token.New(token.Config{Masters: [][]byte{[]byte(strings.Repeat("m", token.MinMasterBytes))}})
	fatal(t, err)
	r := &rig{keys: keys, model: apitest.NewModelServer(t)}
	r.store = parleytest.Store(t, parley.Config{Derive: keys.Derive, ProjectLife: -1})
	answers, err := openai.New(openai.Config{BaseURL: r.model.URL, Model: "scripted"})
	fatal(t, err)
	quiet := slog.New(slog.DiscardHandler)
	engine, err := run.New(run.Config{Store: r.store, Log: quiet, Flush: func(time.Duration) time.Duration { return time.Millisecond },
		Agent: func(*parley.Project, parley.AgentSettings) (agent.Agent, error) { return answers, nil }})
	fatal(t, err)
	calls, err := api.New(api.Config{Store: r.store, Keys: keys, Log: quiet})
	fatal(t, err)
	handler := hissuno.New(hissuno.Config{API: calls, Engine: engine, Hold: hold, Poll: 20 * time.Millisecond})
	r.api = httptest.NewServer(r.noting(handler))
	r.pages = httptest.NewServer(http.FileServer(http.Dir("testdata")))
	t.Cleanup(r.pages.Close)
	t.Cleanup(func() {
		r.api.CloseClientConnections()
		r.api.Close()
	})
	return r
}

// noting writes down what is asked, and refuses messages on demand.
func (r *rig) noting(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		line := q.Method + " " + strings.TrimPrefix(q.URL.Path, "/hissuno/chat")
		if strings.HasPrefix(q.Header.Get("Content-Type"), "text/plain") {
			line += " " + q.Header.Get("Content-Type")
		}
		if q.Header.Get("Last-Event-ID") != "" {
			line += " after"
		}
		r.mu.Lock()
		r.requests = append(r.requests, line)
		r.open = append(r.open, q.URL.String())
		if line == "GET /updates" {
			r.anew = append(r.anew, q.URL.String())
		}
		refuse := r.refuse
		r.mu.Unlock()
		defer r.ended(q.URL.String())
		if refuse != 0 && line == "POST " {
			w.Header().Set("Access-Control-Allow-Origin", q.Header.Get("Origin"))
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(refuse)
			fmt.Fprintf(w, `{"error":"refused with %d"}`, refuse)
			return
		}
		next.ServeHTTP(w, q)
	})
}

func (r *rig) ended(url string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.Index(r.open, url)
	r.open = slices.Delete(r.open, i, i+1)
}

// mine counts the URLs that ask for updates of the page's session.
func (b *tab) mine(urls []string) (n int) {
	for _, url := range urls {
		if strings.Contains(url, "/updates") && strings.Contains(url, b.session) {
			n++
		}
	}
	return n
}

// settles waits until the server has seen every connection of a page that was not
// loaded anew, and has no other left.
func (b *tab) settles() {
	b.t.Helper()
	b.until("the page's newest connection", func() bool {
		opened := js[int](b, `hook.storms`)
		b.mu.Lock()
		defer b.mu.Unlock()
		return b.mine(b.anew) >= opened && b.mine(b.open) <= 1
	})
}

// leaves has the page stop listening, and waits until the server knows.
func (b *tab) leaves() {
	b.t.Helper()
	b.settles()
	js[bool](b, `hook.letters.close(), true`)
	b.until("the end of the connection", func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return b.mine(b.open) == 0
	})
}

func (r *rig) refuses(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refuse = status
}

// asked returns how often something was asked since mark, and where the list ends.
func (r *rig) asked(line string, mark int) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, l := range r.requests[mark:] {
		if l == line {
			n++
		}
	}
	return n
}

func (r *rig) mark() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.requests)
}

// tab is a page with the hook, of a project of its own.
type tab struct {
	*rig
	t       *testing.T
	ctx     context.Context
	project parley.ProjectID
	session string
	url     string
}

type options map[string]any

// visit opens a page in a new tab of the browser.
func (r *rig) visit(t *testing.T, browser context.Context, o options) *tab {
	t.Helper()
	p := parley.Project{ID: parley.ProjectID(strings.ToLower(rand.Text())), Name: "Shop", PublicKeys: []string{"pk_live_" + rand.Text()},
		Origins: []string{r.pages.URL}, Agents: []parley.AgentSettings{{ID: "ada", Name: "Ada"}}, SigningKeys: []string{"k1"}}
	parleytest.Put(t, r.store, p)
	raw := make([]byte, 16)
	rand.Read(raw)
	id := fmt.Sprintf("%x-%x-%x-%x-%x", raw[:4], raw[4:6], raw[6:8], raw[8:10], raw[10:])
	all := options{"apiUrl": r.api.URL + "/hissuno/chat", "projectId": p.PublicKeys[0], "sessionId": id}
	for k, v := range o {
		all[k] = v
	}
	ctx, cancel := chromedp.NewContext(browser)
	t.Cleanup(cancel)
	text, err := json.Marshal(all)
	fatal(t, err)
	b := &tab{r, t, ctx, p.ID, id, r.pages.URL + "/page.html?options=" + url.QueryEscape(string(text))}
	fatal(t, chromedp.Do(ctx)) // a tab lives as long as the context of its first step
	b.goes(b.url)
	js[bool](b, `hook.ready.then(() => true)`)
	return b
}

// goes to an address, in a bounded time.
func (b *tab) goes(address string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	fatal(b.t, chromedp.Do(ctx, chromedp.Navigate(address)))
}

// patience bounds every wait in a page.
const patience = 15 * time.Second

// js evaluates an expression in the page; a promise is waited for.
func js[T any](b *tab, expression string) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// await waits until an expression holds in the page. It asks anew each time, for
// what polls within the page may still be in the one before a reload.
func (b *tab) await(expression string) {
	b.t.Helper()
	for end := time.Now().Add(patience); !js[bool](b, "Boolean("+expression+")"); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			b.t.Fatalf("waiting for %s; the page shows %q", expression, b.shows())
		}
	}
}

// submit sends a message and waits until that has been answered.
func (b *tab) submit(text string) {
	b.t.Helper()
	js[bool](b, fmt.Sprintf(`hook.handleSubmit(%q).then(() => true)`, text))
}

// ask is submit with the whole reply.
func (b *tab) ask(text string) {
	b.t.Helper()
	b.submit(text)
	b.await(`!hook.isLoading && !hook.isStreaming`)
}

// shows are the messages in the page.
func (b *tab) shows() []string {
	b.t.Helper()
	return js[[]string](b, `hook.messages.map(m => m.content)`)
}

func (b *tab) error() string {
	b.t.Helper()
	return js[string](b, `hook.error?.message ?? ""`)
}

func (b *tab) reload() {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	fatal(b.t, chromedp.Do(ctx, chromedp.Reload()))
	js[bool](b, `hook.ready.then(() => true)`)
}

func (b *tab) operator() parley.Caller { return parley.Caller{Project: b.project, Operator: "ola"} }

func (b *tab) stored() *parley.Session {
	b.t.Helper()
	s, err := b.store.Session(b.t.Context(), b.operator(), parley.SessionID(b.session))
	fatal(b.t, err)
	return s
}

func (b *tab) until(what string, holds func() bool) {
	b.t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			b.t.Fatalf("%s did not come", what)
		}
	}
}

// brief are the stored entries in one line each.
func (b *tab) brief() []string {
	b.t.Helper()
	return parleytest.Brief(parleytest.Entries(b.t, b.store, b.operator(), parley.SessionID(b.session)))
}

// question is one whose reply says "One," and, when the gate opens, " two.".
func (r *rig) question(gate <-chan struct{}) string {
	text := "Count? " + rand.Text()
	r.model.Script(text, []apitest.Step{{Text: "One,"}, {Until: gate, Text: " two."}})
	return text
}

func fatal(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
