package chathubtest

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"parley/local/gateway"
	"parley/shared/parley"
	"parley/shared/socket"
)

// end is what a client hears at the end of its session.
type end struct{ ConversationID, Reason string }

// ends reads until the connection has ended, which the hub has to say before.
func (c *client) ends() end {
	c.t.Helper()
	for c.frame() != nil {
	}
	all := slices.Concat(c.frames...)
	at := slices.IndexFunc(all, func(r record) bool { return r.is(1) && r.Target == "ConversationEnded" })
	if at < 0 || at+1 >= len(all) {
		c.t.Fatalf("the connection ended with %d; heard %s", c.ended, c.transcript())
	}
	if r := all[at+1]; !r.is(7) || r.AllowReconnect || r.Error != nil || at+2 != len(all) {
		c.t.Errorf("after ConversationEnded: %s", c.transcript())
	}
	var e end
	if err := json.Unmarshal(all[at].Arguments[0], &e); err != nil {
		c.t.Fatal(err)
	}
	return e
}

func testEnd(t *testing.T, s *suite) {
	for name, during := range map[string]bool{"after a reply": false, "during a reply": true} {
		t.Run(name, func(t *testing.T) {
			c := s.page(t, nil).connect()
			q := fresh("Hello")
			said, gates := gated("Well", ", well.")
			defer close(gates[1])
			if during {
				s.Model.Script(q, said)
			}
			id := c.say(q).ConversationID
			if during {
				c.hearsText("Well")
			} else {
				c.hears(1)
				c.settles(1)
			}
			call := c.begin("EndSessionAsync")
			if got := c.ends(); got != (end{id, "user_ended"}) {
				t.Errorf("ended = %+v", got)
			}
			last := c.frames[len(c.frames)-1]
			if len(last) != 3 || !last[0].is(3) || *last[0].InvocationID != call || last[0].Error != nil {
				t.Errorf("the last frame is not completion, event and close: %s", c.transcript())
			}
			if session := c.stored(id); !session.Over() || session.Run != nil {
				t.Errorf("session = %+v", session)
			}
			again := c.page.connect()
			if got := again.say(fresh("Hello")); got.ConversationID == id {
				t.Error("the session goes on")
			}
		})
	}
	t.Run("before anything was said", func(t *testing.T) {
		c := s.page(t, nil).connect()
		c.send("EndSessionAsync")
		if got := c.ends(); got.Reason != "user_ended" || got.ConversationID == "" {
			t.Errorf("ended = %+v", got)
		}
	})
	t.Run("others of the frame are left alone", func(t *testing.T) {
		c := s.page(t, nil).connect()
		c.write(invocation("a", "SendMessageAsync", message(fresh("Hello"))) + invocation("b", "EndSessionAsync") + invocation("c", "SendMessageAsync", message("Late")))
		c.completion("a")
		id := c.ends().ConversationID
		if got := c.said(id); len(got) != 1 {
			t.Errorf("stored: %q", got)
		}
	})
}

// testEndElsewhere: others end the session while its client is there.
func testEndElsewhere(t *testing.T, s *suite) {
	for name, test := range map[string]struct {
		end    func(c *client, id parley.SessionID) error
		reason string
	}{
		"a person resolves it": {func(c *client, id parley.SessionID) error { return c.Store.Resolve(t.Context(), c.operator(), id, ola) }, "agent_ended"},
		"a person closes it": {func(c *client, id parley.SessionID) error {
			return c.Store.CloseNow(t.Context(), c.operator(), id, ola)
		}, "agent_ended"},
	} {
		t.Run(name, func(t *testing.T) {
			c := s.page(t, nil).connect()
			id := c.say(fresh("Hello")).ConversationID
			c.hears(1)
			c.settles(1)
			if err := test.end(c, parley.SessionID(id)); err != nil {
				t.Fatal(err)
			}
			if got := c.ends(); got != (end{id, test.reason}) {
				t.Errorf("ended = %+v", got)
			}
		})
	}
	t.Run("nobody tells the client", func(t *testing.T) {
		c := s.page(t, nil).connect()
		id := c.say(fresh("Hello")).ConversationID
		c.hears(1)
		c.settles(1)
		s.Gateway().Inject(gateway.Faults{Post: func(socket.Ref, []byte) gateway.PostFault { return gateway.PostFault{Status: 500} }})
		if err := s.Store.CloseNow(t.Context(), c.operator(), parley.SessionID(id), ola); err != nil {
			t.Fatal(err)
		}
		c.fails(c.invoke("SendMessageAsync", message("Late")), "session_ended")
		if got := c.said(id); len(got) != 1 {
			t.Errorf("stored: %q", got)
		}
	})
}

