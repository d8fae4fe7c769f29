package apitest

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"parley/shared/parley"
)

// amended is an answer as it is now.
type amended struct {
	Message struct {
		ID       parley.EntryID
		Revision int
		Vote     parley.Vote
		Parts    []actionPart
	}
}

// actionPart is a part of the type "action".
type actionPart struct {
	Type, ID, Name    string
	Arguments, Result json.RawMessage
	Error             string
	Form              *struct {
		Parameters json.RawMessage
		Submitted  bool
	}
}

// testVotes: an answer has the newest vote of its visitor.
func testVotes(t *testing.T, s *suite) {
	b := s.project(t, nil).visitor()
	s.Model.Script("Did it arrive?", []Step{{Text: "It did."}, {Call: "mark_solved", Arguments: "{}"}})
	got := b.chat(ask("Did it arrive?"))
	path := "/chat/" + string(got.accepted.Session.ID) + "/vote"
	vote := func(v string) amended {
		return into[amended](b.post(path, map[string]any{"messageId": got.ended.Message.ID, "vote": v}))
	}
	for i, v := range []string{"up", "up", "down"} {
		if out := vote(v); string(out.Message.Vote) != v || out.Message.ID != got.ended.Message.ID || out.Message.Revision != []int{1, 1, 2}[i] {
			t.Errorf("vote %d = %+v", i+1, out)
		}
	}
	read := into[struct {
		Entries []struct {
			Vote           parley.Vote
			LikelyResolved bool
			Event          parley.Event
		}
	}](b.get("/history/" + string(got.accepted.Session.ID)))
	if e := read.Entries; len(e) != 4 || e[1].Vote != "down" || !e[1].LikelyResolved || e[0].LikelyResolved || e[2].Event != "vote" || e[3].Event != "vote" {
		t.Errorf("history = %+v", e)
	}
	body := map[string]any{"messageId": got.ended.Message.ID}
	for i := range 2*parley.MaxChangesPerMinute + 1 { // a minute may end meanwhile
		body["vote"] = []string{"up", "down"}[i%2]
		a := b.do(call{http.MethodPost, path, body, nil})
		if a.status == http.StatusTooManyRequests {
			a.fails(http.StatusTooManyRequests, "changes_limit")
			return
		}
	}
	t.Error("votes without end")
}

// testForms: a form is carried out once, with fields that fit, and what came of
// it is part of the answer that asked.
func testForms(t *testing.T, s *suite) {
	var mu sync.Mutex
	var asked []string
	host := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		asked = append(asked, r.Method+" "+r.URL.Path+" "+string(body)+" "+r.Header.Get("Idempotency-Key"))
		mu.Unlock()
		io.WriteString(w, `{"paid":12}`)
	}))
	t.Cleanup(host.Close)
	b := s.project(t, func(p *parley.Project) {
		p.Actions = []parley.Action{{ID: "refund", Name: "Refund", Description: "Pays back.", Method: "POST", Form: true,
			URL:        strings.Replace(host.URL, "127.0.0.1", "localhost", 1) + "/refund",
			Parameters: json.RawMessage(`{"type":"object","properties":{"order":{"type":"string"},"amount":{"type":"integer","minimum":1}},"required":["order","amount"]}`)}}
	}).visitor()
	const question = "Can I have my money back?"
	s.Model.Script(question, []Step{{Call: "refund", Arguments: `{"order":"7"}`}, {Text: "Fill this in."}})
	got := b.chat(ask(question))
	id := got.accepted.Session.ID
	form := func(arguments any) map[string]any {
		return map[string]any{"messageId": got.ended.Message.ID, "call": "1", "arguments": arguments}
	}
	path := "/chat/" + string(id) + "/form"
	send := func(arguments any) *answer { return b.do(call{http.MethodPost, path, form(arguments), nil}) }
	before := into[struct {
		Entries []struct{ Parts []actionPart }
	}](b.get("/history/" + string(id))).Entries[1].Parts
	if len(before) != 1 || before[0].Form == nil || before[0].Form.Submitted || before[0].Name != "Refund" || string(before[0].Result) != "null" || !strings.Contains(string(before[0].Arguments), `"7"`) {
		t.Errorf("the form = %+v", before)
	}
	send(map[string]any{"order": "7"}).fails(http.StatusBadRequest, "invalid_field")
	whole := map[string]any{"order": "7", "amount": 12}
	for range 2 {
		part := into[amended](send(whole).is(http.StatusOK)).Message.Parts[0]
		if !part.Form.Submitted || string(part.Result) != `{"status":200,"body":{"paid":12}}` || part.Error != "" {
			t.Errorf("what came of it = %+v", part)
		}
	}
	send(map[string]any{"order": "8", "amount": 12}).fails(http.StatusConflict, "form_submitted")
	mu.Lock()
	defer mu.Unlock()
	if len(asked) != 1 || asked[0] != `POST /refund {"amount":12,"order":"7"} `+string(*got.Run)+".1" {
		t.Errorf("the host was asked %q", asked)
	}
	b.do(call{http.MethodPost, path, map[string]any{"messageId": got.ended.Message.ID, "call": "2", "arguments": whole}, nil}).fails(http.StatusNotFound, "not_found")
}
