package page_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"parley/shared/parley"
	"parley/shared/parleytest"
)

// rendered is how answer looks, without spaces.
const rendered = "Youcanreloadatanytime.Theanswerisalog.Yourpageremembershowfaritread.makerunMoreintheguide.Grüße!✓"

// showsAnswers fails the test unless exactly so many replies are shown, and
// each is exactly the answer.
func (b *tab) showsAnswers(n int) {
	b.t.Helper()
	got := b.messages("ai")
	if len(got) != n {
		b.t.Fatalf("%d replies are shown, want %d: %q", len(got), n, got)
	}
	for _, g := range got {
		if words := strings.Join(strings.Fields(g), ""); words != rendered {
			b.t.Errorf("a reply shows %q, want %q", words, rendered)
		}
	}
}

func TestAnswerStreams(t *testing.T) {
	r := newRig(t)
	gate := r.holdReplies()
	b := visit(t, r)
	if n := len(r.api.calls("POST /identify")); n != 0 {
		t.Errorf("a look at the page made %d visitors, want none", n)
	}
	b.ask("**How** does <b>it</b> work?")
	b.awaitText("Guide is writing…")
	if got := b.messages("me"); !slices.Equal(got, []string{"**How** does <b>it</b> work?"}) {
		t.Errorf("the question is shown as %q", got)
	}
	gate <- struct{}{}
	b.await(`document.querySelector(".rows .ai .text").innerText.startsWith("You can reload")`)
	if got := eval[string](b, `document.querySelector("[aria-live=polite]").textContent`); got != "" {
		t.Errorf("an unfinished answer is announced: %q", got)
	}
	close(gate)
	b.awaitText("Runs and readers")
	b.showsAnswers(1)
	b.await(`document.querySelector("[aria-live=polite]").textContent.startsWith("Guide: You can reload at any time")`)
	link := eval[[]string](b, `(a => [a.href, a.target, a.rel])(document.querySelector(".prose a"))`)
	if want := []string{r.api.URL + "/docs/guide.md", "_blank", "noopener noreferrer"}; !slices.Equal(link, want) {
		t.Errorf("a link in an answer is %q, want %q", link, want)
	}
}

func TestReloadInTheMiddleOfAnAnswer(t *testing.T) {
	r := newRig(t)
	gate := r.holdReplies()
	b := visit(t, r)
	b.ask("How?")
	for range 3 {
		gate <- struct{}{}
	}
	b.awaitText("The answer is")
	b.do(chromedp.Reload())
	b.awaitText("The answer is")
	close(gate)
	b.awaitText("Runs and readers")
	b.showsAnswers(1)
	sessions := r.sessions(t, b.token())
	if sends := r.api.calls("POST /chat"); len(sends) != 1 || len(sessions) != 1 || r.answers("How?") != 1 {
		t.Errorf("%d sends, %d conversations, %d answers, want one of each", len(sends), len(sessions), r.answers("How?"))
	}
	resumed := r.api.calls("GET /chat/" + sessions[0] + "/runs/")
	if len(resumed) != 1 || strings.Count(resumed[0], " ") != 2 || strings.HasSuffix(resumed[0], "/0") {
		t.Errorf("the page resumed with %q, want one call with the id of the last event", resumed)
	}
	beacon := `text/plain;charset=UTF-8 {"key":"pk_test_demo","token":"` + b.token() + `","session":"` + sessions[0] + `"}`
	r.api.until("the beacon "+beacon, func() bool { return slices.Equal(r.api.beacons, []string{beacon}) })
}

func TestDroppedConnections(t *testing.T) {
	r := newRig(t)
	gate := r.holdReplies()
	b := visit(t, r)
	b.ask("How?")
	gate <- struct{}{}
	for _, words := range []string{"You can reload", "at any time", "The answer is"} {
		b.awaitText(words)
		r.api.cutNext()
		gate <- struct{}{}
	}
	b.awaitText("a log.")
	close(gate)
	b.awaitText("Runs and readers")
	b.showsAnswers(1)
	resumed, sent := len(r.api.calls("GET /chat/")), len(r.api.calls("POST /chat"))
	if resumed != 3 || sent != 1 {
		t.Errorf("%d resumptions and %d sends after 3 cuts, want 3 and 1", resumed, sent)
	}
}

func TestReloadWhileSending(t *testing.T) {
	r := newRig(t)
	accept := r.api.hold("POST /chat")
	b := visit(t, r)
	b.ask("say yes")
	b.awaitText("Sending…")
	b.ask("say no")
	b.do(chromedp.Reload())
	b.awaitText("Sending…")
	if got := b.messages("me"); !slices.Equal(got, []string{"say yes", "say no"}) {
		t.Errorf("after the reload %q are shown", got)
	}
	close(accept)
	b.replies(2)
	if got := b.messages("ai"); !slices.Equal(got, []string{"yes", "no"}) {
		t.Errorf("the replies are %q", got)
	}
	sessions := r.sessions(t, b.token())
	if said := r.said(t, b.token(), sessions[0]); len(sessions) != 1 || len(said) != 4 {
		t.Errorf("stored are %d conversations, the newest with %q", len(sessions), said)
	}
	if n := eval[int](b, `Object.keys(localStorage).filter(k => k.includes(":out:")).length`); n != 0 {
		t.Errorf("%d messages are kept after all were accepted", n)
	}
}

