package cossistanttest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"parley/functions/cossistantws"
	"parley/shared/api/apitest"
	"parley/shared/parley"
	"parley/shared/socket"
)

func c39(t *testing.T, s *sockets) {
	b := s.tab(t)
	welcome := b.Events()
	if len(welcome) != 1 || text(welcome[0].Payload["connectionId"]) == "" || welcome[0].Payload["timestamp"] == nil {
		t.Errorf("the first frames are %v", welcome)
	}
	b.quiet(1)
}

// refusedTabs are those of everybody who may not connect as a visitor: by name the
// error that they are told, and how they come.
func (s *sockets) refusedTabs(t *testing.T) map[string]struct {
	tab    *tab
	code   string
	from   string
	change func(url.Values)
} {
	p, other := s.visitors(t), s.visitors(t)
	set := func(name, value string) func(url.Values) { return func(q url.Values) { q.Set(name, value) } }
	native, err := s.Store.Identify(t.Context(), parley.IdentifyRequest{Caller: parley.Caller{Project: p.project}})
	if err != nil {
		t.Fatal(err)
	}
	blocked := p.arrive()
	if err := s.Store.BlockVisitor(t.Context(), p.project, parley.VisitorID(blocked.visitor), true); err != nil {
		t.Fatal(err)
	}
	removed := s.project(t, nil) // no function has heard of its key
	visitor, err := s.Store.Arrive(t.Context(), parley.Caller{Project: removed.project, Channel: parley.ChannelCossistant}, "")
	if err != nil {
		t.Fatal(err)
	}
	removed.visitor = string(visitor.ID)
	project, err := s.Store.Project(t.Context(), removed.project)
	if err != nil {
		t.Fatal(err)
	}
	gone := *project
	gone.PublicKeys = []string{"pk_live_" + ulid()}
	if err := s.Store.PutProject(t.Context(), gone); err != nil {
		t.Fatal(err)
	}
	return map[string]struct {
		tab    *tab
		code   string
		from   string
		change func(url.Values)
	}{
		"no key":                  {s.of(p), "unknown_key", origin, func(q url.Values) { q.Del("publicKey") }},
		"nonsense key":            {s.of(p), "unknown_key", origin, set("publicKey", "pk_live_\x00")},
		"removed key":             {s.of(removed), "unknown_key", origin, nil},
		"other project's key":     {s.of(p), "not_found", origin, set("publicKey", other.key)},
		"private key":             {s.of(p), "unknown_key", origin, set("publicKey", "sk_live_x")},
		"other origin":            {s.of(p), "origin_refused", "https://evil.example", nil},
		"no origin":               {s.of(p), "origin_refused", "", nil},
		"no visitor":              {s.of(p), "not_found", origin, func(q url.Values) { q.Del("visitorId") }},
		"forged visitor":          {s.of(p), "not_found", origin, set("visitorId", ulid())},
		"native visitor":          {s.of(p), "not_found", origin, set("visitorId", string(native.Visitor.ID))},
		"other project's visitor": {s.of(p), "not_found", origin, set("visitorId", other.visitor)},
		"blocked":                 {s.of(blocked), "blocked", origin, nil},
	}
}

// kept counts the items of some projects, and of connections.
func (s *sockets) kept(t *testing.T, projects ...parley.ProjectID) (n int) {
	t.Helper()
	for k := range s.host.Dump(t) {
		p, _, _ := strings.Cut(k.PK, "/")
		if slices.Contains(projects, parley.ProjectID(p)) || strings.HasPrefix(k.PK, "~/connection/") {
			n++
		}
	}
	return n
}

