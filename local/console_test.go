package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"parley/shared/browsertest"
)

// TestTwoPeople is a visitor and an operator, each in a browser of their own:
// the AI answers, the operator sees it write and takes over in the middle,
// replies, notes, hands back, resolves and in the end blocks.
func TestTwoPeople(t *testing.T) {
	m := newModel(t)
	p := start(t, t.TempDir(), m.env()...)
	o := operate(t, p, p.private)
	o.awaitShown("Nobody waits for a person.")
	v := visit(t, browsertest.New(t), p.page)

	v.ask("Where is my order?")
	m.says <- "Your order is "
	v.awaitText("Your order is")
	o.list("AI")
	o.open("Where is my order?")
	o.await(`document.querySelector(".message.ai[data-state=live] .text")?.innerText == "Your order is"`)
	m.says <- "on its way "
	o.await(`document.querySelector(".message.ai[data-state=live] .text")?.innerText == "Your order is on its way"`)
	v.awaitMessages("ai", "Your order is on its way")

	o.do(chromedp.Focus(chromedp.CSS(".session-actions .primary")))
	o.press("Take over")
	o.awaitChips("Open", "You answer")
	m.untilLeft("and will never arrive")
	v.awaitText("has taken over the conversation")
	o.awaitShown("Stopped: a person took over")
	o.await(`document.activeElement.closest(".session-actions")`)

	o.write("Hello, I am *Ada*.")
	v.awaitMessages("human", "Hello, I am Ada.")
	o.awaitMessages("human", "Hello, I am Ada.")
	o.mode("note")
	o.write("The parcel is lost, I think.")
	o.awaitMessages("note", "The parcel is lost, I think.")
	o.mode("reply")
	o.write("I am looking.")
	v.awaitMessages("human", "Hello, I am Ada.", "I am looking.")
	v.awaitMessages("ai", "Your order is on its way")
	v.ask("Thank you!")
	o.awaitMessages("visitor", "Where is my order?", "Thank you!")
	if text := eval[string](v, `document.body.innerText`); strings.Contains(text, "parcel") {
		t.Errorf("the visitor sees the note: %s", text)
	}

	o.press("Hand back")
	o.awaitChips("Open", "AI answers")
	v.awaitText("answers again")
	v.ask("And when does it arrive?")
	m.says <- "On Monday."
	m.says <- ""
	v.awaitMessages("ai", "Your order is on its way", "On Monday.")
	o.awaitMessages("ai", "Your order is on its way", "On Monday.")

	o.press("Resolve")
	o.awaitChips("Resolved")
	v.awaitText("marked as resolved")
	o.awaitShown("They <b>found</b> it.")
	o.await(`[...document.querySelectorAll(".review .state-chip")].map(e => e.innerText).join() == "Matter settled,Positive mood,parcels"`)
	o.list("Resolved")
	o.await(`document.querySelector(".items .open[aria-current]")`)
	v.ask("One more thing.")
	m.says <- "Yes?"
	m.says <- ""
	o.awaitChips("Open", "AI answers")
	o.awaitMessages("ai", "Your order is on its way", "On Monday.", "Yes?")

	o.press("More actions")
	o.press("Block visitor…")
	o.press("Cancel")
	o.press("More actions")
	o.press("Block visitor…")
	o.press("Block")
	o.awaitChips("Open", "AI answers", "Blocked")
	v.ask("Are you there?")
	v.awaitText("You can no longer write here.")
	o.press("More actions")
	o.press("Let visitor in again")
	o.awaitChips("Open", "AI answers")
	if n := m.calls.Load(); n != 3 {
		t.Errorf("the model was called %d times, want 3", n)
	}
}

