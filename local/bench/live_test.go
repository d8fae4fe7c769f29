package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"

	"parley/functions/chathub"
	"parley/shared/parley"
)

const (
	// lanes are the conversations that go on at the same time, conversations how many
	// follow one another in each.
	lanes         = 4
	conversations = 4
	// exchanges are the messages each way that are timed in a conversation, as many as a
	// visitor may send without a pause.
	exchanges = 8
	// liveGoal is how late a frame may be that tells what was stored.
	liveGoal = 50 * time.Millisecond
	// liveTime bounds all of it.
	liveTime = 2 * time.Minute
)

// measureLive times what `make run` tells over sockets, in real time: a person's
// message to a client of the hub, and a visitor's message to the console that looks at
// the session. Times count from that of the message, which it gets just before its
// commit, so that the commit itself is in them.
func measureLive(t *tier) {
	p := startParley(t, serveModel(t, 1, 10*time.Millisecond))
	ctx, cancel := context.WithTimeout(t.Context(), liveTime)
	defer cancel()
	var mu sync.Mutex
	var took late
	var all sync.WaitGroup
	for lane := range lanes {
		all.Go(func() {
			for n := range conversations {
				d := &dialogue{t: t, p: p, ctx: ctx, name: fmt.Sprintf("user_%d_%d", lane, n)}
				err := d.talk()
				if err != nil {
					t.Errorf("%s: %v", d.name, err)
					return
				}
				mu.Lock()
				took.hub, took.console, took.pings = append(took.hub, d.hub...), append(took.console, d.console...), append(took.pings, d.pings...)
				took.syncs = append(took.syncs, d.syncs...)
				mu.Unlock()
			}
		})
	}
	all.Wait()
	if t.Failed() {
		return
	}
	const name = "99th percentile from the commit of a message to its frame, `make run`: "
	took.say(t, name+"a person's at ChatHub's client", took.hub)
	took.say(t, "… a visitor's at the console", took.console)
	t.note("… a ping of the console, there and back; 16 KB to the disk", took.pings.say()+"; "+took.syncs.say())
}

// late is how late frames were: of a person's messages at the hub, of a visitor's at
// the console.
type late struct {
	hub, console samples
	beside
}

func (l *late) say(t *tier, name string, took samples) {
	l.judge(t, 99, name, took.say(), "≤ "+millis(liveGoal), took.percentile(99) <= liveGoal)
}

// dialogue is a conversation of a visitor at the hub with a person at the console.
type dialogue struct {
	t       *tier
	p       *process
	ctx     context.Context
	name    string
	session parley.SessionID
	said    int
	late
}

// talk times the frames that tell each side what the other has said.
func (d *dialogue) talk() error {
	page, err := d.connectHub()
	if err != nil {
		return err
	}
	defer page.CloseNow()
	if err := d.begin(page); err != nil {
		return err
	}
	console, err := d.connectConsole()
	if err != nil {
		return err
	}
	defer console.CloseNow()
	for range exchanges {
		late, err := d.reply(page)
		if err != nil {
			return fmt.Errorf("a reply: %w", err)
		}
		d.hub.add(late)
		if late, err = d.ask(page, console); err != nil {
			return fmt.Errorf("a question: %w", err)
		}
		d.console.add(late)
		began := time.Now()
		if err := d.say(console, `{"ping":true}`); err != nil {
			return err
		}
		if _, err := d.news(console, "pong", ""); err != nil {
			return fmt.Errorf("a ping: %w", err)
		}
		d.pings.add(time.Since(began))
		if err := d.sync(filepath.Join(d.p.Dir, d.name)); err != nil {
			return err
		}
	}
	return nil
}

// connectHub connects a client of the hub, up to its first ping.
func (d *dialogue) connectHub() (*websocket.Conn, error) {
	cmd := exec.Command(d.p.Path, "token", d.name)
	cmd.Dir, cmd.Env = d.p.Dir, d.p.Env
	token, err := cmd.Output()
	if err != nil {
		return nil, err
	}
	q := url.Values{"agentId": {"demo.guide"}, "access_token": {strings.TrimSpace(string(token))}}
	ws, err := d.dial(chathub.Path + "?" + q.Encode())
	if err != nil {
		return nil, err
	}
	for _, record := range []string{`{"protocol":"json","version":1}`, `{"type":6}`} {
		if err := d.say(ws, record+"\x1e"); err != nil {
			return nil, err
		}
		if _, _, err := ws.Read(d.ctx); err != nil {
			return nil, err
		}
	}
	return ws, nil
}

func (d *dialogue) dial(path string) (*websocket.Conn, error) {
	ws, _, err := websocket.Dial(d.ctx, "ws"+strings.TrimPrefix(d.p.page, "http")+path, nil)
	if err == nil {
		ws.SetReadLimit(1 << 20)
	}
	return ws, err
}