// c40: whoever may not connect is told why and nothing else, never knocks in vain, and
// changes nothing. It is the access table of connects.
func c40(t *testing.T, s *sockets) {
	for name, r := range s.refusedTabs(t) {
		t.Run(name, func(t *testing.T) {
			b := r.tab
			b.page.t = t
			before := s.kept(t, b.project)
			if status := b.dial(r.from, r.change); status != http.StatusOK {
				t.Fatalf("connect = %d", status)
			}
			b.until("the error", func() bool { return len(b.Events("error")) == 1 })
			if after := s.kept(t, b.project); after != before {
				t.Errorf("%d items more are kept", after-before)
			}
			if e := b.Events()[0]; e.Payload["error"] != r.code || e.Payload["message"] == "" {
				t.Errorf("the client is told %v, want %s", e, r.code)
			}
			if b.host.Closes {
				if got := websocket.CloseStatus(<-b.over); got != websocket.StatusPolicyViolation {
					t.Errorf("closed with %d", got)
				}
				return
			}
			b.say("ping")
			b.until("pong", func() bool { return len(b.Events("pong")) == 1 })
			b.say(typed(chat(), true, nil))
			b.until("the refusal", func() bool { return len(b.Events("error")) == 2 })
			b.quiet(3)
		})
	}
}

// c20s: who is blocked while connected is told nothing any more.
func c20s(t *testing.T, s *sockets) {
	b := s.tab(t)
	id := b.begins()
	first := b.reply(id, "Hello")
	b.has(id, string(first.ID))
	n := b.rests()
	if err := s.Store.BlockVisitor(t.Context(), b.project, parley.VisitorID(b.visitor), true); err != nil {
		t.Fatal(err)
	}
	b.reply(id, "Are you there?")
	b.quiet(n)
	b.say(typed(id, true, "let me in"))
	b.until("the refusal", func() bool { return len(b.Events("error")) == 1 })
}

func c41(t *testing.T, s *sockets) {
	b := s.tab(t)
	for i, ping := range []string{"ping", "presence:ping", "ping"} {
		b.say(ping)
		b.until("pong", func() bool { return len(b.Events("pong")) == i+1 })
	}
	for i, frame := range []string{"pong", `{"type":"nothing","payload":{}}`, `{"type":"conversationSeen","payload":{}}`, `[]`, `{"type":"conversationTyping"}`} {
		b.say(frame)
		b.until("an error", func() bool { return len(b.Events("error")) == i+1 })
	}
	if s.host.Restart != nil { // one process, which sees all of a flood
		c41flood(t, b)
	}
	b.say(strings.Repeat("x", socket.MaxFrame+1))
	if got := websocket.CloseStatus(<-b.over); got != websocket.StatusMessageTooBig {
		t.Errorf("a frame that is too long ends the connection with %d", got)
	}
}

// c41flood: a connection on which there are too many frames is cut off, and the client
// may come back.
func c41flood(t *testing.T, b *tab) {
	b.drop()
	b.connected()
	for range 10 * cossistantws.FramesPerSecond { // within two seconds
		if b.ws.Write(t.Context(), websocket.MessageText, []byte("ping")) != nil {
			break
		}
	}
	select {
	case err := <-b.over:
		if got := websocket.CloseStatus(err); got != websocket.StatusNormalClosure {
			t.Errorf("a flood ends the connection with %d", got)
		}
	case <-time.After(patience):
		t.Fatal("a flood does not end the connection")
	}
	b.connected()
}

// c42: a stop that was meant lets the client come back.
func c42(t *testing.T, s *sockets) {
	b := s.tab(t)
	s.host.Restart(t)
	if got := websocket.CloseStatus(<-b.over); got != websocket.StatusGoingAway {
		t.Errorf("closed with %d", got)
	}
	b.connected()
}

// c44: a person's message is told to all tabs of the visitor and to no one else, and so
// is what the visitor writes, under the id that the call was answered.
func c44(t *testing.T, s *sockets) {
	b := s.tab(t)
	second, stranger := b.again().connected(), s.of(b.arrive()).connected()
	foreign := s.tab(t)
	id := b.begins()
	for _, w := range []*tab{b, second} {
		w.until("the conversation", func() bool { return len(w.Conversations()) == 1 && len(w.Timeline(id)) > 0 })
	}
	mine := ulid()
	if got := b.send(id, b.said(mine, "more")).ok().text("item", "id"); got != mine {
		t.Errorf("sent as %s", got)
	}
	told := b.reply(id, "Here I am")
	for _, w := range []*tab{b, second} {
		if item := w.has(id, mine); item["visitorId"] != b.visitor || item["text"] != "more" {
			t.Errorf("the echo is %v", item)
		}
		if item := w.has(id, string(told.ID)); item["userId"] != "ann" || item["visitorId"] != nil || item["aiAgentId"] != nil || item["text"] != "Here I am" {
			t.Errorf("the reply is %v", item)
		}
	}
	for _, w := range []*tab{stranger, foreign} {
		w.quiet(1) // its welcome
	}
}