// TestConsoleWaiting: a visitor who asks for a person is counted, waits in the
// list until somebody writes, and a note is not an answer.
func TestConsoleWaiting(t *testing.T) {
	p := start(t, t.TempDir())
	o := operate(t, p, p.private)
	v := visit(t, browsertest.New(t), p.page)
	v.ask("I want to talk to a human")
	o.await(`document.title == "(1) Parley console"`)
	o.open("")
	o.awaitChips("Open", "Waits for a person")
	o.awaitShown("A person was asked for")
	o.mode("note")
	o.write("Who takes this?")
	o.awaitMessages("note", "Who takes this?")
	o.awaitChips("Open", "Waits for a person")
	o.mode("reply")
	o.write("Here I am.")
	o.awaitChips("Open", "You answer")
	v.awaitMessages("human", "Here I am.")
	o.awaitShown("Nobody waits for a person.")
	o.await(`document.title == "Parley console"`)

	v.do(chromedp.Click(chromedp.CSS(".stars label:nth-of-type(4)")), chromedp.SendKeys(chromedp.CSS(".rating textarea"), "Kind <b>people</b>."))
	v.press("Send rating")
	o.awaitShown("4 of 5 – “Kind <b>people</b>.”")
	o.do(chromedp.Click(chromedp.CSS(`.bar a[href="#/figures"]`)))
	tile := func(name, value string) {
		t.Helper()
		o.await(fmt.Sprintf(`[...document.querySelectorAll(".tile")].some(e => e.querySelector("dt").innerText == %q && e.querySelector("dd").firstChild.data == %q)`, name, value))
	}
	tile("CSAT", "4.00")
	tile("Answered by people", "1")
	tile("Within 5 minutes", "100 %")
	o.awaitShown("Kind <b>people</b>.")
	o.await(`document.querySelector("svg.bars[aria-label='1 rating, 4.00 of 5 on average'] .score-4")`)
	o.await(`[...document.querySelectorAll(".as-table tr:last-child")].some(r => [...r.cells].map(c => c.textContent).join() == "In all,0,0,0,1,0,4.00")`)
	o.do(chromedp.Click(chromedp.CSS(".figures-head label")))
	o.await(`document.querySelector("svg.bars").querySelectorAll("g").length == 7`)
	browsertest.Audit(t, o.ctx, "figures")
	o.press("Open session")
	o.awaitMessages("human", "Here I am.")
}

// TestConsoleVisitor: who the visitor is, where they are and what their browser
// said stands beside the session. With -update it is the picture in the docs.
func TestConsoleVisitor(t *testing.T) {
	p := start(t, t.TempDir())
	ask := func(name string, questions ...string) {
		t.Helper()
		v := newNamedVisitor(t, p.page, p.key, name, strings.ToLower(name)+"@example.com")
		session := ""
		for i, q := range questions {
			m := map[string]any{"messageId": fmt.Sprintf("%s-%d", name, i), "content": q, "language": "en",
				"page":     map[string]string{"url": "https://shop.example/checkout?step=2", "title": "Checkout"},
				"metadata": map[string]string{"plan": "Team", "seats": "20"}}
			if session != "" {
				m["sessionId"] = session
			}
			session = v.send(m).rest().session
		}
	}
	ask("Noor", "Which files can a visitor attach?")
	ask("Jonas", "Connect me to an operator")
	ask("Mira", "What happens to an answer when my connection drops?", "Thanks! I want to talk to a human about our contract.")
	o := operate(t, p, p.private)
	o.await(`document.title == "(2) Parley console"`)
	if names := eval[[]string](o.tab, `[...document.querySelectorAll(".items .name")].map(e => e.innerText)`); !slices.Equal(names, []string{"Mira", "Jonas"}) {
		t.Errorf("waiting are %q, want the newest first", names)
	}
	o.open("Mira")
	o.await(`document.querySelector(".items [aria-current] .name").innerText == "Mira" && !document.querySelector(".items .unread[aria-current]")`)
	facts := eval[map[string]string](o.tab, `Object.fromEntries([...document.querySelectorAll(".about dl > div")].map(e => [e.firstChild.innerText, e.lastChild.innerText]))`)
	for name, want := range map[string]string{"E-mail": "mira@example.com", "plan": "Team", "seats": "20", "Agent": "Guide", "Channel": "native", "Messages": "4", "Now": "Waits for a person"} {
		if facts[name] != want {
			t.Errorf("the console says %q of %s, want %q; it says %q", facts[name], name, want, facts)
		}
	}
	o.awaitShown("Not verified")
	link := eval[[]string](o.tab, `(a => [a.innerText, a.href, a.rel])(document.querySelector(".about .page a"))`)
	if want := []string{"Checkout", "https://shop.example/checkout?step=2", "noopener noreferrer"}; !slices.Equal(link, want) {
		t.Errorf("the page is %q, want %q", link, want)
	}
	o.mode("note")
	o.write("Renewal is due in May, see the contract.")
	o.awaitMessages("note", "Renewal is due in May, see the contract.")
	o.mode("reply")
	if *update {
		browsertest.Screenshot(t, o.ctx, "../docs/console.png")
	}
}

