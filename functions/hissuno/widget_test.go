package hissuno_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/shared/api/apitest"
	"parley/shared/browsertest"
	"parley/shared/parley"
)

var ola = parley.Author{Kind: parley.AuthorHuman, ID: "ola", Name: "Ola"}

// hold is long enough for what a test waits for to come on one connection.
const hold = 20 * time.Second

// TestWidget has a page use the function as Hissuno's hook does, from another
// origin. Its tests are named for the assertions of the widget's contract.
func TestWidget(t *testing.T) {
	browser := browsertest.New(t)
	for _, test := range []struct {
		name string
		run  func(*testing.T, *rig, context.Context)
	}{
		{"H3_Settings", testSettings},
		{"H8_Errors", testErrors},
		{"H9_LongInput", testLongInput},
		{"H12_Busy", testBusy},
		{"H14_Streaming", testStreaming},
		{"H16_Cut", testCut},
		{"H17_Reload", testReload},
		{"H20_Failure", testFailure},
		{"H23_Nothing", testNothing},
		{"H24_Cancel", testCancel},
		{"H25_CancelNothing", testCancelNothing},
		{"H26_CloseSession", testCloseSession},
		{"H27_Beacon", testBeacon},
		{"H28_Inactivity", testInactivity},
		{"H30_LoadSession", testLoadSession},
		{"H31_History", testHistory},
		{"H32_ClearHistory", testClearHistory},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, newRig(t, hold), browser) })
	}
	for name, hold := range map[string]time.Duration{"held": hold, "unheld": 0} {
		t.Run("H33_Takeover_"+name, func(t *testing.T) { testTakeover(t, newRig(t, hold), browser) })
		t.Run("H34_Human_"+name, func(t *testing.T) { testHuman(t, newRig(t, hold), browser) })
		t.Run("H35_Letters_"+name, func(t *testing.T) { testLetters(t, newRig(t, hold), browser) })
		t.Run("H36_ShutChat_"+name, func(t *testing.T) { testShutChat(t, newRig(t, hold), browser) })
		t.Run("H37_Closed_"+name, func(t *testing.T) { testClosed(t, newRig(t, hold), browser) })
	}
}

// testSettings: a page of another origin reads the settings, and why it is refused.
func testSettings(t *testing.T, r *rig, browser context.Context) {
	b := r.visit(t, browser, nil)
	var got struct {
		Status                          int
		Trigger, Display, Theme, Reason string
		Blocked                         bool
	}
	embed := `fetch(hook.query("").replace("/chat", "/embed")).then(async a => JSON.stringify({ status: a.status, ...await a.json() }))`
	read := func() {
		t.Helper()
		got.Blocked = false
		fatal(t, json.Unmarshal([]byte(js[string](b, embed)), &got))
	}
	read()
	if got.Status != 200 || got.Trigger != "bubble" || got.Display != "sidepanel" || got.Theme != "light" || got.Blocked {
		t.Errorf("settings = %+v", got)
	}
	p, err := r.store.Project(t.Context(), b.project)
	fatal(t, err)
	p.Origins = []string{"https://elsewhere.example"}
	fatal(t, r.store.PutProject(t.Context(), *p))
	read()
	if got.Status != 403 || !got.Blocked || got.Reason == "" {
		t.Errorf("to a page that may not: %+v", got)
	}
}

func testErrors(t *testing.T, r *rig, browser context.Context) {
	b := r.visit(t, browser, nil)
	for _, status := range []int{400, 401, 403, 500} {
		r.refuses(status)
		b.submit("Hello")
		if got := b.error(); got != fmt.Sprint("refused with ", status) || js[bool](b, `hook.isLoading`) {
			t.Errorf("%d: error %q", status, got)
		}
	}
	r.refuses(0)
	b.ask("Hello")
	if got := b.error(); got != "" {
		t.Errorf("after a good answer the error is %q", got)
	}
	long := r.visit(t, browser, options{"userId": 42, "userMetadata": map[string]any{"a": strings.Repeat("x", 5000), "b": []int{1}}})
	long.ask("Hello")
	if got := long.shows(); long.error() != "" || len(got) != 2 {
		t.Errorf("of odd metadata: the page shows %q, error %q", got, long.error())
	}
}

