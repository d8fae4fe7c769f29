// Package cossistanttest is a test kit: the suite of the function cossistant, for any
// host of it. It speaks HTTP as Cossistant's widget does. Its tests are the assertions
// of the protocol's checklist, C1 to C60, by number: Run has those of the calls,
// RunSockets those of the sockets.
package cossistanttest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"parley/shared/parley"
	"parley/shared/token"
)

// Host is a running function, and what a test of it needs besides HTTP.
type Host struct {
	// URL is the base of the host, without the path of the function.
	URL string
	// Store is another store over the function's table and bucket, Master the secret
	// of both.
	Store  *parley.Store
	Master string
	// Origin is a website whose pages may use the bucket.
	Origin string
}

// Run tests the host. Its tests leave projects of their own behind.
func Run(t *testing.T, host Host) {
	s := newSuite(t, host)
	for _, test := range []struct {
		name string
		run  func(*testing.T, *suite)
	}{
		{"C1Preflights", c1}, {"C2C3Refusals", c2}, {"C5Keys", c5}, {"C6C7Origins", c6},
		{"C8C9C10Arrival", c8}, {"C11C12C54Tracking", c11}, {"C13OneVisitor", c13},
		{"C14C15C16C51Identify", c14}, {"C17Metadata", c17}, {"C19PlainIdentify", c19}, {"C20Blocked", c20},
		{"C21C22C23Create", c21}, {"C24C25C58Welcome", c24}, {"C26C27C29Messages", c26}, {"C28Refused", c28},
		{"C30Closed", c30}, {"C31Foreign", c31}, {"C32Timeline", c32}, {"C33Private", c33}, {"C34C35List", c34},
		{"C36C37Rating", c36}, {"C38Uploads", c38}, {"C52Proven", c52}, {"C53Support", c53}, {"C60Sources", c60},
		{"Section9Conversations", serverConversations}, {"Section9Inbox", serverInbox}, {"Section9Contacts", serverContacts}, {"Section9Access", serverAccess},
		{"Section9Pages", serverPages}, {"Section9Actors", serverActors}, {"Section9Subjects", serverSubjects},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, s) })
	}
}

type suite struct {
	Host
	keys *token.Keyring
}

func newSuite(t testing.TB, host Host) *suite {
	t.Helper()
	keys, err := token.New(token.Config{Masters: [][]byte{[]byte(host.Master)}})
	if err != nil {
		t.Fatal(err)
	}
	return &suite{host, keys}
}

const (
	base   = "/cossistant/v1"
	origin = "https://shop.example"
	// patience bounds every request.
	patience = time.Minute
)

type object = map[string]any

// page is a page with the widget: a key, and a visitor once it has one.
type page struct {
	*suite
	t       testing.TB
	project parley.ProjectID
	key     string
	visitor string
}

// project stores a project of its own for a test, and returns a page without a visitor.
func (s *suite) project(t testing.TB, change func(*parley.Project)) *page {
	t.Helper()
	p := parley.Project{ID: parley.ProjectID(strings.ToLower(rand.Text())), Name: "Shop", PublicKeys: []string{"pk_live_" + rand.Text(), "pk_test_" + rand.Text()},
		Origins: []string{origin, "https://*.example.com"}, Agents: []parley.AgentSettings{{ID: "ada", Name: "Ada"}}, SigningKeys: []string{"k1"},
		Budgets: parley.Budgets{MessagesPerMinute: 600000}}
	if change != nil {
		change(&p)
	}
	if err := s.Store.PutProject(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if err := s.Store.PutOperator(t.Context(), p.ID, parley.Operator{ID: "ann", Name: "Ann"}); err != nil {
		t.Fatal(err)
	}
	return &page{suite: s, t: t, project: p.ID, key: p.PublicKeys[0]}
}

// arrive returns a page of the same project with a visitor of its own.
func (p *page) arrive() *page {
	p.t.Helper()
	other := *p
	other.visitor = ""
	other.visitor = other.get("/websites").ok().text("visitor", "id")
	return &other
}

// visitors returns a page of a project of its own with a visitor.
func (s *suite) visitors(t testing.TB) *page { t.Helper(); return s.project(t, nil).arrive() }

func (p *page) staff() parley.Caller { return parley.Caller{Project: p.project, Operator: "ann"} }

type answer struct {
	t      testing.TB
	what   string
	status int
	header http.Header
	body   string
	page   bool // whether a page asked
}

// call makes a request as the widget does; header is names and values by turns, and ""
// takes one away.
func (p *page) call(method, path string, body any, header ...string) *answer {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	var content io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			p.t.Fatal(err)
		}
		content = bytes.NewReader(b)
	}
	r, err := http.NewRequestWithContext(ctx, method, p.URL+base+path, content)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, h := range [][2]string{{"Origin", origin}, {"Content-Type", "application/json"}, {"X-Public-Key", p.key}, {"X-Visitor-Id", p.visitor}} {
		if h[1] != "" {
			r.Header.Set(h[0], h[1])
		}
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Del(header[i])
		if header[i+1] != "" {
			r.Header.Set(header[i], header[i+1])
		}
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		p.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	if err != nil {
		p.t.Fatalf("%s %s: %v", method, path, err)
	}
	return &answer{p.t, method + " " + path, response.StatusCode, response.Header, string(b), r.Header.Get("Origin") != ""}
}