// TestConsoleReload: a reload shows the same session, half a reply and the other
// half of one being written, and asks for no key; a new tab does.
func TestConsoleReload(t *testing.T) {
	m := newModel(t)
	p := start(t, t.TempDir(), m.env()...)
	v := visit(t, browsertest.New(t), p.page)
	v.ask("Tell me a story.")
	m.says <- "Once upon a time "
	o := operate(t, p, p.private)
	o.list("AI")
	o.open("Tell me a story.")
	o.awaitMessages("ai", "Once upon a time")
	o.do(chromedp.SendKeys(chromedp.CSS(".session .composer textarea"), "Half a re"))
	o.do(chromedp.Reload())
	o.awaitMessages("ai", "Once upon a time")
	o.await(`document.querySelector(".session .composer textarea").value == "Half a re"`)
	m.says <- "there was a bridge."
	m.says <- ""
	o.awaitMessages("ai", "Once upon a time there was a bridge.")
	if address := eval[string](o.tab, `location.href`); strings.Contains(address, "sk_") {
		t.Errorf("the key is in the address %s", address)
	}
	if n := eval[int](o.tab, `Object.keys(localStorage).filter(k => JSON.stringify(localStorage[k]).includes("sk_")).length`); n != 0 {
		t.Error("the key outlives the tab")
	}

	ctx, cancel := chromedp.NewContext(o.ctx)
	t.Cleanup(cancel)
	other := &desk{&tab{t, ctx}}
	other.do(chromedp.Navigate(p.page + "/console/"))
	other.await(`document.querySelector("#key")`)

	o.press("Sign out")
	o.await(`document.querySelector("#key")`)
	o.do(chromedp.Reload())
	o.await(`document.querySelector("#key")`)
	if n := eval[int](o.tab, `sessionStorage.length`); n != 0 {
		t.Errorf("%d things are kept after signing out", n)
	}
}

// TestConsoleKeys: what is no key, an unknown one, one that may only read, and
// one that is revoked while the console is open.
func TestConsoleKeys(t *testing.T) {
	p := start(t, t.TempDir())
	newVisitor(t, p.page, p.key).ask("m1", "What is Parley?")
	o := &desk{&tab{t, browsertest.New(t)}}
	o.do(chromedp.Navigate(p.page + "/console/"))
	browsertest.Audit(t, o.ctx, "sign in")
	o.signIn("pk_test_something")
	o.awaitShown("This is no private key")
	o.signIn("sk_test_" + strings.Repeat("A", 26))
	o.awaitShown("This key is unknown, or has been removed.")
	o.await(`document.activeElement.id == "key"`)
	browsertest.Audit(t, o.ctx, "refused")

	_, manager := p.newKey("manage")
	o.signIn(manager)
	o.awaitShown("This key may not read the inbox.")
	id, reader := p.newKey("read")
	o.signIn(reader)
	o.list("AI")
	o.open("")
	o.awaitShown("Your key may read only.")
	if n := eval[int](o.tab, `document.querySelectorAll(".session-actions button, .menu button").length`); n != 0 {
		t.Errorf("%d actions are offered to a key that may only read", n)
	}
	p.call(p.private, "DELETE", "/project/private-keys/"+id, nil, nil)
	o.awaitShown("You were signed out: the key does not count any more.")
	o.await(`document.querySelector("#key")`)
	if left := eval[string](o.tab, `JSON.stringify(sessionStorage)`); strings.Contains(left, "sk_") {
		t.Errorf("the revoked key is kept: %s", left)
	}
}

// TestConsoleHostileText: nothing that a visitor, their browser or a model says
// becomes markup in the console, and none of it pushes anything out of the window.
func TestConsoleHostileText(t *testing.T) {
	m := newModel(t)
	p := start(t, t.TempDir(), m.env()...)
	v := newNamedVisitor(t, p.page, p.key, hostile, "a@b.example")
	long := hostile + strings.Repeat("long", 500) + " مرحبا بالعالم \u202eabc\u202c \U0001f469\U0001f3fd\u200d\U0001f680"
	s := v.send(map[string]any{"messageId": "m1", "content": long,
		"page":     map[string]string{"url": "javascript:window.run=6", "title": hostile},
		"metadata": map[string]string{"<img src=x onerror=window.run=7>": hostile}})
	o := operate(t, p, p.private)
	m.says <- long
	m.says <- ""
	s.rest()
	o.list("AI")
	o.open("img src=x")
	o.await(`document.querySelector(".message.ai[data-state=done]")`)
	o.awaitShown("\U0001f469\U0001f3fd\u200d\U0001f680")
	for _, selector := range []string{".inbox", ".session", ".about"} {
		inside := eval[[]string](o.tab, fmt.Sprintf(`(() => {
			const bad = [...document.querySelectorAll(%q + " :is(script, img, iframe, [onerror], [href^='javascript:' i])")];
			bad.forEach((e) => e.click());
			return bad.map((e) => e.outerHTML).concat(window.run === undefined ? [] : ["run " + window.run]);
		})()`, selector))
		if len(inside) > 0 {
			t.Errorf("hostile text became %q in %s", inside, selector)
		}
	}
	texts := eval[[]string](o.tab, `[...document.querySelectorAll(".message.visitor .text")].map(e => e.textContent)`)
	if len(texts) != 1 || texts[0] != long {
		t.Errorf("the visitor's words are shown as %.80q, want them as they were typed", texts)
	}
	browsertest.Audit(t, o.ctx, "hostile")
	o.write("Hi")
	browsertest.Audit(t, o.ctx, "answered")
}

