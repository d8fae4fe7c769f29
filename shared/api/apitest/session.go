package apitest

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/sse"
	"parley/shared/token"
)

// changes takes a stream of updates apart.
func changes(t testing.TB, events []sse.Event) (entries []entry, states []session) {
	t.Helper()
	for _, e := range events {
		if e.Name == "state" {
			states = append(states, decode[session](t, e.Data))
			continue
		}
		got := decode[entry](t, e.Data)
		if e.ID != strconv.Itoa(int(got.Seq)) {
			t.Errorf("id of entry %d = %q", got.Seq, e.ID)
		}
		entries = append(entries, got)
	}
	return entries, states
}

func testUpdates(t *testing.T, s *suite) {
	b := s.project(t, nil).visitor()
	id := b.chat(ask("One")).accepted.Session.ID
	b.chat(ask("Two").with("sessionId", id))
	path := "/updates/" + string(id)
	tests := []struct {
		name, query, last string
		want              []parley.Seq
	}{
		{"from the start", "", "", []parley.Seq{1, 2, 3, 4}},
		{"after two", "?after=2", "", []parley.Seq{3, 4}},
		{"the header wins", "?after=1", "3", []parley.Seq{4}},
		{"nothing new", "?after=4", "", nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a := b.do(call{method: http.MethodGet, path: path + test.query, header: map[string]string{"Last-Event-ID": test.last}}).is(http.StatusOK)
			entries, states := changes(t, a.events)
			var got []parley.Seq
			for _, e := range entries {
				got = append(got, e.Seq)
			}
			if len(got) != len(test.want) || len(got) > 0 && got[0] != test.want[0] || len(states) != 1 || states[0].Seq != 4 {
				t.Errorf("entries %v and states %+v, want %v", got, states, test.want)
			}
			if last := a.events[len(a.events)-1]; last.Name != "state" || last.ID != "4" {
				t.Errorf("last event = %+v", last)
			}
			if a.retry != 1500*time.Millisecond {
				t.Errorf("retry = %v of a session that has just changed", a.retry)
			}
		})
	}
	// More than a page of the domain, and what is for operators only is left out.
	operator := parley.Caller{Project: b.settings().ID, Operator: "grace"}
	for range 60 {
		if err := s.Store.TakeOver(t.Context(), operator, id, parley.Author{Kind: parley.AuthorHuman}); err != nil {
			t.Fatal(err)
		}
		if err := s.Store.HandBack(t.Context(), operator, id, parley.Author{Kind: parley.AuthorHuman}); err != nil {
			t.Fatal(err)
		}
	}
	entries, states := changes(t, b.get(path).events)
	if len(entries) != 124 || states[0].Seq != 124 {
		t.Errorf("%d entries and state %+v, want 124", len(entries), states)
	}
	for i, e := range entries {
		if e.Seq != parley.Seq(i+1) {
			t.Fatalf("entry %d has number %d", i, e.Seq)
		}
	}
}

// testUpdatesHeld: a request that is held tells what comes.
func testUpdatesHeld(t *testing.T, s *suite) {
	b := s.project(t, nil).visitor()
	id := b.chat(ask("One")).accepted.Session.ID
	stream := b.open(call{method: http.MethodGet, path: "/updates/" + string(id) + "?after=2"})
	if e, ok := stream.next(); !ok || e.Name != "state" {
		t.Fatalf("first event = %+v", e)
	}
	b.post("/csat", map[string]any{"sessionId": id, "score": 4})
	rated, _ := stream.next()
	state, _ := stream.next()
	if rated.Name != "entry" || decode[entry](t, rated.Data).Event != parley.EventRated || state.Name != "state" || decode[session](t, state.Data).Score != 4 {
		t.Errorf("then = %+v, %+v", rated, state)
	}
	b.do(call{method: http.MethodDelete, path: "/history/" + string(id)}).is(http.StatusOK)
	if rest := stream.rest(); len(rest) != 0 {
		t.Errorf("after the erasure: %+v", rest)
	}
}

