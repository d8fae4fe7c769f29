package apitest

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"parley/shared/parley"
	"parley/shared/parleytest"
)

// chatting starts a message in the background and returns what its stream will be.
func (b *browser) chatting(m message) <-chan turn {
	done := make(chan turn, 1)
	var wait sync.WaitGroup
	wait.Go(func() {
		defer close(done)
		a := b.do(call{method: http.MethodPost, path: "/chat", body: m})
		if a.status != http.StatusOK {
			b.t.Errorf("message = %d %s", a.status, a.body)
			return
		}
		done <- turnOf(b.t, a.events)
	})
	b.t.Cleanup(wait.Wait)
	return done
}

// running is a session whose run has said something and waits to go on.
type running struct {
	*browser
	session  parley.SessionID
	message  message
	question string
	stream   <-chan turn
	gate     chan struct{}
}

// started begins a session with an answered message, then asks a question whose
// reply says "One," and waits.
func (s *suite) started(t *testing.T) *running { return s.startedIn(t, nil) }

// startedIn is started in a project with settings of its own.
func (s *suite) startedIn(t *testing.T, change func(*parley.Project)) *running {
	b := s.project(t, change).visitor()
	r := &running{browser: b, question: fresh("Count?"), gate: make(chan struct{})}
	r.session = b.chat(ask("Hello")).accepted.Session.ID
	s.Model.Script(r.question, []Step{{Text: "One,"}, {Until: r.gate, Text: " two."}})
	r.message = ask(r.question).with("sessionId", r.session)
	r.stream = b.chatting(r.message)
	r.await("the question", func() bool { return s.Model.Asked(r.question) > 0 })
	r.awaitText(b.ref(r.session, r.message.id()), "One,")
	return r
}

// next is another message of the session.
func (r *running) next(content, ifBusy string) message {
	return ask(content).with("sessionId", r.session).with("ifBusy", ifBusy)
}

// testQueue: what comes while a reply is written is answered in its turn.
func testQueue(t *testing.T, s *suite) {
	r := s.started(t)
	second := r.next("And then?", "queue")
	queued := r.chatting(second)
	r.await("the queue", func() bool {
		session, err := r.Store.Session(t.Context(), r.who(), r.session)
		return err == nil && len(session.Queue) == 1
	})
	close(r.gate)
	if got := <-r.stream; got.text != "One, two." || got.Status != parley.StatusDone {
		t.Errorf("first reply = %q, %s", got.text, got.Status)
	}
	got := <-queued
	if got.text != Echo("And then?") || got.Status != parley.StatusDone || string(got.ended.Message.Of) != second.id() {
		t.Errorf("second reply = %q, %s, %+v", got.text, got.Status, got.ended.Message)
	}
	if len(got.accepted.Session.Queue) != 1 || string(got.accepted.Session.Run.ID) != r.message.id() {
		t.Errorf("accepted = %+v", got.accepted.Session)
	}
}

// testRefuse: a message that does not want to wait is stored, and told what it met.
func testRefuse(t *testing.T, s *suite) {
	r := s.started(t)
	second := r.next("And now?", "refuse")
	for range 2 { // the second time it is a repetition
		p := r.do(call{method: http.MethodPost, path: "/chat", body: second}).fails(http.StatusConflict, "busy")
		if p.Session != r.session || string(p.Run) != r.message.id() {
			t.Errorf("problem = %+v, want session %s and run %s", p, r.session, r.message.id())
		}
	}
	close(r.gate)
	if got := <-r.stream; got.Status != parley.StatusDone {
		t.Errorf("first reply: %s", got.Status)
	}
	entries := into[transcript](r.get("/history/" + string(r.session))).Entries
	if len(entries) != 5 || string(entries[3].ID) != second.id() || entries[4].Text != "One, two." {
		t.Errorf("entries = %+v", entries)
	}
}