// TestConsoleKeyboard: everything that matters can be done without a mouse, and
// the focus is never lost.
func TestConsoleKeyboard(t *testing.T) {
	p := start(t, t.TempDir())
	newVisitor(t, p.page, p.key).ask("m1", "I want to talk to a human")
	newVisitor(t, p.page, p.key).ask("m2", "Connect me to an operator")
	o := &desk{&tab{t, browsertest.New(t)}}
	o.do(chromedp.EmulateViewport(1440, 900), chromedp.Navigate(p.page+"/console/"))
	focused := func(what string) {
		t.Helper()
		o.await(fmt.Sprintf(`document.activeElement.matches(%q)`, what))
	}
	focused("#key")
	o.key(p.private)
	o.enter()
	o.await(`document.querySelectorAll(".items .open").length == 2`)
	tabTo := func(what string) {
		t.Helper()
		for range 40 {
			o.key(kb.Tab)
			if eval[bool](o.tab, fmt.Sprintf(`document.activeElement.matches(%q)`, what)) {
				return
			}
		}
		t.Fatalf("Tab does not lead to %s", what)
	}
	tabTo(".items .open")
	o.key(kb.ArrowDown)
	focused(".items li:nth-child(2) .open")
	o.key(kb.ArrowUp)
	focused(".items li:nth-child(1) .open")
	o.enter()
	focused(".composer textarea")
	o.key("Hello.")
	o.enter()
	o.awaitMessages("human", "Hello.")
	o.awaitChips("Open", "You answer")
	focused(".composer textarea")
	o.key(kb.Escape)
	focused(".items .open")
	tabTo(".menu-frame button")
	o.enter()
	focused(".menu li:first-child button")
	o.key(kb.ArrowUp)
	focused(".menu li:last-child button")
	o.key(kb.Escape)
	focused(".menu-frame > button")
	o.enter()
	o.key(kb.ArrowUp)
	o.enter()
	focused("dialog button")
	o.key(kb.Escape)
	o.await(`!document.querySelector("dialog")`)
	o.awaitChips("Open", "You answer")
	if live := eval[string](o.tab, `document.querySelector(".bar nav [aria-current=page]").textContent`); live != "Inbox" {
		t.Errorf("the page that is shown is %q", live)
	}
}

// TestConsolePhone: on a narrow screen one thing is shown at a time, and back
// leads to the list.
func TestConsolePhone(t *testing.T) {
	p := start(t, t.TempDir())
	newVisitor(t, p.page, p.key).ask("m1", "I want to talk to a human")
	o := operate(t, p, p.private)
	o.open("")
	o.do(chromedp.EmulateViewport(375, 740))
	seen := func(want ...string) {
		t.Helper()
		for _, part := range []string{"inbox", "session", "about"} {
			shown := false
			for _, w := range want {
				shown = shown || w == part
			}
			o.await(fmt.Sprintf(`document.querySelector(".%s").checkVisibility() == %v`, part, shown))
		}
	}
	seen("session")
	o.press("About the visitor")
	seen("session", "about")
	o.await(`document.activeElement.ariaLabel == "Close"`)
	o.press("Close")
	seen("session")
	o.press("Back to the inbox")
	seen("inbox")
	o.open("")
	seen("session")
	o.do(chromedp.NavigateBack())
	seen("inbox")
}

