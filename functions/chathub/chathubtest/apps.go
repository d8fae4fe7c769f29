package chathubtest

import (
	"encoding/json"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/local/gateway"
	"parley/shared/socket"
)

// appTests are what SignalR's client is put through in an engine, those that only wait
// left out.
var appTests = []struct {
	name string
	run  func(*testing.T, *suite, *engine)
}{
	{"V6_V7_V8_Connects", appConnects},
	{"V2_StatefulReconnect", appStateful},
	{"V5_Refused", appRefused},
	{"V13_UnknownMethod", appUnknownMethod},
	{"V26_SameTick", appSameTick},
	{"V27_Cancel", appCancels},
	{"V28_End", appEnds},
	{"V29_Reconnect", appReconnects},
}

// RunApps tests the host with SignalR's own client, unmodified, in Node.js and in
// Chromium, and with React.
func RunApps(t *testing.T, host Host) {
	s := newSuite(t, host)
	for _, in := range []struct {
		name  string
		start func(testing.TB) *engine
		// replies is how many are written at once under jitter.
		replies int
	}{
		{"NodeJS", inNode, 20},
		{"Chromium", inChromium, 12},
	} {
		t.Run(in.name, func(t *testing.T) {
			e := in.start(t)
			s.run(t, e)
			t.Run("V16_V17_Timers", func(t *testing.T) { appTimers(t, s.of(t), e) })
			t.Run("V34_Jitter", func(t *testing.T) { appsUnderJitter(t, s.of(t), e, in.replies) })
		})
	}
	for _, release := range []string{"18", "19"} {
		t.Run("V22_React"+release, func(t *testing.T) { showsReplies(t, s.of(t), release) })
	}
	t.Run("V37_Restart", func(t *testing.T) { appSeesRestart(t, s.of(t), inNode(t)) })
}

// RunInNode tests the host with SignalR's own client in Node.js alone, in seconds.
func RunInNode(t *testing.T, host Host) { newSuite(t, host).run(t, inNode(t)) }

func (s *suite) run(t *testing.T, e *engine) {
	t.Helper()
	for _, test := range appTests {
		t.Run(test.name, func(t *testing.T) { test.run(t, s.of(t), e) })
	}
}

// Ask has SignalR's own client in Node.js ask a hub something, and returns the reply.
// The hub is below base, for the query that an app has in its address.
func Ask(t testing.TB, base string, query url.Values, question string) string {
	t.Helper()
	a := inNode(t).connect(&page{suite: &suite{Host: Host{Base: base}, arrived: new(sync.Map)}, t: t, query: query}, options{})
	a.say(question)
	return a.hears(1).final
}

// appSeesRestart: an app comes back to a hub that was stopped and started, and to its
// session. What comes after has another gateway.
func appSeesRestart(t *testing.T, s *suite, e *engine) {
	if s.Restart == nil {
		t.Skip("this host cannot stop and start the hub")
	}
	a := e.connect(e.page(t, s), options{Reconnects: true})
	id := a.say(fresh("Hello")).ConversationID
	a.hears(1)
	a.settles(1)
	s.Restart(t)
	a.hearsEvent("reconnected", 1)
	if again := a.say(fresh("Hello")).ConversationID; again != id {
		t.Errorf("the session was %s and is %s", id, again)
	}
	a.hears(2)
}

// answers has the app ask something, and the reply come as it has to.
func (a *app) answers() {
	a.t.Helper()
	q := fresh("Tell me")
	a.Model.Script(q, steps("One", ", two", ", three."))
	n := len(a.messages())
	a.say(q)
	if m := a.hears(n + 1); m.final != "One, two, three." {
		a.t.Errorf("message = %+v", m)
	}
	a.settles(n + 1)
	if got := a.typing(); len(got) != 2*(n+1) || !got[2*n] {
		a.t.Errorf("typing = %v", got)
	}
	if got := a.errors(); got != nil {
		a.t.Errorf("errors = %q", got)
	}
}

