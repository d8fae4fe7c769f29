package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// tab is a visitor's tab that shows the page.
type tab struct {
	t   *testing.T
	ctx context.Context
}

// visit opens the page in a tab. With the context of another tab it is one more
// in the same browser.
func visit(t *testing.T, ctx context.Context, address string) *tab {
	t.Helper()
	b := &tab{t, ctx}
	b.do(chromedp.Navigate(address))
	b.await(`document.querySelector(".composer textarea")`)
	return b
}

// again opens the page in a new tab of the browser and closes this one.
func (b *tab) again(address string) *tab {
	b.t.Helper()
	ctx, cancel := chromedp.NewContext(b.ctx)
	b.t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		b.t.Fatal(err)
	}
	if _, err := chromedp.Call(b.ctx, page.Close, cdp.Empty{}); err != nil {
		b.t.Fatal(err)
	}
	return visit(b.t, ctx, address)
}

func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.t.Fatal(err)
	}
}

func eval[T any](b *tab, expression string) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// await waits until an expression holds.
func (b *tab) await(expression string) {
	b.t.Helper()
	_, err := chromedp.Run(b.ctx, chromedp.Poll[bool]("Boolean("+expression+")",
		chromedp.WithPollingInterval(20*time.Millisecond), chromedp.WithPollingTimeout(patience)))
	if err != nil {
		b.t.Fatalf("waiting for %s: %v; the page shows:\n%s", expression, err, eval[string](b, `document.body.innerText`))
	}
}

// awaitText waits until the chat shows these words.
func (b *tab) awaitText(words string) {
	b.t.Helper()
	b.await(fmt.Sprintf(`document.querySelector(".panel").innerText.includes(%q)`, words))
}

// ask types a message and sends it.
func (b *tab) ask(words string) {
	b.t.Helper()
	b.do(chromedp.SendKeys(chromedp.CSS(".composer textarea"), words))
	b.press("Send message")
}

// press clicks the button with this name.
func (b *tab) press(name string) {
	b.t.Helper()
	find := fmt.Sprintf(`[...document.querySelectorAll("button")].find(b => b.checkVisibility() && !b.disabled && [b.ariaLabel, b.innerText.trim()].includes(%q))`, name)
	b.await(find)
	eval[chromedp.Void](b, find+".click()")
}

// awaitMessages waits until these are the texts of one side, "me" or "ai", in order.
func (b *tab) awaitMessages(who string, want ...string) {
	b.t.Helper()
	list, err := json.Marshal(append([]string{}, want...)) // none is [], not null
	if err != nil {
		b.t.Fatal(err)
	}
	b.await(fmt.Sprintf(`JSON.stringify([...document.querySelectorAll(".rows .message.%s .text")].map(e => e.innerText)) === JSON.stringify(%s)`, who, list))
}

// watchPaints makes the page note every text that it paints of the newest reply.
func (b *tab) watchPaints() {
	b.t.Helper()
	eval[chromedp.Void](b, `(() => {
		window.paints = [];
		const look = () => {
			const newest = [...document.querySelectorAll(".rows .message.ai .prose:not(:has(.dots))")].at(-1);
			const words = newest?.innerText ?? "";
			if (words && words !== window.paints.at(-1)) window.paints.push(words);
			requestAnimationFrame(look);
		};
		look();
	})()`)
}

// awaitPaint waits until the page has painted a reply with these words, and
// returns all that it painted on the way, each the beginning of the next.
func (b *tab) awaitPaint(words string) []string {
	b.t.Helper()
	b.await(fmt.Sprintf(`window.paints.at(-1)?.includes(%q)`, words))
	all := eval[[]string](b, `window.paints`)
	for i := 1; i < len(all); i++ {
		if !strings.HasPrefix(all[i], all[i-1]) {
			b.t.Errorf("the page painted %q after %q", all[i], all[i-1])
		}
	}
	return all
}
