package main

import (
	"bytes"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/chromedp"

	"parley/shared/browsertest"
)

var update = flag.Bool("update", false, "take docs/screenshot.png anew")

// TestVisit is a visitor's whole way through the page of a real Parley: ask and
// see the answer grow, reload in the middle of it, attach a file and get it back,
// rate, leave and find everything again.
func TestVisit(t *testing.T) {
	m := newModel(t)
	p := start(t, t.TempDir(), m.env()...)
	b := visit(t, browsertest.New(t), p.page)

	b.watchPaints()
	b.ask("Tell me a story.")
	for i, piece := range []string{"Once upon a time ", "there was a bridge, ", "and two rivers "} {
		m.says <- piece
		if painted := b.awaitPaint(strings.TrimSpace(piece)); len(painted) <= i {
			t.Errorf("the page painted %q, want the reply to grow with each piece", painted)
		}
	}

	b.do(chromedp.Reload())
	m.says <- "met under it."
	m.says <- ""
	story := "Once upon a time there was a bridge, and two rivers met under it."
	b.awaitMessages("ai", story)
	b.awaitMessages("me", "Tell me a story.")
	if n := m.calls.Load(); n != 1 {
		t.Errorf("the model was called %d times, want once", n)
	}

	attach(b, m)
	b.do(chromedp.Click(chromedp.CSS(".stars label:nth-of-type(5)")), chromedp.SendKeys(chromedp.CSS(".rating textarea"), "Lovely."))
	b.press("Send rating")
	b.awaitText("You gave 5 of 5")

	b = b.again(p.page)
	b.awaitMessages("ai", story, "I see a bridge.")
	b.awaitMessages("me", "Tell me a story.", "Here is a picture.")
	b.awaitText("You gave 5 of 5")
	b.press("New conversation")
	b.awaitMessages("ai")
	b.press("Conversations")
	b.await(`document.querySelectorAll(".history .items > li").length === 1`)
	b.awaitText("Rated 5 of 5")
	b.press(eval[string](b, `document.querySelector(".history .open").innerText.trim()`))
	b.awaitMessages("ai", story, "I see a bridge.")
}

// attach sends a file with a message and downloads it from there.
func attach(b *tab, m *model) {
	b.t.Helper()
	file := filepath.Join(b.t.TempDir(), "bridge.txt")
	content := bytes.Repeat([]byte("A bridge over two rivers.\n"), 4000)
	if err := os.WriteFile(file, content, 0o600); err != nil {
		b.t.Fatal(err)
	}
	b.do(chromedp.SetUploadFiles(chromedp.CSS("input[type=file]"), []string{file}))
	b.await(`document.querySelector(".upload[data-state=done]")`)
	b.ask("Here is a picture.")
	m.says <- "I see a bridge."
	m.says <- ""
	b.awaitText("I see a bridge.")
	b.await(`document.querySelector(".message.me .files a")?.innerText.includes("bridge.txt")`)

	folder := b.t.TempDir()
	_, err := chromedp.Call(b.ctx, browser.SetDownloadBehavior,
		browser.SetDownloadBehaviorParams{Behavior: browser.SetDownloadBehaviorBehaviorAllow, DownloadPath: folder,
			BrowserContextID: chromedp.FromContext(b.ctx).BrowserContextID})
	if err != nil {
		b.t.Fatal(err)
	}
	b.do(chromedp.Click(chromedp.CSS(".message.me .files a")))
	waitFor(b.t, "download", func() bool {
		got, err := os.ReadFile(filepath.Join(folder, "bridge.txt"))
		return err == nil && bytes.Equal(got, content)
	})
}

// hostile is what nobody may run: not what a visitor writes, nor what a model says.
const hostile = `<img src=x onerror="window.run=1"><script>window.run=2</script>` +
	`<a href="javascript:window.run=3">a</a> [b](javascript:window.run=4) ![c](https://example.com/track.png)`