func appConnects(t *testing.T, s *suite, e *engine) {
	for name, skip := range map[string]bool{"negotiated": false, "upgraded at once": true} {
		for place, test := range map[string]func(p *page) (*page, string){
			"token in the address":    func(p *page) (*page, string) { return p, "" },
			"token from a function":   func(p *page) (*page, string) { return p.with("access_token", ""), p.query.Get("access_token") },
			"the function's wins":     func(p *page) (*page, string) { return p.with("access_token", "none"), p.query.Get("access_token") },
			"metadata in the address": func(p *page) (*page, string) { return p.with("metadata", `{"page":"a + \"ü\" 日"}`), "" },
		} {
			t.Run(name+", "+place, func(t *testing.T) {
				p, token := test(e.page(t, s))
				a := e.connect(p, options{Skip: skip, Token: token})
				a.answers()
				if p.query.Get("metadata") == "" {
					return
				}
				id := a.say(fresh("Hello")).ConversationID
				if got := a.about(id).Metadata["page"]; got != `a + "ü" 日` {
					t.Errorf("metadata = %q", got)
				}
			})
		}
	}
}

func appStateful(t *testing.T, s *suite, e *engine) {
	a := e.connect(e.page(t, s), options{Stateful: true, Reconnects: true})
	a.answers()
	s.Gateway().Drop()
	a.hearsEvent("reconnected", 1)
	if n := len(a.events("reconnecting")); n != 1 {
		t.Errorf("it reconnected %d times", n)
	}
}

func appRefused(t *testing.T, s *suite, e *engine) {
	p := e.page(t, s)
	for name, test := range map[string]struct{ agent, token, want string }{
		"no token":      {"", "none", "401"},
		"expired":       {"", p.signed(object{"sub": "ann", "exp": in(-time.Hour)}), "401"},
		"unknown agent": {string(p.project.ID) + ".nobody", p.query.Get("access_token"), "unknown_agent: "},
	} {
		t.Run(name, func(t *testing.T) {
			p := p.of(t).with("access_token", test.token)
			if test.agent != "" {
				p = p.with("agentId", test.agent)
			}
			if _, refused := e.app(p).start(options{Reconnects: true}); !strings.Contains(refused, test.want) {
				t.Errorf("start is refused with %q, want %q in it", refused, test.want)
			}
		})
	}
}

func appUnknownMethod(t *testing.T, s *suite, e *engine) {
	a := e.connect(e.page(t, s), options{})
	all := a.invoke([]any{"DoIt"}, []any{"SendMessageAsync", message(" ")}, []any{"TypingAsync"}, []any{"CancelAsync"})
	for i, want := range []string{"unknown_method: ", "invalid_request: ", "", ""} {
		if got := all[i].Error; want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("call %d fails with %q, want %q in it", i, got, want)
		}
	}
	a.answers()
}

func appSameTick(t *testing.T, s *suite, e *engine) {
	a := e.connect(e.page(t, s), options{})
	one, two := fresh("One"), fresh("Two")
	s.Model.Script(one, steps("First."))
	s.Model.Script(two, steps("Second."))
	all := a.invoke([]any{"SendMessageAsync", message(one)}, []any{"SendMessageAsync", message(two)})
	if first, second := a.sent(all[0]), a.sent(all[1]); first.ConversationID != second.ConversationID || first.MessageID == second.MessageID {
		t.Errorf("sent %+v and %+v", first, second)
	}
	a.hears(2)
	if all := a.messages(); all[0].final != "First." || all[1].final != "Second." {
		t.Errorf("messages = %+v", all)
	}
}

func appCancels(t *testing.T, s *suite, e *engine) {
	a := e.connect(e.page(t, s), options{})
	q := fresh("Tell me all")
	said, gates := gated("One", ", two", ", three.")
	defer close(gates[2])
	s.Model.Script(q, said)
	a.say(q)
	close(gates[1])
	a.hearsText("One, two")
	if o := a.invoke([]any{"CancelAsync"}); o[0].Error != "" {
		t.Errorf("CancelAsync fails with %q", o[0].Error)
	}
	if m := a.hears(1); m.final != "One, two" {
		t.Errorf("message = %+v", m)
	}
	a.settles(1)
	if got := a.typing(); !slices.Equal(got, []bool{true, false}) {
		t.Errorf("typing = %v", got)
	}
}