// testPeople: what people say comes as a reply does, and their coming ends one.
func testPeople(t *testing.T, s *suite) {
	c := s.page(t, nil).connect()
	q := fresh("Who are you")
	said, gates := gated("I am", " a robot.")
	defer close(gates[1])
	s.Model.Script(q, said)
	id := parley.SessionID(c.say(q).ConversationID)
	c.hearsText("I am")
	if err := s.Store.TakeOver(t.Context(), c.operator(), id, ola); err != nil {
		t.Fatal(err)
	}
	if m := c.hears(1); m.final != "I am" {
		t.Errorf("after the takeover: %+v", m)
	}
	c.settles(1)
	text := fresh("I am Ola 😀, and no robot")
	if _, err := s.Store.Reply(t.Context(), c.operator(), ola, parley.ReplyRequest{ID: parley.EntryID(fresh("op")), Session: id, Content: text}); err != nil {
		t.Fatal(err)
	}
	if m := c.hears(2); m.final != text {
		t.Errorf("a person's message: %+v", m)
	}
	c.say(fresh("Good"))
	if err := s.Store.HandBack(t.Context(), c.operator(), id, ola); err != nil {
		t.Fatal(err)
	}
	robot := fresh("And now")
	c.say(robot)
	if m := c.hears(3); !strings.HasSuffix(m.final, robot) { // with what nobody has answered before it
		t.Errorf("after the hand back: %+v", m)
	}
}

// dropped breaks a client's connection as a network does, and waits until the gateway
// knows: what it takes before that is lost.
func (c *client) dropped() {
	c.t.Helper()
	before := len(c.Gateway().Connections())
	c.ws.CloseNow()
	c.ended = -1
	c.eventually("the end of the connection", func() bool { return len(c.Gateway().Connections()) < before })
}

// midReply is a client that has heard the beginning of a reply, and the gates of the
// rest.
func (p *page) midReply() (c *client, id string, gates []chan struct{}) {
	p.t.Helper()
	c = p.connect()
	q := fresh("Tell me all")
	said, gates := gated("One", ", two", ", three", ", four.")
	p.Model.Script(q, said)
	id = c.say(q).ConversationID
	c.hearsText("One")
	return c, id, gates
}

// continues checks that a client which came back mid-reply is given the rest once.
func (c *client) continues(was *client, gates []chan struct{}) {
	c.t.Helper()
	for _, g := range gates[1:] {
		close(g)
	}
	m := c.hearsRest(1)
	before := was.messages()[0]
	if before.text()+m.text() != "One, two, three, four." || m.final != "One, two, three, four." || m.id != before.id {
		c.t.Errorf("before %+v, after %+v", before, m)
	}
	c.settles(1)
	if got := c.typing(); got[len(got)-1] {
		c.t.Errorf("typing = %v", got)
	}
	if got := c.errors(); got != nil {
		c.t.Errorf("errors = %q", got)
	}
}

func testDroppedNamed(t *testing.T, s *suite) {
	for name, late := range map[string]bool{"while it is written": false, "when it is over": true} {
		t.Run(name, func(t *testing.T) {
			p := s.page(t, nil)
			first := p.connect()
			id := first.say(fresh("Hello")).ConversationID
			first.hears(1)
			first.settles(1)
			first.leave()
			named := p.with("sessionId", id)
			c, same, gates := named.midReply()
			if same != id {
				t.Fatalf("conversation %s, want %s", same, id)
			}
			c.dropped()
			if late {
				for i := range gates[1:] {
					close(gates[i+1])
					gates[i+1] = make(chan struct{})
				}
				p.eventually("the end", func() bool { return p.stored(id).Run == nil })
			}
			named.connect().continues(c, gates)
		})
	}
}