// testSupersede: a message may take the place of the reply that is written.
func testSupersede(t *testing.T, s *suite) {
	r := s.started(t)
	got := r.chat(r.next("Never mind. Bye?", "supersede"))
	if got.Status != parley.StatusDone || !strings.HasSuffix(got.text, "Never mind. Bye?") {
		t.Errorf("second reply = %q, %s", got.text, got.Status)
	}
	if first := <-r.stream; first.Status != parley.StatusCancelled || first.text != "One," || first.ended.Message.Text != "One," {
		t.Errorf("first reply = %q, %s", first.text, first.Status)
	}
}

type cancelled struct {
	Cancelled bool
	Message   *entry
}

// testCancel: when a cancel is answered the session is free, and what had been
// said is stored (invariant 6).
func testCancel(t *testing.T, s *suite) {
	r := s.started(t)
	queued := r.chatting(r.next("Waiting", "queue"))
	r.await("the queue", func() bool {
		session, err := r.Store.Session(t.Context(), r.who(), r.session)
		return err == nil && len(session.Queue) == 1
	})
	got := into[cancelled](r.do(call{method: http.MethodPost, path: "/chat/" + string(r.session) + "/cancel"}).is(http.StatusOK))
	if !got.Cancelled || got.Message == nil || got.Message.Text != "One," || got.Message.Status != parley.StatusCancelled {
		t.Errorf("cancel = %+v", got)
	}
	state := into[transcript](r.get("/history/" + string(r.session))).Session
	if state.Run != nil || len(state.Queue) != 0 {
		t.Errorf("session = %+v, want it free", state)
	}
	for _, stream := range []<-chan turn{r.stream, queued} {
		if end := <-stream; end.Status != parley.StatusCancelled || end.ended.Session.Run != nil {
			t.Errorf("end = %+v", end.ended)
		}
	}
	before := s.standing(t)
	again := into[cancelled](r.post("/chat/"+string(r.session)+"/cancel", map[string]any{}))
	if again.Cancelled || again.Message != nil {
		t.Errorf("second cancel = %+v", again)
	}
	parleytest.Same(t, before, s.standing(t))
}

// testCancelOne: a cancel may name the run, from another tab as well.
func testCancelOne(t *testing.T, s *suite) {
	r := s.started(t)
	second := r.next("And then?", "queue")
	queued := r.chatting(second)
	r.await("the queue", func() bool {
		session, err := r.Store.Session(t.Context(), r.who(), r.session)
		return err == nil && len(session.Queue) == 1
	})
	path := "/chat/" + string(r.session) + "/cancel"
	if got := into[cancelled](r.post(path, map[string]any{"run": "nothing"})); got.Cancelled {
		t.Errorf("cancel of nothing = %+v", got)
	}
	if got := into[cancelled](r.post(path, map[string]any{"run": second.id()})); !got.Cancelled || got.Message != nil {
		t.Errorf("cancel of what waits = %+v", got)
	}
	if end := <-queued; end.Status != parley.StatusCancelled || end.text != "" || end.ended.Message != nil {
		t.Errorf("the cancelled one = %+v", end.ended)
	}
	close(r.gate)
	if end := <-r.stream; end.Status != parley.StatusDone || end.text != "One, two." {
		t.Errorf("the other one = %q, %s", end.text, end.Status)
	}
}

// testRetry: a reply that failed or was cut can be tried again, and only that.
func testRetry(t *testing.T, s *suite) {
	tests := []struct {
		name  string
		first []Step
		want  parley.RunStatus
	}{
		{"refused", []Step{{Status: http.StatusBadRequest}}, parley.StatusFailed},
		{"cut after some text", []Step{{Text: "I thi"}, {Cut: true}}, parley.StatusIncomplete},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := s.project(t, nil).visitor()
			question := fresh("Again?")
			s.Model.Script(question, test.first, []Step{{Text: "I think so."}})
			m := ask(question)
			got := b.chat(m)
			if got.Status != test.want || got.ended.Message == nil || got.text != got.ended.Message.Text {
				t.Fatalf("first try = %q, %+v; want %s", got.text, got.ended, test.want)
			}
			retry := message{"messageId": fresh("r"), "sessionId": got.accepted.Session.ID, "retry": m.id()}
			second := b.chat(retry)
			if second.Status != parley.StatusDone || second.text != "I think so." || string(second.ended.Message.Of) != m.id() ||
				string(second.accepted.Message.ID) != m.id() {
				t.Errorf("second try = %q, %+v", second.text, second.ended)
			}
			for _, run := range []string{m.id(), retry.id()} {
				again := message{"messageId": fresh("r"), "sessionId": got.accepted.Session.ID, "retry": run}
				b.do(call{method: http.MethodPost, path: "/chat", body: again}).fails(http.StatusConflict, "not_retryable")
			}
			if n := s.Model.Asked(question); n != 2 {
				t.Errorf("the model was asked %d times", n)
			}
		})
	}
}

