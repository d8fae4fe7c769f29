package apitest

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/sse"
)

func testSend(t *testing.T, s *suite) {
	b := s.project(t, nil).visitor()
	m := ask("Where is my order?").with("page", map[string]string{"url": "https://shop.example/cart", "title": "Cart"}).
		with("metadata", map[string]string{"plan": "pro"}).with("language", "de-AT").with("agent", "ada")
	got := b.chat(m)
	want := Echo("Where is my order?")
	if got.text != want || got.Status != parley.StatusDone || got.ended.Message == nil || got.ended.Message.Text != want {
		t.Errorf("reply = %q, %s, %+v; want %q", got.text, got.Status, got.ended.Message, want)
	}
	if got.Replayed || got.Run == nil || string(*got.Run) != m.id() || string(got.accepted.Message.ID) != m.id() ||
		got.accepted.Message.Text != "Where is my order?" || got.accepted.Message.Author.Kind != "user" {
		t.Errorf("accepted = %+v", got.accepted)
	}
	reply := got.ended.Message
	if reply.Seq != 2 || string(reply.Of) != m.id() || reply.Run != *got.Run || reply.Author.Kind != "ai" || reply.Author.Name != "Ada" {
		t.Errorf("reply = %+v", reply)
	}
	if got.accepted.Session.Run == nil || got.ended.Session.Run != nil || got.ended.Session.Seq != 2 ||
		got.ended.Session.Messages != 2 || got.ended.Session.Language != "de-AT" || got.ended.Session.Last.Text != want {
		t.Errorf("sessions = %+v, then %+v", got.accepted.Session, got.ended.Session)
	}
	checkIDs(t, m.id(), got.events)

	again := b.chat(ask("And now?").with("sessionId", got.accepted.Session.ID).with("ofTomorrow", true))
	if again.accepted.Session.ID != got.accepted.Session.ID || again.ended.Message.Seq != 4 {
		t.Errorf("second turn = %+v", again.ended)
	}
	odd := ask("An id with odd letters")
	odd["messageId"] = "mä% ?" + fresh("x")
	if !s.HTTPAPI {
		odd["messageId"] = "m/ä% ?" + fresh("x")
	}
	got = b.chat(odd)
	if events := b.get(runPath(got.accepted.Session.ID, odd.id())).events; got.text == "" || len(events) == 0 || events[len(events)-1].Name != "end" {
		t.Errorf("the run of the odd id = %v", events)
	}
}

// checkIDs checks that every event of a stream says how far it goes.
func checkIDs(t *testing.T, run string, events []sse.Event) {
	t.Helper()
	upto := 0
	for _, e := range events {
		want := run + "/" + strconv.Itoa(upto)
		switch e.Name {
		case "text":
			upto += len(decode[struct{ Delta string }](t, e.Data).Delta)
			want = run + "/" + strconv.Itoa(upto)
		case "end":
			want = run + "/end"
		}
		if e.ID != want {
			t.Errorf("id of %s = %q, want %q", e.Name, e.ID, want)
		}
	}
}

type reply struct {
	Session session
	Message entry
	Run     *parley.RunID
	End     *ended
	Text    string
}

func testSendWhole(t *testing.T, s *suite) {
	b := s.project(t, nil).visitor()
	whole := map[string]string{"Accept": "application/json, */*"}
	m := ask("In one piece, please")
	got := into[reply](b.do(call{http.MethodPost, "/chat", m, whole}).is(http.StatusOK))
	want := Echo("In one piece, please")
	if got.Text != want || got.End == nil || got.End.Status != parley.StatusDone || got.End.Message.Text != want || got.Session.Run != nil {
		t.Errorf("reply = %+v, %+v; want %q", got, got.End, want)
	}
	again := into[reply](b.do(call{http.MethodPost, "/chat", m, whole}).is(http.StatusOK))
	if again.Text != want || again.End == nil || again.Session.Seq != got.Session.Seq {
		t.Errorf("reply to the same message = %+v", again)
	}
	stream := b.do(call{http.MethodPost, "/chat", ask("As a stream"), map[string]string{"Accept": "text/event-stream, application/json"}})
	turnOf(t, stream.is(http.StatusOK).events)
}

