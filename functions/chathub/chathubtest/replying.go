package chathubtest

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/local/gateway"
	"parley/shared/api/apitest"
	"parley/shared/parley"
	"parley/shared/socket"
)

// steps are what the model says, a piece at a time.
func steps(pieces ...string) []apitest.Step {
	var out []apitest.Step
	for _, text := range pieces {
		out = append(out, apitest.Step{Text: text})
	}
	return out
}

// gated are pieces each of which, but for the first, waits for its gate.
func gated(pieces ...string) ([]apitest.Step, []chan struct{}) {
	out := steps(pieces...)
	gates := make([]chan struct{}, len(pieces))
	for i := 1; i < len(pieces); i++ {
		gates[i] = make(chan struct{})
		out[i].Until = gates[i]
	}
	return out, gates
}

func testReply(t *testing.T, s *suite) {
	c := s.page(t, nil).connect()
	q := fresh("Tell me")
	said, gates := gated("One", ", two", ", three", ", four.")
	s.Model.Script(q, said)
	c.say(q)
	text := "One"
	c.hearsText(text)
	for i, piece := range []string{", two", ", three"} {
		close(gates[i+1])
		text += piece
		c.hearsText(text)
	}
	close(gates[3])
	m := c.hears(1)
	if len(m.chunks) < 4 || m.final != "One, two, three, four." {
		t.Errorf("message = %+v", m)
	}
	c.say(fresh("Again"))
	if again := c.hears(2); again.id == m.id {
		t.Errorf("two replies have the id %s", m.id)
	}
}

func testOneWord(t *testing.T, s *suite) {
	c := s.page(t, nil).connect()
	for i, text := range []string{"Yes", "No.", "😀"} {
		q := fresh("Yes or no")
		s.Model.Script(q, steps(text))
		c.say(q)
		if m := c.hears(i + 1); m.final != text {
			t.Errorf("message = %+v", m)
		}
	}
}

// posts notes when frames were posted, which the network between does not blur.
type posts struct {
	mu  sync.Mutex
	all []post
}

type post struct {
	at    time.Time
	frame string
}

func (p *posts) note(_ socket.Ref, frame []byte) gateway.PostFault {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.all = append(p.all, post{time.Now(), string(frame)})
	return gateway.PostFault{}
}

func testGap(t *testing.T, s *suite) {
	c := s.page(t, nil).connect()
	var noted posts
	s.Gateway.Inject(gateway.Faults{Post: noted.note})
	for i := range 5 {
		c.say(fresh("Hello"))
		c.hears(i + 1)
	}
	noted.mu.Lock()
	defer noted.mu.Unlock()
	var last time.Time
	finals := 0
	for _, p := range noted.all {
		switch {
		case strings.Contains(p.frame, `"isChunk":true`):
			last = p.at
		case strings.Contains(p.frame, `"isFinal":true`):
			finals++
			if gap := p.at.Sub(last); gap < 200*time.Millisecond {
				t.Errorf("the final comes %s after the last chunk", gap)
			}
		}
	}
	if finals != 5 {
		t.Errorf("%d finals were posted", finals)
	}
}

// testCodePoints: wherever a model cuts its text, no chunk ends within a character.
func testCodePoints(t *testing.T, s *suite) {
	c := s.page(t, nil).connect()
	text := "😀漢é👩‍👩‍👧🇩🇪字😀"
	q := fresh("Emoji")
	var pieces []string
	for _, r := range text {
		pieces = append(pieces, string(r))
	}
	s.Model.Script(q, steps(pieces...))
	c.say(q)
	if m := c.hears(1); m.final != text {
		t.Errorf("final = %q", m.final)
	}
	q = fresh("Long emoji") // cut where frames are full
	long := "a" + strings.Repeat("😀", 4900)
	s.Model.Script(q, steps(long))
	c.say(q)
	if m := c.hears(2); m.final != long {
		t.Errorf("a long final has %d bytes, want %d", len(m.final), len(long))
	}
}

