package chathubtest

import (
	"bufio"
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"parley/functions/chathub"
	"parley/shared/browsertest"
	"parley/shared/parley"
)

//go:embed app.js
var appScript []byte

// engine runs apps with SignalR's own client: Node.js, or a page in a browser. Its
// test fails when they throw what nothing catches.
type engine struct {
	t testing.TB
	// origin is where the apps are from, "" if they say nothing of it.
	origin string
	// give hands an order over.
	give func(order []byte)

	mu      sync.Mutex
	orders  int
	answers map[int]chan told
	apps    map[int]chan told
}

// told is what apps say: what came of order N, what an app has heard, or an error that
// nothing caught.
type told struct {
	N        int
	Result   json.RawMessage
	Error    *string
	App      int
	Event    string
	Argument json.RawMessage
	Uncaught string
}

// maxHeard is how much an app may hear that its test has not looked at.
const maxHeard = 1 << 10

func newEngine(t testing.TB) *engine {
	return &engine{t: t, answers: map[int]chan told{}, apps: map[int]chan told{}}
}

// take takes what apps say.
func (e *engine) take(line []byte) {
	var said told
	if err := json.Unmarshal(line, &said); err != nil {
		e.t.Errorf("an app says %q: %v", line, err)
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case said.Uncaught != "":
		e.t.Errorf("uncaught in the client: %s", said.Uncaught)
	case said.App != 0:
		select {
		case e.apps[said.App] <- said:
		default:
			e.t.Errorf("app %d hears too much: %s", said.App, line)
		}
	default:
		e.answers[said.N] <- said
	}
}

// packages is the folder of what .ci/tools/signalr gets. Without it the test is
// skipped, never in CI.
func packages(t testing.TB) string {
	t.Helper()
	module, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(filepath.Dir(string(bytes.TrimSpace(module))), ".cache", "signalr")
	if _, err := os.Stat(filepath.Join(folder, "version")); err != nil {
		missing(t, "SignalR's client is not installed: run .ci/tools/signalr")
	}
	return folder
}

func missing(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(what)
	}
	t.Skip(what)
}

const signalRPackage = "node_modules/@microsoft/signalr/dist"

// inNode runs apps in a process of Node.js.
func inNode(t testing.TB) *engine {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		missing(t, "node is not installed")
	}
	script := filepath.Join(t.TempDir(), "app.cjs")
	if err := os.WriteFile(script, appScript, 0o600); err != nil {
		t.Fatal(err)
	}
	e := newEngine(t)
	cmd := exec.Command(node, script, filepath.Join(packages(t), signalRPackage, "cjs"))
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			e.take(lines.Bytes())
		}
	}()
	t.Cleanup(func() {
		in.Close() // which ends it
		<-read
		if err := cmd.Wait(); err != nil {
			t.Errorf("node: %v", err)
		}
	})
	e.give = func(order []byte) {
		if _, err := in.Write(append(order, '\n')); err != nil {
			t.Fatal(err)
		}
	}
	return e
}

const appPage = `<!doctype html><html lang="en"><title>Apps</title><script src="/signalr.js"></script><script src="/app.js"></script>
<script>const give = apps(signalR, (said) => tell(JSON.stringify(said)));</script></html>`

