package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"parley/shared/browsertest"
)

// observe makes the console's tab count what it asks of the browser: `asked`,
// how often for leave; `told`, the notifications; `notes`, those of the sound.
const observe = `
	window.asked = 0;
	window.told = [];
	window.notes = 0;
	window.Notification = class extends Notification {
		static requestPermission() {
			window.asked++;
			return super.requestPermission();
		}
		constructor(title, options) {
			super(title, options);
			window.told.push({ title, ...options, it: this });
		}
	};
	const { start } = AudioScheduledSourceNode.prototype;
	AudioScheduledSourceNode.prototype.start = function (...when) {
		window.notes++;
		return start.apply(this, when);
	};`

// operateObserved opens the console in a tab that is observed, with what the
// browser says of notifications: "granted", "denied" or "prompt".
func operateObserved(p *process, d *desk, setting browser.PermissionSetting) *desk {
	d.t.Helper()
	d.permit(setting)
	if _, err := chromedp.Call(d.ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: observe}); err != nil {
		d.t.Fatal(err)
	}
	d.do(chromedp.EmulateViewport(1440, 900), chromedp.Navigate(p.page+"/console/"))
	d.signIn(p.private)
	d.await(`document.querySelector(".inbox")`)
	return d
}

// permit is what a person chooses in the browser's settings.
func (d *desk) permit(setting browser.PermissionSetting) {
	d.t.Helper()
	params := browser.SetPermissionParams{Permission: &browser.PermissionDescriptor{Name: "notifications"}, Setting: setting,
		BrowserContextID: chromedp.FromContext(d.ctx).BrowserContextID}
	if _, err := chromedp.Call(d.ctx, browser.SetPermission, params); err != nil {
		d.t.Fatal(err)
	}
}

// turn clicks a switch as a person does, and waits until it is on or off.
func (d *desk) turn(label string, on bool) {
	d.t.Helper()
	n := map[string]int{"Notify me": 0, "Play a sound": 1}[label]
	eval[chromedp.Void](d.tab, `document.querySelectorAll(".switch").forEach((e, i) => (e.id = "switch-" + i))`)
	d.do(chromedp.Click(chromedp.CSS(fmt.Sprintf("#switch-%d", n))))
	d.await(fmt.Sprintf(`document.querySelector("#switch-%d").ariaChecked == "%v"`, n, on))
}

// told are the notifications of the tab so far, each "title: body".
func (d *desk) told() []string {
	d.t.Helper()
	return eval[[]string](d.tab, "window.told.map(n => `${n.title}: ${n.body}`)")
}

// another is one more tab of the same browser, with nothing in it.
func (d *desk) another() *desk {
	d.t.Helper()
	ctx, cancel := chromedp.NewContext(d.ctx)
	d.t.Cleanup(cancel)
	return &desk{&tab{d.t, ctx}}
}

// TestConsoleNotifies: leave is asked for by the switch alone; each session that
// begins to wait is told once by all tabs of a browser together, with one sound,
// those that waited before are not; a click opens the session.
func TestConsoleNotifies(t *testing.T) {
	p := start(t, t.TempDir())
	newNamedVisitor(t, p.page, p.key, "Early", "").ask("m0", "I want to talk to a human")
	a := operateObserved(p, &desk{&tab{t, browsertest.New(t)}}, browser.PermissionSettingGranted)
	a.await(`document.title == "(1) Parley console"`)
	if n := eval[int](a.tab, `window.asked`); n != 0 {
		t.Errorf("leave was asked for %d times before anybody pressed the switch", n)
	}
	a.do(chromedp.Click(chromedp.CSS(`[aria-label="Notifications are off"]`)))
	a.turn("Notify me", true)
	a.turn("Play a sound", true)
	a.await(`window.asked == 1 && window.notes == 2`) // turned on, the sound is heard
	b := operateObserved(p, a.another(), browser.PermissionSettingGranted)
	b.await(`document.querySelector('[aria-label="Notifications are on"]') && document.title == "(1) Parley console"`)

	noor := newNamedVisitor(t, p.page, p.key, "Noor", "")
	noor.ask("m1", "Where is <b>my</b> parcel? I want to talk to a human")
	both := func(expression string) {
		t.Helper()
		a.await(expression)
		b.await(expression)
	}
	all := func(want ...string) {
		t.Helper()
		got := append(a.told(), b.told()...)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("the tabs told %q, want %q", got, want)
		}
		if n := eval[int](a.tab, `window.notes`) + eval[int](b.tab, `window.notes`); n != 2+2*len(want) {
			t.Errorf("%d notes were played, want two for each of %d notifications and of the trial", n, len(want))
		}
	}
	both(`document.title == "(2) Parley console"`)
	both(`document.querySelector("link[data-count]")?.dataset.count == "2"`)
	// What a second tab would tell too late would come before what it tells of the next.
	newNamedVisitor(t, p.page, p.key, "Jonas", "").ask("m2", "Connect me to an operator")
	both(`document.title == "(3) Parley console"`)
	newNamedVisitor(t, p.page, p.key, "Mira", "").ask("m3", "I want to talk to a human")
	both(`document.title == "(4) Parley console"`)
	settled := func() bool {
		return len(a.told())+len(b.told()) >= 3 && eval[int](a.tab, `window.notes`)+eval[int](b.tab, `window.notes`) >= 8
	}
	waitFor(t, "three notifications and their sounds", settled)
	const asked = "I want to talk to a human"
	all("Jonas waits for a person: Connect me to an operator", "Mira waits for a person: "+asked,
		"Noor waits for a person: Where is <b>my</b> parcel? "+asked)

	teller := a
	if len(b.told()) > 0 {
		teller = b
	}
	name := strings.Fields(teller.told()[0])[0]
	eval[chromedp.Void](teller.tab, `window.told[0].it.dispatchEvent(new Event("click"))`)
	teller.await(fmt.Sprintf(`document.querySelector(".session-head h2")?.innerText == %q && location.hash.startsWith("#/session/")`, name))
}