// c47: what people do to a conversation shows, and what is the team's does not.
func c47(t *testing.T, s *sockets) {
	b := s.tab(t)
	id := b.begins()
	b.until("the conversation", func() bool { return len(b.Conversations()) == 1 })
	session := parley.SessionID(id)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(s.Store.TakeOver(t.Context(), b.staff(), session, ann))
	desk := b.desk(id)
	desk.say(object{"typing": true})
	// Not what the client shows: the answer, told once more by push, may come after it,
	// and a message ends all dots.
	b.until("Ann types", func() bool { return b.typed("ann", true) })
	desk.say(object{"typing": false})
	b.until("Ann stops", func() bool { return b.typed("ann", false) && !b.Types(id, "ann") })
	desk.say(object{"seen": 100})
	b.until("Ann has seen it", func() bool { return b.SeenAt(id, "ann") != "" })
	if _, err := s.Store.Reply(t.Context(), b.staff(), ann, parley.ReplyRequest{ID: "note" + parley.EntryID(ulid()), Session: session, Content: "secret", Internal: true}); err != nil {
		t.Fatal(err)
	}
	told := b.reply(id, "Hello")
	b.has(id, string(told.ID))
	must(s.Store.Resolve(t.Context(), b.staff(), session, ann))
	b.until("resolved", func() bool { return slices.Equal(b.Conversations(), []string{id + " resolved"}) })
	must(s.Store.Reopen(t.Context(), b.staff(), session, ann))
	b.until("reopened", func() bool { return slices.Equal(b.Conversations(), []string{id + " open"}) })
	must(s.Store.HandBack(t.Context(), b.staff(), session, ann))
	must(s.Store.Archive(t.Context(), b.staff(), session, true))
	b.until("archived", func() bool { return len(b.Conversations()) == 0 })
	for _, e := range b.Events() {
		if said, _ := json.Marshal(e); strings.Contains(string(said), "secret") || strings.Contains(string(said), "private") {
			t.Errorf("the visitor is told %s", said)
		}
	}
}

// typed reports whether the client was told that a person types, or has stopped.
func (b *tab) typed(who string, on bool) bool {
	return slices.ContainsFunc(b.Events("conversationTyping"), func(e Event) bool {
		return e.Payload["userId"] == who && e.Payload["isTyping"] == on
	})
}

// c46: a conversation whose first message is a person's is one that the client lists.
func c46(t *testing.T, s *sockets) {
	b := s.tab(t)
	id := chat()
	c := parley.Caller{Project: b.project, Channel: parley.ChannelCossistant, Bare: true, Visitor: parley.VisitorID(b.visitor)}
	if _, err := s.Store.Begin(t.Context(), c, parley.BeginRequest{ID: parley.SessionID(id), Channel: parley.ChannelCossistant}); err != nil {
		t.Fatal(err)
	}
	told := b.reply(id, "May I help you?")
	b.has(id, string(told.ID))
	if got := b.Conversations(); !slices.Equal(got, []string{id + " open"}) || b.Unread() != 1 {
		t.Errorf("the list is %q with %d unread", got, b.Unread())
	}
}

