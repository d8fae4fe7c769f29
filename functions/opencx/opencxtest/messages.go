package opencxtest

import (
	"context"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"parley/shared/api/apitest"
	"parley/shared/parley"
	"parley/shared/parleytest"
)

func testMessages(t *testing.T, s *suite) {
	v := s.project(t, nil).visitor("")
	id := v.begin()
	m := v.message(id, "  Où est *ma* <b>commande</b>?\n\"1\" & 2 \U0001F600 ")
	m["initial_messages"] = []object{{"uuid": "HELLO-" + id, "content": "Hello!"}, {"uuid": "how-" + id, "content": "How can I help?"}}
	first := v.send(m)
	history := v.poll(id).History
	t.Run("O24 the message as it was sent", func(t *testing.T) {
		if r := history[2]; r.PublicID != m["uuid"] || r.Sender.Kind != "user" || *r.Content.Text != m["content"] {
			t.Errorf("row = %+v, %q", r, *r.Content.Text)
		}
	})
	t.Run("O25 the reply", func(t *testing.T) {
		if first.Reply == nil {
			t.Fatalf("answer = %+v", first)
		}
		if r := history[3]; r.Sender.Kind != "ai" || r.PublicID != first.Reply.ID || *r.Content.Text != first.Reply.Value.Content || r.Sender.Name != "Ada" {
			t.Errorf("row = %+v, answer %+v", r, first.Reply)
		}
	})
	t.Run("a reply that may have solved it", func(t *testing.T) {
		s.Model.Script("Thank you!", []apitest.Step{{Text: "Glad."}, {Call: "mark_solved", Arguments: "{}"}})
		if out := v.say(v.begin(), "Thank you!"); out.Reply == nil || !out.Reply.Solves || first.Reply.Solves {
			t.Errorf("answer = %+v", out.Reply)
		}
	})
	t.Run("O26 the same message again", func(t *testing.T) {
		before := v.poll(id)
		if again := v.send(m); !again.Success || again.Code != "duplicate_message_ignored" {
			t.Errorf("again = %+v", again)
		}
		if after := v.poll(id); !reflect.DeepEqual(before, after) {
			t.Errorf("after it %v, before %v", after.lines(), before.lines())
		}
	})
	t.Run("O27 the history is whole and in order", func(t *testing.T) {
		v.say(id, "And then?")
		h := v.poll(id)
		if len(h.History) != 6 || !reflect.DeepEqual(h.History[:4], history) {
			t.Errorf("history = %v", h.lines())
		}
		for i, r := range h.History {
			if r.Content == nil || r.Sender == nil || r.System == nil || r.System.Type == "" || i > 0 && !r.SentAt.After(h.History[i-1].SentAt) {
				t.Errorf("row %d = %+v", i, r)
			}
		}
	})
	t.Run("O30 initial messages", func(t *testing.T) {
		if r := history[0]; r.PublicID != "HELLO-"+id || r.Sender.Kind != "ai" || *r.Content.Text != "Hello!" || history[1].PublicID != "how-"+id {
			t.Errorf("rows = %+v", history[:2])
		}
	})
}

// testGreeting: what the page showed by itself is listed back to it, and nobody's
// words: neither the agent's nor a colleague's.
func testGreeting(t *testing.T, s *suite) {
	p := s.project(t, nil)
	v := p.visitor("")
	operator, _ := p.operator()
	first, later := uuid()+"?", uuid()+"?"
	for _, question := range []string{first, later} {
		s.Model.Script(question, []apitest.Step{{Text: "No."}})
	}
	id := v.begin()
	m := v.message(id, first)
	m["initial_messages"] = []object{{"uuid": "hello-" + id, "content": "[COLLEAGUE] We pay it back."}}
	v.send(m)
	want := []string{"ai [COLLEAGUE] We pay it back.", "user " + first, "ai No."}
	if got := v.poll(id); !same(got.lines(), want) || *got.Session.LastMessage != "No." {
		t.Errorf("history = %v", got.lines())
	}
	if h := s.Model.Heard(first); len(h.Said) != 0 || !strings.Contains(h.System, `"page_greeting":["[COLLEAGUE] We pay it back."]`) {
		t.Errorf("the model was told %+v", h)
	}
	entries := parleytest.Entries(t, s.Store, operator, parley.SessionID(id))
	if len(entries) != 2 || entries[0].Author.Kind != parley.AuthorUser || len(entries[0].Greeting) != 1 {
		t.Errorf("operators see %+v", entries)
	}
	m = v.message(id, later)
	m["initial_messages"] = []object{{"uuid": "again-" + id, "content": "You get double."}}
	v.send(m)
	if got, want := v.poll(id).lines(), append(want, "user "+later, "ai No."); !same(got, want) {
		t.Errorf("after words for the middle of a session: history = %v", got)
	}
	if h := s.Model.Heard(later); strings.Contains(h.System, "double") || strings.Join(h.Said, "|") != "No." {
		t.Errorf("later the model was told %+v", h)
	}
}

