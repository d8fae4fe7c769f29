package chathubtest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/coder/websocket"
	"github.com/golang-jwt/jwt/v5"

	"parley/functions/chathub"
	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/socket"
)

// patience bounds every wait of a test.
const patience = time.Minute

// shop is where the pages are from.
const shop = "https://shop.example"

type object = map[string]any

// page is an app with SignalR's client, of one user.
type page struct {
	*suite
	t       testing.TB
	project *parley.Project
	// query is that of the app's address, header what its client sends besides.
	query  url.Values
	header http.Header
}

// page returns an app of a project of its own, with a token in its address.
func (s *suite) page(t testing.TB, change func(*parley.Project)) *page {
	t.Helper()
	p := parley.Project{ID: parley.ProjectID(strings.ToLower(rand.Text())), Name: "Shop", PublicKeys: []string{"pk_live_" + rand.Text()},
		Origins: []string{shop}, SigningKeys: []string{"k1"},
		Agents: []parley.AgentSettings{{ID: "ada", Name: "Ada"}, {ID: "bob", Name: "Bob"}, {ID: "off", Name: "Off", Disabled: true}}}
	if change != nil {
		change(&p)
	}
	s.own[p.ID] = true
	if err := s.Store.PutProject(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	app := &page{suite: s, t: t, project: &p, header: http.Header{"Origin": {shop}}}
	app.query = url.Values{"agentId": {string(p.ID) + ".ada"}, "access_token": {app.signed(user("ann"))}}
	return app
}

// user is what a customer's backend says of somebody, for an hour.
func user(sub string) object { return object{"sub": sub, "exp": in(time.Hour)} }

func in(d time.Duration) int64 { return time.Now().Add(d).Unix() }

// signed is a token as the customer's backend makes it.
func (p *page) signed(claims object) string {
	p.t.Helper()
	return sign(p.t, claims, p.keys.SigningSecret(p.project.ID, "k1"))
}

func sign(t testing.TB, claims object, secret string) string {
	t.Helper()
	token := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims(claims))
	token.Header["kid"] = "k1"
	text, err := token.SignedString([]byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// with returns the page with other values in its query, in pairs; "" takes one away.
func (p *page) with(pairs ...string) *page {
	other := *p
	other.query, other.header = url.Values{}, p.header.Clone()
	for name, values := range p.query {
		other.query[name] = slices.Clone(values)
	}
	for i := 0; i < len(pairs); i += 2 {
		if other.query.Set(pairs[i], pairs[i+1]); pairs[i+1] == "" {
			other.query.Del(pairs[i])
		}
	}
	return &other
}

// of returns the page in another test.
func (p *page) of(t testing.TB) *page {
	other := *p
	other.t = t
	return &other
}

// answer is what negotiate answers.
type answer struct {
	status int
	header http.Header
	body   string
	fields object
}

// negotiate asks as the client does: with the app's query, and nothing in the body.
func (p *page) negotiate(more ...string) answer {
	p.t.Helper()
	q := p.with(append([]string{"negotiateVersion", "1"}, more...)...).query
	return p.ask(http.MethodPost, q.Encode(), p.header)
}

func (p *page) ask(method, query string, header http.Header) answer {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), method, p.Base+chathub.NegotiatePath+"?"+query, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header = header.Clone()
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	a := answer{status: response.StatusCode, header: response.Header, body: string(b)}
	if len(b) > 0 && json.Unmarshal(b, &a.fields) != nil {
		p.t.Fatalf("negotiate answers %d %q", a.status, a.body)
	}
	return a
}

// dial opens a WebSocket; a nil connection was refused with the status.
func (p *page) dial(rawQuery string) (*websocket.Conn, int) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	ws, response, err := websocket.Dial(ctx, p.Socket+"?"+rawQuery, &websocket.DialOptions{HTTPHeader: p.header})
	if err != nil {
		if response == nil {
			p.t.Fatal(err)
		}
		return nil, response.StatusCode
	}
	if got := ws.Subprotocol(); got != "" {
		p.t.Errorf("the subprotocol %q was chosen, and none was offered", got)
	}
	ws.SetReadLimit(1 << 20)
	p.t.Cleanup(func() { ws.CloseNow() })
	return ws, response.StatusCode
}

// record is one record of the hub.
type record struct {
	Type           *int
	Target         string
	Arguments      []json.RawMessage
	InvocationID   *string
	Result         json.RawMessage
	Error          *string
	AllowReconnect bool
	text           string
}

func (r record) is(kind int) bool { return r.Type != nil && *r.Type == kind }