// TestConsoleNotifiesAgain: who was answered, was handed back and asks once more
// is told once more; what is told of somebody who has been answered goes away.
func TestConsoleNotifiesAgain(t *testing.T) {
	p := start(t, t.TempDir())
	o := operateObserved(p, &desk{&tab{t, browsertest.New(t)}}, browser.PermissionSettingGranted)
	o.awaitShown("Nobody waits for a person.")
	o.do(chromedp.Click(chromedp.CSS(`[aria-label="Notifications are off"]`)))
	o.turn("Notify me", true)
	v := visit(t, browsertest.New(t), p.page)
	v.ask("I want to talk to a human")
	o.await(`window.told.length == 1`)
	eval[chromedp.Void](o.tab, `window.told[0].it.close = () => (window.gone = true)`)
	o.open("")
	o.write("Here I am.")
	o.await(`window.gone`)
	handBack := func() {
		t.Helper()
		o.press("Hand back")
		o.awaitChips("Open", "AI answers")
		o.awaitShown("Nobody waits for a person.")
	}
	handBack()
	eval[chromedp.Void](o.tab, `location.hash = "#/"`)
	v.ask("Connect me to an operator")
	o.await(`window.told.length == 2`)
	o.open("")
	handBack()
	v.ask("I want to talk to a human") // in sight of the operator
	o.awaitChips("Open", "Waits for a person")
	o.await(`document.title == "(1) Parley console"`)
	newNamedVisitor(t, p.page, p.key, "Noor", "").ask("m1", "Connect me to an operator")
	o.await(`window.told.length >= 3`)
	if told := o.told(); told[2] != "Noor waits for a person: Connect me to an operator" || len(told) != 3 {
		t.Errorf("the console told %q, want nothing of the session that is looked at", told)
	}
	if n := eval[int](o.tab, `window.notes`); n != 0 {
		t.Errorf("%d notes were played with the sound off", n)
	}
}

// TestConsoleNotifiesInBackground: while the tab is behind another, the number of
// those who wait is kept, and a visitor's message to the operator is told.
func TestConsoleNotifiesInBackground(t *testing.T) {
	p := start(t, t.TempDir())
	o := operateObserved(p, &desk{&tab{t, browsertest.New(t)}}, browser.PermissionSettingGranted)
	o.do(chromedp.Click(chromedp.CSS(`[aria-label="Notifications are off"]`)))
	o.turn("Notify me", true)
	v := visit(t, browsertest.New(t), p.page)
	v.ask("I want to talk to a human")
	o.open("")
	o.write("Here I am.")
	v.awaitMessages("human", "Here I am.")
	v.ask("Before.")
	o.awaitMessages("visitor", "I want to talk to a human", "Before.")
	o.await(`document.querySelector(".items .open") || document.body.innerText.includes("Nobody waits")`)

	// Headless Chromium says of no tab that it is hidden, whichever is in front.
	eval[chromedp.Void](o.tab, `(async () => {
		const { fetch } = window;
		const held = new Promise((resolve) => {
			window.fetch = (url, ...rest) => {
				const answer = fetch(url, ...rest);
				if (String(url).includes("operator=")) answer.then((r) => r.clone().text()).then(resolve);
				return answer;
			};
		});
		Object.defineProperty(document, "hidden", { value: true, configurable: true });
		document.hasFocus = () => false;
		document.dispatchEvent(new Event("visibilitychange"));
		await held; // what is news from now on is known
	})()`)
	v.ask("Are you still there?")
	newNamedVisitor(t, p.page, p.key, "Noor", "").ask("m1", "Connect me to an operator")
	eval[chromedp.Void](o.tab, `dispatchEvent(new Event("online"))`) // looks now and not within 30 s
	o.await(`document.title == "(1) Parley console"`)
	o.await(`window.told.length >= 3`)
	got := strings.Join(o.told()[1:], "\n") + "\n"
	if strings.Count(got, "\n") != 2 || !strings.Contains(got, " waits for a person: Connect me to an operator\n") || !strings.Contains(got, " wrote to you: Are you still there?\n") {
		t.Errorf("told %q in the background, want who waits and who wrote", got)
	}
}