func testLongInput(t *testing.T, r *rig, browser context.Context) {
	b := r.visit(t, browser, nil)
	mark := r.mark()
	b.submit(strings.Repeat("ü", 2049))
	if got := b.error(); got != "Message too long. Maximum 4096 bytes allowed." || r.asked("POST ", mark) != 0 {
		t.Errorf("error %q", got)
	}
}

func testBusy(t *testing.T, r *rig, browser context.Context) {
	b := r.visit(t, browser, nil)
	gate := make(chan struct{})
	b.submit(r.question(gate))
	b.await(`hook.streamingContent == "One,"`)
	b.submit("Faster!")
	told := r.mark()
	close(gate)
	b.await(`!hook.isLoading && hook.messages.length == 4`)
	if got := b.shows(); got[2] != "One, two." || got[3] != apitest.Echo("Faster!") || b.error() != "" {
		t.Errorf("the page shows %q, error %q", got, b.error())
	}
	if got := b.brief(); len(got) != 4 || !strings.Contains(got[1], "Faster!") {
		t.Errorf("stored: %q", got)
	}
	b.until("the request after what was told", func() bool { return r.asked("GET /updates after", told) > 0 })
	b.reload()
	b.ask("And?")
	if got := b.shows(); len(got) != 6 || b.error() != "" {
		t.Errorf("later the page shows %q, error %q", got, b.error())
	}
}

func testStreaming(t *testing.T, r *rig, browser context.Context) {
	b := r.visit(t, browser, nil)
	gates := []chan struct{}{make(chan struct{}), make(chan struct{})}
	r.model.Script("Slowly?", []apitest.Step{{Text: "One,"}, {Until: gates[0], Text: " two,"}, {Until: gates[1], Text: " three."}})
	b.submit("Slowly?")
	b.await(`hook.isStreaming && hook.streamingContent == "One,"`)
	close(gates[0])
	b.await(`hook.streamingContent == "One, two,"`)
	close(gates[1])
	b.await(`!hook.isStreaming && !hook.isLoading`)
	if got := b.shows(); !slices.Equal(got, []string{"Slowly?", "One, two, three."}) {
		t.Errorf("the page shows %q", got)
	}
	if grown := js[[]int](b, `hook.grown`); !slices.IsSorted(grown) || len(grown) < 3 {
		t.Errorf("the text grew by %v", grown)
	}
	if got := b.brief(); !strings.Contains(got[1], `ai "One, two, three." done`) {
		t.Errorf("stored: %q", got)
	}
}

func testCut(t *testing.T, r *rig, browser context.Context) {
	b := r.visit(t, browser, nil)
	gate := make(chan struct{})
	b.submit(r.question(gate))
	b.await(`hook.streamingContent == "One,"`)
	mark := r.mark()
	r.api.CloseClientConnections()
	b.until("the second request", func() bool { return r.asked("GET /stream after", mark) > 0 })
	close(gate)
	b.await(`!hook.isLoading`)
	if got := b.shows(); len(got) != 2 || got[1] != "One, two." {
		t.Errorf("the page shows %q", got)
	}
}

// testReload: a reply survives a reload, is shown once, and a plain reload
// shows nothing twice.
func testReload(t *testing.T, r *rig, browser context.Context) {
	for _, finished := range []bool{false, true} {
		b := r.visit(t, browser, nil)
		gate := make(chan struct{})
		b.submit(r.question(gate))
		b.await(`hook.streamingContent == "One,"`)
		if finished {
			b.goes("about:blank")
			b.until("the beacon", func() bool { return b.stored().State == parley.StateClosed })
			close(gate)
			b.until("the end of the reply", func() bool { return b.stored().Run == nil })
			b.goes(b.url)
			js[bool](b, `hook.ready.then(() => true)`)
		} else {
			b.reload()
			b.await(`hook.isLoading`)
			close(gate)
		}
		b.await(`hook.messages.length == 2 && !hook.isLoading`)
		for range 2 {
			if got := b.shows(); len(got) != 2 || got[1] != "One, two." {
				t.Errorf("finished meanwhile: %v: the page shows %q", finished, got)
			}
			b.reload()
		}
		b.ask("And?")
		if got := b.shows(); len(got) != 4 {
			t.Errorf("finished meanwhile: %v: the page shows %q", finished, got)
		}
	}
}