// c48: the team is told that a visitor types, and what, and in nobody else's.
func c48(t *testing.T, s *sockets) {
	b := s.tab(t)
	id := b.begins()
	if err := s.Store.TakeOver(t.Context(), b.staff(), parley.SessionID(id), ann); err != nil {
		t.Fatal(err)
	}
	desk := b.desk(id)
	b.say(typed(id, true, "I wan"))
	if f := desk.hears("typing"); f["session"] != id || f["text"] != "I wan" || f["author"].(object)["kind"] != "user" {
		t.Errorf("the console hears %v", f)
	}
	b.say(typed(id, false, nil))
	if f := desk.hears("typing"); f["author"] != nil || f["text"] != nil {
		t.Errorf("the console hears %v", f)
	}
	c := parley.Caller{Project: b.project, Channel: parley.ChannelCossistant, Bare: true, Visitor: parley.VisitorID(b.visitor)}
	if err := s.Store.Close(t.Context(), c, parley.SessionID(id)); err != nil {
		t.Fatal(err)
	}
	b.say(typed(id, true, "I am back")) // which is a sign of the page
	desk.hears("typing")
	if session, err := s.Store.Session(t.Context(), b.staff(), parley.SessionID(id)); err != nil || session.Left != 0 {
		t.Errorf("the page that types has left: %+v, %v", session, err)
	}
	b.post("/conversations/"+id+"/typing", object{"isTyping": true, "visitorPreview": "by call"}).ok()
	if f := desk.hears("typing"); f["text"] != "by call" {
		t.Errorf("the console hears %v", f)
	}
	stranger := s.of(b.arrive()).connected()
	for i, frame := range []object{typed(id, true, "x"), typed(chat(), true, "x"), typed("", true, nil), typed(id, true, strings.Repeat("x", 2001))} {
		stranger.say(frame)
		stranger.until("the error", func() bool { return len(stranger.Events("error")) == i+1 })
	}
	stranger.say("ping")
	stranger.until("pong", func() bool { return len(stranger.Events("pong")) == 1 })
	b.post("/conversations/"+id+"/typing", object{"isTyping": true, "visitorPreview": "then this"}).ok()
	if f := desk.hears("typing"); f["text"] != "then this" {
		t.Errorf("the console hears of a stranger: %v", f)
	}
}

// c49: of a reply the client is told that it is being written, the reply, and that it
// is over, in this order.
func c49(t *testing.T, s *sockets) {
	b := s.tab(t)
	question, gate := "What is it? "+ulid(), make(chan struct{})
	s.host.Model.Script(question, []apitest.Step{{Text: "It "}, {Until: gate, Text: "is."}})
	id := chat()
	b.load(b.post("/conversations", object{"conversationId": id, "visitorId": b.visitor, "defaultTimelineItems": []any{b.said(ulid(), question)}}).ok())
	b.until("the AI types", func() bool { return b.Types(id, "ada") && b.SeenAt(id, "ada") != "" })
	close(gate)
	b.until("it is over", func() bool { return len(b.Events("aiAgentProcessingCompleted")) == 1 })
	over := b.Events("aiAgentProcessingCompleted")[0].Payload
	if over["status"] != "success" || over["aiAgentId"] != "ada" || text(over["workflowRunId"]) == "" {
		t.Errorf("over: %v", over)
	}
	var order []string
	for _, e := range b.Events() {
		switch item, _ := e.Payload["item"].(object); {
		case e.Type == "conversationTyping":
			order = append(order, fmt.Sprint("typing ", e.Payload["isTyping"]))
		case e.Type == "timelineItemCreated" && item["aiAgentId"] == "ada":
			order = append(order, text(item["text"]))
		case e.Type == "aiAgentProcessingCompleted":
			order = append(order, "over")
		}
	}
	order = slices.Compact(order)
	i := slices.Index(order, "It is.")
	if i < 1 || order[i-1] != "typing true" || !slices.Contains(order[i:], "typing false") || !slices.Contains(order[i:], "over") || b.Types(id, "ada") {
		t.Errorf("told %q", order)
	}
}

// c50: what happened while nobody was connected is told to who comes back, once.
func c50(t *testing.T, s *sockets) {
	b := s.tab(t)
	id := b.begins()
	b.until("the answer", func() bool { return len(b.Timeline(id)) == 2 })
	b.drop()
	want := b.Timeline(id)
	for i := range 3 {
		want = append(want, string(b.reply(id, fmt.Sprint("reply ", i)).ID))
	}
	if err := s.Store.Resolve(t.Context(), b.staff(), parley.SessionID(id), ann); err != nil {
		t.Fatal(err)
	}
	b.connected()
	b.until("all of it", func() bool { return slices.Equal(messagesOf(b, id), want) })
	if got := b.Conversations(); !slices.Equal(got, []string{id + " resolved"}) {
		t.Errorf("the list is %q", got)
	}
}

// messagesOf are the ids of a conversation's messages.
func messagesOf(b *tab, id string) (ids []string) {
	for _, item := range b.Timeline(id) {
		if b.Item(id, item)["type"] == "message" {
			ids = append(ids, item)
		}
	}
	return ids
}