func testDroppedUnnamed(t *testing.T, s *suite) {
	for name, lost := range map[string]bool{"told": false, "not told": true} {
		t.Run(name, func(t *testing.T) {
			p := s.page(t, nil)
			c, id, gates := p.midReply()
			if lost {
				s.Gateway().Inject(gateway.Faults{Lose: func(e socket.Event) bool { return e.Kind == socket.Disconnect }})
			}
			c.dropped()
			p.eventually("the gateway's notice", func() bool { return len(s.Gateway().Connections()) == 0 })
			if !lost {
				p.eventually("the hub's notice", func() bool {
					line, err := s.Store.LineOf(t.Context(), p.project.ID, parley.SessionID(id))
					_, there := line.Current()
					return err == nil && !there
				})
			}
			again := p.connect()
			again.continues(c, gates)
			if got := again.say(fresh("Still here")); got.ConversationID != id {
				t.Errorf("conversation %s, want %s", got.ConversationID, id)
			}
			s.Gateway().Inject(gateway.Faults{})
		})
	}
	t.Run("another token", func(t *testing.T) {
		p := s.page(t, nil)
		c := p.connect()
		id := c.say(fresh("Hello")).ConversationID
		c.dropped()
		p.eventually("the gateway's notice", func() bool { return len(s.Gateway().Connections()) == 0 })
		for name, other := range map[string]*page{
			"somebody else":   p.with("access_token", p.signed(user("bob"))),
			"a token's jti":   p.with("access_token", p.signed(object{"sub": "ann", "jti": "2", "exp": in(time.Hour)})),
			"the other agent": p.with("agentId", string(p.project.ID)+".bob"),
		} {
			if got := other.connect().say(fresh("Hello")); got.ConversationID == id {
				t.Errorf("%s goes on with the session", name)
			}
		}
	})
}

func testLeftOnPurpose(t *testing.T, s *suite) {
	p := s.page(t, nil)
	c := p.connect()
	id := c.say(fresh("Hello")).ConversationID
	c.hears(1)
	c.leave()
	p.eventually("the end of the connection", func() bool {
		line, err := s.Store.LineOf(t.Context(), p.project.ID, parley.SessionID(id))
		return err == nil && line.Meant
	})
	if got := p.connect().say(fresh("Hello")); got.ConversationID == id {
		t.Error("the session goes on")
	}
	if got := p.with("sessionId", id).connect().say(fresh("Hello")); got.ConversationID != id {
		t.Error("the session does not go on for who names it")
	}
}

// testGone: posts that are refused for good move to the connection that has come.
func testGone(t *testing.T, s *suite) {
	p := s.page(t, nil)
	c, id, gates := p.midReply()
	ids := s.Gateway().Connections()
	var refused atomic.Int64
	s.Gateway().Inject(gateway.Faults{
		Lose: func(e socket.Event) bool { return e.Kind == socket.Disconnect },
		Post: func(to socket.Ref, _ []byte) gateway.PostFault {
			if slices.Contains(ids, to.ID) {
				refused.Add(1)
				return gateway.PostFault{Status: 410}
			}
			return gateway.PostFault{}
		},
	})
	close(gates[1]) // said to nobody
	p.eventually("a post that is refused", func() bool { return refused.Load() > 0 })
	c.dropped()
	gates[1] = make(chan struct{})
	p.with("sessionId", id).connect().continues(c, gates)
}