func testFailure(t *testing.T, r *rig, browser context.Context) {
	b := r.visit(t, browser, nil)
	r.model.Script("Fail?", []apitest.Step{{Status: 400}})
	b.ask("Fail?")
	if got := b.error(); !strings.HasPrefix(got, "Sorry") {
		t.Errorf("error %q", got)
	}
	b.ask("Again")
	if got := b.shows(); len(got) != 3 || b.error() != "" {
		t.Errorf("the page shows %q, error %q", got, b.error())
	}
}

func testNothing(t *testing.T, r *rig, browser context.Context) {
	b := r.visit(t, browser, nil)
	js[bool](b, `hook.isLoading = true, hook.stream(), true`)
	b.await(`!hook.isLoading && !hook.latched`)
	if got := b.error(); got != "" {
		t.Errorf("error %q", got)
	}
}

func testCancel(t *testing.T, r *rig, browser context.Context) {
	b := r.visit(t, browser, nil)
	gate := make(chan struct{})
	defer close(gate)
	b.submit(r.question(gate))
	b.await(`hook.streamingContent == "One,"`)
	if !js[bool](b, `hook.cancelChat().then(a => a.cancelled)`) || js[bool](b, `hook.isLoading || hook.isStreaming`) {
		t.Error("nothing was cancelled")
	}
	b.ask("Next")
	if got := b.shows(); len(got) != 3 || b.error() != "" {
		t.Errorf("the page shows %q, error %q", got, b.error())
	}
	if got := b.brief(); !strings.Contains(got[1], `ai "One," cancelled`) {
		t.Errorf("stored: %q", got)
	}
}

func testCancelNothing(t *testing.T, r *rig, browser context.Context) {
	b := r.visit(t, browser, nil)
	if js[bool](b, `hook.cancelChat().then(a => a.cancelled)`) {
		t.Error("something was cancelled")
	}
	gate := make(chan struct{})
	defer close(gate)
	b.submit(r.question(gate))
	b.await(`hook.streamingContent == "One,"`)
	js[bool](b, `hook.clearHistory(), hook.ready.then(() => true)`)
	if js[bool](b, `hook.cancelChat().then(a => a.cancelled)`) {
		t.Error("another conversation was cancelled")
	}
	b.ask("Hello")
	if got := b.shows(); len(got) != 2 {
		t.Errorf("the page shows %q", got)
	}
}

func testCloseSession(t *testing.T, r *rig, browser context.Context) {
	b := r.visit(t, browser, nil)
	b.ask("Hello")
	if !js[bool](b, `hook.closeSession().then(a => a.success)`) || js[int](b, `hook.closes`) != 1 {
		t.Error("closeSession failed")
	}
	if got := b.stored().State; got != parley.StateClosed {
		t.Errorf("state = %s", got)
	}
}

func testBeacon(t *testing.T, r *rig, browser context.Context) {
	b := r.visit(t, browser, nil)
	b.ask("Hello")
	mark := r.mark()
	b.goes("about:blank")
	b.until("the beacon", func() bool { return b.stored().State == parley.StateClosed })
	if n := r.asked("POST /close text/plain;charset=UTF-8", mark); n != 1 || r.asked("OPTIONS /close", mark) != 0 {
		t.Errorf("%d beacons, %d preflights", n, r.asked("OPTIONS /close", mark))
	}
}

