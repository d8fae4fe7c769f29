package apitest

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"parley/shared/api"
	"parley/shared/parley"
	"parley/shared/sse"
)

// patience bounds every request of a test.
const patience = time.Minute

// browser is a page: a project's key, and a visitor's token once it has one.
type browser struct {
	*suite
	t     testing.TB
	key   string
	token string
	// origin is where the page is from; "" for a client that is no page.
	origin string
}

// call is a request. A nil body is none; a string is sent as it is, anything
// else as JSON.
type call struct {
	method, path string
	body         any
	header       map[string]string
}

// answer is what came back, read to its end.
type answer struct {
	t      testing.TB
	status int
	header http.Header
	body   string
	// events, and how long to wait before the next request, are of a stream.
	events []sse.Event
	retry  time.Duration
}

// client follows no redirect and keeps no connection, so that a reader who
// leaves is noticed.
var client = &http.Client{
	Transport:     &http.Transport{DisableKeepAlives: true, DisableCompression: true, DialContext: dial},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// dial takes hosts below localhost for this machine, as browsers do.
func dial(ctx context.Context, network, address string) (net.Conn, error) {
	if host, port, err := net.SplitHostPort(address); err == nil && strings.HasSuffix(host, ".localhost") {
		address = net.JoinHostPort("localhost", port)
	}
	return new(net.Dialer).DialContext(ctx, network, address)
}

// base is the base of the function that serves a path.
func (s *suite) base(path string) string {
	first, _, _ := strings.Cut(strings.TrimLeft(path, "/"), "/")
	first, _, _ = strings.Cut(first, "?")
	switch first {
	case "chat":
		return s.URLs.Chat
	case "updates":
		return s.URLs.Updates
	case "close":
		return s.URLs.Close
	case "history":
		return s.URLs.History
	case "csat":
		return s.URLs.CSAT
	case "uploads", "files":
		return s.URLs.Uploads
	case "operator":
		return s.Operator
	}
	return s.URLs.Identify
}

// send sends a request with the browser's key, token and origin.
func (b *browser) send(c call) (*http.Response, string) {
	b.t.Helper()
	var body io.Reader
	text := ""
	switch v := c.body.(type) {
	case nil:
	case string:
		text = v
		body = strings.NewReader(v)
	default:
		text = encode(b.t, v)
		body = strings.NewReader(text)
	}
	r, err := http.NewRequestWithContext(b.t.Context(), c.method, b.base(c.path)+c.path, body)
	if err != nil {
		b.t.Fatal(err)
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	set(r.Header, api.KeyHeader, b.key)
	set(r.Header, "Origin", b.origin)
	if b.token != "" {
		r.Header.Set("Authorization", "Bearer "+b.token)
	}
	for name, value := range c.header {
		r.Header.Del(name)
		set(r.Header, name, value)
	}
	response, err := client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	return response, text
}

func set(h http.Header, name, value string) {
	if value != "" {
		h.Set(name, value)
	}
}

func encode(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// do sends a request, reads the whole answer and holds both against the document.
func (b *browser) do(c call) *answer {
	b.t.Helper()
	response, sent := b.send(c)
	defer response.Body.Close()
	a := &answer{t: b.t, status: response.StatusCode, header: response.Header}
	if strings.HasPrefix(response.Header.Get("Content-Type"), sse.ContentType) {
		s := &live{browser: b, call: c, response: response, r: sse.NewReader(response.Body)}
		b.contract.response(b.t, c.method, plain(c.path), a.status, a.header, "")
		a.events, a.retry = s.rest(), s.r.Retry()
	} else {
		body, err := io.ReadAll(response.Body)
		if err != nil {
			b.t.Fatal(err)
		}
		a.body = string(body)
		b.contract.response(b.t, c.method, plain(c.path), a.status, a.header, a.body)
	}
	if operation, ok := b.contract.operation(c.method, plain(c.path)); ok && a.status < 300 {
		b.contract.request(b.t, operation, sent)
	}
	return a
}

// plain is a path without its query.
func plain(path string) string {
	p, _, _ := strings.Cut(path, "?")
	return p
}

// get, post and so on are do for calls that must succeed.
func (b *browser) get(path string) *answer {
	b.t.Helper()
	return b.do(call{method: http.MethodGet, path: path}).is(http.StatusOK)
}

func (b *browser) post(path string, body any) *answer {
	b.t.Helper()
	return b.do(call{method: http.MethodPost, path: path, body: body}).is(http.StatusOK)
}

// is checks the status.
func (a *answer) is(status int) *answer {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("status %d, want %d: %s", a.status, status, a.body)
	}
	return a
}

// fails checks that the answer is a problem.
func (a *answer) fails(status int, code string) api.Problem {
	a.t.Helper()
	var p api.Problem
	if err := json.Unmarshal([]byte(a.body), &p); err != nil || a.status != status || p.Code != code {
		a.t.Errorf("answer = %d %s, want %d %s", a.status, a.body, status, code)
	}
	return p
}

// into decodes the answer.
func into[T any](a *answer) T {
	a.t.Helper()
	return decode[T](a.t, a.body)
}

func decode[T any](t testing.TB, text string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

// live is a stream that is being read.
type live struct {
	*browser
	call     call
	response *http.Response
	r        *sse.Reader
}

// open sends a request whose answer must be a stream.
func (b *browser) open(c call) *live {
	b.t.Helper()
	response, _ := b.send(c)
	b.t.Cleanup(func() { response.Body.Close() })
	if response.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(response.Body)
		b.t.Fatalf("%s %s = %d %s, want a stream", c.method, c.path, response.StatusCode, body)
	}
	b.contract.response(b.t, c.method, plain(c.path), response.StatusCode, response.Header, "")
	return &live{browser: b, call: c, response: response, r: sse.NewReader(response.Body)}
}

// next returns the next event; ok is false at the end.
func (s *live) next() (e sse.Event, ok bool) {
	s.t.Helper()
	e, err := s.r.Next()
	if errors.Is(err, io.EOF) {
		return e, false
	}
	if err != nil {
		s.t.Fatalf("stream of %s: %v", s.call.path, err)
	}
	s.contract.event(s.t, s.call.method, plain(s.call.path), e)
	return e, true
}

// rest returns all events that come.
func (s *live) rest() []sse.Event {
	s.t.Helper()
	var all []sse.Event
	for {
		e, ok := s.next()
		if !ok {
			return all
		}
		all = append(all, e)
	}
}

func (s *live) close() { s.response.Body.Close() }

// The shapes of answers, as far as tests look at them.
type (
	session struct {
		ID       parley.SessionID
		State    parley.State
		Holder   parley.Holder
		Seq      parley.Seq
		Messages int
		Score    int
		Language string
		Run      *struct{ ID parley.RunID }
		Queue    []struct{ ID parley.RunID }
		Last     *struct{ Text string }
	}
	entry struct {
		ID     parley.EntryID
		Seq    parley.Seq
		Type   string
		Event  parley.Event
		Author struct{ Kind, ID, Name string }
		Text   string
		Parts  []struct{ Type, ID, Name, MediaType, URL string }
		Run    parley.RunID
		Of     parley.EntryID
		Status parley.RunStatus
	}
	accepted struct {
		Session  session
		Message  entry
		Run      *parley.RunID
		Replayed bool
		Ticket   string
	}
	ended struct {
		Status  parley.RunStatus
		Message *entry
		Session *session
	}
	identified struct {
		Token   string
		Visitor struct{ ID parley.VisitorID }
		Contact *struct {
			ID                               parley.ContactID
			ExternalID, Name, Email, Picture string
		}
	}
	transcript struct {
		Session session
		Entries []entry
		Next    *string
		Ticket  string
	}
	sessions struct {
		Sessions []session
		Next     *string
	}
)

// fresh returns an id that nobody used.
func fresh(prefix string) string { return prefix + "_" + rand.Text() }

// project stores a project of its own for a test, with its settings changed,
// and returns a browser that has its key.
func (s *suite) project(t testing.TB, change func(*parley.Project)) *browser {
	t.Helper()
	p := parley.Project{
		ID:          parley.ProjectID(strings.ToLower(rand.Text())),
		Name:        t.Name(),
		PublicKeys:  []string{fresh("pk_test")},
		Origins:     []string{"https://shop.example"},
		Agents:      []parley.AgentSettings{{ID: "ada", Name: "Ada", Picture: "https://shop.example/ada.png"}},
		SigningKeys: []string{"k1"},
	}
	if change != nil {
		change(&p)
	}
	s.own[p.ID] = true
	if err := s.Store.PutProject(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	return &browser{suite: s, t: t, key: p.PublicKeys[0], origin: "https://shop.example"}
}

// settings returns the browser's project.
func (b *browser) settings() *parley.Project {
	b.t.Helper()
	p, err := b.Store.ProjectByKey(b.t.Context(), b.key)
	if err != nil {
		b.t.Fatal(err)
	}
	return p
}

// visitor returns another browser of the same project, with a token of its own.
func (b *browser) visitor() *browser {
	b.t.Helper()
	other := *b
	other.token = ""
	other.token = into[identified](other.post("/identify", map[string]any{})).Token
	return &other
}

// who is the caller that the browser's token stands for.
func (b *browser) who() parley.Caller {
	b.t.Helper()
	c, err := b.keys.ReadVisitor(b.settings(), b.token)
	if err != nil {
		b.t.Fatal(err)
	}
	return c
}

// message is the body of a message.
type message map[string]any

// ask returns a message with an id of its own.
func ask(content string) message { return message{"messageId": fresh("m"), "content": content} }

func (m message) with(name string, value any) message {
	m[name] = value
	return m
}

func (m message) id() string { return m["messageId"].(string) }

// turn is a message that was answered.
type turn struct {
	accepted
	text string
	ended
	events []sse.Event
}

// chat sends a message and reads its stream to the end.
func (b *browser) chat(m message) turn {
	b.t.Helper()
	return turnOf(b.t, b.post("/chat", m).events)
}

// turnOf checks the shape of a stream that answers a message.
func turnOf(t testing.TB, events []sse.Event) turn {
	t.Helper()
	if len(events) < 2 || events[0].Name != "accepted" || events[len(events)-1].Name != "end" {
		t.Fatalf("stream = %v, want accepted … end", events)
	}
	out := turn{accepted: decode[accepted](t, events[0].Data), ended: decode[ended](t, events[len(events)-1].Data), events: events}
	for _, e := range events[1 : len(events)-1] {
		if e.Name != "text" {
			t.Fatalf("event %q in the middle of a stream", e.Name)
		}
		out.text += decode[struct{ Delta string }](t, e.Data).Delta
	}
	return out
}

// runPath is the address of a run's stream.
func runPath(session parley.SessionID, run string) string {
	return "/chat/" + string(session) + "/runs/" + url.PathEscape(run)
}

// ref names a run for the store.
func (b *browser) ref(session parley.SessionID, run string) parley.RunRef {
	return parley.RunRef{Project: b.settings().ID, Session: session, Run: parley.RunID(run)}
}

// awaitText waits until the text of a run is durable.
func (b *browser) awaitText(ref parley.RunRef, text string) {
	b.t.Helper()
	b.await("the text "+text, func() bool {
		log, err := b.Store.ReadLog(b.t.Context(), ref, 0, true)
		return err == nil && parley.Joined(log) == text
	})
}

// await polls until a condition holds.
func (b *browser) await(what string, holds func() bool) {
	b.t.Helper()
	for end := time.Now().Add(patience); !holds(); {
		if time.Now().After(end) {
			b.t.Fatalf("waited for %s in vain", what)
		}
		select {
		case <-b.t.Context().Done():
			b.t.Fatal(b.t.Context().Err())
		case <-time.After(10 * time.Millisecond):
		}
	}
}