// TestHostileText: nothing that a visitor or a model says becomes markup, not
// in the conversation, the list of conversations, or a file's name.
func TestHostileText(t *testing.T) {
	m := newModel(t)
	p := start(t, t.TempDir(), m.env()...)
	b := visit(t, browsertest.New(t), p.page)
	file := filepath.Join(t.TempDir(), `<img src=x onerror="window.run=5">.txt`)
	if err := os.WriteFile(file, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	b.do(chromedp.SetUploadFiles(chromedp.CSS("input[type=file]"), []string{file}))
	b.await(`document.querySelector(".upload[data-state=done]")`)
	b.ask(hostile)
	m.says <- hostile
	m.says <- ""
	b.await(`document.querySelector('.message.ai[data-state=done]')`)
	harmless(b)
	b.awaitMessages("me", hostile)
	b.awaitText(`onerror="window.run=5"`)
	b.do(chromedp.Reload())
	b.awaitMessages("me", hostile)
	harmless(b)
	b.press("Conversations")
	b.await(`document.querySelector(".history .items > li")`)
	harmless(b)
}

// harmless fails the test if hostile text has come to anything. Links are
// clicked first.
func harmless(b *tab) {
	b.t.Helper()
	found := eval[[]string](b, `(() => {
		const inside = [...document.querySelectorAll(".message .text, .message .files, .chips, .history")];
		const bad = inside.flatMap((e) => [...e.querySelectorAll("script, img, iframe, [onerror], [href^='javascript:' i]")]);
		for (const e of inside) e.querySelectorAll("a[href^='javascript:' i]").forEach((a) => a.click());
		return bad.map((e) => e.outerHTML).concat(window.run === undefined ? [] : ["run " + window.run]);
	})()`)
	if len(found) > 0 {
		b.t.Errorf("hostile text became %q", found)
	}
}

// TestServerKilled: the page of a Parley that is killed in mid-reply says so,
// finds the new one, marks the broken reply and lets the visitor try again.
func TestServerKilled(t *testing.T) {
	folder, m := t.TempDir(), newModel(t)
	env := append(m.env(), fmt.Sprintf("PORT=%d", freePorts(t)))
	first := start(t, folder, env...)
	b := visit(t, browsertest.New(t), first.page)
	b.ask("Tell me a story.")
	m.says <- "Half a story"
	b.awaitText("Half a story")
	first.kill(syscall.SIGKILL)
	b.awaitText("The connection was lost")

	start(t, folder, env...)
	b.awaitText("This answer broke off")
	b.awaitMessages("ai", "Half a story")
	b.press("Try again")
	m.says <- "A whole story."
	m.says <- ""
	b.awaitMessages("ai", "Half a story", "A whole story.")
	b.awaitMessages("me", "Tell me a story.")
}

// TestOtherDevice: a phone in the same network, whose browser does not call the
// page's origin secure, can chat and upload too.
func TestOtherDevice(t *testing.T) {
	p := start(t, t.TempDir(), "HOST=0.0.0.0")
	b := visit(t, browsertest.New(t), p.page)
	if strings.Contains(p.page, "localhost") {
		t.Log("this machine has no address but its own: the origin is a secure one")
	}
	file := filepath.Join(t.TempDir(), "note.txt")
	if err := os.WriteFile(file, []byte("A note."), 0o600); err != nil {
		t.Fatal(err)
	}
	b.do(chromedp.SetUploadFiles(chromedp.CSS("input[type=file]"), []string{file}))
	b.await(`document.querySelector(".upload[data-state=done]")`)
	b.ask("What is Parley?")
	b.await(`document.querySelector(".message.ai[data-state=done]")`)
}

// freePorts returns a port that is free, as is the one after it.
func freePorts(t *testing.T) int {
	t.Helper()
	for range 100 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := l.Addr().(*net.TCPAddr).Port
		next, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port+1))
		l.Close()
		if err != nil {
			continue
		}
		next.Close()
		return port
	}
	t.Fatal("no two free ports beside each other")
	return 0
}

// TestFirstQuestion: without any setting, the page answers from the articles
// and leads to them. With -update it is the picture in the README.
func TestFirstQuestion(t *testing.T) {
	p := start(t, t.TempDir())
	b := visit(t, browsertest.New(t), p.page)
	b.do(chromedp.EmulateViewport(1280, 880))
	b.press("What happens when I reload during an answer?")
	b.await(`document.querySelector(".message.ai[data-state=done] a[href*='/docs/']")`)
	link := eval[string](b, `document.querySelector(".message.ai a[href*='/docs/']").href`)
	if !strings.HasPrefix(link, p.page+"/docs/") {
		t.Errorf("the source is %s, want an article of this Parley", link)
	}
	text := eval[string](b, fmt.Sprintf(`fetch(%q).then((r) => r.text())`, link))
	if !strings.HasPrefix(text, "# ") {
		t.Errorf("the article at %s is %.60q", link, text)
	}
	if *update {
		b.await(`document.querySelector(".rating").checkVisibility()`)
		eval[chromedp.Void](b, `document.activeElement.blur()`)
		browsertest.Screenshot(t, b.ctx, "../docs/screenshot.png")
	}
	b.do(chromedp.Navigate(link))
	b.await(`document.querySelector("main h1") && document.querySelector(location.hash)`)
	if title := eval[string](b, `document.querySelector("main h1").textContent`); !strings.HasPrefix(text, "# "+title+"\n") {
		t.Errorf("the page at %s is called %q, its article %.60q", link, title, text)
	}
	if seen := eval[string](b, `document.querySelector("main").innerText`); strings.Contains(seen, "<!--") || strings.Contains(seen, "](") {
		t.Errorf("the page shows markup: %s", seen)
	}
	if top := eval[float64](b, `document.querySelector(location.hash).getBoundingClientRect().top`); top < 0 || top > 880 {
		t.Errorf("the section is %g pixels below the top of the page", top)
	}
	browsertest.Audit(t, b.ctx, "an article")
}