func testDisconnects(t *testing.T, s *suite) {
	p := s.page(t, nil)
	c := p.connect()
	id := c.say(fresh("Hello")).ConversationID
	c.hears(1)
	c.settles(1)
	named := p.with("sessionId", id)
	gate := make(chan struct{})
	open := sync.OnceFunc(func() { close(gate) })
	defer open()
	late := make(chan struct{}, 1)
	s.Gateway().Inject(gateway.Faults{Delay: func(e socket.Event) time.Duration {
		if e.Kind == socket.Disconnect {
			<-gate
			late <- struct{}{}
		}
		return 0
	}})
	c.dropped()
	again := named.connect()
	again.say(fresh("Before it is told"))
	again.hears(1)
	again.settles(1)
	open()
	<-late
	again.say(fresh("After it is told"))
	again.hears(2)
	s.Gateway().Inject(gateway.Faults{Lose: func(e socket.Event) bool { return e.Kind == socket.Disconnect }})
	again.dropped()
	third := named.connect()
	if got := third.say(fresh("Never told")); got.ConversationID != id {
		t.Errorf("conversation %s, want %s", got.ConversationID, id)
	}
	third.hears(1)
}

// testFirstRecord: nothing is posted to a connection before its client has sent a
// record after the handshake.
func testFirstRecord(t *testing.T, s *suite) {
	p := s.page(t, nil)
	c, id, gates := p.midReply()
	before := s.Gateway().Connections()
	named := p.with("sessionId", id)
	again := named.open() // which sends no ping yet
	fresh := s.newest(before)
	var early atomic.Int64
	s.Gateway().Inject(gateway.Faults{Post: func(to socket.Ref, _ []byte) gateway.PostFault {
		if to.ID == fresh {
			early.Add(1)
		}
		return gateway.PostFault{}
	}})
	close(gates[1])
	c.hearsText("One, two") // still goes to the first
	if n := early.Load(); n > 0 {
		t.Errorf("%d posts before the first record", n)
	}
	again.ping()
	gates[1] = make(chan struct{})
	again.continuesFrom(c, gates)
}

// continuesFrom is continues without a look at typing.
func (c *client) continuesFrom(was *client, gates []chan struct{}) {
	c.t.Helper()
	for _, g := range gates[1:] {
		close(g)
	}
	m := c.hearsRest(1)
	if got := was.messages()[0].text() + m.text(); got != m.final || m.id != was.messages()[0].id {
		c.t.Errorf("before %+v, after %+v", was.messages()[0], m)
	}
}

// testJitter: every event is up to 150 ms late, and the connection drops twice in each
// reply, which arrives whole all the same.
func testJitter(t *testing.T, s *suite) {
	p := s.page(t, nil)
	s.Gateway().Inject(gateway.Faults{Delay: func(socket.Event) time.Duration { return rand.N(150 * time.Millisecond) }})
	for range 20 {
		t.Run("reply", func(t *testing.T) {
			p := p.with("access_token", p.signed(user(fresh("user")))).of(t)
			c, id, gates := p.midReply()
			heard := ""
			named := p.with("sessionId", id)
			for i := range 2 {
				c.dropped()
				for _, m := range c.messages() {
					heard += m.text()
				}
				c = named.open()
				c.write(`{"type":6}|`)
				c.frame() // which may be a piece that comes before the answer
				close(gates[i+1])
			}
			close(gates[3])
			m := c.hearsRest(1)
			heard += m.text()
			// What was on its way to a connection that broke is lost, and only that.
			for _, piece := range []string{"One", ", two", ", three", ", four."} {
				if strings.Count(heard, piece) > 1 {
					t.Errorf("%q came twice: %q", piece, heard)
				}
			}
			if m.final != "One, two, three, four." {
				t.Errorf("heard %q, then %+v", heard, m)
			}
		})
	}
}

func testTwoTabs(t *testing.T, s *suite) {
	p := s.page(t, nil)
	a, b := p.connect(), p.connect()
	one, two := a.say(fresh("From a")), b.say(fresh("From b"))
	if one.ConversationID == two.ConversationID {
		t.Error("two tabs have one session")
	}
	a.hears(1)
	b.hears(1)
	a.settles(1)
	b.settles(1)
	for range 3 {
		c := p.connect()
		c.quiet()
		c.leave()
	}
	a.quiet()
	b.quiet()
	a.say(fresh("Again"))
	a.hears(2)
	if n := len(b.messages()); n != 1 {
		t.Errorf("the other tab has %d messages", n)
	}
}

