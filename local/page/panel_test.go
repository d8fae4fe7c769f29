package page_test

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"parley/shared/browsertest"
)

func TestHistory(t *testing.T) {
	r := newRig(t)
	b := visit(t, r)
	b.press("Conversations")
	b.awaitText("No conversations yet.") // nobody is a visitor before the first message
	b.press("Back to the chat")
	b.ask("say **hello**")
	b.replies(1)
	var ids []string
	for i := range 21 {
		m := r.call(t, b.token(), "POST", "/chat", object{"messageId": fmt.Sprint("m", i), "content": fmt.Sprint("say ", i)})
		ids = append(ids, m["session"].(object)["id"].(string))
	}
	r.call(t, b.token(), "POST", "/csat", object{"sessionId": ids[19], "score": 4})
	r.call(t, b.token(), "POST", "/close", object{"key": "pk_test_demo", "token": b.token(), "session": ids[18]})
	b.press("Conversations")
	b.press("Show more")
	b.await(`document.querySelectorAll(".items .open").length == 22`)
	got := eval[[]string](b, `[...document.querySelectorAll(".items .open")].map(e => e.innerText.replace(/\s+/g, " "))`)
	slices.Sort(got[:3]) // a rating is activity, too, and comes first
	want := []string{"18 now Closed", "19 now Rated 4 of 5", "20 now"}
	if !slices.Equal(got[:3], want) || got[21] != "hello now Open now" {
		t.Errorf("the conversations are listed as %q, want %q first", got, want)
	}
	b.press("Erase “7”")
	b.await(`document.activeElement.innerText == "Keep"`)
	b.key(kb.Escape)
	b.await(`document.activeElement.ariaLabel == "Erase “7”"`)
	b.press("Erase “7”")
	b.press("Erase")
	b.await(`document.querySelectorAll(".items li").length == 21`)
	b.press("Erase “hello”") // which is the one that is open
	b.press("Erase")
	b.await(`document.querySelectorAll(".items li").length == 20`)
	if left := r.sessions(t, b.token()); len(left) != 20 || slices.Contains(left, ids[7]) {
		t.Errorf("%d conversations are left, want 20 without the erased", len(left))
	}
	first := eval[string](b, `document.querySelector(".items .preview").innerText`)
	b.do(chromedp.Click(chromedp.CSS(".items .open")))
	b.await(`document.querySelector(".rows .ai .text")?.innerText == ` + strconv.Quote(first))
	b.press("New conversation")
	b.awaitText("What is Parley?")
}

func TestRating(t *testing.T) {
	r := newRig(t)
	b := visit(t, r)
	b.ask("say hello")
	b.await(`document.querySelector(".rating").checkVisibility()`)
	b.do(chromedp.Focus(chromedp.CSS(".stars input")))
	b.key(" ")
	b.key(kb.ArrowRight)
	b.key(kb.ArrowRight)
	if n := len(r.api.calls("POST /csat")); n != 0 {
		t.Errorf("choosing sent %d ratings, want none before it is sent", n)
	}
	b.key(kb.Tab)
	b.do(chromedp.KeyEvent("Nice"))
	b.press("Send rating")
	b.awaitText("You gave 3 of 5.")
	b.press("Change")
	b.await(`document.querySelector(".more textarea").value == "Nice" && document.querySelector(".stars input:checked").value == 3`)
	b.do(chromedp.Click(chromedp.CSS(".stars label:nth-of-type(5)")))
	r.api.refuseNext("POST /csat", problem{Status: 403, Code: "csat_off"})
	b.press("Send rating")
	b.awaitText("This conversation cannot be rated.")
	b.press("Send rating")
	b.awaitText("You gave 5 of 5.")
	b.do(chromedp.Reload())
	b.awaitText("You gave 5 of 5.")
	stored := r.call(t, b.token(), "GET", "/csat/"+r.sessions(t, b.token())[0], nil)["rating"].(object)
	if stored["score"] != 5.0 || stored["feedback"] != "Nice" {
		t.Errorf("stored is %v, want 5 and Nice", stored)
	}
}

