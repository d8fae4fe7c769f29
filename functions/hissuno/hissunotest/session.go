package hissunotest

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/shared/parley"
	"parley/shared/parleytest"
)

func testClose(t *testing.T, s *suite) {
	p := s.page(t, nil)
	before := s.standing(t)
	for _, name := range []string{"E7", "E7b"} {
		if got := p.do(p.calls()[name]).is(http.StatusOK).object(); got["success"] != true {
			t.Errorf("%s of an unknown conversation = %v", name, got)
		}
	}
	parleytest.Same(t, before, s.standing(t))
	p.ask("Hello")
	for range 2 {
		p.do(p.calls()["E7"]).is(http.StatusOK)
		if got := p.stored(); got.State != parley.StateClosed {
			t.Errorf("state = %s", got.State)
		}
	}
	required := s.page(t, func(p *parley.Project) { p.TokenRequired = true })
	m := required.message("Hello")
	m["widgetToken"] = required.signed(object{"userId": "ann", "exp": in(time.Hour)}, "")
	required.post(m).is(http.StatusCreated)
	beacon := required.beacon()
	beacon.header["Cookie"] = "session=somebody"
	required.do(beacon).is(http.StatusOK)
	if got := required.stored(); got.State != parley.StateClosed {
		t.Errorf("after a beacon without a token: %s", got.State)
	}
}

func testReopened(t *testing.T, s *suite) {
	p := s.page(t, nil)
	p.ask("Hello")
	p.do(p.calls()["E7"]).is(http.StatusOK)
	p.ask("One more thing")
	if got := p.stored(); got.State != parley.StateOpen || got.Settles != 0 {
		t.Errorf("session = %+v", got)
	}
	if err := s.Store.Resolve(t.Context(), p.operator(), parley.SessionID(p.session), ola); err != nil {
		t.Fatal(err)
	}
	p.ask("And another")
	if got := p.stored(); got.State != parley.StateOpen || got.Messages != 6 {
		t.Errorf("session = %+v", got)
	}
	p.writes("You are welcome")
}

// writes has the operator write.
func (p *page) writes(text string) parley.Entry {
	p.t.Helper()
	out, err := p.Store.Reply(p.t.Context(), p.operator(), ola, parley.ReplyRequest{ID: parley.EntryID(newUUID()),
		Session: parley.SessionID(p.session), Content: text})
	if err != nil {
		p.t.Fatal(err)
	}
	return out.Message
}

func testHumanHasIt(t *testing.T, s *suite) {
	p := s.page(t, nil)
	p.ask("Hello")
	p.takeOver()
	out := p.post(p.message("Hello", "Hi", "Are you human?")).is(http.StatusOK).object()
	if out["status"] != "human_takeover" || out["sessionId"] != p.session || out["message"] == "" || out["runId"] != nil {
		t.Errorf("answer = %v", out)
	}
	if got := p.stored(); got.Run != nil || got.Last.Text != "Are you human?" {
		t.Errorf("session = %+v", got)
	}
	p.do(p.calls()["E4"]).fails(http.StatusNotFound)
}

// testAcknowledged: a page that shows one message only asks for no updates, so
// it is given a second one.
func testAcknowledged(t *testing.T, s *suite) {
	p := s.page(t, func(p *parley.Project) { p.Texts = map[string]string{parley.TextAcknowledged: "A person reads this."} })
	p.ask("Hello")
	p.takeOver()
	p.updates("")
	out := p.post(p.message("Are you human?")).is(http.StatusCreated).object()
	if out["status"] != "processing" || out["runId"] == nil {
		t.Errorf("answer = %v", out)
	}
	if h := p.read(""); h.text != "A person reads this." || h.types[len(h.types)-1] != "message-complete" {
		t.Errorf("heard %+v", h)
	}
	p.do(p.calls()["E4"]).fails(http.StatusNotFound)
	if letters, _ := p.updates(""); len(letters) > 0 {
		t.Errorf("updates = %+v", letters)
	}
}

// testShut: a page whose visitor shut the chat asks for no updates any more, so what an
// operator wrote comes with the visitor's next message, once.
func testShut(t *testing.T, s *suite) {
	p := s.page(t, nil)
	p.ask("Hello")
	p.updates("")
	p.do(p.calls()["E7"]).is(http.StatusOK)
	p.writes("I am Ola")
	out := p.post(p.message("Hello", "Hi", "Anybody?")).is(http.StatusCreated).object()
	if out["status"] != "processing" || out["runId"] == nil {
		t.Errorf("answer = %v", out)
	}
	if h := p.read(""); h.text != "Ola: I am Ola" || h.types[len(h.types)-1] != "message-complete" {
		t.Errorf("heard %+v", h)
	}
	p.do(p.calls()["E4"]).fails(http.StatusNotFound)
	if out := p.post(p.message("Hello", "Hi", "Thanks")).is(http.StatusOK).object(); out["status"] != "human_takeover" {
		t.Errorf("answer = %v", out)
	}
}

// contents are the texts of letters, and the statuses in brackets.
func contents(letters []letter) []string {
	out := []string{}
	for _, l := range letters {
		if l.Message == nil {
			out = append(out, "("+l.Status+")")
			continue
		}
		out = append(out, l.Message.Content)
	}
	return out
}