// TestConsoleNotAllowed: where the browser shows no notifications, the button and
// the switch say why; once it does, they say that.
func TestConsoleNotAllowed(t *testing.T) {
	p := start(t, t.TempDir())
	o := operateObserved(p, &desk{&tab{t, browsertest.New(t)}}, browser.PermissionSettingDenied)
	o.do(chromedp.Click(chromedp.CSS(`[aria-label="Notifications are blocked by the browser"]`)))
	o.awaitShown("This browser blocks notifications of this page.")
	browsertest.Audit(t, o.ctx, "denied")
	o.permit(browser.PermissionSettingGranted)
	o.await(`!document.body.innerText.includes("This browser blocks")`)
	o.do(chromedp.EmulateViewport(1440, 900))
	o.turn("Notify me", true)
	o.await(`document.querySelector('[aria-label="Notifications are on"]')`)
	browsertest.Audit(t, o.ctx, "on")
	o.do(chromedp.EmulateViewport(1440, 900))
	o.turn("Notify me", false)
	o.do(chromedp.Reload())
	o.await(`document.querySelector('[aria-label="Notifications are off"]')`)

	if _, err := chromedp.Call(o.ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: `delete window.Notification`}); err != nil {
		t.Fatal(err)
	}
	o.do(chromedp.Reload())
	o.await(`document.querySelector('[aria-label="Notifications are not possible in this browser"]')`)
	eval[chromedp.Void](o.tab, `document.querySelector('[aria-label^="Notifications are"]').click()`)
	o.awaitShown("This browser shows no notifications of web pages.")
	o.turn("Play a sound", true)
	o.await(`document.querySelector("[aria-label='Notifications are not possible in this browser']") && window.notes == 2`)
}

// TestConsoleLeft: a visitor who asks for a person and closes the tab waits on,
// and the console says since when the page is gone, until the visitor is back.
func TestConsoleLeft(t *testing.T) {
	p := start(t, t.TempDir())
	o := operate(t, p, p.private)
	v := visit(t, browsertest.New(t), p.page)
	v.ask("I want to talk to a human")
	o.open("")
	o.awaitChips("Open", "Waits for a person")
	ctx, cancel := chromedp.NewContext(v.ctx)
	t.Cleanup(cancel)
	back := &tab{t, ctx}
	back.do(chromedp.Navigate("about:blank"))
	if _, err := chromedp.Call(v.ctx, page.Close, cdp.Empty{}); err != nil {
		t.Fatal(err)
	}
	o.await(`document.querySelector(".items .left")?.innerText.startsWith("left the page ")`)
	o.await(`document.querySelector(".lists [aria-current]").innerText.startsWith("Waiting")`)
	o.await(`document.querySelector(".session-head .state-chip.left")?.innerText.startsWith("left the page ")`)
	o.await(`[...document.querySelectorAll(".about dd")].some(e => e.innerText.startsWith("left the page "))`)
	browsertest.Audit(t, o.ctx, "left")
	back = visit(t, ctx, p.page)
	back.awaitMessages("me", "I want to talk to a human")
	o.await(`!document.querySelector(".items .left") && !document.querySelector(".state-chip.left")`)
	o.awaitChips("Open", "Waits for a person")
}

// TestConsoleLink: a link to a session opens it, after signing in where that is
// needed; one that names none leads to the inbox and says so.
func TestConsoleLink(t *testing.T) {
	p := start(t, t.TempDir())
	session := newVisitor(t, p.page, p.key).ask("m1", "I want to talk to a human").session
	o := &desk{&tab{t, browsertest.New(t)}}
	link := "#/session/" + session
	o.do(chromedp.EmulateViewport(1440, 900), chromedp.Navigate(p.page+"/console/"+link))
	o.signIn("sk_test_" + strings.Repeat("A", 26))
	o.awaitShown("This key is unknown, or has been removed.")
	o.signIn(p.private)
	o.awaitMessages("visitor", "I want to talk to a human")
	if got := eval[string](o.tab, `location.hash`); got != link {
		t.Errorf("the address is %s after signing in, want %s", got, link)
	}
	for _, bad := range []string{"%", "..", "%2e%2e", "..%2Ffigures", "s0", "%3Cimg%20src=x%20onerror=window.run=1%3E"} {
		eval[chromedp.Void](o.tab, fmt.Sprintf(`document.querySelector(".toast").textContent = ""; location.hash = %q`, "#/session/"+bad))
		o.await(`document.querySelector(".toast").textContent == "This session does not exist any more." && document.querySelector(".shell").dataset.view == "inbox"`)
	}
	if eval[bool](o.tab, `window.run !== undefined`) {
		t.Error("an address was run")
	}
	eval[chromedp.Void](o.tab, fmt.Sprintf(`location.hash = %q`, link))
	o.awaitMessages("visitor", "I want to talk to a human")
}