// testTickets: a ticket reads its session, and does nothing else.
func testTickets(t *testing.T, s *suite) {
	b := s.project(t, func(p *parley.Project) { p.TokenGeneration = 1 }).visitor()
	m := ask("One")
	got := b.chat(m)
	id := got.accepted.Session.ID
	other := b.chat(ask("Two")).accepted.Session.ID
	run := runPath(id, m.id())
	source := &browser{suite: s, t: t, origin: b.origin} // what an EventSource can send
	fromHistory := into[transcript](b.get("/history/" + string(id))).Ticket
	for _, ticket := range []string{got.Ticket, fromHistory} {
		if entries, _ := changes(t, source.get("/updates/"+string(id)+"?after=1&ticket="+ticket).events); len(entries) != 1 {
			t.Errorf("updates by ticket: %+v", entries)
		}
		if text, _ := texts(t, source.get(run+"?ticket="+ticket).events); text != Echo("One") {
			t.Errorf("reply by ticket: %q", text)
		}
		source.do(call{method: http.MethodGet, path: run + "?ticket=" + ticket, header: map[string]string{"Last-Event-ID": m.id() + "/end"}}).is(http.StatusNoContent)
		source.do(call{method: http.MethodGet, path: "/updates/" + string(other) + "?ticket=" + ticket}).fails(http.StatusNotFound, "not_found")
		source.do(call{method: http.MethodGet, path: "/history/" + string(id) + "?ticket=" + ticket}).fails(http.StatusUnauthorized, "unknown_key")
	}
	evil := *source
	evil.origin = "https://evil.example"
	evil.do(call{method: http.MethodGet, path: run + "?ticket=" + got.Ticket}).fails(http.StatusForbidden, "origin_refused")
	for name, text := range map[string]string{"nonsense": "x", "a visitor's token": b.token, "cut": got.Ticket[:len(got.Ticket)-2]} {
		for _, path := range []string{run, "/updates/" + string(id)} {
			t.Run(name, func(t *testing.T) {
				source.do(call{method: http.MethodGet, path: path + "?ticket=" + text}).fails(http.StatusUnauthorized, "token_invalid")
			})
		}
	}
	over, err := s.keysAt(t, s.Master, token.TicketLife+time.Second).Ticket(token.Ticket{Key: b.key, Caller: b.who(), Session: id, Issued: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{run, "/updates/" + string(id)} {
		if a := source.do(call{method: http.MethodGet, path: path + "?ticket=" + over}); a.status != http.StatusNoContent {
			t.Errorf("%s with a ticket that is over = %d %s", path, a.status, a.body)
		}
	}
	void, err := s.keys.Ticket(token.Ticket{Key: b.key, Caller: b.who(), Session: id})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{run, "/updates/" + string(id)} {
		source.do(call{method: http.MethodGet, path: path + "?ticket=" + void}).fails(http.StatusUnauthorized, "token_revoked")
	}
	if err := s.Store.RevokeVisitor(t.Context(), b.settings().ID, b.who().Visitor); err != nil {
		t.Fatal(err)
	}
	source.do(call{method: http.MethodGet, path: "/updates/" + string(id) + "?ticket=" + got.Ticket}).fails(http.StatusUnauthorized, "token_revoked")
}

// testClose: a close is a hint, which a sign of the page takes back (invariant 7).
func testClose(t *testing.T, s *suite) {
	r := s.started(t)
	beacon := func() *answer {
		return (&browser{suite: s, t: t, origin: r.origin}).do(call{method: http.MethodPost, path: "/close",
			body: encode(t, map[string]any{"key": r.key, "token": r.token, "session": r.session}), header: map[string]string{"Content-Type": "text/plain;charset=UTF-8"}})
	}
	state := func() parley.State {
		t.Helper()
		for _, listed := range into[sessions](r.get("/history")).Sessions {
			if listed.ID == r.session {
				return listed.State
			}
		}
		t.Fatal("the session is not listed")
		return ""
	}
	for name, sign := range map[string]func(){
		"updates":    func() { r.visitUpdates() },
		"transcript": func() { r.get("/history/" + string(r.session)) },
	} {
		beacon().is(http.StatusOK)
		before := s.standing(t)
		beacon().is(http.StatusOK)
		parleytest.Same(t, before, s.standing(t))
		if got := state(); got != parley.StateClosed {
			t.Errorf("state after the beacon = %s", got)
		}
		sign()
		if got := state(); got != parley.StateOpen {
			t.Errorf("state after %s = %s", name, got)
		}
	}
	beacon().is(http.StatusOK)
	close(r.gate)
	if got := <-r.stream; got.text != "One, two." || got.Status != parley.StatusDone {
		t.Errorf("the reply to a page that is gone = %q, %s", got.text, got.Status)
	}
	if got := r.chat(r.next("I am back", "queue")); got.accepted.Session.State != parley.StateOpen {
		t.Errorf("state after a message = %s", got.accepted.Session.State)
	}
}

// visitUpdates asks for updates and leaves at the first event.
func (r *running) visitUpdates() {
	stream := r.open(call{method: http.MethodGet, path: "/updates/" + string(r.session)})
	stream.next()
	stream.close()
}

func testHistory(t *testing.T, s *suite) {
	b := s.project(t, nil).visitor()
	if list := into[sessions](b.get("/history")); len(list.Sessions) != 0 || list.Next != nil {
		t.Errorf("a newcomer's history = %+v", list)
	}
	var want []parley.SessionID // newest activity first
	for _, content := range []string{"One", "Two", "Three", "Four", "Five"} {
		want = append([]parley.SessionID{b.chat(ask(content)).accepted.Session.ID}, want...)
	}
	oldest := want[4]
	b.chat(ask("One again").with("sessionId", oldest))
	want = append([]parley.SessionID{oldest}, want[:4]...)
	var got []parley.SessionID
	next := ""
	for page := 0; page == 0 || next != ""; page++ {
		list := into[sessions](b.get("/history?limit=2&cursor=" + next))
		for _, listed := range list.Sessions {
			got = append(got, listed.ID)
		}
		if next = ""; list.Next != nil {
			next = *list.Next
		}
		if page > 5 {
			t.Fatal("the list does not end")
		}
	}
	if len(got) != len(want) {
		t.Fatalf("sessions = %v, want %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("session %d = %s, want %s", i, got[i], want[i])
		}
	}

	whole := into[transcript](b.get("/history/" + string(oldest)))
	if len(whole.Entries) != 4 || whole.Next != nil || whole.Session.ID != oldest || whole.Entries[3].Text != Echo("One again") {
		t.Errorf("transcript = %+v", whole)
	}
	newest := into[transcript](b.get("/history/" + string(oldest) + "?limit=3"))
	if len(newest.Entries) != 3 || newest.Entries[0].Seq != 2 || newest.Next == nil {
		t.Fatalf("newest page = %+v", newest)
	}
	older := into[transcript](b.get("/history/" + string(oldest) + "?limit=3&cursor=" + *newest.Next))
	if len(older.Entries) != 1 || older.Entries[0].Seq != 1 || older.Next != nil {
		t.Errorf("older page = %+v", older)
	}
}

// testErase: what is erased is gone, and its run has ended (invariant 15).
func testErase(t *testing.T, s *suite) {
	r := s.started(t)
	r.post("/csat", map[string]any{"sessionId": r.session, "score": 5, "feedback": "Danke, Grüße"})
	r.do(call{method: http.MethodDelete, path: "/history/" + string(r.session)}).is(http.StatusOK)
	if end := <-r.stream; end.Status != parley.StatusCancelled {
		t.Errorf("the reply that was being written: %s", end.Status)
	}
	for _, c := range r.ofSession(r.session, r.message.id()) {
		r.do(c).fails(http.StatusNotFound, "not_found")
	}
	if list := into[sessions](r.get("/history")); len(list.Sessions) != 0 {
		t.Errorf("history = %+v", list.Sessions)
	}
	for k, item := range s.Dump(t) {
		if !strings.HasPrefix(k.PK, string(r.settings().ID)+"/") {
			continue
		}
		for _, v := range item {
			if text, ok := v.(string); ok && (strings.Contains(text, "Danke") || strings.Contains(text, r.question) || strings.Contains(text, "One,")) {
				t.Errorf("%v still says %q", k, text)
			}
		}
	}
}

func testCSAT(t *testing.T, s *suite) {
	b := s.project(t, nil).visitor()
	id := b.chat(ask("One")).accepted.Session.ID
	type answer struct {
		Rating *struct {
			Score    int
			Feedback string
		}
	}
	path := "/csat/" + string(id)
	if got := into[answer](b.get(path)); got.Rating != nil {
		t.Errorf("rating before = %+v", got.Rating)
	}
	for _, score := range []int{2, 5} {
		b.post("/csat", map[string]any{"sessionId": id, "score": score, "feedback": "So " + strconv.Itoa(score)})
		got := into[answer](b.get(path))
		if got.Rating == nil || got.Rating.Score != score || got.Rating.Feedback != "So "+strconv.Itoa(score) {
			t.Errorf("rating = %+v, want %d", got.Rating, score)
		}
	}
	totals, err := s.Store.Totals(t.Context(), b.settings().ID, time.Now())
	if want := (parley.Totals{5: 1}); err != nil || totals != want {
		t.Errorf("totals = %v, %v; want %v", totals, err, want)
	}
	off := s.project(t, func(p *parley.Project) { p.CSAT = parley.CSATOff }).visitor()
	off.do(call{method: http.MethodPost, path: "/csat", body: map[string]any{"sessionId": id, "score": 1}}).fails(http.StatusForbidden, "csat_off")
}

// testTyping: a page that asks sees who of the team types; what a visitor types is
// stored nowhere.
func testTyping(t *testing.T, s *suite) {
	b := s.project(t, nil).visitor()
	grace := b.staff("grace", parley.Scopes()...)
	id := b.chat(ask("One")).accepted.Session.ID
	grace.put(ofStaff(id)+"/holder", map[string]any{"holder": "human"})

	before := s.standing(t)
	for _, typing := range []bool{true, false} {
		if got := into[typed](b.post("/chat/"+string(id)+"/typing", map[string]any{"typing": typing})); got.Typing != typing {
			t.Errorf("the visitor types: %v, want %v", got.Typing, typing)
		}
	}
	parleytest.Same(t, before, s.standing(t))
	b.do(call{method: http.MethodPost, path: "/chat/" + string(id) + "/typing", body: map[string]any{}}).fails(http.StatusBadRequest, "invalid_field")

	if got := into[consoleTicket](grace.do(call{method: http.MethodPost, path: "/operator/ticket"}).is(http.StatusCreated)); len(got.Ticket) < 32 {
		t.Errorf("ticket = %+v", got)
	}
	path := "/updates/" + string(id) + "?after=99"
	typist := func() typist {
		t.Helper()
		events := b.get(path + "&typing=1").events
		last := events[len(events)-1]
		if last.Name != "typing" {
			t.Fatalf("the last event is %+v", last)
		}
		return decode[typist](t, last.Data)
	}
	if got := typist(); got.Author != nil || got.EndsIn != 0 {
		t.Errorf("types before anybody did: %+v", got)
	}
	if got := into[typed](grace.put(ofStaff(id)+"/typing", map[string]any{"typing": true})); !got.Typing {
		t.Errorf("grace types: %+v", got)
	}
	if got := typist(); got.Author == nil || got.Author.Name != "Operator grace" || got.EndsIn <= 0 || got.EndsIn > parley.TypingLife.Milliseconds() {
		t.Errorf("types: %+v, want grace", got)
	}
	for _, e := range b.get(path).events {
		if e.Name == "typing" {
			t.Errorf("told without being asked: %+v", e)
		}
	}
	grace.put(ofStaff(id)+"/typing", map[string]any{"typing": false})
	if got := typist(); got.Author != nil {
		t.Errorf("types after stopping: %+v", got)
	}
}

type typed struct{ Typing bool }

type typist struct {
	Author *parley.Author
	EndsIn int64
}

type consoleTicket struct{ Ticket string }