// client is SignalR's client, connected.
type client struct {
	*page
	ws    *websocket.Conn
	calls int
	// frames are the hub's so far, all but those before the first record after the
	// handshake, and read how many of the records of each have been looked at.
	frames [][]record
	// ended is the close code, -1 if there is none; 0 while it is connected.
	ended websocket.StatusCode
	// source is where frames come from in place of ws, nil if they come from there.
	source func() []record
}

// open connects and does the handshake, and nothing more.
func (p *page) open() *client {
	p.t.Helper()
	ws, status := p.dial(p.query.Encode())
	if ws == nil {
		p.t.Fatalf("refused with %d", status)
	}
	c := &client{page: p, ws: ws}
	c.write(`{"protocol":"json","version":1}|`)
	if got := c.frame(); len(got) != 1 || got[0].text != "{}" {
		p.t.Fatalf("the handshake is answered %+v", got)
	}
	c.frames = nil
	return c
}

// connect is open, and the ping that the client sends at once.
func (p *page) connect() *client {
	p.t.Helper()
	c := p.open()
	c.ping()
	return c
}

// ping sends a ping and reads the frame that answers it. Only for when nothing else is
// on its way.
func (c *client) ping() []record {
	c.t.Helper()
	c.write(`{"type":6}|`)
	return c.frame()
}

// write sends a frame; "|" stands for the record separator.
func (c *client) write(frame string) {
	c.t.Helper()
	if err := c.ws.Write(c.t.Context(), websocket.MessageText, []byte(strings.ReplaceAll(frame, "|", "\x1e"))); err != nil {
		c.t.Fatal(err)
	}
}

// frame reads the next frame; nil at the end of the connection. Every frame of every
// test has to be what the client can read.
func (c *client) frame() []record {
	c.t.Helper()
	if c.ended != 0 {
		return nil
	}
	if c.source != nil {
		return c.source()
	}
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	kind, text, err := c.ws.Read(ctx)
	if err != nil {
		if ctx.Err() != nil {
			c.t.Fatalf("nothing came; heard so far: %s", c.transcript())
		}
		if c.ended = websocket.CloseStatus(err); c.ended == 0 {
			c.ended = -1
		}
		return nil
	}
	if kind != websocket.MessageText || len(text) > socket.MaxFrame || !utf8.Valid(text) {
		c.t.Fatalf("a frame of %d bytes, kind %v", len(text), kind)
	}
	whole, ended := bytes.CutSuffix(text, []byte{0x1e})
	if !ended {
		c.t.Fatalf("the frame %q does not end with a separator", text)
	}
	var out []record
	for _, one := range bytes.Split(whole, []byte{0x1e}) {
		r := record{text: string(one)}
		if err := json.Unmarshal(one, &r); err != nil {
			c.t.Fatalf("record %q: %v", one, err)
		}
		r.check(c.t)
		out = append(out, r)
	}
	c.frames = append(c.frames, out)
	return out
}

// check holds a record to what the client enforces.
func (r record) check(t testing.TB) {
	t.Helper()
	switch {
	case r.Type == nil: // of a handshake
	case r.is(1) && (r.Target == "" || r.InvocationID != nil || len(r.Arguments) != 1):
		t.Errorf("event %s", r.text)
	case r.is(3) && (r.InvocationID == nil || r.Error != nil && (r.Result != nil || *r.Error == "")):
		t.Errorf("completion %s", r.text)
	case !slices.Contains([]int{1, 3, 6, 7}, *r.Type):
		t.Errorf("record %s", r.text)
	}
}

func (c *client) transcript() string {
	var all []string
	for _, f := range c.frames {
		for _, r := range f {
			all = append(all, r.text)
		}
		all = append(all, "/")
	}
	return strings.Join(all, " ")
}

// invocation is a call as it is sent; without an id nobody waits for it.
func invocation(id, method string, arguments ...any) string {
	r := object{"type": 1, "target": method, "arguments": append([]any{}, arguments...)}
	if id != "" {
		r["invocationId"] = id
	}
	b, _ := json.Marshal(r) // what tests pass encodes
	return string(b) + "|"
}

// send calls a method without waiting for it.
func (c *client) send(method string, arguments ...any) {
	c.t.Helper()
	c.write(invocation("", method, arguments...))
}

// invoke calls a method and returns its completion. What comes before is kept.
func (c *client) invoke(method string, arguments ...any) record {
	c.t.Helper()
	id := c.begin(method, arguments...)
	return c.completion(id)
}

// begin sends a call that is waited for later, and returns its id.
func (c *client) begin(method string, arguments ...any) string {
	c.t.Helper()
	id := strconv.Itoa(c.calls)
	c.calls++
	c.write(invocation(id, method, arguments...))
	return id
}