// testReplay: the same message again changes nothing and has the same outcome
// (invariants 1 and 2).
func testReplay(t *testing.T, s *suite) {
	b := s.project(t, nil).visitor()
	other, elsewhere := b.visitor(), s.project(t, nil).visitor()
	question := fresh("Once?")
	s.Model.Script(question, []Step{{Text: "Once "}, {Text: "only."}})
	m := ask(question)
	first := b.chat(m)
	before := s.standing(t)
	second := b.chat(m)
	if !second.Replayed || second.text != first.text || second.Status != first.Status || *second.Run != *first.Run ||
		second.accepted.Message.Seq != first.accepted.Message.Seq || second.ended.Message.ID != first.ended.Message.ID {
		t.Errorf("again = %+v, want the outcome of %+v", second, first)
	}
	parleytest.Same(t, before, s.standing(t))
	if n := s.Model.Asked(question); n != 1 {
		t.Errorf("the model was asked %d times", n)
	}

	changed := ask("Something else")
	changed["messageId"] = m.id()
	b.do(call{method: http.MethodPost, path: "/chat", body: changed}).fails(http.StatusConflict, "message_id_conflict")
	other.do(call{method: http.MethodPost, path: "/chat", body: m}).fails(http.StatusConflict, "message_id_conflict")
	parleytest.Same(t, before, s.standing(t))
	if got := elsewhere.chat(changed); got.Replayed || got.Status != parley.StatusDone {
		t.Errorf("the same id in another project = %+v", got.accepted)
	}
}

// testResume: whatever event a reader saw last, it gets the rest and nothing
// twice (invariant 4).
func testResume(t *testing.T, s *suite) {
	b := s.project(t, nil).visitor()
	question := fresh("A long one?")
	text := "Grüße — eins, zwei, drei, vier."
	steps := []Step{{Text: text}}
	for range 4 {
		steps = append(steps, Step{Text: " " + text})
	}
	s.Model.Script(question, steps)
	m := ask(question)
	got := b.chat(m)
	whole := text + strings.Repeat(" "+text, 4)
	if got.text != whole {
		t.Fatalf("reply = %q, want %q", got.text, whole)
	}
	path := runPath(got.accepted.Session.ID, m.id())
	places := []int{0, len("Gr"), len("Grüße"), len(text), len(whole) - 1, len(whole)}
	for _, at := range places {
		last := m.id() + "/" + strconv.Itoa(at)
		for _, c := range []call{
			{method: http.MethodGet, path: path, header: map[string]string{"Last-Event-ID": last}},
			{method: http.MethodGet, path: path + "?lastEventId=" + last},
			{method: http.MethodGet, path: path + "?lastEventId=" + m.id() + "/end", header: map[string]string{"Last-Event-ID": last}},
		} {
			if text, end := texts(t, b.do(c).is(http.StatusOK).events); text != whole[at:] || end.Status != parley.StatusDone {
				t.Errorf("after %s: %q, %s; want %q", last, text, end.Status, whole[at:])
			}
		}
	}
	if text, _ := texts(t, b.get(path).events); text != whole {
		t.Errorf("from the start: %q", text)
	}
	if a := b.do(call{method: http.MethodGet, path: path, header: map[string]string{"Last-Event-ID": m.id() + "/end"}}).is(http.StatusNoContent); a.body != "" {
		t.Errorf("after the end: %q", a.body)
	}
}

// texts joins what a run's stream says.
func texts(t testing.TB, events []sse.Event) (string, ended) {
	t.Helper()
	var text strings.Builder
	for i, e := range events {
		if e.Name == "end" && i == len(events)-1 {
			return text.String(), decode[ended](t, e.Data)
		}
		text.WriteString(decode[struct{ Delta string }](t, e.Data).Delta)
	}
	t.Fatalf("stream %v has no end", events)
	return "", ended{}
}

// testReaderLeaves: a reader that leaves stops nothing, and others read on.
func testReaderLeaves(t *testing.T, s *suite) {
	b := s.project(t, nil).visitor()
	question, gate := fresh("Still there?"), make(chan struct{})
	s.Model.Script(question, []Step{{Text: "Yes,"}, {Until: gate, Text: " I am."}})
	m := ask(question)
	stream := b.open(call{method: http.MethodPost, path: "/chat", body: m})
	first, _ := stream.next()
	session := decode[accepted](t, first.Data).Session.ID
	text, ok := stream.next()
	if !ok || text.Name != "text" || decode[struct{ Delta string }](t, text.Data).Delta != "Yes," {
		t.Fatalf("first text = %+v, before the model went on", text)
	}
	stream.close()
	follower := b.open(call{method: http.MethodGet, path: runPath(session, m.id()), header: map[string]string{"Last-Event-ID": text.ID}})
	close(gate)
	if got, end := texts(t, follower.rest()); got != " I am." || end.Status != parley.StatusDone || end.Message.Text != "Yes, I am." {
		t.Errorf("the rest = %q, %+v", got, end.Message)
	}
	if n := s.Model.Asked(question); n != 1 {
		t.Errorf("the model was asked %d times", n)
	}
}
