package opencxtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/shared/api/apitest"
	"parley/shared/parley"
	"parley/shared/parleytest"
)

func testCheckpoints(t *testing.T, s *suite) {
	p := s.project(t, nil)
	v := p.visitor("")
	t.Run("O40 checkpoint", func(t *testing.T) {
		id := v.begin()
		body := object{"session_id": id, "payload": object{"step": 2, "html": "<b>"}}
		if out := into[struct{ Success bool }](v.post("/checkpoint", body).ok()); !out.Success {
			t.Errorf("checkpoint = %+v", out)
		}
		h := v.poll(id)
		var rows int
		for _, r := range h.History {
			if r.Sender.Kind == "system" && r.System.Type == "state_checkpoint" && jsonEqual(r.System.Payload, `{"step":2,"html":"<b>"}`) {
				rows++
			}
		}
		if rows != 1 || !jsonEqual(h.Session.Checkpoint, `{"step":2,"html":"<b>"}`) {
			t.Errorf("%d rows, newest %s", rows, h.Session.Checkpoint)
		}
		p.visitor("").post("/checkpoint", body).fails(http.StatusNotFound)
		v.post("/checkpoint", object{"session_id": id, "payload": []int{1}}).fails(http.StatusBadRequest)
	})
}

func jsonEqual(got json.RawMessage, want string) bool {
	var a, b any
	return json.Unmarshal(got, &a) == nil && json.Unmarshal([]byte(want), &b) == nil && fmt.Sprint(a) == fmt.Sprint(b)
}

func testCSAT(t *testing.T, s *suite) {
	p := s.project(t, nil)
	v := p.visitor("")
	id := v.begin()
	v.say(id, "Thank you")
	t.Run("O42 resolve asks for a rating", func(t *testing.T) {
		if out := into[session](v.post("/session/resolve", object{"session_id": id}).ok()); out.IsOpened || out.ID != id {
			t.Errorf("resolve = %+v", out)
		}
		count := func() (n int) {
			for _, r := range v.poll(id).History {
				if r.System.Type == "csat_requested" && r.Sender.Kind == "system" {
					n++
				}
			}
			return n
		}
		if n := count(); n != 1 {
			t.Errorf("asked %d times", n)
		}
		v.post("/session/resolve", object{"session_id": id}).ok()
		if n := count(); n != 1 {
			t.Errorf("asked %d times after the second resolve", n)
		}
		p.visitor("").post("/session/resolve", object{"session_id": id}).fails(http.StatusNotFound)
	})
	t.Run("O43 submit-csat", func(t *testing.T) {
		given := func() (all []row) {
			for _, r := range v.poll(id).History {
				if r.System.Type == "csat_submitted" {
					all = append(all, r)
				}
			}
			return all
		}
		mine := uuid()
		rate := object{"session_id": id, "score": 4, "feedback": "Good <i>work</i>", "system_message_uuid": mine}
		for range 2 {
			if out := into[struct{ Success bool }](v.post("/submit-csat", rate).ok()); !out.Success {
				t.Errorf("submit-csat = %+v", out)
			}
		}
		if rows := given(); len(rows) != 1 || rows[0].PublicID != mine || !jsonEqual(rows[0].System.Payload, `{"score":4,"feedback":"Good <i>work</i>"}`) {
			t.Errorf("rows = %+v", rows)
		}
		v.post("/submit-csat", object{"session_id": id, "score": 5}).ok()
		if rows := given(); len(rows) != 2 || rows[1].PublicID == "" {
			t.Errorf("rows = %+v", rows)
		}
		for _, wrong := range []any{0, 6, 2.5, "5"} {
			v.post("/submit-csat", object{"session_id": id, "score": wrong}).fails(http.StatusBadRequest)
		}
		totals, err := s.Store.Totals(t.Context(), p.project, time.Now())
		if err != nil || totals[5] != 1 || totals[4] != 0 {
			t.Errorf("totals = %v, %v", totals, err)
		}
		off := s.project(t, func(p *parley.Project) { p.CSAT = parley.CSATOff }).visitor("")
		none := off.begin()
		off.post("/session/resolve", object{"session_id": none}).ok()
		if got := off.poll(none).kept(); len(got) != 0 {
			t.Errorf("a project without ratings asks: %+v", got)
		}
		if out := into[struct {
			Success bool
			Reason  string
		}](off.post("/submit-csat", object{"session_id": none, "score": 5}).ok()); out.Success || out.Reason != "request_cancelled" {
			t.Errorf("a project without ratings takes one: %+v", out)
		}
	})
}