func appEnds(t *testing.T, s *suite, e *engine) {
	for name, stops := range map[string]bool{"the app stops": true, "the app does nothing": false} {
		t.Run(name, func(t *testing.T) {
			a := e.connect(e.page(t, s), options{Reconnects: true, Stops: stops})
			id := a.say(fresh("Hello")).ConversationID
			a.hears(1)
			a.settles(1)
			if o := a.invoke([]any{"EndSessionAsync"}); o[0].Error != "" {
				t.Errorf("EndSessionAsync fails with %q", o[0].Error)
			}
			for a.frame() != nil {
			}
			ended := a.events("ConversationEnded")
			if len(ended) != 1 || len(a.events("reconnecting")) != 0 {
				t.Fatalf("heard %s", a.transcript())
			}
			var got end
			if err := json.Unmarshal(ended[0].argument, &got); err != nil || got != (end{id, "user_ended"}) {
				t.Errorf("ended = %s, %v", ended[0].argument, err)
			}
		})
	}
}

// appReconnects: a connection that breaks off in the middle of a reply costs nothing of
// it, whether or not the app can name its session.
func appReconnects(t *testing.T, s *suite, e *engine) {
	for name, named := range map[string]bool{"it names its session": true, "it does not": false} {
		t.Run(name, func(t *testing.T) {
			p := e.page(t, s)
			if named {
				first := e.connect(p, options{})
				p = p.with("sessionId", first.say(fresh("Hello")).ConversationID)
				first.hears(1)
				first.settles(1)
				first.order("stop", nil)
			}
			a := e.connect(p, options{Reconnects: true})
			q := fresh("Tell me all")
			said, gates := gated("One", ", two", ", three", ", four.")
			s.Model.Script(q, said)
			id := a.say(q).ConversationID
			a.hearsText("One")
			close(gates[1])
			a.hearsText("One, two")
			s.Gateway().Drop()
			a.hearsEvent("reconnected", 1)
			close(gates[2])
			close(gates[3])
			if m := a.hears(1); m.final != "One, two, three, four." {
				t.Errorf("message = %+v", m)
			}
			a.settles(1)
			if again := a.say(fresh("Hello")).ConversationID; again != id || named && id != p.query.Get("sessionId") {
				t.Errorf("the session was %s and is %s", id, again)
			}
		})
	}
}

// appTimers: a client stays connected that is silent, and one that only ever sends what
// nobody has to complete. With the client's own timers that takes minutes to see.
func appTimers(t *testing.T, s *suite, e *engine) {
	const keepAlive, serverTimeout = 2 * time.Second, 5 * time.Second
	p := e.page(t, s)
	o := options{Reconnects: true, Timers: &timers{int(keepAlive.Milliseconds()), int(serverTimeout.Milliseconds())}}
	silent := e.connect(p, o)
	typing := e.connect(p.with("access_token", p.signed(user("bob"))), o)
	for range 8 {
		if _, refused := typing.order("send", object{"method": "TypingAsync"}); refused != "" {
			t.Errorf("send is refused: %s", refused)
		}
		time.Sleep(time.Second)
	}
	for _, a := range []*app{silent, typing} {
		a.answers()
		if got := a.events("reconnecting", "Error"); len(got) != 0 {
			t.Errorf("heard %s", a.transcript())
		}
	}
}

// appsUnderJitter: every event is up to 150 ms late, and the connections drop twice in
// each reply, which arrives whole all the same.
func appsUnderJitter(t *testing.T, s *suite, e *engine, replies int) {
	p := e.page(t, s)
	s.Gateway().Inject(gateway.Faults{Delay: func(socket.Event) time.Duration { return rand.N(150 * time.Millisecond) }})
	all := make([]*app, replies)
	gates := make([][]chan struct{}, replies)
	for i := range all {
		all[i] = e.connect(p.with("access_token", p.signed(user(fresh("user")))), options{Reconnects: true})
		q := fresh("Tell me all")
		said, held := gated("One", ", two", ", three", ", four.")
		gates[i] = held
		s.Model.Script(q, said)
		all[i].say(q)
	}
	for i := range all {
		all[i].hearsText("One")
	}
	for round := 1; round <= 2; round++ {
		for i := range all {
			close(gates[i][round])
		}
		s.Gateway().Drop()
		for i := range all {
			all[i].hearsEvent("reconnected", round)
		}
	}
	for i, a := range all {
		close(gates[i][3])
		m := a.hearsRest(1)
		// What was on its way to a connection that broke is lost, and only that.
		for _, piece := range []string{"One", ", two", ", three", ", four."} {
			if strings.Count(m.text(), piece) > 1 {
				t.Errorf("%q came twice: %q", piece, m.text())
			}
		}
		if m.final != "One, two, three, four." || len(a.messages()) != 1 || a.errors() != nil {
			t.Errorf("reply %d: %s", i, a.transcript())
		}
	}
}
