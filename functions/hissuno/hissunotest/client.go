package hissunotest

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/sse"
)

// patience bounds every wait of a test.
const patience = time.Minute

// shop is where the pages are from.
const shop = "https://shop.example"

type object = map[string]any

// page is a widget on a page, with one conversation.
type page struct {
	*suite
	t       testing.TB
	project *parley.Project
	key     string
	session string
	// origin is where the page is from; "" for a client that is no page.
	origin string
}

// page returns a widget of a project of its own.
func (s *suite) page(t testing.TB, change func(*parley.Project)) *page {
	t.Helper()
	p := parley.Project{ID: parley.ProjectID(strings.ToLower(rand.Text())), Name: "Shop", PublicKeys: []string{"pk_live_" + rand.Text()},
		Origins: []string{shop}, Agents: []parley.AgentSettings{{ID: "ada", Name: "Ada"}}, SigningKeys: []string{"k1"}}
	if change != nil {
		change(&p)
	}
	s.own[p.ID] = true
	if err := s.Store.PutProject(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	return &page{suite: s, t: t, project: &p, key: p.PublicKeys[0], session: newUUID(), origin: shop}
}

// newUUID is what crypto.randomUUID returns.
func newUUID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// with returns the page with another conversation.
func (p *page) with(session string) *page {
	other := *p
	other.session = session
	return &other
}

// answer is what came back, read to its end.
type answer struct {
	t      testing.TB
	status int
	header http.Header
	body   string
	events []sse.Event
	retry  time.Duration
}

// client follows no redirect and keeps no connection, so that a reader who
// leaves is noticed.
var client = &http.Client{
	Transport:     &http.Transport{DisableKeepAlives: true, DisableCompression: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// call is a request. A body that is a string is sent as it is, anything else as JSON.
type call struct {
	method, path string
	body         any
	header       map[string]string
}

func (p *page) send(c call) *http.Response {
	p.t.Helper()
	var body io.Reader
	switch v := c.body.(type) {
	case nil:
	case string:
		body = strings.NewReader(v)
	default:
		b, err := json.Marshal(v)
		if err != nil {
			p.t.Fatal(err)
		}
		body = strings.NewReader(string(b))
	}
	r, err := http.NewRequestWithContext(p.t.Context(), c.method, p.URL+c.path, body)
	if err != nil {
		p.t.Fatal(err)
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if p.origin != "" {
		r.Header.Set("Origin", p.origin)
	}
	for name, value := range c.header {
		r.Header.Set(name, value)
	}
	response, err := client.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { response.Body.Close() })
	return response
}

// do sends a request and reads the whole answer.
func (p *page) do(c call) *answer {
	p.t.Helper()
	response := p.send(c)
	a := &answer{t: p.t, status: response.StatusCode, header: response.Header}
	if strings.HasPrefix(response.Header.Get("Content-Type"), sse.ContentType) {
		l := &live{page: p, r: sse.NewReader(response.Body)}
		a.events = l.rest()
		a.retry = l.r.Retry()
		return a
	}
	b, err := io.ReadAll(response.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	a.body = string(b)
	return a
}

// is checks the status.
func (a *answer) is(status int) *answer {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("status %d, want %d: %s", a.status, status, a.body)
	}
	return a
}

// fails checks that the answer is an error that the widget can show.
func (a *answer) fails(status int) object {
	a.t.Helper()
	a.is(status)
	out := a.object()
	if text, _ := out["error"].(string); text == "" || a.header.Get("Content-Type") != "application/json" {
		a.t.Errorf("answer = %s %s, want a JSON object with an error", a.header.Get("Content-Type"), a.body)
	}
	return out
}

func (a *answer) object() object {
	a.t.Helper()
	var out object
	if err := json.Unmarshal([]byte(a.body), &out); err != nil {
		a.t.Fatalf("answer %q: %v", a.body, err)
	}
	return out
}

// query is the path of a call with the project and the conversation.
func (p *page) query(path string) string {
	return path + "?" + url.Values{"projectId": {p.key}, "sessionId": {p.session}}.Encode()
}

// body is what cancel and close send.
func (p *page) body() object { return object{"projectId": p.key, "sessionId": p.session} }

// turns is a transcript as the widget sends it: the roles by turns, the last the visitor's.
func turns(texts ...string) []object {
	var out []object
	for i, text := range texts {
		role := "user"
		if (len(texts)-i)%2 == 0 {
			role = "assistant"
		}
		out = append(out, object{"role": role, "content": text})
	}
	return out
}

// message is what the widget sends.
func (p *page) message(texts ...string) object {
	return object{"projectId": p.key, "sessionId": p.session, "pageUrl": shop + "/cart", "pageTitle": "Cart", "messages": turns(texts...)}
}

// post sends a message, say one that must be accepted.
func (p *page) post(m object) *answer {
	p.t.Helper()
	return p.do(call{method: http.MethodPost, path: "/hissuno/chat", body: m})
}

func (p *page) say(texts ...string) string {
	p.t.Helper()
	run, _ := p.post(p.message(texts...)).is(http.StatusCreated).object()["runId"].(string)
	return run
}

// ask sends a message and reads the whole reply.
func (p *page) ask(texts ...string) heard {
	p.t.Helper()
	p.say(texts...)
	return p.read("")
}

// status is the answer to what the page asks when it is loaded.
func (p *page) status() object {
	p.t.Helper()
	return p.do(call{method: http.MethodGet, path: p.query("/hissuno/chat")}).is(http.StatusOK).object()
}

func last(id string) map[string]string {
	if id == "" {
		return nil
	}
	return map[string]string{"Last-Event-ID": id}
}

// live is a stream that is being read.
type live struct {
	*page
	response *http.Response
	r        *sse.Reader
}

// open opens the event stream of the reply, after an event.
func (p *page) open(after string) *live {
	p.t.Helper()
	response := p.send(call{method: http.MethodGet, path: p.query("/hissuno/chat/stream"), header: last(after)})
	if response.StatusCode != http.StatusOK {
		p.t.Fatalf("stream = %d", response.StatusCode)
	}
	return &live{page: p, response: response, r: sse.NewReader(response.Body)}
}

// next returns the next event; ok is false at the end.
func (l *live) next() (sse.Event, bool) {
	l.t.Helper()
	e, err := l.r.Next()
	if errors.Is(err, io.EOF) {
		return e, false
	}
	if err != nil {
		l.t.Fatalf("stream: %v", err)
	}
	return e, true
}

func (l *live) rest() []sse.Event {
	l.t.Helper()
	var all []sse.Event
	for {
		e, ok := l.next()
		if !ok {
			return all
		}
		all = append(all, e)
	}
}

func (l *live) close() { l.response.Body.Close() }

// heard is what a reader got of a reply.
type heard struct {
	types []string
	text  string
	// id is of the last event.
	id    string
	error string
}

// read reads the reply to its end, after an event.
func (p *page) read(after string) heard {
	p.t.Helper()
	return heardOf(p.t, p.do(call{method: http.MethodGet, path: p.query("/hissuno/chat/stream"), header: last(after)}).is(http.StatusOK).events)
}

// heardOf takes a stream of a reply apart, as the widget does.
func heardOf(t testing.TB, events []sse.Event) (h heard) {
	t.Helper()
	for _, e := range events {
		if e.Name != "message" {
			t.Errorf("event %q, which the widget does not hear", e.Name)
		}
		var data struct{ Type, Content, Message *string }
		if err := json.Unmarshal([]byte(e.Data), &data); err != nil || data.Type == nil || strings.Contains(e.Data, "null") {
			t.Fatalf("event %s: %v", e.Data, err)
		}
		h.types = append(h.types, *data.Type)
		if data.Content != nil {
			h.text += *data.Content
		}
		if data.Message != nil {
			h.error = *data.Message
		}
		h.id = e.ID
	}
	return h
}

// letter is an event of the updates.
type letter struct {
	Type, Status string
	Message      *struct{ ID, Role, Content, CreatedAt, SenderType string }
}

// updates asks what the page is to know besides replies, after an event.
func (p *page) updates(after string) (letters []letter, a *answer) {
	p.t.Helper()
	a = p.do(call{method: http.MethodGet, path: p.query("/hissuno/chat/updates"), header: last(after)}).is(http.StatusOK)
	for i, e := range a.events {
		var l letter
		if err := json.Unmarshal([]byte(e.Data), &l); err != nil || e.Name != "message" || strings.Contains(e.Data, "null") {
			p.t.Fatalf("event %s %s: %v", e.Name, e.Data, err)
		}
		if (l.Type == "connected") != (i == 0) {
			p.t.Errorf("event %d is %s", i, e.Data)
		}
		if l.Type != "connected" && l.Type != "heartbeat" {
			letters = append(letters, l)
		}
	}
	return letters, a
}

// operator is one of the project's.
func (p *page) operator() parley.Caller {
	return parley.Caller{Project: p.project.ID, Operator: "ola"}
}

var ola = parley.Author{Kind: parley.AuthorHuman, ID: "ola", Name: "Ola"}

func (p *page) takeOver() {
	p.t.Helper()
	if err := p.Store.TakeOver(p.t.Context(), p.operator(), parley.SessionID(p.session), ola); err != nil {
		p.t.Fatal(err)
	}
}

func (p *page) handBack() {
	p.t.Helper()
	if err := p.Store.HandBack(p.t.Context(), p.operator(), parley.SessionID(p.session), ola); err != nil {
		p.t.Fatal(err)
	}
}

// stored is the session as operators see it.
func (p *page) stored() *parley.Session {
	p.t.Helper()
	session, err := p.Store.Session(p.t.Context(), p.operator(), parley.SessionID(p.session))
	if err != nil {
		p.t.Fatal(err)
	}
	return session
}

// said are the entries as operators see them.
func (p *page) said() []parley.Entry {
	p.t.Helper()
	return parleytest.Entries(p.t, p.Store, p.operator(), parley.SessionID(p.session))
}

// await waits until something holds.
func (p *page) await(what string, holds func() bool) {
	p.t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			p.t.Fatalf("%s did not come", what)
		}
	}
}

// awaitText waits until so much of a run's reply is durable.
func (p *page) awaitText(run, text string) {
	p.t.Helper()
	ref := parley.RunRef{Project: p.project.ID, Session: parley.SessionID(p.session), Run: parley.RunID(run)}
	p.await("the text "+text, func() bool {
		log, err := p.Store.ReadLog(p.t.Context(), ref, 0, true)
		return err == nil && parley.Joined(log) == text
	})
}

// fresh is a text that nobody has used.
func fresh(text string) string { return text + " " + rand.Text() }