// testWaysOn: whatever ends a session, its visitor can go on. The widget has a field
// in a session that it takes for open and whose messages are taken, and a button for
// a new one in any other, unless it asks for a rating there.
func testWaysOn(t *testing.T, s *suite) {
	for _, test := range []struct {
		name  string
		csat  parley.CSATPolicy
		end   func(t *testing.T, v *page, id string)
		goes  bool // on in the same session
		asked bool
	}{
		{"the agent's goodbye", "", func(t *testing.T, v *page, id string) {
			s.Model.Script("Bye then!", []apitest.Step{{Text: "Goodbye. [GOODBYE]"}})
			v.say(id, "Bye then!")
			v.closes(id)
		}, true, false},
		{"silence", "", func(t *testing.T, v *page, id string) { v.closes(id) }, true, false},
		{"silence, where closes ask for ratings", parley.CSATOnClose, func(t *testing.T, v *page, id string) { v.closes(id) }, true, false},
		{"a person who closes it", "", func(t *testing.T, v *page, id string) {
			operator, ola := v.operator()
			if err := s.Store.CloseNow(t.Context(), operator, parley.SessionID(id), ola); err != nil {
				t.Fatal(err)
			}
		}, true, false},
		{"a person who resolves it", "", func(t *testing.T, v *page, id string) {
			operator, ola := v.operator()
			if err := s.Store.Resolve(t.Context(), operator, parley.SessionID(id), ola); err != nil {
				t.Fatal(err)
			}
		}, false, false},
		{"a person who resolves it, where closes ask for ratings", parley.CSATOnClose, func(t *testing.T, v *page, id string) {
			operator, ola := v.operator()
			if err := s.Store.Resolve(t.Context(), operator, parley.SessionID(id), ola); err != nil {
				t.Fatal(err)
			}
		}, false, true},
		{"a person who takes it for spam", parley.CSATOnClose, func(t *testing.T, v *page, id string) {
			v.closes(id)
			operator, ola := v.operator()
			if err := s.Store.MarkSpam(t.Context(), operator, parley.SessionID(id), ola); err != nil {
				t.Fatal(err)
			}
		}, false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			v := s.project(t, func(p *parley.Project) { p.CSAT, p.SettleSeconds, p.IdleCloseSeconds = test.csat, 1, 1 }).visitor("")
			id := v.begin()
			v.say(id, "Hello")
			test.end(t, v, id)
			polled := v.poll(id)
			asked := slices.ContainsFunc(polled.History, func(r row) bool { return r.System.Type == "csat_requested" })
			if listed := v.sessions(v.mine()).Items; polled.Session.IsOpened != test.goes || listed[0].IsOpened != test.goes || asked != test.asked {
				t.Errorf("session = %+v, listed %+v, asked for a rating: %v", polled.Session, listed, asked)
			}
			if out := v.send(v.message(id, "One more thing")); out.Success != test.goes || out.Success && out.Reply == nil {
				t.Errorf("the next message = %+v", out)
			}
		})
	}
}

// closes waits until silence, or what is left of a close's grace, has closed a session.
func (p *page) closes(id string) {
	p.t.Helper()
	operator, _ := p.operator()
	p.await("the close", func() bool {
		if _, _, err := p.Store.Look(p.t.Context(), p.project, parley.SessionID(id)); err != nil {
			p.t.Fatal(err)
		}
		seen, err := p.Store.ReadSession(p.t.Context(), operator, parley.SessionID(id), parley.PageRequest{})
		if err != nil {
			p.t.Fatal(err)
		}
		return seen.Session.State == parley.StateClosed && !seen.Session.Closing()
	})
}

const png = "\x89PNG\x0D\x0A\x1A\x0A"