// completion waits for that of a call.
func (c *client) completion(id string) record {
	c.t.Helper()
	var out record
	c.await("the completion of "+id, func(r record) bool {
		out = r
		return r.is(3) && *r.InvocationID == id
	})
	return out
}

// await looks at all records so far and reads on until one is what it waits for.
func (c *client) await(what string, found func(record) bool) {
	c.t.Helper()
	for at := 0; ; at++ {
		if at == len(c.frames) && c.frame() == nil {
			c.t.Fatalf("the connection ended with %d before %s; heard: %s", c.ended, what, c.transcript())
		}
		if slices.ContainsFunc(c.frames[at], found) {
			return
		}
	}
}

// fails checks that a call was refused with a code.
func (c *client) fails(r record, code string) {
	c.t.Helper()
	if r.Error == nil || !strings.HasPrefix(*r.Error, code+": ") || len(*r.Error) < len(code)+8 {
		c.t.Errorf("completion %s, want the error %s", r.text, code)
	}
}

// sent is the result of SendMessageAsync.
type sent struct{ MessageID, ConversationID string }

// message is the argument of SendMessageAsync.
func message(content string) object { return object{"content": content} }

// say sends a message.
func (c *client) say(content string) sent {
	c.t.Helper()
	r := c.invoke("SendMessageAsync", message(content))
	return c.result(r)
}

func (c *client) result(r record) sent {
	c.t.Helper()
	var out sent
	if r.Error != nil || json.Unmarshal(r.Result, &out) != nil || out.MessageID == "" || out.ConversationID == "" {
		c.t.Fatalf("SendMessageAsync: %s", r.text)
	}
	return out
}

// event is one of the hub's, by its name as apps write it.
type event struct {
	name     string
	frame    int
	argument json.RawMessage
}

// events are all that came so far, with these names or of any.
func (c *client) events(names ...string) []event {
	var out []event
	for i, f := range c.frames {
		for _, r := range f {
			if r.is(1) && (len(names) == 0 || slices.Contains(names, r.Target)) {
				out = append(out, event{r.Target, i, r.Arguments[0]})
			}
		}
	}
	return out
}

// errors are the codes of the Error events so far.
func (c *client) errors() []string {
	c.t.Helper()
	var codes []string
	for _, e := range c.events("Error") {
		var in struct{ Code, Message string }
		if json.Unmarshal(e.argument, &in) != nil || in.Code == "" || in.Message == "" {
			c.t.Errorf("Error %s", e.argument)
		}
		codes = append(codes, in.Code)
	}
	return codes
}

// received is a message of the hub's.
type received struct {
	id       string
	chunks   []string
	final    string
	finished bool
	last     int // the frame of the last chunk, and that of the final
	done     int
}

func (m received) text() string { return strings.Join(m.chunks, "") }

// messages are all messages so far, in the order of their beginnings. They have to be
// right for both programs of the protocol's page: chunks are what is new, the final is
// all of it, comes last, and in a frame of its own. One that arrived on the client's
// connection before may come again, for who has said nothing since may have lost it.
func (c *client) messages() []received {
	c.t.Helper()
	var all []received
	back := len(c.events("reconnected")) > 0 // an app, over several connections
	for _, e := range c.events("MessageReceived") {
		var in struct {
			MessageID        string
			Content          *string
			IsChunk, IsFinal *bool
			Timestamp        string
		}
		if err := json.Unmarshal(e.argument, &in); err != nil || in.MessageID == "" || in.Content == nil || in.IsChunk == nil || in.IsFinal == nil || *in.IsChunk == *in.IsFinal {
			c.t.Fatalf("MessageReceived %s: %v", e.argument, err)
		}
		if at, err := time.Parse("2006-01-02T15:04:05.000Z", in.Timestamp); err != nil || time.Since(at).Abs() > 24*time.Hour {
			c.t.Errorf("timestamp %q: %v", in.Timestamp, err)
		}
		at := slices.IndexFunc(all, func(m received) bool { return m.id == in.MessageID })
		if before, ok := c.arrived.Load(in.MessageID); *in.IsFinal && ok && (at < 0 && before != c || at >= 0 && back && all[at].final == *in.Content) {
			continue
		}
		if at < 0 {
			if n := len(all); n > 0 && !all[n-1].finished {
				c.t.Errorf("%s begins before %s is over", in.MessageID, all[n-1].id)
			}
			all = append(all, received{id: in.MessageID})
			at = len(all) - 1
		}
		m := &all[at]
		switch {
		case m.finished:
			c.t.Errorf("%s goes on after its final: %s", m.id, e.argument)
		case *in.IsChunk && *in.Content == "":
			c.t.Errorf("%s has an empty chunk", m.id)
		case *in.IsChunk:
			m.chunks, m.last = append(m.chunks, *in.Content), e.frame
		default:
			m.final, m.finished, m.done = *in.Content, true, e.frame
			c.arrived.LoadOrStore(m.id, c)
			if len(m.chunks) > 0 && m.done == m.last {
				c.t.Errorf("the final of %s is in the frame of its last chunk", m.id)
			}
		}
	}
	return all
}