// c51: who only says to be somebody is told nothing of what that one does.
func c51(t *testing.T, s *sockets) {
	b := s.tab(t)
	other := s.of(b.arrive()).connected()
	for _, w := range []*tab{b, other} {
		w.post("/contacts/identify", object{"visitorId": w.visitor, "externalId": "u1", "email": "ann@shop.example"}).ok()
	}
	id := b.begins()
	told := b.reply(id, "Hello")
	b.has(id, string(told.ID))
	other.quiet(1)
	other.drop()
	n := len(other.Events())
	other.connected().quiet(n + 1)
}

// c52s: who is proven to be somebody is told what happens in all of their
// conversations, as if they were its own.
func c52s(t *testing.T, s *sockets) {
	b := s.tab(t)
	other := s.of(b.arrive()).connected()
	id := b.begins()
	b.has(id, b.Timeline(id)[0])
	for _, w := range []*tab{b, other} {
		w.proven("u1")
	}
	other.open(id)
	mine := ulid()
	b.send(id, b.said(mine, "from my phone")).ok()
	if item := other.has(id, mine); item["visitorId"] != other.visitor {
		t.Errorf("on the other device it is %v", item)
	}
	told := b.reply(id, "Hello")
	for _, w := range []*tab{b, other} {
		w.has(id, string(told.ID))
	}
	other.say(typed(id, true, "here too"))
	other.say("ping")
	other.until("pong", func() bool { return len(other.Events("pong")) == 1 })
	time.Sleep(100 * time.Millisecond) // they may be answered in any order
	if got := other.Events("error"); len(got) > 0 {
		t.Errorf("the other device may not type: %v", got)
	}
}

// c55: a person's reply counts as unread until the visitor has seen it, and so after a
// reload.
func c55(t *testing.T, s *sockets) {
	b := s.tab(t)
	id := b.begins()
	b.post("/conversations/"+id+"/seen", object{}).ok()
	b.open(id)
	if b.Unread() != 0 {
		t.Errorf("what the visitor has seen is unread: %d", b.Unread())
	}
	told := b.reply(id, "Hello")
	b.has(id, string(told.ID))
	reload := func() int {
		after := b.again()
		after.open(id)
		return after.Unread()
	}
	// What came before it may be told late, and then the reply is told again.
	b.until("the reply is unread", func() bool { return b.Unread() == 1 })
	if loaded := reload(); loaded != 1 {
		t.Errorf("unread = %d after a reload, want 1", loaded)
	}
	b.post("/conversations/"+id+"/seen", object{}).ok()
	if got := reload(); got != 0 {
		t.Errorf("unread = %d after it was seen", got)
	}
}

// c58s: what the page had shown is told to the visitor's other tabs, by whom it was.
func c58s(t *testing.T, s *sockets) {
	b := s.tab(t)
	second := b.again().connected()
	id, hello, own, m := chat(), ulid(), ulid(), ulid()
	b.load(b.begin(id, m, object{"id": hello, "type": "message", "text": "Hi!", "aiAgentId": "ada", "parts": []any{}},
		object{"id": own, "type": "message", "text": "I want", "visitorId": b.visitor, "parts": []any{}}).ok())
	second.has(id, m)
	if got := second.Timeline(id)[:3]; !slices.Equal(got, []string{hello, own, m}) {
		t.Errorf("the other tab has %q", got)
	}
	if got := second.Item(id, hello); got["aiAgentId"] != "ada" || second.Item(id, own)["visitorId"] != b.visitor {
		t.Errorf("the welcome is %v", got)
	}
}

// c59: the longest message arrives, in one frame.
func c59(t *testing.T, s *sockets) {
	b := s.tab(t)
	id := b.begins()
	for _, long := range []string{strings.Repeat("x", parley.ChannelCossistant.MaxHumanBytes()), strings.Repeat("\n\"", 4990), strings.Repeat("ä", 7000)} {
		told := b.reply(id, long)
		if item := b.has(id, string(told.ID)); item["text"] != long {
			t.Errorf("%d bytes arrive as %d", len(long), len(text(item["text"])))
		}
	}
}