func testUploads(t *testing.T, s *suite) {
	p := s.project(t, nil)
	v := p.visitor("")
	type uploaded struct{ FileName, FileURL string }
	var f uploaded
	t.Run("O44 upload", func(t *testing.T) {
		f = into[uploaded](v.upload("/upload", "a b.png", "image/png", []byte(png)).ok())
		u, err := url.Parse(f.FileURL)
		if err != nil || !u.IsAbs() || f.FileName != "a b.png" {
			t.Fatalf("upload = %+v", f)
		}
		response, err := http.Get(f.FileURL)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		var got bytes.Buffer
		if _, err := got.ReadFrom(response.Body); err != nil || response.StatusCode != 200 || response.Header.Get("Content-Type") != "image/png" || got.String() != png {
			t.Errorf("GET %s = %d %v %q, %v", f.FileURL, response.StatusCode, response.Header, &got, err)
		}
		into[uploaded](v.upload("/upload/v2", "a.csv", "application/vnd.ms-excel", []byte("a,b\n")).ok())
		v.upload("/upload?fileId=1&sessionId=2", "a.pdf", "", []byte("%PDF-1.7")).ok()
		v.upload("/upload", "a.html", "text/html", []byte("<html>")).fails(http.StatusUnprocessableEntity)
		v.upload("/upload", "a.png", "image/png", []byte("<script>")).fails(http.StatusUnprocessableEntity)
		for name, called := range map[string]string{"invoice.pdf.exe": "application/pdf", "invoice\u202efdp.exe": "", "a.hta ": "text/plain", "a.bat": "text/plain"} {
			content := map[bool]string{true: "echo", false: "%PDF-1.7"}[called == "text/plain"]
			if code := v.upload("/upload/v2", name, called, []byte(content)).fails(http.StatusUnprocessableEntity); code != "name_refused" {
				t.Errorf("%q is refused with %q", name, code)
			}
		}
		if turned := into[uploaded](v.upload("/upload", "a\u202eb.pdf", "application/pdf", []byte("%PDF-1.7")).ok()); turned.FileName != "ab.pdf" {
			t.Errorf("upload = %+v", turned)
		}
		v.post("/upload", object{}).fails(http.StatusBadRequest)
		p.upload("/upload", "a.png", "image/png", []byte(png)).fails(http.StatusUnauthorized)
		if !s.HTTPAPI {
			v.upload("/upload", "a.png", "image/png", []byte(png)).ok()
			v.call(http.MethodPost, "/"+base+"/upload", "x").fails(http.StatusBadRequest)
		}
	})
	t.Run("O44 a file that is too large", func(t *testing.T) {
		file := func(n int) []byte { return append([]byte(png), make([]byte, n-len(png))...) }
		v.upload("/upload", "max.png", "image/png", file(4_600_000)).ok()
		v.upload("/upload", "more.png", "image/png", file(4_600_001)).fails(http.StatusRequestEntityTooLarge)
		if a := v.upload("/upload", "big.png", "image/png", file(5<<20+1)); a.status != http.StatusRequestEntityTooLarge {
			t.Errorf("5 MiB and a byte = %d %s", a.status, a.body)
		}
		small := s.project(t, func(p *parley.Project) { p.Uploads.MaxBytes = 10 }).visitor("")
		small.upload("/upload", "a.png", "image/png", file(11)).fails(http.StatusRequestEntityTooLarge)
		off := s.project(t, func(p *parley.Project) { p.Uploads.Disabled = true }).visitor("")
		off.upload("/upload", "a.png", "image/png", file(9)).fails(http.StatusForbidden)
	})
	given := file{ID: uuid(), Name: "a b.png", Size: 8, Type: "image/x-png", URL: f.FileURL}
	t.Run("O31 an attachment and nothing said", func(t *testing.T) {
		id := v.begin()
		m := v.message(id, "")
		m["attachments"] = []file{given}
		if out := v.send(m); !out.Success {
			t.Fatalf("answer = %+v", out)
		}
		t.Run("O32 attachments come back as given", func(t *testing.T) {
			if r := v.poll(id).History[0]; len(r.Attachments) != 1 || r.Attachments[0] != given {
				t.Errorf("attachments = %+v, want %+v", r.Attachments, given)
			}
		})
	})
	t.Run("O32 addresses that are not ours", func(t *testing.T) {
		asked := make(chan struct{}, 10)
		elsewhere := listen(t, func(http.ResponseWriter, *http.Request) { asked <- struct{}{} })
		id := v.begin()
		theirs := into[uploaded](p.visitor("").upload("/upload", "a.png", "image/png", []byte(png)).ok())
		for _, address := range []string{elsewhere + "/a.png", elsewhere + "/files/x/y/a.png", "file:///etc/passwd", "", theirs.FileURL, f.FileURL} {
			m := v.message(id, "See")
			m["attachments"] = []file{{ID: uuid(), Name: "a.png", Size: 8, Type: "image/png", URL: address}}
			if out := v.send(m); out.Success || !strings.HasPrefix(out.Error.Code, "attachment_") {
				t.Errorf("%q = %+v", address, out)
			}
		}
		if len(asked) > 0 || len(v.poll(id).History) > 0 {
			t.Errorf("%d requests to a foreign host, %d rows", len(asked), len(v.poll(id).History))
		}
	})
}