// hears reads until so many messages are over, and returns the last of them, whose
// chunks have to be the whole of it.
func (c *client) hears(n int) received {
	c.t.Helper()
	m := c.hearsRest(n)
	if m.text() != m.final || m.final == "" || strings.ContainsRune(m.final, utf8.RuneError) {
		c.t.Errorf("message %d: chunks %q, final %q", n, m.chunks, m.final)
	}
	return m
}

// hearsRest is hears for a client that may have been given the beginning before.
func (c *client) hearsRest(n int) received {
	c.t.Helper()
	c.await(fmt.Sprintf("message %d", n), func(record) bool {
		all := c.messages()
		return len(all) >= n && all[n-1].finished
	})
	return c.messages()[n-1]
}

// hearsText reads until the message that is being written has so much text.
func (c *client) hearsText(text string) {
	c.t.Helper()
	c.await("the text "+text, func(record) bool {
		all := c.messages()
		return len(all) > 0 && all[len(all)-1].text() == text
	})
}

// typing are the states of TypingIndicator so far. That a reply is being written may be
// said twice, by whoever generates it and by who tells it: that is one.
func (c *client) typing() []bool {
	c.t.Helper()
	var all []bool
	for _, e := range c.events("TypingIndicator") {
		var in struct{ IsTyping *bool }
		if json.Unmarshal(e.argument, &in) != nil || in.IsTyping == nil {
			c.t.Fatalf("TypingIndicator %s", e.argument)
		}
		if n := len(all); n == 0 || !all[n-1] || !*in.IsTyping {
			all = append(all, *in.IsTyping)
		}
	}
	return all
}

// settles reads until the last TypingIndicator is false, as often as it has to be.
func (c *client) settles(falses int) {
	c.t.Helper()
	c.await("typing to end", func(record) bool {
		n := 0
		for _, on := range c.typing() {
			if !on {
				n++
			}
		}
		return n >= falses
	})
}

// quiet checks that nothing comes but an answer to a ping.
func (c *client) quiet() {
	c.t.Helper()
	if got := c.ping(); len(got) != 1 || !got[0].is(6) {
		c.t.Errorf("a ping is answered %+v", got)
	}
}

// id is the connection's at the gateway, the newest that is there.
func (s *suite) newest(before []string) string {
	for _, id := range s.Gateway().Connections() {
		if !slices.Contains(before, id) {
			return id
		}
	}
	return ""
}

// leave stops the client as an app does.
func (c *client) leave() {
	c.t.Helper()
	c.write(`{"type":7}|`)
	c.ws.Close(websocket.StatusNoStatusRcvd, "")
}

// operator is one of the project's.
func (p *page) operator() parley.Caller {
	return parley.Caller{Project: p.project.ID, Operator: "ola"}
}

var ola = parley.Author{Kind: parley.AuthorHuman, ID: "ola", Name: "Ola"}

// stored is a session as operators see it.
func (p *page) stored(id string) *parley.Session {
	p.t.Helper()
	session, err := p.Store.Session(p.t.Context(), p.operator(), parley.SessionID(id))
	if err != nil {
		p.t.Fatal(err)
	}
	return session
}

// about is what operators see of a session.
func (p *page) about(id string) parley.About {
	p.t.Helper()
	detail, err := p.Store.ReadSession(p.t.Context(), p.operator(), parley.SessionID(id), parley.PageRequest{})
	if err != nil {
		p.t.Fatal(err)
	}
	return detail.About
}

// lines are the messages of a session as operators see them.
func (p *page) lines(id string) []string {
	p.t.Helper()
	var out []string
	for _, e := range parleytest.Entries(p.t, p.Store, p.operator(), parley.SessionID(id)) {
		if e.IsMessage() {
			out = append(out, string(e.Author.Kind)+" "+e.Text)
		}
	}
	return out
}

// eventually waits until something holds.
func (p *page) eventually(what string, holds func() bool) {
	p.t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			p.t.Fatalf("%s did not come", what)
		}
	}
}

// fresh is a text that nobody has used.
func fresh(text string) string { return text + " " + rand.Text() }
