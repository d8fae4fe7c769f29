package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"parley/shared/browsertest"
)

// watchSockets notes in a page what it asks by HTTP and what its sockets are told. cut
// ends the sockets, and lets no other be made until mend.
const watchSockets = `(() => {
	const [Real, ask] = [WebSocket, fetch];
	Object.assign(window, { asked: [], told: [], sockets: [] });
	window.fetch = (url, ...rest) => { asked.push(url); return ask(url, ...rest); };
	window.WebSocket = class extends Real {
		constructor(url) {
			super(url);
			sockets.push(this);
			this.addEventListener("message", (e) => told.push({ ...JSON.parse(e.data), at: Date.now() }));
		}
	};
	const Mine = window.WebSocket;
	window.cut = () => {
		window.WebSocket = class { constructor() { setTimeout(() => this.onclose(), 10); } };
		for (const s of sockets) s.close();
	};
	window.mend = () => {
		window.WebSocket = Mine;
		for (let n = 0; n < 2; n++) dispatchEvent(new Event("online")); // while it asks for a ticket
	};
})()`

// asked are the paths that the console has asked for since, without sessions.
func (d *desk) asked() (paths []string) {
	for _, url := range eval[[]string](d.tab, `asked.splice(0)`) {
		path, _, _ := strings.Cut(url, "?")
		paths = append(paths, path[strings.LastIndexByte(path, '/')+1:])
	}
	return paths
}

// types puts words into a tab's composer, as one who types on.
func (b *tab) types(words string) {
	b.t.Helper()
	b.do(chromedp.SendKeys(chromedp.CSS(".composer textarea"), words))
}

// TestConsoleIsTold: a console learns over its socket what happens and asks for
// nothing; who types is shown on both sides; without the socket it asks as it did
// before, and with it again it has missed nothing.
func TestConsoleIsTold(t *testing.T) {
	m := newModel(t)
	p := start(t, t.TempDir(), m.env()...)
	o := &desk{&tab{t, browsertest.New(t)}}
	o.do(chromedp.EmulateViewport(1440, 900), chromedp.Navigate(p.page+"/console/"))
	eval[any](o.tab, watchSockets)
	o.signIn(p.private)
	v := visit(t, browsertest.New(t), p.page)
	v.ask("Where is my order?")
	m.says <- "On its way. "
	o.list("AI")
	o.open("Where is my order?")
	o.press("Take over")
	o.awaitChips("Open", "You answer")
	m.untilLeft("Really. ")
	v.awaitText("has taken over the conversation")
	o.await(`told.some((f) => f.type == "watching" && f.session)`)
	o.await(`told.some((f) => f.type == "news" && f.entries?.some((e) => e.event == "taken_over"))`)

	v.types("I wonder")
	o.await(`document.querySelector(".session .typist:not([hidden])")?.innerText.includes("is writing")`)
	o.list("People")
	o.await(`document.querySelector(".items .types")`)
	o.types("Hello")
	v.await(`document.querySelector(".typist:not([hidden])")?.innerText.includes("is writing")`)
	shot := func(tab *tab, name string) {
		if dir := os.Getenv("SHOTS"); dir != "" {
			browsertest.Screenshot(t, tab.ctx, filepath.Join(dir, name))
		}
	}
	shot(o.tab, "console.png")
	shot(v, "page.png")

	o.await(`asked.length > 0 && document.readyState == "complete"`)
	eval[any](o.tab, `new Promise((r) => setTimeout(r, 2500))`) // looks that are due are made
	o.asked()
	before := eval[float64](v, `Date.now()`)
	v.do(chromedp.SendKeys(chromedp.CSS(".composer textarea"), " where it is\r"))
	o.awaitMessages("visitor", "Where is my order?", "I wonder where it is")
	t.Logf("told after %.0f ms", eval[float64](o.tab, `told.findLast((f) => f.entries?.some((e) => e.text == "I wonder where it is")).at`)-before)
	if asked := o.asked(); len(asked) > 0 {
		t.Errorf("asked for %q though it was told", asked)
	}
	o.await(`document.querySelector(".session .typist").hidden`)

	eval[any](o.tab, `cut()`)
	v.ask("Are you there?")
	o.awaitMessages("visitor", "Where is my order?", "I wonder where it is", "Are you there?")
	if asked := o.asked(); !strings.Contains(fmt.Sprint(asked), "updates") {
		t.Errorf("asked for %q without a socket", asked)
	}
	eval[any](o.tab, `told.splice(0); mend()`)
	o.await(`told.some((f) => f.type == "watching" && f.session)`)
	v.ask("Hello again?")
	o.await(`told.some((f) => f.entries?.some((e) => e.text == "Hello again?"))`)
	o.awaitMessages("visitor", "Where is my order?", "I wonder where it is", "Are you there?", "Hello again?")
	if n := eval[int](o.tab, `sockets.filter((s) => s.readyState == WebSocket.OPEN).length`); n != 1 {
		t.Errorf("%d sockets are open, want 1", n)
	}
	addresses, _ := json.Marshal(eval[[]string](o.tab, `sockets.map((s) => s.url)`))
	if strings.Contains(string(addresses), "sk_") {
		t.Errorf("a private key stands in an address: %s", addresses)
	}
}
