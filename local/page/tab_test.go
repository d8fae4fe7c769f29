package page_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"parley/shared/browsertest"
)

// tab is a browser's tab that shows the page.
type tab struct {
	t   *testing.T
	ctx context.Context
}

// visit opens the page of a rig in a browser of its own.
func visit(t *testing.T, r *rig) *tab {
	t.Helper()
	b := &tab{t, browsertest.New(t)}
	b.do(chromedp.Navigate(r.page.URL))
	b.await(`document.querySelector(".composer, .main [role=alert]")`)
	return b
}

// another opens a second tab of the same browser.
func (b *tab) another() *tab {
	b.t.Helper()
	ctx, cancel := chromedp.NewContext(b.ctx)
	b.t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil { // a tab lives as long as the context of its first step
		b.t.Fatal(err)
	}
	return &tab{b.t, ctx}
}

func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.t.Fatalf("%v; the chat shows:\n%s", err, b.shown())
	}
}

// patience is how long a page may take for one step.
const patience = 10 * time.Second

// shown returns the words in the chat.
func (b *tab) shown() string {
	return eval[string](b, `document.querySelector(".panel")?.innerText ?? ""`)
}

// await waits until an expression holds.
func (b *tab) await(expression string) {
	b.t.Helper()
	_, err := chromedp.Run(b.ctx, chromedp.Poll[bool]("Boolean("+expression+")",
		chromedp.WithPollingInterval(20*time.Millisecond), chromedp.WithPollingTimeout(patience)))
	if err != nil {
		b.t.Fatalf("waiting for %s: %v; the chat shows:\n%s", expression, err, b.shown())
	}
}

// awaitText waits until the chat shows these words.
func (b *tab) awaitText(words string) {
	b.t.Helper()
	b.await(fmt.Sprintf(`document.querySelector(".panel")?.innerText.includes(%q)`, words))
}

func eval[T any](b *tab, expression string) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// ask types a message and presses Enter.
func (b *tab) ask(words string) {
	b.t.Helper()
	b.do(chromedp.SendKeys(chromedp.CSS(".composer textarea"), words))
	b.enter(0)
}

// enter presses Enter as a keyboard does: a page that takes the key gets no character.
func (b *tab) enter(modifiers chromedp.Modifier) {
	b.t.Helper()
	for _, kind := range []input.DispatchKeyEventType{kb.KeyDown, kb.KeyUp} {
		p := input.DispatchKeyEventParams{Type: kind, Key: "Enter", Code: "Enter", WindowsVirtualKeyCode: 13, Modifiers: int64(modifiers)}
		if kind == kb.KeyDown {
			p.Text = "\r"
		}
		if _, err := chromedp.Call(b.ctx, input.DispatchKeyEvent, p); err != nil {
			b.t.Fatal(err)
		}
	}
}

// press clicks the button with this name.
func (b *tab) press(name string) {
	b.t.Helper()
	find := fmt.Sprintf(`[...document.querySelectorAll("button")].find(b => b.checkVisibility() && !b.disabled && [b.ariaLabel, b.innerText.trim()].includes(%q))`, name)
	b.await(find)
	eval[chromedp.Void](b, find+".click()")
}

// key presses a key where the focus is.
func (b *tab) key(keys string, options ...chromedp.KeyOption) {
	b.t.Helper()
	b.do(chromedp.KeyEvent(keys, options...))
}

// messages returns the shown texts of one side, "me" or "ai", in order.
func (b *tab) messages(who string) []string {
	b.t.Helper()
	return eval[[]string](b, fmt.Sprintf(`[...document.querySelectorAll(".rows .message.%s .text")].map(e => e.innerText)`, who))
}

// offline cuts the tab off from the network, or lets it back.
func (b *tab) offline(off bool) {
	b.t.Helper()
	rule := &network.Conditions{Offline: off, DownloadThroughput: -1, UploadThroughput: -1}
	if _, err := chromedp.Call(b.ctx, network.EmulateNetworkConditionsByRule, network.EmulateNetworkConditionsByRuleParams{MatchedNetworkConditions: []*network.Conditions{rule}}); err != nil {
		b.t.Fatal(err)
	}
	if _, err := chromedp.Call(b.ctx, network.OverrideNetworkState, network.OverrideNetworkStateParams{Offline: off, DownloadThroughput: -1, UploadThroughput: -1}); err != nil {
		b.t.Fatal(err)
	}
}

// token returns the visitor's token.
func (b *tab) token() string {
	b.t.Helper()
	return eval[string](b, `JSON.parse(localStorage.getItem(Object.keys(localStorage).find(k => k.endsWith(":token")))).token`)
}

// replies waits until so many messages of the agent are shown and finished.
func (b *tab) replies(n int) {
	b.t.Helper()
	b.await(fmt.Sprintf(`document.querySelectorAll(".rows .ai .meta time").length == %d`, n))
}