func (p *page) get(path string) *answer { p.t.Helper(); return p.call(http.MethodGet, path, nil) }
func (p *page) post(path string, body any) *answer {
	p.t.Helper()
	return p.call(http.MethodPost, path, body)
}
func (p *page) patch(path string, body any) *answer {
	p.t.Helper()
	return p.call(http.MethodPatch, path, body)
}

// times are in every answer of one form (C26).
var times = regexp.MustCompile(`"[A-Za-z]*(?:At|Seen)":"([^"]*)"`)
var timeForm = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`)

// ok wants a success that the client takes for one (C4), with times of the one form (C26).
func (a *answer) ok() *answer {
	a.t.Helper()
	if a.status != http.StatusOK && a.status != http.StatusCreated || !json.Valid([]byte(a.body)) {
		a.t.Fatalf("%s = %d %.400s, want a success with JSON", a.what, a.status, a.body)
	}
	for _, m := range times.FindAllStringSubmatch(a.body, -1) {
		if !timeForm.MatchString(m[1]) {
			a.t.Errorf("%s has the time %q", a.what, m[1])
		}
	}
	return a
}

// fails wants an error that the page may read, without a code except of a conflict (C2, C3).
func (a *answer) fails(status int) *answer {
	a.t.Helper()
	var e struct{ Error, Message, Code string }
	err := json.Unmarshal([]byte(a.body), &e)
	if a.status != status || err != nil || e.Message == "" || e.Error == "" || e.Code != "" && status != http.StatusConflict {
		a.t.Errorf("%s = %d %.300s, want %d with a message and no code", a.what, a.status, a.body, status)
	}
	if a.page && a.header.Get("Access-Control-Allow-Origin") == "" {
		a.t.Errorf("%s: no page may read the refusal", a.what)
	}
	return a
}

// at returns a value of the body: by names, and by numbers in lists.
func (a *answer) at(path ...any) any {
	a.t.Helper()
	var v any
	if err := json.Unmarshal([]byte(a.body), &v); err != nil {
		a.t.Fatalf("%s: %v", a.what, err)
	}
	for _, step := range path {
		switch s := step.(type) {
		case string:
			m, ok := v.(object)
			if _, there := m[s]; !ok || !there {
				a.t.Fatalf("%s has no %v: %.600s", a.what, path, a.body)
			}
			v = m[s]
		case int:
			l, ok := v.([]any)
			if !ok || len(l) <= s {
				a.t.Fatalf("%s has no %v: %.600s", a.what, path, a.body)
			}
			v = l[s]
		}
	}
	return v
}

func (a *answer) text(path ...any) string {
	a.t.Helper()
	s, ok := a.at(path...).(string)
	if !ok {
		a.t.Fatalf("%s: %v is no text: %.600s", a.what, path, a.body)
	}
	return s
}

// is wants values of the body, by paths of names joined by dots.
func (a *answer) is(want object) *answer {
	a.t.Helper()
	for path, value := range want {
		var steps []any
		for _, s := range strings.Split(path, ".") {
			steps = append(steps, s)
		}
		if got := a.at(steps...); fmt.Sprint(got) != fmt.Sprint(value) {
			a.t.Errorf("%s: %s = %v, want %v", a.what, path, got, value)
		}
	}
	return a
}

// ids are the ids of a list in the body.
func (a *answer) ids(list string) (ids []string) {
	a.t.Helper()
	for _, v := range a.at(list).([]any) {
		ids = append(ids, v.(object)["id"].(string))
	}
	return ids
}

// ulid is an id as clients make them.
func ulid() string { return "01" + rand.Text()[:24] }

// chat is an id of a conversation as clients make them.
func chat() string { return "CO" + rand.Text()[:16] }

func (p *page) said(id, text string, parts ...any) object {
	return object{"id": id, "type": "message", "text": text, "visitorId": p.visitor, "userId": nil, "aiAgentId": nil,
		"parts": append([]any{object{"type": "text", "text": text}}, parts...), "createdAt": "2020-01-01T00:00:00Z", "organizationId": "", "conversationId": "other"}
}

// begin begins a conversation with one message.
func (p *page) begin(conversation, message string, before ...any) *answer {
	p.t.Helper()
	return p.post("/conversations", object{"conversationId": conversation, "visitorId": p.visitor, "channel": "widget",
		"defaultTimelineItems": append(before, p.said(message, "question"))})
}

func (p *page) send(conversation string, item object) *answer {
	p.t.Helper()
	return p.post("/messages", object{"conversationId": conversation, "item": item})
}