// testTakeOver: once a human has the session no agent says a word (invariant 8).
func testTakeOver(t *testing.T, s *suite) {
	r := s.started(t)
	operator := parley.Caller{Project: r.settings().ID, Operator: "grace"}
	by := parley.Author{Kind: parley.AuthorHuman, ID: "grace", Name: "Grace"}
	if err := s.Store.TakeOver(t.Context(), operator, r.session, by); err != nil {
		t.Fatal(err)
	}
	close(r.gate)
	if end := <-r.stream; end.Status != parley.StatusTakenOver || end.text != "One," {
		t.Errorf("what was written = %q, %s", end.text, end.Status)
	}
	m := ask("Hello, human").with("sessionId", r.session)
	for range 2 { // the second time it is a repetition
		got := r.chat(m)
		if got.Run != nil || got.Status != parley.StatusTakenOver || got.ended.Message != nil || got.text != "" || got.ended.Session.Holder != parley.HolderHuman {
			t.Errorf("message to a human = %+v, %+v", got.accepted, got.ended)
		}
	}
	whole := into[reply](r.do(call{http.MethodPost, "/chat", ask("And in one piece").with("sessionId", r.session),
		map[string]string{"Accept": "application/json"}}).is(http.StatusOK))
	if whole.Run != nil || whole.End == nil || whole.End.Status != parley.StatusTakenOver {
		t.Errorf("message in one piece = %+v", whole)
	}
	r.do(call{method: http.MethodGet, path: runPath(r.session, m.id())}).fails(http.StatusNotFound, "not_found")
}

// testLimits: what is too much is refused with a reason, and when to try again.
func testLimits(t *testing.T, s *suite) {
	post := func(b *browser, m message) *answer {
		return b.do(call{method: http.MethodPost, path: "/chat", body: m})
	}

	r := s.startedIn(t, func(p *parley.Project) { p.Budgets.MessagesPerMinute = 60_000 })
	for range parley.MaxQueue {
		sent, err := s.Store.Send(t.Context(), r.who(), parley.SendRequest{ID: parley.EntryID(fresh("m")), Session: r.session,
			Channel: parley.ChannelNative, Content: "Waiting"})
		if err != nil || sent.Ref.Run == "" {
			t.Fatal(sent.Ref, err)
		}
	}
	before := s.standing(t)
	post(r.browser, r.next("One more", "queue")).fails(http.StatusTooManyRequests, "queue_full")
	parleytest.Same(t, before, s.standing(t))
	r.post("/chat/"+string(r.session)+"/cancel", nil)
	<-r.stream

	b := s.project(t, nil).visitor()
	var a *answer
	for range 20 { // a burst of 10 is allowed, and one more every 2 s
		if a = post(b, ask("Hello?")); a.status != http.StatusOK {
			break
		}
	}
	if p := a.fails(http.StatusTooManyRequests, "rate_limited"); p.RetryAfter < 1 || p.RetryAfter > 2 {
		t.Errorf("retry after %d s, want 1 or 2", p.RetryAfter)
	}

	b = s.project(t, func(p *parley.Project) { p.Budgets.VisitorTokens = 10 }).visitor()
	if p := post(b, ask("Hello?")).fails(http.StatusTooManyRequests, "budget_spent"); p.RetryAfter < 1 {
		t.Errorf("problem = %+v, want when to try again", p)
	}
}
