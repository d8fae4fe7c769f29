package apitest

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"parley/shared/parley"
)

// Tour calls every operation of the document once, so that none can be out of reach: a
// few seconds of what Run looks into, for hosts on which each call is slow. The agent
// of the host takes a second for its answer to What is Parley?; Model, Dump and Hold
// are not needed.
func Tour(t *testing.T, host Host) {
	s := &suite{Host: host, contract: newContract(t)}
	s.keys = s.keysAt(t, host.Master, 0)
	t.Run("calls", func(t *testing.T) {
		for name, tour := range map[string]func(*testing.T, *suite){
			"Strangers": tourStrangers, "Visitors": tourVisitors, "Cancel": tourCancel, "Files": tourFiles,
			"Desk": tourDesk, "People": tourPeople, "DeskFiles": tourDeskFiles, "Keys": tourKeys, "Hooks": tourHooks,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel() // most of it waits
				tour(t, s.of())
			})
		}
	})
	if !t.Failed() {
		s.contract.toured(t)
	}
}

// question is one whose answer takes a while, to whoever reads all of it at once.
const question = "What is Parley?"

func tourStrangers(t *testing.T, s *suite) {
	(&browser{suite: s, t: t}).get("/openapi.yaml")
	b := s.project(t, func(p *parley.Project) { p.Challenge.Numbers = parley.MinChallengeNumbers })
	b.get("/config")
	b.do(call{method: http.MethodPost, path: "/identify",
		body: map[string]any{"altcha": into[challenge](b.get("/identify/challenge")).solved(t)}}).is(http.StatusOK)
}

func tourVisitors(t *testing.T, s *suite) {
	b := s.project(t, nil).visitor()
	m := ask(question)
	turn := b.chat(m)
	if turn.Status != parley.StatusDone || !strings.Contains(turn.text, "Parley is a self-hosted backend") {
		t.Errorf("answer %s: %q", turn.Status, turn.text)
	}
	id := turn.accepted.Session.ID
	path := "/chat/" + string(id)
	if text, _ := texts(t, b.get(runPath(id, m.id())).events); text != turn.text {
		t.Errorf("the answer again is %q, want %q", text, turn.text)
	}
	answer := turn.ended.Message.ID
	b.post(path+"/vote", map[string]any{"messageId": answer, "vote": "up"})
	b.post(path+"/typing", map[string]any{"typing": true})
	b.do(call{method: http.MethodPost, path: path + "/form", body: map[string]any{"messageId": answer, "call": "1", "arguments": map[string]any{}}}).
		fails(http.StatusNotFound, "not_found") // no form was asked for
	if entries, _ := changes(t, b.get("/updates/"+string(id)).events); len(entries) < 2 {
		t.Errorf("updates = %+v", entries)
	}
	b.post("/csat", map[string]any{"sessionId": id, "score": 5})
	b.get("/csat/" + string(id))
	if list := into[sessions](b.get("/history")); len(list.Sessions) != 1 || list.Sessions[0].ID != id {
		t.Errorf("history = %+v", list)
	}
	b.get("/history/" + string(id))
	b.do(call{method: http.MethodPost, path: "/close", body: map[string]any{"key": b.key, "token": b.token, "session": id}}).is(http.StatusOK)
	ticket, err := s.Store.PutLink(t.Context(), s.peek(t, b, id), 1)
	if err != nil {
		t.Fatal(err)
	}
	(&browser{suite: s, t: t, key: b.key, origin: b.origin}).post("/identify/link", map[string]any{"ticket": ticket})
	b.do(call{method: http.MethodDelete, path: "/history/" + string(id)}).is(http.StatusOK)
}

// peek returns a session as the store has it.
func (s *suite) peek(t *testing.T, b *browser, id parley.SessionID) *parley.Session {
	t.Helper()
	got, err := s.Store.Peek(t.Context(), parley.Caller{Project: b.settings().ID, Server: true}, id, 0)
	if err != nil {
		t.Fatal(err)
	}
	return got.Session
}

// tourCancel: who stops a reply does not wait for it, though another request of the
// same function does.
func tourCancel(t *testing.T, s *suite) {
	b := s.project(t, nil).visitor()
	first := b.chat(ask("Hello"))
	id := first.accepted.Session.ID
	stopped := b.chatting(ask(question).with("sessionId", id))
	b.await("the reply", func() bool {
		session, err := s.Store.Session(t.Context(), b.who(), id)
		return err == nil && session.Run != nil
	})
	if got := into[cancelled](b.post("/chat/"+string(id)+"/cancel", nil)); !got.Cancelled {
		t.Errorf("cancel = %+v", got)
	}
	if end, ok := <-stopped; !ok || end.Status != parley.StatusCancelled {
		t.Errorf("the reply ended %s", end.Status)
	}
}

func tourFiles(t *testing.T, s *suite) {
	b := s.project(t, nil).visitor()
	const content = "Hello, world.\n"
	file := b.uploaded("a.txt", "text/plain", content)
	b.downloads(b.chat(ask("Hello").with("attachments", []string{file.ID})).accepted.Message.Parts[0].URL, content)
}