func (d *dialogue) say(ws *websocket.Conn, frame string) error {
	return ws.Write(d.ctx, websocket.MessageText, []byte(frame))
}

// record is one of the hub's, as far as it matters here.
type record struct {
	Type      int
	Target    string
	Result    struct{ ConversationID parley.SessionID }
	Arguments []struct {
		IsFinal   bool
		Timestamp time.Time
	}
}

// await reads frames of the hub until a record is found, and returns it with when its
// frame came.
func (d *dialogue) await(ws *websocket.Conn, found func(record) bool) (record, time.Time, error) {
	for {
		_, frame, err := ws.Read(d.ctx)
		at := time.Now()
		if err != nil {
			return record{}, at, err
		}
		for text := range bytes.SplitSeq(bytes.TrimSuffix(frame, []byte("\x1e")), []byte("\x1e")) {
			var r record
			if err := json.Unmarshal(text, &r); err != nil {
				return r, at, fmt.Errorf("record %q: %w", text, err)
			}
			if found(r) {
				return r, at, nil
			}
		}
	}
}

// begin has the visitor begin a session, the agent answer and a person take it over.
func (d *dialogue) begin(page *websocket.Conn) error {
	if err := d.send(page); err != nil {
		return err
	}
	r, _, err := d.await(page, func(r record) bool { return r.Type == 3 })
	if err != nil {
		return err
	}
	d.session = r.Result.ConversationID
	if _, _, err := d.await(page, (record).final); err != nil {
		return err
	}
	_, err = d.reply(page)
	return err
}

func (r record) piece() bool { return r.Target == "MessageReceived" && !r.Arguments[0].IsFinal }
func (r record) final() bool { return r.Target == "MessageReceived" && r.Arguments[0].IsFinal }

// send sends a visitor's message.
func (d *dialogue) send(page *websocket.Conn) error {
	d.said++
	return d.say(page, fmt.Sprintf(`{"type":1,"target":"SendMessageAsync","invocationId":"%d","arguments":[{"content":"%d"}]}`+"\x1e", d.said, d.said))
}

// reply writes to the visitor, and returns how late the page was told the first of it.
func (d *dialogue) reply(page *websocket.Conn) (time.Duration, error) {
	d.said++
	message := map[string]string{"messageId": fmt.Sprint(d.name, "-", d.said), "content": text(questionBytes)}
	if err := d.operate("/operator/sessions/"+string(d.session)+"/reply", message, nil); err != nil {
		return 0, err
	}
	r, at, err := d.await(page, (record).piece)
	if err == nil {
		_, _, err = d.await(page, (record).final)
	}
	if err != nil {
		return 0, err
	}
	return at.Sub(r.Arguments[0].Timestamp), nil
}

// operate makes a call with the private key.
func (d *dialogue) operate(path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(d.ctx, "POST", d.p.page+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+d.p.private)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode >= 300 {
		return fmt.Errorf("POST %s: %s", path, response.Status)
	}
	if out == nil {
		return nil
	}
	return json.NewDecoder(response.Body).Decode(out)
}

// connectConsole opens a console that looks at the session.
func (d *dialogue) connectConsole() (*websocket.Conn, error) {
	var way struct{ Ticket, Socket string }
	if err := d.operate("/operator/ticket", struct{}{}, &way); err != nil {
		return nil, err
	}
	ws, err := d.dial(way.Socket + "?ticket=" + url.QueryEscape(way.Ticket))
	if err == nil {
		err = d.say(ws, fmt.Sprintf(`{"watch":%q}`, d.session))
	}
	if err == nil {
		_, err = d.news(ws, "watching", "")
	}
	return ws, err
}

// news reads frames of a console until one is of a type and, unless text is "", has an
// entry of that text. It returns how late that is.
func (d *dialogue) news(console *websocket.Conn, kind, text string) (time.Duration, error) {
	for {
		_, frame, err := console.Read(d.ctx)
		at := time.Now()
		if err != nil {
			return 0, err
		}
		var told struct {
			Type    string
			Entries []struct {
				Text string
				At   time.Time
			}
		}
		if err := json.Unmarshal(frame, &told); err != nil {
			return 0, fmt.Errorf("frame %q: %w", frame, err)
		}
		if told.Type != kind {
			continue
		}
		if text == "" {
			return 0, nil
		}
		for _, e := range told.Entries {
			if e.Text == text {
				return at.Sub(e.At), nil
			}
		}
	}
}

// ask has the visitor send a message, and returns how late the console was told.
func (d *dialogue) ask(page, console *websocket.Conn) (time.Duration, error) {
	if err := d.send(page); err != nil {
		return 0, err
	}
	late, err := d.news(console, "news", fmt.Sprint(d.said))
	if err == nil {
		_, _, err = d.await(page, func(r record) bool { return r.Type == 3 })
	}
	return late, err
}
