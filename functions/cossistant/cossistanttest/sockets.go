package cossistanttest

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/coder/websocket"

	"parley/local/gateway"
	"parley/shared/api/apitest"
	"parley/shared/parley"
	"parley/shared/table"
)

// SocketHost is a Host with the sockets. Its agent is "openai" at Model.
type SocketHost struct {
	Host
	// Socket is the address that pages connect to, Console that of the team's consoles,
	// both with http in place of ws.
	Socket, Console string
	// Gateway returns what holds the pages' connections now.
	Gateway func() *gateway.API
	Model   *apitest.ModelServer
	// Closes says that a connection that is refused is closed with 1008, as only hosts
	// other than API Gateway can.
	Closes bool
	// Dump returns all items of the table.
	Dump func(t testing.TB) map[table.Key]table.Item
	// Restart stops the host of the connections as whoever runs it does, and starts it
	// again; nil where the host cannot.
	Restart func(t testing.TB)
}

// tab is one page with the widget: its calls, its socket, and what its client keeps.
type tab struct {
	*page
	*Widget
	host *SocketHost
	ws   *websocket.Conn
	// over has the error that ended the connection, once it has ended.
	over chan error
}

// RunSockets tests the sockets of the host. Its tests leave projects of their own behind.
func RunSockets(t *testing.T, host SocketHost) {
	s := &sockets{newSuite(t, host.Host), &host}
	for _, test := range []struct {
		name string
		run  func(*testing.T, *sockets)
	}{
		{"C39Established", c39}, {"C40AccessOfConnects", c40}, {"C20BlockedWhileConnected", c20s}, {"C41Heartbeat", c41}, {"C42Stop", c42},
		{"C43C44C45Messages", c44}, {"C33C47C56People", c47}, {"C46BegunByOperator", c46}, {"C48Typing", c48}, {"C49C60Reply", c49},
		{"C50CatchUp", c50}, {"C51NobodyElses", c51}, {"C52Proven", c52s}, {"C55Unread", c55}, {"C58Welcome", c58s}, {"C59LongFrames", c59},
		{"AccessOfFrames", accessOfFrames}, {"AccessOfOwnFrames", accessOfOwnFrames}, {"FramesAfterTheKey", framesAfterTheKey},
	} {
		if test.name == "C42Stop" && host.Restart == nil {
			continue
		}
		t.Run(test.name, func(t *testing.T) {
			t.Cleanup(func() { host.Gateway().Inject(gateway.Faults{}) })
			test.run(t, s)
		})
	}
}

type sockets struct {
	*suite
	host *SocketHost
}

// tab returns a page of a project of its own with a visitor, connected.
func (s *sockets) tab(t *testing.T) *tab {
	t.Helper()
	return s.of(s.visitors(t)).connected()
}

// of returns a page's tab, not connected.
func (s *sockets) of(p *page) *tab {
	return &tab{page: p, Widget: NewWidget(string(p.project), p.visitor), host: s.host}
}

// again is another tab of the same visitor.
func (b *tab) again() *tab {
	return &tab{page: b.page, Widget: NewWidget(b.Website, b.Visitor), host: b.host}
}

// address is what the client connects to, with other values in its query.
func (b *tab) address(change func(url.Values)) string {
	q := url.Values{"visitorId": {b.visitor}, "publicKey": {b.key}}
	if change != nil {
		change(q)
	}
	return b.host.Socket + "?" + q.Encode()
}

// dial connects, and reads until the connection ends.
func (b *tab) dial(from string, change func(url.Values)) int {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), patience)
	defer cancel()
	header := http.Header{}
	if from != "" {
		header.Set("Origin", from)
	}
	ws, response, err := websocket.Dial(ctx, b.address(change), &websocket.DialOptions{HTTPHeader: header})
	if err != nil {
		if response == nil {
			b.t.Fatal(err)
		}
		return response.StatusCode
	}
	ws.SetReadLimit(1 << 20)
	over := make(chan error, 1)
	b.ws, b.over = ws, over
	b.t.Cleanup(func() {
		ws.CloseNow()
		if err := b.Faults(); err != nil {
			b.t.Errorf("the client: %v", err)
		}
	})
	go func() {
		for {
			_, frame, err := ws.Read(context.Background())
			if err != nil {
				over <- err
				return
			}
			b.Take(frame)
		}
	}()
	return http.StatusOK
}

// connected connects and waits for the first frame and for what comes with it.
func (b *tab) connected() *tab {
	b.t.Helper()
	n := len(b.Events("CONNECTION_ESTABLISHED"))
	if status := b.dial(origin, nil); status != http.StatusOK {
		b.t.Fatalf("connect = %d", status)
	}
	b.until("it is welcomed", func() bool { return len(b.Events("CONNECTION_ESTABLISHED")) > n })
	b.met()
	return b
}

// met waits until everything that happens is told on the tab's connections.
func (b *tab) met() {
	b.t.Helper()
	b.until("it listens", func() bool {
		all, err := b.Store.VisitorConnections(b.t.Context(), b.project, parley.VisitorID(b.visitor))
		if err != nil {
			b.t.Fatal(err)
		}
		for _, c := range all {
			if !c.Ready {
				return false
			}
		}
		return len(all) > 0
	})
}

// until waits for something to become so.
func (b *tab) until(what string, so func() bool) {
	b.t.Helper()
	for end := time.Now().Add(patience); !so(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			b.t.Fatalf("not in %v: %s; events %v, %v", patience, what, b.Events(), b.Faults())
		}
	}
}