// inChromium runs apps in a page of a browser, of a site of its own.
func inChromium(t testing.TB) *engine {
	t.Helper()
	mux := http.NewServeMux()
	serve(mux, "/signalr.js", "text/javascript", signalRForPages(t))
	serve(mux, "/app.js", "text/javascript", appScript)
	serve(mux, "/{$}", "text/html", []byte(appPage))
	site := httptest.NewServer(mux)
	t.Cleanup(site.Close)
	e := newEngine(t)
	e.origin = site.URL
	ctx := browsertest.New(t)
	if err := chromedp.Listen(ctx, func(event any) {
		if called, ok := event.(*runtime.EventBindingCalled); ok && called.Name == "tell" {
			e.take([]byte(called.Payload))
		}
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(ctx, runtime.AddBinding, runtime.AddBindingParams{Name: "tell"}); err != nil {
		t.Fatal(err)
	}
	if err := chromedp.Do(ctx, chromedp.Navigate(site.URL)); err != nil {
		t.Fatal(err)
	}
	e.give = func(order []byte) {
		if _, err := chromedp.Run(ctx, chromedp.Evaluate[chromedp.Void](fmt.Sprintf("void give(%s)", order))); err != nil {
			t.Fatal(err)
		}
	}
	return e
}

// signalRForPages is the client as pages load it.
func signalRForPages(t testing.TB) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(packages(t), signalRPackage, "browser", "signalr.min.js"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func serve(mux *http.ServeMux, path, contentType string, body []byte) {
	mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", contentType+"; charset=utf-8")
		w.Write(body)
	})
}

// app is an app in an engine. Of what it hears its client knows, event by event.
type app struct {
	*client
	engine *engine
	id     int
}

// options are how an app connects.
type options struct {
	// Skip leaves out negotiate; Token comes from a function.
	Skip  bool   `json:"skip,omitempty"`
	Token string `json:"token,omitempty"`
	// Reconnects, Stateful: it asked for these; Stops: it stops when it hears that its
	// session is over.
	Reconnects bool `json:"reconnects,omitempty"`
	Stateful   bool `json:"stateful,omitempty"`
	Stops      bool `json:"stops,omitempty"`
	// Timers are the client's own unless given.
	Timers *timers `json:"timers,omitempty"`
}

// timers are SignalR's, in milliseconds.
type timers struct {
	KeepAlive     int `json:"keepAlive"`
	ServerTimeout int `json:"serverTimeout"`
}

// page is the suite's, of the engine's site.
func (e *engine) page(t testing.TB, s *suite) *page {
	t.Helper()
	return s.page(t, func(p *parley.Project) {
		if e.origin != "" {
			p.Origins = []string{e.origin}
		}
	})
}

// app makes an app that does not connect yet.
func (e *engine) app(p *page) *app {
	a := &app{client: &client{page: p}, engine: e}
	e.mu.Lock()
	defer e.mu.Unlock()
	a.id = len(e.apps) + 1
	heard := make(chan told, maxHeard)
	e.apps[a.id] = heard
	a.client.source = func() []record { return a.hear(heard) }
	return a
}

// connect makes an app, which has to connect.
func (e *engine) connect(p *page, o options) *app {
	p.t.Helper()
	a := e.app(p)
	if _, refused := a.start(o); refused != "" {
		p.t.Fatalf("the app does not connect: %s", refused)
	}
	p.t.Cleanup(func() { a.order("stop", nil) })
	return a
}

// start connects and returns why that was refused.
func (a *app) start(o options) (json.RawMessage, string) {
	a.t.Helper()
	return a.order("connect", struct {
		options
		URL string `json:"url"`
	}{o, a.Base + chathub.Path + "?" + a.query.Encode()})
}

// hear returns the next event as the frame it could have come in; nil when the
// connection is closed for good.
func (a *app) hear(heard <-chan told) []record {
	a.t.Helper()
	select {
	case said := <-heard:
		if said.Event == "closed" {
			a.ended = -1
			return nil
		}
		kind := 1
		f := []record{{Type: &kind, Target: said.Event, Arguments: []json.RawMessage{said.Argument}, text: said.Event + " " + string(said.Argument)}}
		a.frames = append(a.frames, f)
		return f
	case <-time.After(patience):
		a.t.Fatalf("nothing came; heard so far: %s", a.transcript())
		return nil
	}
}

// order gives an order and returns what came of it.
func (a *app) order(order string, given any) (result json.RawMessage, refused string) {
	a.t.Helper()
	answer := a.give(order, given)
	select {
	case said := <-answer:
		if said.Error != nil {
			return nil, *said.Error
		}
		return said.Result, ""
	case <-time.After(patience):
		a.t.Fatalf("%s has no end; heard so far: %s", order, a.transcript())
		return nil, ""
	}
}

// give gives an order and returns where its answer will be.
func (a *app) give(order string, given any) <-chan told {
	a.t.Helper()
	e := a.engine
	text := object{}
	if b, err := json.Marshal(given); err != nil || json.Unmarshal(b, &text) != nil {
		a.t.Fatalf("order %v: %v", given, err)
	}
	if text == nil {
		text = object{}
	}
	answer := make(chan told, 1)
	e.mu.Lock()
	e.orders++
	e.answers[e.orders] = answer
	text["n"], text["app"], text["order"] = e.orders, a.id, order
	e.mu.Unlock()
	b, err := json.Marshal(text)
	if err != nil {
		a.t.Fatal(err)
	}
	e.give(b)
	return answer
}

// outcome is that of one call.
type outcome struct {
	Result json.RawMessage
	Error  string
}

// invoke calls methods, each given with its arguments, in one tick.
func (a *app) invoke(calls ...[]any) []outcome {
	a.t.Helper()
	result, refused := a.order("invoke", object{"calls": calls})
	var all []outcome
	if err := json.Unmarshal(result, &all); err != nil || len(all) != len(calls) {
		a.t.Fatalf("invoke = %s, %s", result, refused)
	}
	return all
}

// say sends a message.
func (a *app) say(content string) sent {
	a.t.Helper()
	return a.sent(a.invoke([]any{"SendMessageAsync", message(content)})[0])
}

func (a *app) sent(o outcome) sent {
	a.t.Helper()
	var out sent
	if o.Error != "" || json.Unmarshal(o.Result, &out) != nil || out.MessageID == "" || out.ConversationID == "" {
		a.t.Fatalf("SendMessageAsync: %+v", o)
	}
	return out
}

// hearsEvent reads until an event has come so often.
func (a *app) hearsEvent(name string, times int) {
	a.t.Helper()
	a.await(name, func(record) bool { return len(a.events(name)) >= times })
}