// TestConsoleServerKey: with a key of the project's server it can be chosen who
// acts, and the choice outlives a reload and not the person.
func TestConsoleServerKey(t *testing.T) {
	p := start(t, t.TempDir())
	v := visit(t, browsertest.New(t), p.page)
	v.ask("I want to talk to a human")
	v.awaitText("A person will answer here")
	for _, o := range []object{{"id": "ada", "name": "Ada <b>Lovelace</b>"}, {"id": "bo", "name": "Bo"}} {
		p.call(p.private, "PUT", "/operators/"+o["id"].(string), object{"name": o["name"]}, nil)
	}
	_, key := p.newKey("read", "reply")
	o := operate(t, p, key)
	o.open("")
	o.write("From the team.")
	v.awaitMessages("human", "From the team.")
	eval[chromedp.Void](o.tab, `(s => { s.value = "ada"; s.dispatchEvent(new Event("change")) })(document.querySelector(".acting select"))`)
	o.await(`document.querySelector(".acting select")?.value == "ada" && document.querySelector(".session .composer:not([hidden])")`)
	o.awaitChips("Open", "A person answers")
	o.press("Take over")
	o.awaitChips("Open", "You answer")
	o.write("From Ada.")
	v.awaitMessages("human", "From the team.", "From Ada.")
	v.awaitText("Ada <b>Lovelace</b>")
	o.do(chromedp.Reload())
	o.awaitChips("Open", "You answer")
	p.call(p.private, "DELETE", "/operators/ada", nil, nil)
	o.await(`document.querySelector(".acting select")?.value == ""`)
	o.awaitChips("Open", "A person answers")
}

// TestConsoleFiles: files go both ways, and come down as they went up.
func TestConsoleFiles(t *testing.T) {
	m := newModel(t)
	p := start(t, t.TempDir(), m.env()...)
	v := visit(t, browsertest.New(t), p.page)
	attach(v, m)
	o := operate(t, p, p.private)
	o.list("AI")
	o.open("I see a bridge.")
	o.await(`document.querySelector(".message.visitor .files a")?.innerText.includes("bridge.txt")`)
	file := filepath.Join(t.TempDir(), "plan.csv")
	if err := os.WriteFile(file, []byte("span,length\nmain,310\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	bad := filepath.Join(t.TempDir(), "tool.exe")
	if err := os.WriteFile(bad, []byte("MZ"), 0o600); err != nil {
		t.Fatal(err)
	}
	o.do(chromedp.SetUploadFiles(chromedp.CSS(".composer input[type=file]"), []string{file, bad}))
	o.await(`document.querySelector(".upload[data-state=done]") && document.querySelector(".upload[data-state=failed]")`)
	browsertest.Audit(t, o.ctx, "files")
	o.do(chromedp.EmulateViewport(1440, 900))
	o.press("Remove tool.exe")
	o.mode("note") // which carries none
	o.write("I send the plan.")
	o.awaitMessages("note", "I send the plan.")
	o.mode("reply")
	o.write("Here it is.")
	v.await(`document.querySelector(".message.human .files a")?.innerText.includes("plan.csv")`)
	o.await(`document.querySelector(".message.human .files a")?.innerText.includes("plan.csv") && !document.querySelector(".upload")`)
	got := eval[string](o.tab, `fetch(document.querySelector(".message.human .files a").href).then((r) => r.text())`)
	if got != "span,length\nmain,310\n" {
		t.Errorf("the file comes down as %q", got)
	}
}

// TestConsoleNumber: an operator finds a session by the number that its visitor
// reads out, whichever list it is in.
func TestConsoleNumber(t *testing.T) {
	p := start(t, t.TempDir())
	newVisitor(t, p.page, p.key).ask("m1", "What is Parley?")
	newVisitor(t, p.page, p.key).ask("m2", "Who makes it?")
	o := operate(t, p, p.private)
	o.list("AI")
	o.await(`document.querySelectorAll(".items .open").length == 2`)
	choose := func(n int) {
		eval[bool](o.tab, fmt.Sprintf(`(document.querySelectorAll(".items .open")[%d].click(), true)`, n))
	}
	choose(0)
	shown := `([...document.querySelectorAll(".about dt")].find(e => e.innerText == "Number")?.nextSibling.innerText ?? "")`
	o.await(`/^\d{4} \d{4} \d{4}$/.test(` + shown + `)`)
	number := eval[string](o.tab, shown)
	choose(1)
	o.await(`/^\d{4} \d{4} \d{4}$/.test(` + shown + `) && ` + shown + ` != "` + number + `"`)
	o.list("Spam")
	o.await(`document.querySelectorAll(".items .open").length == 0`)
	find := func(number string) {
		t.Helper()
		o.do(chromedp.SetValue(".find input", number), chromedp.Focus(".find input"))
		o.enter()
	}
	find(strings.ReplaceAll(number, " ", "-"))
	o.await(shown + ` == "` + number + `"`)
	o.await(`document.querySelector(".find input").value == ""`)
	for _, wrong := range []string{"1000 0000 0000", "twelve"} {
		find(wrong)
		o.awaitShown("No session has this number.")
		find(number)
		o.await(`document.querySelector(".find input").value == "" && !document.body.innerText.includes("No session has this number.")`)
	}
	browsertest.Audit(t, o.ctx, "found")
}