func testVotes(t *testing.T, s *suite) {
	p := s.project(t, nil)
	v := p.visitor("")
	t.Run("O45 votes", func(t *testing.T) {
		id := v.begin()
		reply := v.say(id, "Hello").Reply.ID
		vote := func(who *page, action, session, message string) *answer {
			return who.post("/chat/vote", object{"action": action, "sessionId": session, "messagePublicId": message})
		}
		for _, action := range []string{"upvote", "downvote", "downvote"} {
			if out := into[struct {
				Success         bool
				MessagePublicID string
			}](vote(v, action, id, reply).ok()); !out.Success || out.MessagePublicID != reply {
				t.Errorf("%s = %+v", action, out)
			}
		}
		vote(v, "sidevote", id, reply).fails(http.StatusBadRequest)
		vote(v, "upvote", id, uuid()).fails(http.StatusNotFound)
		vote(p.visitor(""), "upvote", id, reply).fails(http.StatusNotFound)
		if got := v.poll(id).lines(); len(got) != 2 {
			t.Errorf("history = %v", got)
		}
	})
}

// testLongHistory: an answer stays below what a host may send, whatever was said.
func testLongHistory(t *testing.T, s *suite) {
	v := s.project(t, nil).visitor("")
	id := v.begin()
	operator := parley.Caller{Project: v.project, Server: true}
	say := func(text string) {
		t.Helper()
		_, err := s.Store.Reply(t.Context(), operator, parley.Author{Kind: parley.AuthorHuman, Name: "Shop"},
			parley.ReplyRequest{ID: parley.EntryID(uuid()), Session: parley.SessionID(id), Content: text})
		if err != nil {
			t.Fatal(err)
		}
	}
	say("first")
	for range 100 {
		say(strings.Repeat("\"\\<x](y:", parley.MaxMessageBytes/8))
	}
	say("last")
	a := v.get("/poll/" + id).ok()
	h := into[polled](a).History
	if len(a.body) > 5<<20 || len(h) < 30 || *h[len(h)-1].Content.Text != "last" || h[0].PublicID != id+"-earlier" || h[0].System.Type != "none" {
		t.Errorf("%d rows in %d bytes, first %+v", len(h), len(a.body), h[0])
	}
}

func testOlderClients(t *testing.T, s *suite) {
	p := s.project(t, nil)
	v := p.visitor("")
	id := v.begin()
	v.say(id, "One")
	t.Run("session history after a time", func(t *testing.T) {
		all := into[[]row](v.get("/session/history/" + id + "?lastMessageTimestamp=").ok())
		later := into[[]row](v.get("/session/history/" + id + "?lastMessageTimestamp=" + url.QueryEscape(all[0].SentAt.Format(time.RFC3339Nano))).ok())
		if len(all) != 2 || len(later) != 1 || later[0].PublicID != all[1].PublicID {
			t.Errorf("%d rows, %d later", len(all), len(later))
		}
		if got := into[polled](v.get("/poll/" + id + "?lastMessageTimestamp=" + url.QueryEscape(all[1].SentAt.Format(time.RFC3339))).ok()); len(got.History) != 2 {
			t.Errorf("poll after a time = %v", got.lines())
		}
	})
	t.Run("me, prelude and session", func(t *testing.T) {
		type me struct {
			AuthenticationStatus struct{ Is bool }
			ContactID            *string
			ContactName          string
		}
		if out := into[me](v.get("/me").ok()); out.AuthenticationStatus.Is || out.ContactID == nil {
			t.Errorf("me = %+v", out)
		}
		if out := into[me](p.verified("ann@example.com").get("/me").ok()); !out.AuthenticationStatus.Is || *out.ContactID == "" || out.ContactName != "Ann" {
			t.Errorf("me, verified = %+v", out)
		}
		if out := into[me](p.get("/me").ok()); out.AuthenticationStatus.Is {
			t.Errorf("me without a token = %+v", out)
		}
		prelude := into[map[string]any](p.get("/prelude").ok())
		if prelude["organizationName"] == "" || prelude["aiEnabled"] != true || prelude["initialQuestions"] == nil || prelude["officeHours"] == nil {
			t.Errorf("prelude = %v", prelude)
		}
		if out := into[session](v.get("/session/" + id).ok()); out.ID != id || !out.IsOpened {
			t.Errorf("session = %+v", out)
		}
	})
}

