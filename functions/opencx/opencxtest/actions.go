package opencxtest

import (
	"encoding/json"
	"io"
	"net/http"
	"path"
	"strings"
	"sync"
	"testing"

	"parley/shared/api/apitest"
	"parley/shared/parley"
)

// shop is a customer's host that actions ask.
type shop struct {
	url   string
	mu    sync.Mutex
	asked []asked
}

// asked is one request as the host got it.
type asked struct {
	method, path, query, body string
	header                    http.Header
}

func newShop(t *testing.T) *shop {
	s := &shop{}
	s.url = listen(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		s.asked = append(s.asked, asked{r.Method, r.URL.Path, r.URL.RawQuery, string(body), r.Header})
		s.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		switch path.Base(r.URL.Path) {
		case "gone":
			w.WriteHeader(http.StatusNotFound)
		case "silent":
			w.WriteHeader(http.StatusNotFound)
			return
		case "broken":
			w.WriteHeader(http.StatusBadGateway)
		case "slow":
			<-r.Context().Done()
			return
		}
		io.WriteString(w, `{"state":"<sent>"}`)
	})
	// A project's own machine is named so; the address is what http.Server bound.
	s.url = strings.Replace(s.url, "127.0.0.1", "localhost", 1)
	return s
}

// requests returns what was asked so far.
func (s *shop) requests() []asked {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]asked(nil), s.asked...)
}

// newest returns what was asked last.
func (s *shop) newest(t *testing.T) asked {
	t.Helper()
	all := s.requests()
	if len(all) == 0 {
		t.Fatal("the host was not asked")
	}
	return all[len(all)-1]
}

// settings declare two actions of the shop: one with every kind of value, one
// with a form.
func (s *shop) settings(p *parley.Project) {
	text := json.RawMessage(`"project"`)
	p.Actions = []parley.Action{
		{ID: "find_order", Name: "Find an order", Description: "Finds an order.", TimeoutSeconds: 2, Method: "POST", URL: s.url + "/{tenant}/{order}",
			Parameters: json.RawMessage(`{"type":"object","properties":{"order":{"type":"string"}},"required":["order"]}`),
			Values: []parley.ActionValue{
				{In: parley.InHeader, Name: "Authorization", Secret: "shop-token"},
				{In: parley.InHeader, Name: "X-Open", Value: text, Open: true},
				{In: parley.InHeader, Name: "X-Shut", Value: text},
				{In: parley.InPath, Name: "tenant", Value: text},
				{In: parley.InQuery, Name: "open", Value: text, Open: true},
				{In: parley.InQuery, Name: "shut", Value: text},
				{In: parley.InBody, Name: "open", Value: text, Open: true},
				{In: parley.InBody, Name: "shut", Value: text},
			}},
		{ID: "refund", Description: "Pays back.", Method: "POST", URL: s.url + "/refund/{order}", Form: true,
			Parameters: json.RawMessage(`{"type":"object","properties":{"order":{"type":"string"},"amount":{"type":"integer","minimum":1},"why":{"type":"string"}},"required":["order","amount"]}`),
			Values:     []parley.ActionValue{{In: parley.InHeader, Name: "X-Open", Open: true}}},
	}
}

func calls(order, then string) []apitest.Step {
	return []apitest.Step{{Call: "find_order", Arguments: `{"order":"` + order + `"}`}, {Text: then}}
}

