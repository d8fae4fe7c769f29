package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"parley/shared/browsertest"
)

// desk is an operator's tab that shows the console.
type desk struct{ *tab }

// operate opens the console in a browser of its own and signs in with a key.
func operate(t *testing.T, p *process, key string) *desk {
	t.Helper()
	d := &desk{&tab{t, browsertest.New(t)}}
	d.do(chromedp.EmulateViewport(1440, 900), chromedp.Navigate(p.page+"/console/"))
	d.signIn(key)
	d.await(`document.querySelector(".inbox")`)
	return d
}

func (d *desk) signIn(key string) {
	d.t.Helper()
	d.await(`document.querySelector("#key")`)
	eval[chromedp.Void](d.tab, `document.querySelector("#key").select()`)
	d.do(chromedp.SendKeys(chromedp.CSS("#key"), key))
	d.press("Sign in")
}

// awaitShown waits until the console shows these words.
func (d *desk) awaitShown(words string) {
	d.t.Helper()
	d.await(fmt.Sprintf(`document.body.innerText.includes(%q)`, words))
}

// list shows a list of the inbox.
func (d *desk) list(name string) {
	d.t.Helper()
	button := fmt.Sprintf(`[...document.querySelectorAll(".lists button")].find(b => b.firstChild.data == %q)`, name)
	d.await(button)
	eval[chromedp.Void](d.tab, button+".click()")
}

// open opens the session in the list whose newest message has these words.
func (d *desk) open(words string) {
	d.t.Helper()
	item := fmt.Sprintf(`[...document.querySelectorAll(".items .open")].find(b => b.innerText.includes(%q))`, words)
	d.await(item)
	eval[chromedp.Void](d.tab, item+".click()")
	d.await(`document.querySelector(".session .composer:not([hidden])")`)
}

// mode chooses what is written, "reply" or "note".
func (d *desk) mode(name string) {
	d.t.Helper()
	eval[chromedp.Void](d.tab, fmt.Sprintf(`document.querySelector(".composer .modes [value=%s]").click()`, name))
	d.await(fmt.Sprintf(`document.querySelector(".composer").dataset.mode == %q`, name))
}

// write types into the composer and presses Enter.
func (d *desk) write(words string) {
	d.t.Helper()
	d.do(chromedp.SendKeys(chromedp.CSS(".session .composer textarea"), words))
	d.enter()
}

// enter presses Enter as a keyboard does: a page that takes the key gets no character.
func (d *desk) enter() {
	d.t.Helper()
	for _, kind := range []input.DispatchKeyEventType{kb.KeyDown, kb.KeyUp} {
		p := input.DispatchKeyEventParams{Type: kind, Key: "Enter", Code: "Enter", WindowsVirtualKeyCode: 13}
		if kind == kb.KeyDown {
			p.Text = "\r"
		}
		if _, err := chromedp.Call(d.ctx, input.DispatchKeyEvent, p); err != nil {
			d.t.Fatal(err)
		}
	}
}

// key presses a key where the focus is.
func (d *desk) key(key string) {
	d.t.Helper()
	d.do(chromedp.KeyEvent(key))
}

// awaitChips waits until the header of the session says this of its state.
func (d *desk) awaitChips(words ...string) {
	d.t.Helper()
	d.await(fmt.Sprintf(`[...document.querySelectorAll(".session-head .state-chip")].map(e => e.innerText).join("|") == %q`, strings.Join(words, "|")))
}

type object = map[string]any

// newKey makes a key of the server with these scopes.
func (p *process) newKey(scopes ...string) (id, secret string) {
	p.t.Helper()
	var out struct {
		Key    struct{ ID string }
		Secret string
	}
	p.call(p.private, "POST", "/project/private-keys",
		object{"name": strings.Join(scopes, " "), "scopes": scopes, "test": true}, &out)
	return out.Key.ID, out.Secret
}

// call makes a call of the operator API with a private key.
func (p *process) call(key, method, path string, in, out any) {
	p.t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		p.t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(p.t.Context(), method, p.page+"/operator"+path, bytes.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+key)
	r.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode >= 300 {
		p.t.Fatalf("%s %s = %d %s, %v", method, path, response.StatusCode, text, err)
	}
	if out == nil {
		return
	}
	if err := json.Unmarshal(text, out); err != nil {
		p.t.Fatalf("%s %s: %v in %s", method, path, err, text)
	}
}