// testLetters: what the page is told besides replies, and what it is told again.
func testLetters(t *testing.T, s *suite) {
	p := s.page(t, nil)
	if letters, a := p.updates(""); len(letters) > 0 || a.retry < time.Second {
		t.Errorf("of an unknown conversation: %+v, retry %v", letters, a.retry)
	}
	p.ask("Hello")
	if letters, _ := p.updates(""); len(letters) > 0 {
		t.Errorf("a reply is told as an update: %+v", letters)
	}
	sent := p.writes("I am Ola")
	long := strings.Repeat("ü", 2048)
	p.writes(long)
	if _, err := s.Store.Reply(t.Context(), p.operator(), ola, parley.ReplyRequest{ID: parley.EntryID(newUUID()),
		Session: parley.SessionID(p.session), Content: long + "x"}); parley.Code(err) != "too_large" {
		t.Errorf("a message of 4097 bytes: %v", err)
	}
	want := []string{"(human_takeover)", "I am Ola", long}
	letters, a := p.updates("")
	if got := contents(letters); !slices.Equal(got, want) {
		t.Fatalf("updates = %q", got)
	}
	for _, l := range letters[1:] {
		if _, err := time.Parse(time.RFC3339, l.Message.CreatedAt); err != nil || l.Message.Role != "assistant" || l.Message.SenderType != "human_agent" {
			t.Errorf("message = %+v, %v", l.Message, err)
		}
	}
	if letters[1].Message.ID != string(sent.ID) {
		t.Errorf("id = %q, want %q", letters[1].Message.ID, sent.ID)
	}
	// The page asks anew at once: so it has the event, and perhaps no message.
	for range 2 {
		if letters, _ := p.updates(""); !slices.Equal(contents(letters), want[1:]) {
			t.Errorf("asked anew, it is told %q, want %q", contents(letters), want[1:])
		}
	}
	// After an event it is told what follows that.
	if letters, _ := p.updates(a.events[2].ID); !slices.Equal(contents(letters), want[2:]) {
		t.Errorf("after %s: %q", a.events[2].ID, contents(letters))
	}
	if letters, _ := p.updates(a.events[3].ID); len(letters) > 0 {
		t.Errorf("after the last: %q", contents(letters))
	}
	// What was written to a page that is loaded anew may not have arrived.
	p.writes("Still there?")
	p.updates("")
	p.do(p.beacon()).is(http.StatusOK)
	p.status()
	letters, a = p.updates("")
	if !slices.Equal(contents(letters), []string{"Still there?"}) {
		t.Errorf("a page that is loaded anew is told %q", contents(letters))
	}
	p.updates(a.events[1].ID)
	// Notes are nobody's but the operators'.
	if _, err := s.Store.Reply(t.Context(), p.operator(), ola, parley.ReplyRequest{ID: parley.EntryID(newUUID()),
		Session: parley.SessionID(p.session), Content: "a note", Internal: true}); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if letters, _ := p.updates(""); len(letters) > 0 {
			t.Fatalf("nothing new is told as %q", contents(letters))
		}
	}
}

func testClosedUpdates(t *testing.T, s *suite) {
	p := s.page(t, nil)
	p.ask("Hello")
	p.updates("")
	if err := s.Store.Resolve(t.Context(), p.operator(), parley.SessionID(p.session), ola); err != nil {
		t.Fatal(err)
	}
	letters, a := p.updates("")
	if got := contents(letters); !slices.Equal(got, []string{"(closed)"}) {
		t.Errorf("updates = %q", got)
	}
	// Four connections a minute at most: the first, and one after each pause.
	if perMinute := 1 + int((time.Minute-time.Second)/(a.retry+s.Hold)); perMinute > 4 {
		t.Errorf("a closed conversation is asked for %d times a minute", perMinute)
	}
	for range 3 {
		if letters, _ := p.updates(""); len(letters) > 0 {
			t.Errorf("told again: %q", contents(letters))
		}
	}
	if s.Hold > 0 {
		began := time.Now()
		p.updates("")
		if held := time.Since(began); held < s.Hold {
			t.Errorf("held for %v", held)
		}
	}
	// What the page itself closed it is not told of, and what was reopened neither.
	p.ask("One more thing")
	if letters, _ := p.updates(""); len(letters) > 0 {
		t.Errorf("of a conversation that is open again: %q", contents(letters))
	}
}

func testTakenOver(t *testing.T, s *suite) {
	p, run, gate := s.started(t)
	defer close(gate)
	reply := p.readsMeanwhile(run, "")
	p.takeOver()
	if h := <-reply; h.text != "One," || h.types[len(h.types)-1] != "message-complete" {
		t.Errorf("heard %+v", h)
	}
	for i := range 3 {
		want := []string{}
		if i == 0 {
			want = append(want, "(human_takeover)")
		}
		if letters, _ := p.updates(""); !slices.Equal(contents(letters), want) {
			t.Errorf("asked for the %dth time: %q, want %q", i+1, contents(letters), want)
		}
	}
	p.handBack()
	if h := p.ask("Hello", "One,", "And now?"); h.text == "" {
		t.Errorf("heard %+v", h)
	}
	// Taken over and handed back while nobody asked: that is no news any more.
	p.takeOver()
	p.handBack()
	if letters, _ := p.updates(""); len(letters) > 0 {
		t.Errorf("of a conversation that the agent has: %q", contents(letters))
	}
}