func testInactivity(t *testing.T, r *rig, browser context.Context) {
	never := r.visit(t, browser, options{"inactivityTimeout": 0, "initialMessage": "Hello!"})
	mark := r.mark()
	b := r.visit(t, browser, options{"inactivityTimeout": 300, "initialMessage": "Hello!"})
	b.await(`hook.closes == 1`)
	// Whoever closes again does so at the same pace.
	js[bool](b, `new Promise(done => setTimeout(() => done(true), 700))`)
	if n := r.asked("POST /close", mark); n != 1 || js[int](never, `hook.closes`) != 0 {
		t.Errorf("closed %d times", n)
	}
}

func testLoadSession(t *testing.T, r *rig, browser context.Context) {
	b := r.visit(t, browser, options{"userId": "u"})
	b.ask("Hello")
	js[bool](b, `hook.clearHistory(), hook.ready.then(() => true)`)
	mark, seq := r.mark(), b.stored().Seq
	js[bool](b, fmt.Sprintf(`hook.loadSession(%q), hook.ready.then(() => true)`, b.session))
	b.until("the updates", func() bool { return r.asked("GET /updates", mark) > 0 })
	if n := r.asked("GET ", mark); n != 1 || b.stored().Seq != seq {
		t.Errorf("asked %d times, entries %d", n, b.stored().Seq)
	}
	b.ask("Again")
	if got := b.brief(); len(got) != 4 || len(b.shows()) != 4 {
		t.Errorf("stored: %q; the page shows %q", got, b.shows())
	}
}

func testHistory(t *testing.T, r *rig, browser context.Context) {
	b := r.visit(t, browser, options{"userId": "u"})
	b.ask("Hello")
	js[bool](b, `hook.clearHistory(), hook.ready.then(() => true)`)
	mark, seq := r.mark(), b.stored().Seq
	if got := js[[]string](b, `hook.getSessionHistory().map(s => s.sessionId)`); !slices.Equal(got, []string{b.session}) {
		t.Errorf("history = %q", got)
	}
	js[bool](b, fmt.Sprintf(`hook.deleteSession(%q), true`, b.session))
	if js[int](b, `hook.getSessionHistory().length`) != 0 || r.mark() != mark || b.stored().Seq != seq {
		t.Error("deleting asked the server, or did nothing")
	}
}

func testClearHistory(t *testing.T, r *rig, browser context.Context) {
	b := r.visit(t, browser, nil)
	b.ask("Hello")
	mark := r.mark()
	js[bool](b, `hook.clearHistory(), hook.ready.then(() => true)`)
	id := js[string](b, `hook.currentSessionId`)
	if n := r.asked("GET ", mark); n != 1 || r.asked("POST /close", mark) != 0 || id == b.session {
		t.Errorf("asked %d times, closed %d times", n, r.asked("POST /close", mark))
	}
	b.ask("Something else")
	if got := b.stored(); got.State != parley.StateOpen || got.Messages != 2 {
		t.Errorf("the conversation before = %+v", got)
	}
	b.session = id
	if got := b.brief(); len(got) != 2 {
		t.Errorf("the new conversation: %q", got)
	}
}

func (b *tab) takeOver() {
	b.t.Helper()
	fatal(b.t, b.store.TakeOver(b.t.Context(), b.operator(), parley.SessionID(b.session), ola))
}

// notices counts what the page shows of takeovers.
const notices = `hook.messages.filter(m => m.senderType == "system").length`

func testTakeover(t *testing.T, r *rig, browser context.Context) {
	b := r.visit(t, browser, nil)
	b.ask("Hello")
	b.settles()
	began := time.Now()
	b.takeOver()
	b.await(notices + ` == 1`)
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("the notice took %v", took)
	}
	for range 20 {
		mark := r.mark()
		js[bool](b, `hook.updates(), true`)
		b.until("the next connection", func() bool { return r.asked("GET /updates", mark) > 0 })
	}
	js[bool](b, `new Promise(done => setTimeout(() => done(true), 300))`)
	if n := js[int](b, notices); n != 1 {
		t.Errorf("after 20 reconnects there are %d notices", n)
	}
	if n := js[int](b, `hook.storms`); n > 30 {
		t.Errorf("the page connected %d times", n)
	}
	between := r.visit(t, browser, nil)
	between.ask("Hello")
	between.leaves()
	between.takeOver()
	js[bool](between, `hook.updates(), true`)
	between.await(notices + ` == 1`)
}