// proven has the tab's visitor vouched for as somebody, and returns that contact.
func (b *tab) proven(external string) parley.ContactID {
	b.t.Helper()
	c := parley.Caller{Project: b.project, Channel: parley.ChannelCossistant, Bare: true, Visitor: parley.VisitorID(b.visitor)}
	known, err := b.Store.Prove(b.t.Context(), c, parley.Identity{External: external})
	if err != nil {
		b.t.Fatal(err)
	}
	return known.ID
}

// rests waits until the tab is told no more for a moment, and returns how much it was
// told.
func (b *tab) rests() (told int) {
	b.t.Helper()
	at := time.Now()
	b.until("rest", func() bool {
		if n := len(b.Events()); n != told {
			told, at = n, time.Now()
		}
		return time.Since(at) > 300*time.Millisecond
	})
	return told
}

// quiet fails the test if the tab is told more within a moment than it was before.
func (b *tab) quiet(before int) {
	b.t.Helper()
	time.Sleep(300 * time.Millisecond)
	if all := b.Events(); len(all) > before {
		b.t.Errorf("the client is told %v", all[before:])
	}
}

// say sends a frame: text as it is, and everything else as JSON.
func (b *tab) say(frame any) {
	b.t.Helper()
	text, is := frame.(string)
	if !is {
		encoded, err := json.Marshal(frame)
		if err != nil {
			b.t.Fatal(err)
		}
		text = string(encoded)
	}
	if err := b.ws.Write(b.t.Context(), websocket.MessageText, []byte(text)); err != nil {
		b.t.Fatal(err)
	}
}

// typed is a typing frame as the client sends it.
func typed(conversation string, on bool, preview any) object {
	return object{"type": "conversationTyping", "payload": object{"conversationId": conversation, "isTyping": on, "visitorPreview": preview,
		"websiteId": "", "organizationId": "", "visitorId": nil, "userId": nil, "aiAgentId": nil}}
}

// drop breaks the tab's connections, and waits for its end.
func (b *tab) drop() {
	b.t.Helper()
	b.ws.CloseNow()
	<-b.over
}

// open loads what the page loads: the list, and the timeline of a conversation.
func (b *tab) open(conversation string) {
	b.t.Helper()
	for _, path := range []string{"/conversations?orderBy=updatedAt&order=desc", "/conversations/" + conversation + "/timeline?limit=50"} {
		b.load(b.get(path).ok())
	}
}

func (b *tab) load(a *answer) *answer {
	b.t.Helper()
	var body object
	if err := json.Unmarshal([]byte(a.body), &body); err != nil {
		b.t.Fatal(err)
	}
	b.Load(body)
	return a
}

// begins begins a conversation, in which the AI has answered, and returns its id.
func (b *tab) begins() string {
	b.t.Helper()
	id := chat()
	b.load(b.begin(id, ulid()).ok())
	b.until("the AI has answered", func() bool {
		s, err := b.Store.Session(b.t.Context(), b.staff(), parley.SessionID(id))
		if err != nil {
			b.t.Fatal(err)
		}
		return s.Run == nil && s.Messages > 1
	})
	return id
}

// reply writes as an operator.
func (b *tab) reply(conversation, text string) parley.Entry {
	b.t.Helper()
	sent, err := b.Store.Reply(b.t.Context(), b.staff(), ann, parley.ReplyRequest{ID: parley.EntryID(ulid()), Session: parley.SessionID(conversation), Content: text})
	if err != nil {
		b.t.Fatal(err)
	}
	return sent.Message
}

var ann = parley.Author{Kind: parley.AuthorHuman, ID: "ann", Name: "Ann"}

// has waits for an item.
func (b *tab) has(conversation, id string) object {
	b.t.Helper()
	b.until("the item "+id, func() bool { return b.Item(conversation, id) != nil })
	return b.Item(conversation, id)
}

// desk is a console of the project's that looks at a session.
type desk struct {
	t  testing.TB
	ws *websocket.Conn
}

func (b *tab) desk(conversation string) *desk {
	b.t.Helper()
	key, _, err := b.Store.AddPrivateKey(b.t.Context(), b.project, parley.PrivateKey{Name: "desk", Scopes: parley.Scopes()})
	if err != nil {
		b.t.Fatal(err)
	}
	ticket, _, err := b.Store.NewConsoleTicket(b.t.Context(), b.staff(), key)
	if err != nil {
		b.t.Fatal(err)
	}
	ws, _, err := websocket.Dial(b.t.Context(), b.host.Console+"?ticket="+ticket, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { ws.CloseNow() })
	ws.SetReadLimit(1 << 20)
	d := &desk{b.t, ws}
	d.say(object{"watch": conversation})
	d.hears("watching")
	return d
}

func (d *desk) say(frame object) {
	d.t.Helper()
	b, err := json.Marshal(frame)
	if err == nil {
		err = d.ws.Write(d.t.Context(), websocket.MessageText, b)
	}
	if err != nil {
		d.t.Fatal(err)
	}
}

// hears returns the next frame of a type.
func (d *desk) hears(kind string) object {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), patience)
	defer cancel()
	for {
		_, frame, err := d.ws.Read(ctx)
		var f object
		if err == nil {
			err = json.Unmarshal(frame, &f)
		}
		if err != nil {
			d.t.Fatalf("instead of %s: %v", kind, err)
		}
		if f["type"] == kind {
			return f
		}
	}
}