// write makes files with these contents and returns their paths, sorted.
func write(t *testing.T, contents map[string]string) (paths []string) {
	t.Helper()
	dir := t.TempDir()
	for name, content := range contents {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	slices.Sort(paths)
	return paths
}

// pick chooses files in the dialog of the browser.
func (b *tab) pick(contents map[string]string) {
	b.t.Helper()
	b.do(chromedp.SetUploadFiles(chromedp.CSS("input[type=file]"), write(b.t, contents)))
}

// dot is a PNG of one pixel.
func dot(t *testing.T) string {
	t.Helper()
	var out bytes.Buffer
	if err := png.Encode(&out, image.NewGray(image.Rect(0, 0, 1, 1))); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestUploads(t *testing.T) {
	r := newRig(t)
	sink := r.bucket.hold("POST /attachments")
	b := visit(t, r)
	b.pick(map[string]string{"a.png": dot(t), "b.csv": "a,b\n"})
	b.await(`document.querySelectorAll("progress").length == 2`)
	b.do(chromedp.SendKeys(chromedp.CSS(".composer textarea"), "say thanks"))
	b.enter(0)
	b.awaitText("when the upload has finished")
	b.pick(map[string]string{"c.txt": "c"})
	b.press("Cancel upload of c.txt")
	b.await(`document.querySelectorAll(".upload").length == 2`)
	close(sink)
	b.await(`document.querySelectorAll(".upload[data-state=done]").length == 2`)
	b.enter(0)
	b.replies(1)
	b.await(`document.querySelector(".files img").naturalWidth == 1`)
	links := eval[[]string](b, `[...document.querySelectorAll(".files a")].map(a => a.href.replace(/files.*[/]/, "files/…/") + " " + a.rel)`)
	if want := []string{r.api.URL + "/files/…/a.png noopener noreferrer", r.api.URL + "/files/…/b.csv noopener noreferrer"}; !slices.Equal(links, want) {
		t.Errorf("the files are shown as %q, want %q", links, want)
	}
}

func TestRefusedUploads(t *testing.T) {
	r := newRig(t)
	b := visit(t, r)
	b.pick(map[string]string{"big.png": strings.Repeat("x", 1<<20+1), "empty.txt": "", "x.exe": "MZ", "false.png": "no picture"})
	for name, words := range map[string]string{
		"big.png":   "Files can have at most 1.0 MB.",
		"empty.txt": "This file is empty.",
		"x.exe":     "Files of this type are not taken.",
		"false.png": "This file is not what its name and type promise.",
	} {
		b.awaitText(words)
		b.press("Remove " + name)
	}
	r.api.refuseNext("POST /uploads", problem{Status: 429, Code: "uploads_limit", RetryAfter: 60})
	b.pick(map[string]string{"e.txt": "e"})
	b.awaitText("too many files for now")
	b.press("Try again to upload e.txt")
	b.await(`document.querySelector(".upload[data-state=done]")`)
	many := map[string]string{}
	for i := range 10 {
		many[fmt.Sprint(i, ".txt")] = "x"
	}
	b.pick(many)
	b.awaitText("at most 10 files")
	b.await(`document.querySelectorAll(".upload[data-state=done]").length == 10`)
}

func TestPasteAndDrop(t *testing.T) {
	r := newRig(t)
	b := visit(t, r)
	for _, event := range []string{
		`document.querySelector(".composer textarea").dispatchEvent(new ClipboardEvent("paste", {clipboardData: data("p.csv"), bubbles: true, cancelable: true}))`,
		`document.querySelector(".scroll").dispatchEvent(new DragEvent("drop", {dataTransfer: data("d.txt"), bubbles: true, cancelable: true}))`,
	} {
		eval[bool](b, `(() => {
			const data = (name) => {
				const d = new DataTransfer();
				d.items.add(new File(["x"], name, {type: name.endsWith("csv") ? "text/csv" : "text/plain"}));
				return d;
			};
			return `+event+`})()`)
	}
	b.await(`document.querySelectorAll(".upload[data-state=done]").length == 2`)
}

func TestKeyboard(t *testing.T) {
	r := newRig(t)
	b := visit(t, r)
	b.key(kb.Tab)
	b.do(chromedp.Focus(chromedp.CSS(".composer textarea")))
	b.do(chromedp.KeyEvent("two"))
	b.enter(chromedp.ModifierShift)
	b.do(chromedp.KeyEvent("lines"))
	b.enter(0)
	b.await(`document.querySelector(".rows .me .text")?.innerText == "two\nlines"`)
	b.awaitText("Runs and readers")
	b.press("Conversations")
	b.await(`document.activeElement.className == "open"`)
	b.key(kb.Escape)
	b.await(`document.activeElement.matches(".composer textarea")`)
	b.key(kb.Escape)
	b.await(`document.activeElement.className == "launcher" && !document.querySelector(".panel").checkVisibility()`)
	b.key(kb.Enter)
	b.await(`document.activeElement.matches(".composer textarea")`)
	b.do(chromedp.Reload())
	b.await(`document.querySelector(".rows .ai")`)
	// Tab reaches every control of the chat and the ring around it can be seen.
	b.do(chromedp.Focus(chromedp.CSS(".head button")))
	var seen []string
	for range 14 {
		b.key(kb.Tab)
		seen = append(seen, eval[string](b, `(e => e == document.body ? "" : (e.ariaLabel || e.name || e.innerText) + (getComputedStyle(e.tagName == "TEXTAREA" ? e.parentElement : e).outlineStyle == "none" && !e.matches("textarea, .stars input") ? " unseen" : ""))(document.activeElement)`))
	}
	all := strings.Join(seen, "|")
	for _, want := range []string{"Conversations", "Close chat", "Messages", "Copy code", "guide", "Runs and readers", "score", "Attach files", "Your message"} {
		if !strings.Contains(all, want) {
			t.Errorf("Tab does not reach %q, only %q", want, seen)
		}
	}
	if strings.Contains(all, "unseen") {
		t.Errorf("some focus cannot be seen: %q", seen)
	}
}

// The page at four widths, light and dark, in the states that a visitor meets:
// see browsertest.Audit for what is asked of each.
func TestAudit(t *testing.T) {
	r := newRig(t)
	b := visit(t, r)
	audit := func(state string) {
		t.Helper()
		browsertest.Audit(t, b.ctx, state)
	}
	audit("blank")
	gate := r.holdReplies()
	b.ask("How?")
	b.awaitText("is writing")
	b.ask("say a second")
	b.awaitText("Waiting for its turn")
	audit("writing")
	close(gate)
	b.awaitText("a second")
	b.await(`document.querySelector(".rating").checkVisibility()`)
	audit("answered")
	b.do(chromedp.Click(chromedp.CSS(".stars label:nth-of-type(2)")))
	audit("rating")
	b.press("Not now")
	b.ask("order")
	b.awaitText("Arrives on")
	b.ask("refund")
	b.await(`document.querySelector(".card form")`)
	audit("cards")
	b.ask("solve")
	b.awaitText("Did this help?")
	audit("did this help")
	b.do(chromedp.Click(chromedp.CSS(".stars label:nth-of-type(2)")))
	b.press("Send rating")
	b.awaitText("You gave")
	r.api.refuseNext("POST /chat", problem{Status: 413, Code: "too_large"}, problem{Status: 429, Code: "rate_limited", RetryAfter: 60})
	b.ask("refused")
	b.awaitText("too long")
	b.ask("limited")
	b.awaitText("Sending again")
	b.pick(map[string]string{"a.csv": "a,b", "b.exe": "MZ"})
	b.awaitText("not taken")
	b.await(`document.querySelector(".upload[data-state=done]")`)
	audit("refused")
	b.press("Conversations")
	b.await(`document.querySelector(".items .open")`)
	b.press("Erase “Turn it off and on.”")
	audit("history")
	b.press("Close chat")
	audit("closed")
}

func TestPhone(t *testing.T) {
	r := newRig(t)
	b := visit(t, r)
	b.do(chromedp.EmulateViewport(320, 568))
	b.await(`(r => r.top == 0 && r.left == 0 && r.width == innerWidth && r.height == innerHeight)(document.querySelector(".panel").getBoundingClientRect())`)
	b.await(`document.querySelector(".site").inert`)
	b.press("Close chat")
	b.await(`!document.querySelector(".site").inert`)
	b.do(chromedp.EmulateViewport(1280, 800))
	b.press("How do I deploy Parley to AWS?")
	b.await(`document.querySelector(".rows .me .text")?.innerText == "How do I deploy Parley to AWS?"`)
	b.await(`!document.querySelector(".site").inert`)
}

func TestTheme(t *testing.T) {
	b := visit(t, newRig(t))
	ground := `getComputedStyle(document.body).backgroundColor`
	light := eval[string](b, ground)
	b.press("Switch to the dark theme")
	b.await(ground + ` != "` + light + `"`)
	b.do(chromedp.Reload())
	b.await(`document.querySelector("[aria-label='Switch to the light theme']")`)
	if eval[string](b, ground) == light {
		t.Error("the theme is forgotten by a reload")
	}
}

func TestServerThatCannotBeReached(t *testing.T) {
	r := newRig(t)
	r.api.refuseNext("GET /config", problem{Status: 401, Code: "unknown_key"})
	b := visit(t, r)
	b.awaitText("its key is unknown")
	b.press("Try again")
	b.awaitText("What is Parley?")
}

func TestLongMessage(t *testing.T) {
	b := visit(t, newRig(t))
	eval[bool](b, `(t => { t.value = "ß".repeat(8193); return t.dispatchEvent(new Event("input")) })(document.querySelector(".composer textarea"))`)
	b.awaitText("2 bytes too long")
	b.await(`document.querySelector(".round.primary").disabled`)
}