// testAccess: every call is made by everybody who may not make it, gets the
// status of its kind, and changes nothing.
func testAccess(t *testing.T, s *suite) {
	p := s.project(t, nil)
	owner, other := p.visitor("own@example.com"), p.visitor("oth@example.com")
	id := owner.begin()
	reply := owner.say(id, "Mine").Reply.ID
	foreign := s.project(t, nil)
	blocked := p.visitor("blocked@example.com")
	if err := s.Store.BlockVisitor(t.Context(), p.project, blocked.who().Visitor, true); err != nil {
		t.Fatal(err)
	}
	calls := []struct {
		method, path string
		body         any
		ofSession    bool
	}{
		{"GET", "/poll/" + id, nil, true},
		{"GET", "/session/history/" + id, nil, true},
		{"GET", "/session/" + id, nil, true},
		{"POST", "/chat/send", owner.message(id, "Let me in"), true},
		{"POST", "/chat/vote", object{"action": "upvote", "sessionId": id, "messagePublicId": reply}, true},
		{"POST", "/checkpoint", object{"session_id": id, "payload": object{}}, true},
		{"POST", "/session/resolve", object{"session_id": id}, true},
		{"POST", "/action/execute", object{"sessionId": id, "formMessageId": reply, "actionId": "a", "request": object{}}, true},
		{"POST", "/submit-csat", object{"session_id": id, "score": 1, "system_message_uuid": uuid()}, true},
		{"POST", "/create-session", object{"customData": object{"external_id": "x"}}, false},
		{"GET", "/sessions?filters=%7B%22external_id%22%3A%22x%22%7D", nil, false},
	}
	denied := []struct {
		name    string
		who     *page
		header  []string
		status  int
		session bool // only calls of a session are refused
	}{
		{"no bot token", owner, []string{"X-Bot-Token", ""}, 401, false},
		{"unknown bot token", owner, []string{"X-Bot-Token", "pk_x"}, 401, false},
		{"another organisation's bot token", owner, []string{"X-Bot-Token", foreign.bot}, 401, false},
		{"no contact token", owner, []string{"Authorization", ""}, 401, false},
		{"another page", owner, []string{"Origin", "https://evil.example"}, 403, false},
		{"blocked", blocked, nil, 403, false},
		{"another contact", other, nil, 404, true},
		{"a verified contact of the same address", p.verified("own@example.com"), nil, 404, true},
	}
	before := s.standing(t)
	for _, d := range denied {
		t.Run("O13 O21 O33 "+d.name, func(t *testing.T) {
			for _, c := range calls {
				if d.session && !c.ofSession {
					continue
				}
				a := d.who.call(c.method, base+c.path, c.body, d.header...)
				readable := c.path == "/chat/send" && d.who == blocked && into[sent](a).Error.Code == "blocked" ||
					// The widget shows why in answer to the message that it then sends.
					c.path == "/create-session" && d.who == blocked &&
						blocked.send(blocked.message(into[session](a).ID, "Hello")).Error.Code == "blocked"
				if a.status != d.status && !readable {
					t.Errorf("%s %s = %d %s, want %d", c.method, c.path, a.status, a.body, d.status)
				}
			}
			if !d.session {
				form := "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.png\"\r\n\r\n" + png + "\r\n--b--\r\n"
				header := append([]string{"Content-Type", "multipart/form-data; boundary=b"}, d.header...)
				d.who.call(http.MethodPost, base+"/upload", form, header...).refused(d.status)
			}
			parleytest.Same(t, before, s.standing(t))
		})
	}
	owner.post("/action/execute", object{"sessionId": id, "formMessageId": reply, "actionId": "a", "request": object{}}).fails(http.StatusNotFound)
	if got := owner.poll(id).lines(); !slices.Equal(got[:1], []string{"user Mine"}) || len(got) != 2 {
		t.Errorf("history = %v", got)
	}
}