func testHuman(t *testing.T, r *rig, browser context.Context) {
	b := r.visit(t, browser, nil)
	b.ask("Hello")
	b.takeOver()
	b.submit("Are you human?")
	if js[bool](b, `hook.isLoading`) || b.error() != "" {
		t.Errorf("the page loads, error %q", b.error())
	}
}

func (b *tab) writes(text string) {
	b.t.Helper()
	_, err := b.store.Reply(b.t.Context(), b.operator(), ola,
		parley.ReplyRequest{ID: parley.EntryID(text + b.session), Session: parley.SessionID(b.session), Content: text})
	fatal(b.t, err)
}

func testLetters(t *testing.T, r *rig, browser context.Context) {
	b := r.visit(t, browser, nil)
	b.ask("Hello")
	b.settles()
	b.takeOver()
	b.await(notices + ` == 1`)
	began := time.Now()
	b.writes("I am Ola")
	b.await(`hook.messages.at(-1).content == "I am Ola" && hook.messages.at(-1).senderType == "human_agent"`)
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("the message took %v", took)
	}
	b.leaves()
	b.writes("one")
	b.writes("two")
	told := r.mark()
	js[bool](b, `hook.updates(), true`)
	b.await(`hook.messages.at(-1).content == "two"`)
	before := b.shows()
	if !slices.Equal(before[len(before)-3:], []string{"I am Ola", "one", "two"}) {
		t.Errorf("the page shows %q", before)
	}
	b.until("the request after what was told", func() bool { return r.asked("GET /updates after", told) > 0 })
	for range 3 {
		b.reload()
	}
	js[bool](b, `new Promise(done => setTimeout(() => done(true), 300))`)
	if got := b.shows(); !slices.Equal(got, before) {
		t.Errorf("after reloads the page shows %q", got)
	}
}

// testShutChat: a page whose chat was shut shows what an operator wrote when the
// visitor writes again, also where it was shut before anything was said.
func testShutChat(t *testing.T, r *rig, browser context.Context) {
	for _, first := range []bool{true, false} {
		b := r.visit(t, browser, nil)
		if first {
			js[bool](b, `hook.closeSession().then(() => true)`)
		}
		b.ask("Hello")
		if first {
			js[bool](b, `new Promise(done => setTimeout(() => done(true), 2600))`) // so long that it would have asked anew
		} else {
			js[bool](b, `hook.closeSession().then(() => true)`)
		}
		b.writes("I am Ola")
		b.ask("Anybody?")
		if got := b.shows(); len(got) != 4 || got[3] != "Ola: I am Ola" || b.error() != "" {
			t.Errorf("shut first: %v: the page shows %q, error %q", first, got, b.error())
		}
		b.ask("Thanks")
		if got := b.shows(); len(got) != 5 {
			t.Errorf("shut first: %v: the page shows %q", first, got)
		}
	}
}

func testClosed(t *testing.T, r *rig, browser context.Context) {
	b := r.visit(t, browser, nil)
	b.ask("Hello")
	fatal(t, b.store.Resolve(t.Context(), b.operator(), parley.SessionID(b.session), ola))
	b.await(`hook.closes == 1`)
	mark := r.mark()
	js[bool](b, `new Promise(done => setTimeout(() => done(true), 1000))`)
	if n := r.asked("GET /updates", mark) + r.asked("GET /updates after", mark); n > 1 || js[int](b, `hook.closes`) != 1 {
		t.Errorf("%d more connections, closed %d times", n, js[int](b, `hook.closes`))
	}
	b.ask("One more thing")
	if got := b.stored().State; got != parley.StateOpen {
		t.Errorf("state = %s", got)
	}
}
