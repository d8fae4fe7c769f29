package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"parley/shared/browsertest"
)

// at says on which page the visitor is.
func (w *liveWidget) at(url, title string) {
	w.t.Helper()
	w.call(w.Visitor, "POST", "/visitors/"+w.Visitor+"/activity", map[string]any{"sessionId": "tab", "activityType": "route_change",
		"currentPage": map[string]string{"url": url, "title": title}})
}

func (w *liveWidget) begin(conversation, text string) {
	w.t.Helper()
	w.call(w.Visitor, "POST", "/conversations", map[string]any{"conversationId": conversation, "visitorId": w.Visitor,
		"defaultTimelineItems": []any{map[string]any{"id": "m-" + conversation, "type": "message", "text": text, "visitorId": w.Visitor}}})
}

// TestC57Console: an operator sees who the visitor says they are and that nobody
// vouched for it, where they are and were, that they are there, and what they have seen.
func TestC57Console(t *testing.T) {
	m := newModel(t)
	p := start(t, t.TempDir(), m.env()...)
	w := widgetAt(t, p)
	w.call(w.Visitor, "PATCH", "/visitors/"+w.Visitor, map[string]any{"language": "de-DE", "timezone": "Europe/Berlin", "browser": "Firefox", "browserVersion": "141",
		"os": "Linux", "deviceType": "desktop", "viewport": "1400x900", "attribution": map[string]any{"version": 1, "firstTouch": map[string]any{"channel": "organic_search",
			"referrer": map[string]any{"url": "https://search.example/?q=umbrella"}, "landing": map[string]any{"path": "/umbrellas"}, "utm": map[string]any{"campaign": "autumn"}}}})
	w.call(w.Visitor, "POST", "/contacts/identify", map[string]any{"visitorId": w.Visitor, "externalId": "user-7", "email": "Ann@Shop.example", "name": "Ann Other", "metadata": map[string]any{"plan": "pro", "mrr": 99}})
	for _, page := range []string{"Umbrellas", "Basket", "Checkout"} {
		w.at("https://shop.example/"+strings.ToLower(page), page)
	}
	w.begin("COabc", "Can I pay by invoice?")
	m.says <- "Yes, by invoice, too."
	m.says <- ""
	o := operate(t, p, p.private)
	o.list("AI")
	o.open("Ann Other")
	o.awaitChips("Open", "AI answers", "Online now")
	for _, words := range []string{"Ann Other", "Not verified: the browser says so", "Ann@Shop.example", "user-7", "de-DE", "Europe/Berlin, ", "Online now", "plan", "99",
		"Checkout", "Pages before", "Basket", "https://shop.example/umbrellas", "organic search", "https://search.example/?q=umbrella", "autumn", "Firefox 141", "Linux"} {
		o.await(fmt.Sprintf(`document.querySelector(".about").innerText.includes(%q)`, words))
	}
	o.awaitShown("Yes, by invoice, too.")
	if shown := eval[bool](o.tab, `document.body.innerText.includes("Seen by the visitor")`); shown {
		t.Error("an answer is marked as seen that nobody has seen")
	}
	w.call(w.Visitor, "POST", "/conversations/COabc/seen", map[string]any{})
	o.await(`document.querySelector(".message.ai .seen")?.innerText == "Seen by the visitor"`)
	o.picture("C57")
	browsertest.Audit(t, o.ctx, "visitor")
	r, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, p.page+"/operator/visitors/"+w.Visitor, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+p.private)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	o.awaitShown("This session does not exist any more.")
	o.await(`!document.body.innerText.includes("Ann Other")`)
}

// TestC57HostileVisitor: nothing that a page says of its visitor becomes markup, pushes
// anything out of the window, or turns the direction of other words.
func TestC57HostileVisitor(t *testing.T) {
	m := newModel(t)
	p := start(t, t.TempDir(), m.env()...)
	w := widgetAt(t, p)
	turn, long := "\u202eevil\u202d\u2067", strings.Repeat("W", 380)
	w.call(w.Visitor, "PATCH", "/visitors/"+w.Visitor, map[string]any{"language": "<b>x</b>", "timezone": "<img src=x onerror=window.run=1>", "browser": hostile, "os": long, "deviceType": turn,
		"attribution": map[string]any{"firstTouch": map[string]any{"channel": hostile, "referrer": map[string]any{"url": "javascript:window.run=2"}, "utm": "no object", "landing": []any{1}}}})
	w.call(w.Visitor, "POST", "/contacts/identify", map[string]any{"visitorId": w.Visitor, "externalId": "<script>window.run=3</script>", "email": turn + long[:200] + "@x.example", "name": turn + hostile + long[:300],
		"image": "javascript:window.run=4", "metadata": map[string]any{"<img src=x onerror=window.run=5>": hostile, long: long}})
	w.at("javascript:window.run=6", hostile)
	w.at("https://shop.example/"+long, turn+long)
	w.at("data:text/html,<script>window.run=7</script>", "")
	w.begin("COabc", "Hello <img src=x onerror=window.run=8>")
	m.says <- "Hi."
	m.says <- ""
	o := operate(t, p, p.private)
	o.list("AI")
	o.open("evil")
	o.awaitShown("Pages before")
	for _, selector := range []string{".inbox", ".session", ".about"} {
		bad := eval[[]string](o.tab, fmt.Sprintf(`(() => {
			const bad = [...document.querySelectorAll(%q + " :is(script, img:not([src^='/']), iframe, [onerror], [href^='javascript:' i], [href^='data:' i])")];
			bad.forEach((e) => e.click());
			return bad.map((e) => e.outerHTML).concat(window.run === undefined ? [] : ["run " + window.run]);
		})()`, selector))
		if len(bad) > 0 {
			t.Errorf("what a page says became %q in %s", bad, selector)
		}
	}
	if wide := eval[string](o.tab, `[...document.querySelectorAll(".about *, .inbox *, .session-head *")].filter(e => e.checkVisibility() && e.getBoundingClientRect().right > innerWidth + 1 && getComputedStyle(e.parentElement).overflow != "hidden").map(e => e.outerHTML.slice(0, 80)).join()`); wide != "" {
		t.Errorf("out of the window is %s", wide)
	}
	if names := eval[string](o.tab, `[...document.querySelectorAll(".title h2, .who h3, .message .name, .inbox .items")].map(e => e.innerText).filter(t => /[\u202a-\u202e\u2066-\u2069]/.test(t)).join()`); names != "" {
		t.Errorf("a name turns the words around it: %q", names)
	}
	if long := eval[int](o.tab, `Math.max(...[...document.querySelectorAll(".title h2, .who h3, .message .name")].map(e => e.innerText.length))`); long > 80 {
		t.Errorf("a name is shown with %d characters", long)
	}
	o.picture("C57-hostile")
	browsertest.Audit(t, o.ctx, "hostile visitor")
}

// picture keeps what the console looks like for whoever wants to look, in the folder SHOTS.
func (d *desk) picture(name string) {
	d.t.Helper()
	if folder := os.Getenv("SHOTS"); folder != "" {
		browsertest.Screenshot(d.t, d.ctx, filepath.Join(folder, name+".png"))
	}
}