// The first connection is lost after the message was stored and before the page
// heard of it.
func TestAcceptedUnheard(t *testing.T) {
	r := newRig(t)
	b := visit(t, r)
	r.api.cutNext()
	b.ask("say once") // text comes at once: what was not yet read is lost with it
	b.replies(1)
	if said := r.said(t, b.token(), r.sessions(t, b.token())[0]); !slices.Equal(said, []string{"say once", "once"}) {
		t.Errorf("stored are %q", said)
	}
	if got := b.messages("ai"); !slices.Equal(got, []string{"once"}) {
		t.Errorf("the replies are %q", got)
	}
}

func TestMessagesWaitTheirTurn(t *testing.T) {
	r := newRig(t)
	gate := r.holdReplies()
	b := visit(t, r)
	b.ask("How?")
	b.awaitText("is writing")
	for _, q := range []string{"say two", "say three", "say four", "say five"} {
		b.ask(q)
	}
	// Three have a connection, two of them in the server's queue; the others wait for one.
	b.await(`["waiting", "unsent"].every(s => document.querySelectorAll(".me[data-state=" + s + "]").length == 2)`)
	close(gate)
	b.replies(5)
	got := eval[[]string](b, `[...document.querySelectorAll(".rows .message")].slice(2).map(e => e.querySelector(".text").innerText)`)
	if want := []string{"say two", "two", "say three", "three", "say four", "four", "say five", "five"}; !slices.Equal(got, want) {
		t.Errorf("below the first answer stand %q, want %q", got, want)
	}
}

func TestStop(t *testing.T) {
	r := newRig(t)
	gate := r.holdReplies()
	b := visit(t, r)
	b.ask("How?")
	gate <- struct{}{}
	b.awaitText("You can reload")
	b.press("Stop the answer")
	b.awaitText("You stopped this answer.")
	b.await(`document.querySelector(".round.stop").hidden`)
	close(gate)
	b.ask("say next")
	b.replies(2)
	if got := b.messages("ai"); len(got) != 2 || got[1] != "next" {
		t.Errorf("the replies are %q", got)
	}
}

func TestRetry(t *testing.T) {
	r := newRig(t)
	b := visit(t, r)
	for question, words := range map[string]string{"fail": "Sorry, something went wrong", "break": "broke off"} {
		b.press("New conversation")
		b.ask(question)
		b.awaitText(words)
		b.press("Try again")
		b.awaitText("Runs and readers")
		if n := eval[int](b, `[...document.querySelectorAll(".rows button")].filter(b => b.innerText == "Try again").length`); n != 0 {
			t.Errorf("after a retry of %q %d buttons offer another", question, n)
		}
		if r.answers(question) != 2 {
			t.Errorf("%q was answered %d times, want 2", question, r.answers(question))
		}
		if shown := b.messages("ai"); question == "fail" && len(shown) != 1 {
			t.Errorf("beside the answer %q are shown", shown)
		}
	}
}

func TestRefusals(t *testing.T) {
	r := newRig(t)
	b := visit(t, r)
	r.api.refuseNext("POST /chat", problem{Status: 429, Code: "rate_limited", RetryAfter: 2})
	b.ask("say one")
	b.awaitText("Sending again in 2 s")
	b.awaitText("Sending again in 1 s")
	b.replies(1)

	r.api.refuseNext("POST /chat", problem{Status: 503, Code: "unavailable"})
	b.ask("say two")
	b.replies(2)

	r.api.refuseNext("POST /chat", problem{Status: 413, Code: "too_large"}, problem{Status: 418, Code: "new", Detail: "In the server’s words."})
	b.ask("say three")
	b.awaitText("This is too long to be sent.")
	b.do(chromedp.Reload())
	b.awaitText("This is too long to be sent.")
	b.press("Try again")
	b.awaitText("In the server’s words.")
	b.press("Delete")
	b.await(`document.querySelectorAll(".rows .me").length == 2`)

	r.api.refuseNext("POST /chat", problem{Status: 404, Code: "not_found", Detail: "session not found"})
	b.ask("say four")
	b.press("Send in a new conversation")
	b.replies(1)
	if n := len(r.sessions(t, b.token())); n != 2 {
		t.Errorf("%d conversations are stored, want 2", n)
	}

	r.api.refuseNext("POST /chat", problem{Status: 401, Code: "token_expired"})
	b.ask("say five")
	b.replies(2)
	if n := len(r.api.calls("POST /identify")); n != 2 {
		t.Errorf("%d tokens were asked for, want a second one for the expired first", n)
	}
}