func testRestart(t *testing.T, s *suite) {
	p := s.page(t, nil)
	c := p.connect()
	id := c.say(fresh("Hello")).ConversationID
	c.hears(1)
	c.settles(1)
	restarted := make(chan struct{})
	go func() {
		defer close(restarted)
		s.Host.Restart(t)
	}()
	for c.frame() != nil {
	}
	if c.ended != 1001 {
		t.Errorf("the connection ended with %d", c.ended)
	}
	<-restarted
	again := p.connect()
	if got := again.say(fresh("Hello again")); got.ConversationID != id {
		t.Errorf("conversation %s, want %s", got.ConversationID, id)
	}
	again.hears(1)
}

// testSessionID: what a client names is one of its own, of this agent, that goes on.
func testSessionID(t *testing.T, s *suite) {
	p := s.page(t, nil)
	mine := p.connect()
	id := mine.say(fresh("Mine")).ConversationID
	mine.hears(1)
	theirs := p.with("access_token", p.signed(user("bob"))).connect().say(fresh("Theirs")).ConversationID
	elsewhere := s.page(t, nil).connect().say(fresh("Elsewhere")).ConversationID
	over := p.with("access_token", p.signed(object{"sub": "ann", "jti": "over", "exp": in(time.Hour)})).connect()
	ended := over.say(fresh("Over")).ConversationID
	over.invoke("EndSessionAsync")
	native := s.native(t, p)
	for name, test := range map[string]struct{ id, agent string }{
		"unknown":           {"nothing", "ada"},
		"another user's":    {theirs, "ada"},
		"another project's": {elsewhere, "ada"},
		"another agent's":   {id, "bob"},
		"ended":             {ended, "ada"},
		"another channel's": {native, "ada"},
		"too long":          {strings.Repeat("x", 200), "ada"},
		"odd":               {"a\x01b", "ada"},
	} {
		t.Run(name, func(t *testing.T) {
			c := p.with("sessionId", test.id, "agentId", string(p.project.ID)+"."+test.agent,
				"access_token", p.signed(object{"sub": "ann", "jti": fresh("t"), "exp": in(time.Hour)})).of(t).open()
			c.ping()
			if got := c.errors(); !slices.Equal(got, []string{"session_not_found"}) {
				t.Errorf("errors = %q", got)
			}
			if strings.HasPrefix(name, "un") || test.id == ended || test.id == native {
				if got := c.say(fresh("New")); got.ConversationID == test.id {
					t.Error("the session goes on")
				}
				c.hears(1)
			}
		})
	}
	again := p.with("sessionId", id).connect()
	if got := again.say(fresh("Again")); got.ConversationID != id || again.errors() != nil {
		t.Errorf("conversation %s, want %s; errors %q", got.ConversationID, id, again.errors())
	}
	again.hears(1)
	if n := len(mine.messages()); n != 1 {
		t.Errorf("the connection before has %d messages", n)
	}
}

// native is a session of the same user in another channel.
func (s *suite) native(t *testing.T, p *page) string {
	got, err := s.Store.Identify(t.Context(), parley.IdentifyRequest{Caller: parley.Caller{Project: p.project.ID}, Identity: &parley.Identity{External: "ann"}})
	if err != nil {
		t.Fatal(err)
	}
	sent, err := s.Store.Send(t.Context(), parley.Caller{Project: p.project.ID, Visitor: got.Visitor.ID, Contact: got.Visitor.Contact, Generation: got.Visitor.Generation},
		parley.SendRequest{ID: parley.EntryID(fresh("n")), Channel: parley.ChannelNative, Agent: "ada", Content: "Native"})
	if err != nil {
		t.Fatal(err)
	}
	return string(sent.Session.ID)
}