func testActions(t *testing.T, s *suite) {
	host := newShop(t)
	v := s.project(t, host.settings).visitor("")
	for _, test := range []struct{ name, question, order, response string }{
		{"O39 a result", "Where is order 7?", "7", `{"state":"<sent>"}`},
		{"O39 a host that does not answer", "Where is order 1?", "slow", `{"error":"No answer within 2s; nobody knows whether it was done."}`},
		{"O39 a refusal in the host's words", "Where is order 0?", "gone", `{"state":"<sent>"}`},
		{"O39 a refusal without words", "Where is order 2?", "silent", `{"error":"The host answered with status 404."}`},
		{"O39 a fault of the host's", "Where is order 3?", "broken", `{"error":"The host answered with status 502."}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			id := v.begin()
			s.Model.Script(test.question, calls(test.order, "So it is."))
			out := v.say(id, test.question)
			if out.Reply == nil || out.Reply.Value.Content != "So it is." || out.UI == nil {
				t.Fatalf("answer = %+v", out)
			}
			if out.UI.Type != "ui" || out.UI.Value.Type != "ui_component" || out.UI.Value.Name != "Find an order" || !jsonEqual(out.UI.Value.Response, test.response) || out.Form != nil {
				t.Errorf("uiResponse = %+v", out.UI)
			}
			history := v.poll(id).History
			reply := history[len(history)-1]
			if len(history) != 2 || reply.PublicID != out.Reply.ID || len(reply.Calls) != 1 {
				t.Fatalf("history = %+v", history)
			}
			call := reply.Calls[0]
			if call.ActionName != "Find an order" || !jsonEqual(call.Args, `{"order":"`+test.order+`"}`) || call.Action.RequiredForm {
				t.Errorf("call = %+v", call)
			}
			shown := json.RawMessage(bodyText(t, call.Result))
			if len(shown) == 0 {
				shown = call.Result
			}
			if !jsonEqual(shown, test.response) {
				t.Errorf("result = %s", call.Result)
			}
		})
	}
	t.Run("O39 a call without an order", func(t *testing.T) {
		before := len(host.requests())
		s.Model.Script("Where is it?", []apitest.Step{{Call: "find_order", Arguments: `{"order":`}, {Call: "find_order", Arguments: `{"order":7}`}, {Text: "Which order?"}})
		if out := v.say(v.begin(), "Where is it?"); out.Reply == nil || out.Reply.Value.Content != "Which order?" {
			t.Errorf("answer = %+v", out)
		}
		if got := len(host.requests()); got != before {
			t.Errorf("the host was asked %d times with arguments that do not fit", got-before)
		}
	})
	t.Run("O39 a model without end", func(t *testing.T) {
		before := len(host.requests())
		var loop []apitest.Step
		for i := range 30 {
			loop = append(loop, apitest.Step{Call: "find_order", Arguments: `{"order":"` + string(rune('a'+i)) + `"}`})
		}
		s.Model.Script("Loop.", loop)
		id := v.begin()
		v.say(id, "Loop.")
		v.await("the end of the reply", func() bool { return len(v.poll(id).kept()) > 1 })
		if got := len(host.requests()) - before; got == 0 || got > 8 {
			t.Errorf("the host was asked %d times", got)
		}
	})
}

// testOverrides: what a page brings wins over a contact's server, that over the
// project; but a page changes open values only, and nobody a secret.
func testOverrides(t *testing.T, s *suite) {
	host := newShop(t)
	p := s.project(t, host.settings)
	vouched := *p
	vouched.token = into[struct{ Token string }](p.authenticate("Bearer "+p.key(parley.ScopeReply), object{"email": "ann@example.com",
		"http_action_overrides": object{"headers": object{"x-open": "contact", "X-Shut": "contact", "Authorization": "contact", "X-New": "contact"},
			"query_params": object{"open": "contact", "shut": "contact"}, "path_params": object{"tenant": "contact"}, "body_params": object{"open": "contact", "shut": object{"by": "contact"}}}}).ok()).Token
	browser := object{"headers": object{"x-open": "page", "X-Shut": "page", "Authorization": "page", "X-New": strings.Repeat("x", 8000)},
		"query_params": object{"open": "page", "shut": "page", "tenant": "page"}, "body_properties": object{"open": object{"by": "page"}, "shut": "page", "order": "page"}}
	for _, test := range []struct {
		name, question            string
		who                       *page
		brings                    object
		open, query, tenant, body string
		shutHeader                string
	}{
		{"O39 the project's values", "Mine 1?", p.visitor(""), nil, "project", "open=project&shut=project", "project", `{"open":"project","shut":"project"}`, "project"},
		{"O39 a page's values", "Mine 2?", p.visitor(""), browser, "page", "open=page&shut=project", "project", `{"open":{"by":"page"},"shut":"project"}`, "project"},
		{"O39 a contact's values", "Mine 3?", &vouched, nil, "contact", "open=contact&shut=contact", "contact", `{"open":"contact","shut":{"by":"contact"}}`, "contact"},
		{"O39 a contact's values and a page's", "Mine 4?", &vouched, browser, "page", "open=page&shut=contact", "contact", `{"open":{"by":"page"},"shut":{"by":"contact"}}`, "contact"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s.Model.Script(test.question, calls("7", "There."))
			m := test.who.message(test.who.begin(), test.question)
			for name, value := range test.brings {
				m[name] = value
			}
			if out := test.who.send(m); out.Reply == nil || out.Reply.Value.Content != "There." {
				t.Fatalf("answer = %+v", out)
			}
			got := host.newest(t)
			if got.path != "/"+test.tenant+"/7" || got.query != test.query || !jsonEqual(json.RawMessage(got.body), test.body) {
				t.Errorf("the host was asked for %s?%s with %s", got.path, got.query, got.body)
			}
			if h := got.header; h.Get("X-Open") != test.open || h.Get("X-Shut") != test.shutHeader || h.Get("X-New") != "" || h.Get("Authorization") != Secret("shop-token") {
				t.Errorf("headers = %v", h)
			}
		})
	}
}

func testForms(t *testing.T, s *suite) {
	host := newShop(t)
	p := s.project(t, host.settings)
	v := p.visitor("")
	ask := func(question string) (id, message string) {
		id = v.begin()
		s.Model.Script(question, []apitest.Step{{Call: "refund", Arguments: `{"order":"7","amount":"a lot"}`}, {Text: "Please fill this in."}})
		out := v.say(id, question)
		if out.Form == nil || out.Form.Name != "refund" || !out.Form.RequiredForm || out.Form.Metadata.Submitted || !strings.Contains(string(out.Form.Metadata.Parameters), "amount") {
			t.Fatalf("formSubmission = %+v", out.Form)
		}
		return id, out.Reply.ID
	}
	t.Run("O39 a form", func(t *testing.T) {
		id, message := ask("My money 1!")
		row := func() actionCall { h := v.poll(id).History; return h[len(h)-1].Calls[0] }
		if c := row(); !jsonEqual(c.Args, `{"order":"7"}`) || !strings.HasPrefix(string(c.Result), `{"form":{"id":"1","parameters":{`) || !strings.HasSuffix(string(c.Result), `,"values":{"order":"7"}}}`) || len(host.requests()) != 0 {
			t.Errorf("before it is sent %+v", c)
		}
		form := object{"sessionId": id, "formMessageId": message, "actionId": row().Action.ID}
		send := func(request object) *answer { form["request"] = request; return v.post("/action/execute", form) }
		send(object{"pathParams": object{"order": "8"}}).fails(http.StatusBadRequest)
		send(object{"pathParams": object{"order": "8"}, "bodyParams": object{"amount": 0}}).fails(http.StatusBadRequest)
		if n := len(host.requests()); n != 0 {
			t.Errorf("fields that do not fit were sent %d times", n)
		}
		whole := object{"pathParams": object{"order": "8"}, "queryParams": object{"amount": "12"}, "bodyParams": object{"why": "late", "other": 1},
			"headers": object{"X-Open": "page", "X-New": "page"}}
		for range 2 {
			out := into[struct {
				Action struct{ Response json.RawMessage }
			}](send(whole).ok())
			if !jsonEqual(out.Action.Response, `{"state":"<sent>"}`) {
				t.Errorf("response = %s", out.Action.Response)
			}
		}
		got := host.newest(t)
		if len(host.requests()) != 1 || got.path != "/refund/8" || !jsonEqual(json.RawMessage(got.body), `{"amount":12,"why":"late"}`) || got.header.Get("X-Open") != "page" || got.header.Get("X-New") != "" {
			t.Errorf("asked %d times, last for %+v", len(host.requests()), got)
		}
		if send(object{"bodyParams": object{"order": "9", "amount": 12}}).fails(http.StatusConflict) != "form_submitted" {
			t.Error("another form was taken")
		}
		c := row()
		if !c.Action.Metadata.Submitted || !jsonEqual(c.Args, `{"order":"8","amount":12,"why":"late"}`) || !jsonEqual(json.RawMessage(bodyText(t, c.Result)), `{"state":"<sent>"}`) {
			t.Errorf("after it was sent %+v", c)
		}
		m := v.message(id, "Done.")
		m["action_form_submitted_prompt"] = "The form was sent."
		s.Model.Script("The form was sent.)", []apitest.Step{{Text: "It is on its way."}})
		v.send(m)
		if heard := s.Model.Heard("The form was sent.)"); !strings.Contains(heard.System, `"tool":"refund"`) || !strings.Contains(heard.System, "sent") {
			t.Errorf("the agent was told %q", heard.System)
		}
	})
	t.Run("O39 forms of others", func(t *testing.T) {
		id, message := ask("My money 2!")
		body := func(session, message, action string) object {
			return object{"sessionId": session, "formMessageId": message, "actionId": action, "request": object{"bodyParams": object{"order": "9", "amount": 1}}}
		}
		before := len(host.requests())
		p.visitor("").post("/action/execute", body(id, message, "1")).fails(http.StatusNotFound)
		v.post("/action/execute", body(id, "other", "1")).fails(http.StatusNotFound)
		v.post("/action/execute", body(id, message, "2")).fails(http.StatusNotFound)
		v.post("/action/execute", body(v.begin(), message, "1")).fails(http.StatusNotFound)
		v.post("/session/resolve", object{"session_id": id}).ok()
		v.post("/action/execute", body(id, message, "1")).fails(http.StatusConflict)
		if got := len(host.requests()); got != before {
			t.Errorf("the host was asked %d times", got-before)
		}
	})
}