func TestOffline(t *testing.T) {
	r := newRig(t)
	b := visit(t, r)
	b.ask("say one")
	b.replies(1)
	b.offline(true)
	b.awaitText("You are offline.")
	b.ask("say two")
	b.awaitText("Sending…")
	b.offline(false)
	b.replies(2)
	b.await(`document.querySelector(".notice").hidden`)
	if said := r.said(t, b.token(), r.sessions(t, b.token())[0]); len(said) != 4 {
		t.Errorf("stored are %q", said)
	}
}

func TestPersonTakesOver(t *testing.T) {
	r := newRig(t)
	gate := r.holdReplies()
	b := visit(t, r)
	b.ask("A person, please")
	gate <- struct{}{}
	b.awaitText("You can reload")
	session := r.sessions(t, b.token())[0]
	ada := parley.Author{Kind: parley.AuthorHuman, ID: "o1", Name: "Ada"}
	if err := r.store.TakeOver(t.Context(), parleytest.Operator(), parley.SessionID(session), ada); err != nil {
		t.Fatal(err)
	}
	b.awaitText("Ada has taken over the conversation.")
	b.awaitText("You are talking to Ada now")
	b.await(`document.querySelector(".round.stop").hidden`)
	b.ask("Thanks")
	b.await(`document.querySelectorAll(".me[data-state='']").length == 2`)
	if err := r.store.HandBack(t.Context(), parleytest.Operator(), parley.SessionID(session), ada); err != nil {
		t.Fatal(err)
	}
	b.awaitText("Guide answers again.")
	b.await(`document.querySelector(".notice").hidden`)
	close(gate)
}

// What another tab of the visitor says and hears reaches this one, whose chat
// is closed and counts.
func TestOtherTab(t *testing.T) {
	r := newRig(t)
	b := visit(t, r)
	b.ask("say one")
	b.replies(1)
	b.press("Close chat")
	session := r.sessions(t, b.token())[0]
	r.call(t, b.token(), "POST", "/chat", object{"messageId": "from-elsewhere", "sessionId": session, "content": "say from elsewhere"})
	b.press("Open chat, 1 new message")
	b.replies(2)
	if got := b.messages("me"); !slices.Equal(got, []string{"say one", "say from elsewhere"}) {
		t.Errorf("the visitor's messages are %q", got)
	}
	r.call(t, b.token(), "DELETE", "/history/"+session, nil)
	b.awaitText("This conversation is no longer available.")
	b.awaitText("What is Parley?")
}

func TestComingBack(t *testing.T) {
	r := newRig(t)
	b := visit(t, r)
	b.ask("How?")
	b.awaitText("Runs and readers")
	b.do(chromedp.Navigate("about:blank"))
	r.api.until("a beacon", func() bool { return len(r.api.beacons) == 1 })
	b = b.another() // which has no session storage
	b.do(chromedp.Navigate(r.page.URL))
	b.awaitText("Runs and readers")
	b.showsAnswers(1)
	if n := len(r.api.calls("POST /identify")); n != 1 {
		t.Errorf("%d visitors were made, want 1", n)
	}
	state := r.call(t, b.token(), "GET", "/history", nil)["sessions"].([]any)[0].(object)["state"]
	if state != "open" {
		t.Errorf("the conversation is %v after the visitor came back, want open", state)
	}
	b.press("New conversation")
	b.awaitText("What is Parley?")
}

func TestReaderWhoScrolledUpIsLeftAlone(t *testing.T) {
	r := newRig(t)
	b := visit(t, r)
	b.ask("say hello")
	b.replies(1)
	session := r.sessions(t, b.token())[0]
	for i := range 40 {
		r.call(t, b.token(), "POST", "/chat", object{"messageId": "m" + strings.Repeat("x", i), "sessionId": session, "content": "say again"})
	}
	b.do(chromedp.Reload())
	b.await(`document.querySelectorAll(".rows .message").length == 50`)
	atEnd := `(b => b.scrollHeight - b.scrollTop - b.clientHeight < 2)(document.querySelector(".scroll"))`
	b.await(atEnd)
	b.press("Show earlier messages")
	b.await(`document.querySelectorAll(".rows .message").length == 82`)
	b.await(`!document.querySelector(".earlier").checkVisibility()`)
	b.await(`(s => { s.scrollTop = 100; return s.scrollTop == 100 })(document.querySelector(".scroll"))`)
	r.call(t, b.token(), "POST", "/chat", object{"messageId": "late", "sessionId": session, "content": "say news"})
	b.await(`document.querySelector(".pill").checkVisibility()`)
	b.await(`document.querySelector(".scroll").scrollTop == 100`)
	b.press("New messages")
	b.await(atEnd)
	b.await(`document.querySelector(".pill").hidden`)
}