func tourDesk(t *testing.T, s *suite) {
	b := s.project(t, nil).visitor()
	m := ask("Hello")
	id := b.chat(m).accepted.Session.ID
	grace := b.staff("grace", parley.Scopes()...)
	path := ofStaff(id)
	for _, at := range []string{"/operator/inbox", fmt.Sprint("/operator/sessions?number=", id.Number()), path, path + "/updates",
		path + "/runs/" + url.PathEscape(m.id()), "/operator/figures", "/operator/ratings"} {
		grace.get(at)
	}
	grace.do(call{method: http.MethodPost, path: "/operator/ticket"}).is(http.StatusCreated)
	for name, body := range map[string]map[string]any{"holder": {"holder": "human"}, "seen": {"seen": 1}, "typing": {"typing": true},
		"attributes": {"attributes": map[string]string{"plan": "gold"}}} {
		grace.put(path+"/"+name, body)
	}
	grace.post(path+"/reply", ask("Grace here"))
	grace.post(path+"/note", ask("Nice people"))
	grace.put(path+"/state", map[string]any{"state": "closed"})
	grace.put(path+"/archived", map[string]any{"archived": true})
}

func tourPeople(t *testing.T, s *suite) {
	b := s.project(t, nil)
	visitor := b.visitor().who().Visitor
	contact := b.visitor().as(jwt.MapClaims{"sub": "u1", "exp": time.Now().Add(time.Hour).Unix()}).Contact.ID
	grace := b.staff("grace", parley.Scopes()...)
	for _, person := range []string{"/operator/visitors/" + string(visitor), "/operator/contacts/" + string(contact)} {
		grace.put(person+"/blocked", map[string]any{"blocked": true})
		grace.do(call{method: http.MethodDelete, path: person}).is(http.StatusOK)
	}
}

func tourDeskFiles(t *testing.T, s *suite) {
	grace := s.project(t, nil).staff("grace", parley.Scopes()...)
	file := into[granted](grace.do(call{method: http.MethodPost, path: "/operator/uploads",
		body: map[string]any{"name": "a.txt", "type": "text/plain", "size": 4}}).is(http.StatusCreated))
	grace.upload(file, "text")
	grace.post("/operator/uploads/"+file.ID+"/complete", nil)
}

func tourKeys(t *testing.T, s *suite) {
	manager := s.project(t, nil).staff("", parley.Scopes()...)
	made := func(path string, body any) *answer {
		return manager.do(call{method: http.MethodPost, path: path, body: body}).is(http.StatusCreated)
	}
	remove := func(path string) { manager.do(call{method: http.MethodDelete, path: path}).is(http.StatusOK) }
	const project = "/operator/project"
	settings := into[map[string]any](manager.get(project))
	manager.put(project, map[string]any{"revision": settings["revision"], "project": settings["project"]})
	remove(project + "/public-keys/" + into[struct{ Key string }](made(project+"/public-keys", map[string]any{"test": true})).Key)
	remove(project + "/signing-keys/" + into[struct{ Kid string }](made(project+"/signing-keys", nil)).Kid)
	remove(project + "/private-keys/" + into[newPrivateKey](made(project+"/private-keys", map[string]any{"name": "mine", "scopes": []string{"read"}})).Key.ID)
	manager.get(project + "/private-keys")
	remove(project + "/tokens")
	manager.put("/operator/operators/ada", map[string]any{"name": "Ada"})
	manager.get("/operator/operators")
	remove("/operator/operators/ada")
}

func tourHooks(t *testing.T, s *suite) {
	b := s.project(t, nil).visitor()
	id := b.chat(ask("Hello")).accepted.Session.ID
	manager := b.staff("", parley.Scopes()...)
	post := func(path string, body any) *answer {
		return manager.do(call{method: http.MethodPost, path: path, body: body})
	}
	const hooks = "/operator/project/hooks"
	want := map[string]any{"url": "https://customer.example/hook", "events": []string{"message"}}
	own := hooks + "/" + string(into[newHookAnswer](post(hooks, want).is(http.StatusCreated)).Hook.ID)
	manager.get(hooks)
	manager.put(own, want)
	key := into[newHookAnswer](post(own+"/keys", nil).is(http.StatusCreated)).Key
	manager.do(call{method: http.MethodDelete, path: own + "/keys/" + key}).is(http.StatusOK)
	manager.get(own + "/failed")
	manager.await("the endpoint", func() bool {
		return post(own+"/replay", map[string]any{"sessionId": id, "from": 0}).status == http.StatusAccepted
	})
	manager.do(call{method: http.MethodDelete, path: own}).is(http.StatusOK)
}

// toured checks that every operation of the document has been called.
func (c *contract) toured(t *testing.T) {
	t.Helper()
	var missing []string
	for _, item := range c.doc["paths"].(object) {
		for method, op := range item.(object) {
			if method == "parameters" {
				continue
			}
			id := op.(object)["operationId"].(string) + " "
			called := false
			for what := range c.seen {
				called = called || strings.HasPrefix(what, id)
			}
			if !called {
				missing = append(missing, id)
			}
		}
	}
	slices.Sort(missing)
	if len(missing) > 0 {
		t.Errorf("never called: %s", strings.Join(missing, ", "))
	}
}