func testTyping(t *testing.T, s *suite) {
	c := s.page(t, nil).connect()
	paired := func(n int) {
		t.Helper()
		c.settles(n)
		var want []bool
		for range n {
			want = append(want, true, false)
		}
		if got := c.typing(); !slices.Equal(got, want) {
			t.Errorf("typing = %v, want %v; heard %s", got, want, c.transcript())
		}
	}
	c.say(fresh("Hello"))
	c.hears(1)
	paired(1)
	stopped := fresh("Stop this")
	said, gates := gated("Let me", " see.")
	s.Model.Script(stopped, said)
	c.say(stopped)
	c.hearsText("Let me")
	if r := c.invoke("CancelAsync"); r.Error != nil {
		t.Errorf("CancelAsync: %s", r.text)
	}
	c.hears(2)
	paired(2)
	close(gates[1])
	failed := fresh("Fail")
	s.Model.Script(failed, []apitest.Step{{Text: "It is"}, {Cut: true}})
	c.say(failed)
	m := c.hears(3)
	paired(3)
	if !strings.HasPrefix(m.final, "It is") || !slices.Equal(c.errors(), []string{"generation_failed"}) {
		t.Errorf("message = %+v, errors = %q", m, c.errors())
	}
	refused := fresh("Refused")
	s.Model.Script(refused, []apitest.Step{{Status: 400}})
	c.say(refused)
	c.await("the failure", func(record) bool { return len(c.errors()) == 2 })
	paired(4)
	if got := c.errors(); got[1] != "generation_failed" {
		t.Errorf("errors = %q", got)
	}
}

func testAtOnce(t *testing.T, s *suite) {
	c := s.page(t, nil).connect()
	q := fresh("Take your time")
	gate := make(chan struct{})
	s.Model.Script(q, []apitest.Step{{Until: gate, Text: "There."}})
	c.say(q) // which would wait for ever if it waited for the reply
	if got := c.messages(); len(got) != 0 {
		t.Errorf("messages = %+v", got)
	}
	close(gate)
	c.hears(1)
}

func testOrder(t *testing.T, s *suite) {
	c := s.page(t, nil).connect()
	one, two, three := fresh("one"), fresh("two"), fresh("three")
	c.write(invocation("a", "SendMessageAsync", message(one)) + invocation("b", "SendMessageAsync", message(two)))
	id := c.result(c.completion("a")).ConversationID
	c.completion("b")
	c.say(three)
	c.hears(3)
	for i, m := range c.messages() {
		if want := apitest.Echo([]string{one, two, three}[i]); m.final != want {
			t.Errorf("message %d = %q, want %q", i, m.final, want)
		}
	}
	c.settles(3)
	var frames []string
	for i := range 5 { // at the same time, in whatever order
		frames = append(frames, invocation(string(rune('k'+i)), "SendMessageAsync", message(fresh("many"))))
	}
	for _, f := range frames {
		c.write(f)
	}
	c.hears(8)
	stored := c.said(id)
	for i, m := range c.messages() {
		if want := apitest.Echo(stored[i]); m.final != want {
			t.Errorf("message %d = %q, want %q", i, m.final, want)
		}
	}
	if len(stored) != 8 {
		t.Errorf("stored: %q", stored)
	}
}