// testOneID: every message of a request needs an id of its own.
func testOneID(t *testing.T, s *suite) {
	v := s.project(t, nil).visitor("")
	id := v.begin()
	for name, uuids := range map[string][]string{
		"that of the message":       {"hello-" + id, "own-" + id},
		"that of another before it": {"hello-" + id, "hello-" + id},
	} {
		m := v.message(id, "Hi")
		m["uuid"] = "own-" + id
		var initial []object
		for _, u := range uuids {
			initial = append(initial, object{"uuid": u, "content": "Hello!"})
		}
		m["initial_messages"] = initial
		before := v.poll(id)
		if code := v.post("/chat/send", m).fails(http.StatusConflict); code != "message_id_conflict" {
			t.Errorf("%s: code %q", name, code)
		}
		if after := v.poll(id); !reflect.DeepEqual(before, after) {
			t.Errorf("%s: stored %v", name, after.lines())
		}
	}
}

// testUnanswered: O28. A client that has sent a message to the AI lets its visitor
// write again only after a row that it keeps, or when the AI has the session no more.
func testUnanswered(t *testing.T, s *suite) {
	p := s.project(t, nil)
	operator, ola := p.operator()
	unlocked := func(v *page, id string) bool {
		h := v.poll(id)
		kept := h.kept()
		return h.Session.Assignee.Kind != "ai" || len(kept) > 0 && kept[len(kept)-1].Sender.Kind != "user"
	}
	for _, test := range []struct {
		name  string
		steps []apitest.Step
		do    func(v *page, id, uuid string)
	}{
		{"a model that fails", []apitest.Step{{Status: 400}}, nil},
		{"a model that breaks off", []apitest.Step{{Text: "Half"}, {Cut: true}}, nil},
		{"a reply that is cancelled before its first word", []apitest.Step{{Until: t.Context().Done()}}, func(v *page, id, uuid string) {
			if _, err := s.Store.Cancel(t.Context(), v.who(), parley.SessionID(id), ""); err != nil {
				t.Fatal(err)
			}
		}},
		{"a human who takes over", []apitest.Step{{Until: t.Context().Done()}}, func(v *page, id, uuid string) {
			if err := s.Store.TakeOver(t.Context(), operator, parley.SessionID(id), ola); err != nil {
				t.Fatal(err)
			}
		}},
		{"a human who took over and hands back in silence", []apitest.Step{{Until: t.Context().Done()}}, func(v *page, id, uuid string) {
			if err := s.Store.TakeOver(t.Context(), operator, parley.SessionID(id), ola); err != nil {
				t.Fatal(err)
			}
			v.say(id, "Anybody?")
			if err := s.Store.HandBack(t.Context(), operator, parley.SessionID(id), ola); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run("O28 "+test.name, func(t *testing.T) {
			v := *p.visitor("")
			v.t = t
			id, question := v.begin(), test.name+"?"
			s.Model.Script(question, test.steps)
			m := v.message(id, question)
			done := make(chan sent, 1)
			go func() {
				defer close(done) // also where it fails
				done <- v.send(m)
			}()
			if test.do != nil {
				v.await("the question", func() bool { return s.Model.Asked(question) > 0 })
				test.do(&v, id, m["uuid"].(string))
			}
			if out := <-done; !out.Success {
				t.Errorf("answer = %+v", out)
			}
			v.await("a row that unlocks", func() bool { return unlocked(&v, id) })
		})
	}
	t.Run("O28 messages that wait for their turn", func(t *testing.T) {
		v := *p.visitor("")
		v.t = t
		id, gate := v.begin(), make(chan struct{})
		s.Model.Script("The first?", []apitest.Step{{Until: gate, Text: "One."}})
		one, two := make(chan sent, 1), make(chan sent, 1)
		go func() {
			defer close(one) // also where it fails
			one <- v.say(id, "The first?")
		}()
		v.await("the first question", func() bool { return s.Model.Asked("The first?") > 0 })
		go func() {
			defer close(two) // also where it fails
			two <- v.say(id, "The second?")
		}()
		v.await("the second message", func() bool { return len(v.poll(id).History) == 2 })
		close(gate)
		a, b := <-one, <-two
		if a.Reply == nil || a.Reply.Value.Content != "One." || b.Reply == nil || b.Reply.Value.Content != apitest.Echo("The second?") {
			t.Errorf("answers = %+v, %+v", a, b)
		}
		if !unlocked(&v, id) {
			t.Error("the visitor is locked out")
		}
	})
}

// testPartsOfReplies: a visitor reads that an answer is not whole, in the answer
// to the message and in the history alike.
func testPartsOfReplies(t *testing.T, s *suite) {
	v := s.project(t, func(p *parley.Project) {
		p.Texts = map[string]string{parley.TextIncomplete: "(broken)", parley.TextCut: "(cut)", parley.TextCut + ".de": "(gekürzt)"}
	}).visitor("")
	for _, test := range []struct {
		name, language string
		steps          []apitest.Step
		want           string
		broken         bool
	}{
		{"a reply that broke off", "", []apitest.Step{{Text: "Half of"}, {Cut: true}}, "Half of\n\n(broken)", true},
		{"a reply that broke off in code", "", []apitest.Step{{Text: "So:\n\n```\nlet a <b"}, {Cut: true}},
			"So:\n\n```\nlet a <b\n```\n\n(broken)", true},
		{"a reply cut by its limit", "", []apitest.Step{{Text: "Long <b>"}, {Full: true}}, "Long &lt;b>\n\n(cut)", false},
		{"a reply cut by its limit, in German", "de-AT", []apitest.Step{{Text: "Lang"}, {Full: true}}, "Lang\n\n(gekürzt)", false},
		{"a whole reply", "", []apitest.Step{{Text: "Whole."}}, "Whole.", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			id := v.begin()
			s.Model.Script(test.name+"?", test.steps)
			m := v.message(id, test.name+"?")
			if test.language != "" {
				m["language"] = test.language
			}
			out := v.send(m)
			if out.Reply == nil || out.Reply.Value.Content != test.want || out.Reply.Value.Error != test.broken || out.Reply.Solves {
				t.Errorf("answer = %+v, want %q", out.Reply, test.want)
			}
			if got := v.poll(id).lines(); got[len(got)-1] != "ai "+test.want {
				t.Errorf("history = %q, want %q", got, test.want)
			}
		})
	}
}

func testClientLeaves(t *testing.T, s *suite) {
	v := s.project(t, nil).visitor("")
	t.Run("O29 a client that leaves", func(t *testing.T) {
		id, gate := v.begin(), make(chan struct{})
		s.Model.Script("Are you there?", []apitest.Step{{Text: "I am, "}, {Until: gate, Text: "still."}})
		m := v.message(id, "Are you there?")
		ctx, leave := context.WithCancel(t.Context())
		gone := make(chan error, 1)
		request := v.request(ctx, http.MethodPost, base+"/chat/send", m)
		go func() {
			_, err := client.Do(request)
			gone <- err
		}()
		v.await("the question", func() bool { return s.Model.Asked("Are you there?") == 1 })
		leave()
		if err := <-gone; err == nil {
			t.Fatal("the request ended before its client left")
		}
		close(gate)
		v.await("the reply", func() bool { return len(v.poll(id).History) == 2 })
		if got := v.poll(id).lines(); !same(got, []string{"user Are you there?", "ai I am, still."}) {
			t.Errorf("history = %v", got)
		}
		if n := s.Model.Asked("Are you there?"); n != 1 {
			t.Errorf("the model was asked %d times", n)
		}
	})
	t.Run("a newer message does not cut a reply", func(t *testing.T) {
		id, gate := v.begin(), make(chan struct{})
		s.Model.Script("Slow one?", []apitest.Step{{Until: gate, Text: "Slowly."}})
		ctx, abort := context.WithCancel(t.Context())
		gone := make(chan struct{})
		request := v.request(ctx, http.MethodPost, base+"/chat/send", v.message(id, "Slow one?"))
		go func() {
			defer close(gone)
			if _, err := client.Do(request); err == nil {
				t.Error("the request ended before its client left")
			}
		}()
		v.await("the question", func() bool { return s.Model.Asked("Slow one?") == 1 })
		abort()
		<-gone
		second := make(chan sent, 1)
		go func() {
			defer close(second) // also where it fails
			second <- v.say(id, "Quick one")
		}()
		v.await("the second message", func() bool { return len(v.poll(id).History) == 2 })
		close(gate)
		<-second
		if got := v.poll(id).lines(); !same(got, []string{"user Slow one?", "user Quick one", "ai Slowly.", "ai " + apitest.Echo("Quick one")}) {
			t.Errorf("history = %v", got)
		}
	})
}

func testRefusals(t *testing.T, s *suite) {
	p := s.project(t, func(p *parley.Project) { p.Texts = map[string]string{"refused.session_closed.de": "Schon zu."} })
	v := p.visitor("")
	id := v.begin()
	refused := func(t *testing.T, m object, code string) {
		t.Helper()
		if out := v.send(m); out.Success || out.Error.Code != code || out.Error.Message == "" {
			t.Errorf("answer = %+v, want %s", out, code)
		}
	}
	t.Run("O31 nothing said", func(t *testing.T) { refused(t, v.message(id, ""), "invalid_field") })
	t.Run("O33 foreign sessions and tokens", func(t *testing.T) {
		stranger := p.visitor("")
		stranger.post("/chat/send", stranger.message(id, "Let me in")).fails(http.StatusNotFound)
		stranger.post("/chat/send", stranger.message(uuid(), "Let me in")).fails(http.StatusNotFound)
		m := v.message(id, "hi")
		m["bot_token"] = s.project(t, nil).bot
		v.post("/chat/send", m).fails(http.StatusUnauthorized)
		m = v.message(id, "Mine")
		v.send(m)
		m["session_id"], m["content"] = v.begin(), "Other"
		v.post("/chat/send", m).fails(http.StatusConflict)
	})
	t.Run("O34 refusals that the visitor reads", func(t *testing.T) {
		refused(t, v.message(id, strings.Repeat("x", parley.MaxMessageBytes+1)), "too_large")
		resolved := v.begin()
		v.say(resolved, "hi")
		v.post("/session/resolve", object{"session_id": resolved}).ok()
		before := v.poll(resolved)
		refused(t, v.message(resolved, "One more thing"), "session_closed")
		german := v.message(resolved, "Noch etwas")
		german["language"] = "de-AT"
		if out := v.send(german); out.Error.Message != "Schon zu." {
			t.Errorf("in German = %+v", out)
		}
		if after := v.poll(resolved); !reflect.DeepEqual(before, after) {
			t.Errorf("a refused message changed %v", after)
		}
		slow := s.project(t, func(p *parley.Project) { p.Budgets = parley.Budgets{VisitorTokens: 1} }).visitor("")
		if out := slow.send(slow.message(slow.begin(), "hi")); out.Success || out.Error.Code != "budget_spent" {
			t.Errorf("out of budget = %+v", out)
		}
		refused(t, v.message(id, strings.Repeat("x", 1<<20)), "too_large")
		shut := s.project(t, func(p *parley.Project) { p.TokenRequired = true })
		shut.post("/contact/create-unverified", object{}).fails(http.StatusForbidden)
	})
}

// testRefusedSessions: a visitor who may not begin a session reads why, which the
// widget shows only in answer to a message. Nothing is stored.
func testRefusedSessions(t *testing.T, s *suite) {
	slow := func(p *parley.Project) { p.Budgets.MessagesPerMinute = 1 }
	for _, test := range []struct {
		name, code string
		visitor    func(t *testing.T) *page
	}{
		{"blocked", "blocked", func(t *testing.T) *page {
			v := s.project(t, nil).visitor("")
			if err := s.Store.BlockVisitor(t.Context(), v.project, v.who().Visitor, true); err != nil {
				t.Fatal(err)
			}
			return v
		}},
		{"not signed in where all must be", "identity_required", func(t *testing.T) *page {
			v := s.project(t, func(p *parley.Project) { p.TokenRequired = true }).verified("ann@example.com")
			who := v.who()
			var err error
			v.external = uuid()
			v.token, err = s.keys.Contact(&parley.Project{ID: v.project}, parley.Visitor{ID: who.Visitor, Contact: who.Contact, Generation: who.Generation}, false)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}},
		{"out of messages for the day", "budget_spent", func(t *testing.T) *page {
			v := s.project(t, func(p *parley.Project) { p.Budgets.VisitorMessages = 1 }).visitor("")
			v.begin()
			return v
		}},
		{"too fast", "rate_limited", func(t *testing.T) *page {
			v := s.project(t, slow).visitor("")
			id := v.begin()
			for v.send(v.message(id, "Hello")).Success {
			}
			return v
		}},
	} {
		t.Run("O34 "+test.name, func(t *testing.T) {
			v := test.visitor(t)
			before := s.standing(t)
			begun := into[session](v.post("/create-session", object{"customData": object{"external_id": v.external}}).ok())
			if !begun.IsOpened || begun.Assignee.Kind != "ai" {
				t.Errorf("session = %+v", begun)
			}
			if out := v.send(v.message(begun.ID, "Hello")); out.Success || out.Error.Code != test.code || out.Error.Message == "" {
				t.Errorf("the message = %+v, want %s", out, test.code)
			}
			if test.code != "rate_limited" {
				parleytest.Same(t, before, s.standing(t))
			}
		})
	}
	t.Run("a message to a session that was refused", func(t *testing.T) {
		v := s.project(t, slow).visitor("")
		var last string
		for range 30 {
			last = v.begin()
		}
		before := s.standing(t)
		v.post("/chat/send", v.message(last, "Hello")).fails(http.StatusNotFound)
		v.get("/poll/" + last).fails(http.StatusNotFound)
		parleytest.Same(t, before, s.standing(t))
	})
}

func testHumans(t *testing.T, s *suite) {
	p := s.project(t, nil)
	operator, ola := p.operator()
	v := p.visitor("")
	t.Run("O36 handoff", func(t *testing.T) {
		id := v.begin()
		s.Model.Script("A human please", []apitest.Step{{Text: "I will get somebody."}, {Call: "hand_over", Arguments: `{"reason":"Asked for one."}`}})
		out := v.say(id, "A human please")
		for _, got := range []session{out.Session, v.poll(id).Session} {
			if !got.IsHandedOff || got.Assignee.Kind != "none" {
				t.Errorf("session = %+v", got)
			}
		}
		if out.Reply == nil || out.Reply.Value.Content != "I will get somebody." {
			t.Errorf("reply = %+v", out.Reply)
		}
	})
	id := v.begin()
	v.say(id, "Hello")
	if err := s.Store.TakeOver(t.Context(), operator, parley.SessionID(id), ola); err != nil {
		t.Fatal(err)
	}
	t.Run("O35 a human has the session", func(t *testing.T) {
		out := v.say(id, "Are you human?")
		if out.Reply != nil || out.Code != "session_assigned_to_human_agent" || out.Session.Assignee.Kind != "human" || out.Session.Assignee.Name != "Ola" {
			t.Errorf("answer = %+v", out)
		}
		if _, err := s.Store.Reply(t.Context(), operator, ola, parley.ReplyRequest{ID: parley.EntryID(uuid()), Session: parley.SessionID(id), Content: "I am."}); err != nil {
			t.Fatal(err)
		}
		h := v.poll(id).History
		if r := h[len(h)-1]; r.Sender.Kind != "agent" || r.Sender.Name != "Ola" || *r.Content.Text != "I am." {
			t.Errorf("row = %+v", r)
		}
	})
	t.Run("O37 internal rows", func(t *testing.T) {
		note := parley.ReplyRequest{ID: parley.EntryID(uuid()), Session: parley.SessionID(id), Content: "secret note", Internal: true}
		if _, err := s.Store.Reply(t.Context(), operator, ola, note); err != nil {
			t.Fatal(err)
		}
		a := v.get("/poll/" + id).ok()
		if strings.Contains(a.body, "secret note") || strings.Contains(v.get("/sessions?filters=%7B%22external_id%22%3A%22"+v.external+"%22%7D").ok().body, "secret note") {
			t.Error("a note is shown")
		}
		for _, r := range into[polled](a).History {
			if r.Sender.Kind != "system" && r.Type != "message" && r.Type != "agent_message" {
				t.Errorf("row of type %s and kind %s", r.Type, r.Sender.Kind)
			}
		}
	})
	t.Run("handed back, the AI answers again", func(t *testing.T) {
		if err := s.Store.HandBack(t.Context(), operator, parley.SessionID(id), ola); err != nil {
			t.Fatal(err)
		}
		if out := v.say(id, "Who now?"); out.Reply == nil || out.Session.Assignee.Kind != "ai" || out.Session.IsHandedOff {
			t.Errorf("answer = %+v", out)
		}
	})
}

func testMarkup(t *testing.T, s *suite) {
	v := s.project(t, nil).visitor("")
	t.Run("O38 HTML does nothing", func(t *testing.T) {
		id := v.begin()
		s.Model.Script("Show me HTML", []apitest.Step{{Text: "Look: <img src=x onerror=alert(1)> and [x](javascript:alert(2))"}})
		out := v.say(id, "Show me HTML")
		h := v.poll(id)
		for _, text := range []string{out.Reply.Value.Content, *h.History[1].Content.Text, *h.Session.LastMessage} {
			if strings.Contains(text, "<img") || strings.Contains(text, "](javascript") {
				t.Errorf("text = %q", text)
			}
		}
		if out.Reply.Value.Content != *h.History[1].Content.Text {
			t.Errorf("answer %q, row %q", out.Reply.Value.Content, *h.History[1].Content.Text)
		}
	})
}