func testCancel(t *testing.T, s *suite) {
	c := s.page(t, nil).connect()
	if r := c.invoke("CancelAsync"); r.Error != nil {
		t.Errorf("before anything was said: %s", r.text)
	}
	q := fresh("Go on")
	said, gates := gated("So far", " so good.")
	s.Model.Script(q, said)
	id := c.say(q).ConversationID
	c.hearsText("So far")
	if r := c.invoke("CancelAsync"); r.Error != nil {
		t.Errorf("CancelAsync: %s", r.text)
	}
	if m := c.hears(1); m.final != "So far" {
		t.Errorf("message = %+v", m)
	}
	c.settles(1)
	close(gates[1])
	if r := c.invoke("CancelAsync"); r.Error != nil {
		t.Errorf("with nothing to cancel: %s", r.text)
	}
	early := fresh("Think first")
	gate := make(chan struct{})
	defer close(gate)
	s.Model.Script(early, []apitest.Step{{Until: gate, Text: "Never said."}})
	c.say(early)
	c.eventually("the question", func() bool { return s.Model.Asked(early) == 1 })
	c.invoke("CancelAsync")
	c.settles(2)
	if got := c.messages(); len(got) != 1 {
		t.Errorf("messages = %+v", got)
	}
	if run := c.stored(id).Run; run != nil {
		t.Errorf("run = %+v", run)
	}
	if got := c.errors(); got != nil {
		t.Errorf("errors = %q", got)
	}
}

func testCancelQueue(t *testing.T, s *suite) {
	c := s.page(t, nil).connect()
	q, next := fresh("Long"), fresh("Short")
	said, gates := gated("So far", " so good.")
	defer close(gates[1])
	s.Model.Script(q, said)
	c.say(q)
	c.hearsText("So far")
	c.say(next)
	c.invoke("CancelAsync")
	if m := c.hears(2); m.final != apitest.Echo(next) {
		t.Errorf("what waited is answered %+v", m)
	}
}

// testDuplicates: each event reaches the hub twice; nothing is stored or said twice.
func testDuplicates(t *testing.T, s *suite) {
	c := s.page(t, nil).connect()
	s.Gateway.Inject(gateway.Faults{Twice: func(e socket.Event) bool { return e.Kind == socket.Message }})
	q := fresh("Once")
	s.Model.Script(q, steps("Only once."))
	c.write(invocation("a", "SendMessageAsync", message(q)) + invocation("b", "SendMessageAsync", message(fresh("Then"))))
	id := c.result(c.completion("a")).ConversationID
	c.result(c.completion("b"))
	c.hears(2)
	c.settles(2)
	if got := c.said(id); len(got) != 2 || got[0] != q {
		t.Errorf("stored: %q", got)
	}
	if n := s.Model.Asked(q); n != 1 {
		t.Errorf("the model was asked %d times", n)
	}
	s.Gateway.Inject(gateway.Faults{})
	if c.quiet(); len(c.messages()) != 2 {
		t.Errorf("messages = %+v", c.messages())
	}
}

func testLongFrames(t *testing.T, s *suite) {
	c := s.page(t, nil).connect()
	for i, unit := range []string{"0123456789", "漢字", "\x01\"\\<", "a\n"} {
		q := fresh("Everything")
		piece := strings.Repeat(unit, 400/len(unit))
		s.Model.Script(q, steps(slices.Repeat([]string{piece}, 100)...))
		c.say(q)
		m := c.hears(i + 1)
		if len(m.final) > parley.ChannelChatHub.MaxReplyBytes() || len(m.final) < 4000 {
			t.Errorf("a reply of %q has %d bytes", unit, len(m.final))
		}
	}
}

// testRelayDies: whoever writes the reply dies without a word.
func testRelayDies(t *testing.T, s *suite) {
	c := s.page(t, nil).connect()
	q := fresh("Do not die")
	gate := make(chan struct{})
	defer close(gate)
	s.Model.Script(q, []apitest.Step{{Text: "I will"}, {Until: gate, Text: " not."}})
	c.say(q)
	c.hearsText("I will")
	s.Kill(t)
	for range 3 {
		s.Pass(t, time.Minute)
	}
	m := c.hears(1)
	c.settles(1)
	if !strings.HasPrefix(m.final, "I will") || !slices.Equal(c.errors(), []string{"generation_failed"}) {
		t.Errorf("message = %+v, errors = %q", m, c.errors())
	}
	if got := c.typing(); got[len(got)-1] {
		t.Errorf("typing = %v", got)
	}
}
