package push_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"parley/functions/cossistant"
	"parley/functions/cossistant/cossistanttest"
	"parley/functions/cossistant/shape"
	"parley/functions/cossistantws"
	"parley/functions/push"
	socketapi "parley/local/gateway"
	"parley/local/gateway/gatewaytest"
	"parley/shared/live"
	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/run"
	"parley/shared/socket"
)

// TestWidgetRandom plays pages with Cossistant's widget, in which anything fails at any
// time: two tabs of one visitor and one of another, behind the stand-in for API Gateway,
// every event and every post late, events that are lost or come twice, one post in three
// refused, connections that break or fall silent, and processes that die in the middle
// of telling. In the end, once each has connected again, every tab shows what the server
// has: the same conversations, each with the same items.
func TestWidgetRandom(t *testing.T) {
	seeds(t, 20, func(t *testing.T, seed uint64) { in(t, slowly, func(w *world) { w.widgetRandom(seed) }) })
}

func keyed() map[parley.Channel]live.KeyedSpeaker {
	file := func(_ parley.ProjectID, a parley.Attachment) string { return "https://files.example/" + string(a.ID) }
	return map[parley.Channel]live.KeyedSpeaker{parley.ChannelCossistant: shape.Speaker{File: file}}
}

func (w *world) widgetRandom(seed uint64) {
	r := rand.New(rand.NewPCG(seed, 6)) // of the test's own goroutine
	w.lag = time.Duration(r.IntN(1500)) * time.Millisecond
	w.refuses = true
	var quiet atomic.Bool
	w.mortals(rand.New(rand.NewPCG(seed, 7)), &quiet)
	var mu sync.Mutex
	dice := rand.New(rand.NewPCG(seed, 8))
	roll := func(n int) int {
		mu.Lock()
		defer mu.Unlock()
		return dice.IntN(n)
	}
	h := w.widgets()
	late := func() time.Duration { return time.Duration(roll(int(jitter))) }
	delay := func(socket.Event) time.Duration { return late() }
	h.api.Inject(socketapi.Faults{Delay: delay,
		Lose:  func(e socket.Event) bool { return e.Kind != socket.Message && roll(4) == 0 },
		Twice: func(socket.Event) bool { return roll(5) == 0 },
		Post: func(to socket.Ref, _ []byte) socketapi.PostFault {
			f := socketapi.PostFault{Delay: late()}
			if h.hasVanished(to.ID) {
				return f // it takes everything
			}
			switch roll(9) {
			case 0:
				f.Status = http.StatusGone
			case 1:
				f.Status = http.StatusTooManyRequests
			case 2:
				f.Status, f.Delivered = http.StatusInternalServerError, roll(2) == 0
			}
			return f
		}})
	visitor, stranger := h.arrive(), h.arrive()
	tabs := []*widgetTab{h.tab(visitor), h.tab(visitor), h.tab(stranger)}
	chats := map[string]string{"CO1": visitor, "CO2": visitor, "CO3": stranger}
	begun := map[string]bool{}
	by := parley.Author{Kind: parley.AuthorHuman, ID: "op", Name: "Ola"}
	team := parleytest.Operator()
	for begin, n := time.Now(), 0; n < 14 && time.Since(begin) < 5*time.Minute; n++ {
		time.Sleep(time.Duration(r.IntN(6000)) * time.Millisecond)
		id := fmt.Sprint("CO", 1+r.IntN(3))
		session := parley.SessionID(id)
		switch what := r.IntN(10); {
		case !begun[id] || what < 3:
			tab := tabs[r.IntN(2)]
			if chats[id] == stranger {
				tab = tabs[2]
			}
			begun[id] = tab.send(id, !begun[id], n) || begun[id]
		case what < 5:
			h.drop(tabs[r.IntN(3)])
		case what == 5:
			h.vanish(tabs[r.IntN(3)])
		case what == 6:
			reply := parley.ReplyRequest{ID: parley.EntryID(fmt.Sprint("h", n)), Session: session, Content: fmt.Sprint("human ", n)}
			if _, err := w.Store.Reply(w.Context(), team, by, reply); err != nil {
				w.Error(err)
			}
		case what == 7:
			if err := w.Store.Resolve(w.Context(), team, session, by); err != nil {
				w.Error(err)
			}
		case what == 8:
			if err := w.Store.Reopen(w.Context(), team, session, by); err != nil {
				w.Error(err)
			}
		default:
			if err := w.Store.HandBack(w.Context(), team, session, by); err != nil && parley.Code(err) != "session_closed" {
				w.Error(err)
			}
		}
	}
	w.sweep(3 * time.Minute) // what died is done again
	quiet.Store(true)
	h.api.Inject(socketapi.Faults{Delay: delay})
	w.sweep(time.Minute)
	h.api.Drop()
	w.sweep(2 * time.Minute)
	for _, tab := range tabs {
		tab.same()
	}
}

// widgets is the host of pages with the widget.
type widgets struct {
	w        *world
	api      *socketapi.API
	requests http.Handler
	http     *http.Client
	mu       sync.Mutex
	vanished []string
	// loses is how many connections more nobody is asked to welcome.
	loses int
}

func (w *world) widgets() *widgets {
	h := &widgets{w: w}
	quiet := slog.New(slog.DiscardHandler)
	poster := socketapi.Poster{}
	w.sockets = poster
	runs, err := run.NewDispatcher(run.Config{Store: w.Store, Respond: func(_ context.Context, ref parley.RunRef) error { w.ask(ref); return nil }})
	if err != nil {
		w.Fatal(err)
	}
	h.requests = cossistant.New(cossistant.Config{API: w.API, Runs: runs})
	handler := cossistantws.New(cossistantws.Config{API: w.API, Sockets: poster,
		Typing: func(context.Context, *parley.Session, parley.Author, bool, string) {},
		Meet: func(_ context.Context, p parley.ProjectID, ref socket.Ref) error {
			h.mu.Lock()
			defer h.mu.Unlock()
			if h.loses--; h.loses < 0 {
				w.work.Go(func() { w.push(push.MeetEvent(p, ref)) })
			}
			return nil
		},
		Refuse: func(_ context.Context, _ socket.Ref, code, text string) error {
			w.Errorf("a page is refused: %s %s", code, text)
			return nil
		}})
	h.api = socketapi.New(socketapi.Config{Name: shape.SocketAPI, Log: quiet, Invoke: socketapi.InProcess(handler, shape.SocketAPI, quiet)})
	poster[shape.SocketAPI] = h.api
	client, stop := gatewaytest.Pipe(h.api)
	h.http = client
	w.work.Go(func() {
		<-w.ctx.Done()
		stop()
	})
	return h
}

func (h *widgets) hasVanished(id string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Contains(h.vanished, id)
}

// call makes a request as a visitor's page does; nil is what was refused.
func (h *widgets) call(visitor, method, path string, body any) map[string]any {
	h.w.Helper()
	content, err := json.Marshal(body)
	if err != nil {
		h.w.Fatal(err)
	}
	r := httptest.NewRequestWithContext(context.WithoutCancel(h.w.ctx), method, "http://localhost/cossistant/v1"+path, strings.NewReader(string(content)))
	for name, value := range map[string]string{"Origin": "http://localhost:3000", "Content-Type": "application/json", "X-Public-Key": "pk_test_demo", "X-Visitor-Id": visitor} {
		r.Header.Set(name, value)
	}
	recorded := httptest.NewRecorder()
	h.requests.ServeHTTP(recorded, r)
	var out map[string]any
	if err := json.Unmarshal(recorded.Body.Bytes(), &out); err != nil {
		h.w.Errorf("%s %s = %d %s", method, path, recorded.Code, recorded.Body)
	}
	switch {
	case recorded.Code == http.StatusConflict: // the conversation is resolved
		return nil
	case recorded.Code != http.StatusOK:
		h.w.Errorf("%s %s = %d %s", method, path, recorded.Code, recorded.Body)
		return nil
	}
	return out
}

func (h *widgets) arrive() string {
	h.w.Helper()
	visitor := h.call("", http.MethodGet, "/websites", nil)["visitor"].(map[string]any)
	return visitor["id"].(string)
}

// widgetTab is one page, which connects again whenever its connection has ended.
type widgetTab struct {
	*widgets
	*cossistanttest.Widget
	mu sync.Mutex
	id string // of its connection, "" while it has none
}

func (h *widgets) tab(visitor string) *widgetTab {
	t := &widgetTab{widgets: h, Widget: cossistanttest.NewWidget(string(parleytest.Project), visitor)}
	t.Load(h.call(visitor, http.MethodGet, "/conversations", nil))
	h.w.work.Go(t.stay)
	return t
}

// What the client does by itself: it pings, gives a connection up that does not answer,
// and connects again after pauses that grow.
const (
	widgetPings = 15 * time.Second
	widgetGives = 45 * time.Second
	widgetPause = 500 * time.Millisecond
)

func (t *widgetTab) stay() {
	for pause := widgetPause; t.w.ctx.Err() == nil; pause = min(2*pause, 30*time.Second) {
		if t.connected() {
			pause = widgetPause / 2
		}
		t.w.pause(pause)
	}
}

// connected is one connection from its beginning to its end, and reports whether there
// was one.
func (t *widgetTab) connected() bool {
	ctx, cancel := context.WithCancel(t.w.ctx)
	defer cancel()
	q := url.Values{"visitorId": {t.Visitor}, "publicKey": {"pk_test_demo"}}
	ws, _, err := websocket.Dial(ctx, "ws://widget/?"+q.Encode(), &websocket.DialOptions{HTTPClient: t.http, HTTPHeader: http.Header{"Origin": {"http://localhost:3000"}}})
	if err != nil {
		return false
	}
	defer ws.CloseNow()
	ws.SetReadLimit(1 << 20)
	heard := make(chan struct{}, 1)
	t.w.work.Go(func() {
		last := time.Now()
		ping := time.NewTicker(widgetPings)
		defer ping.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-heard:
				last = time.Now()
			case <-ping.C:
				if time.Since(last) > widgetGives {
					cancel()
					return
				}
				_ = ws.Write(ctx, websocket.MessageText, []byte("ping")) // reading finds out
			}
		}
	})
	for {
		_, frame, err := ws.Read(ctx)
		if err != nil {
			return true
		}
		select {
		case heard <- struct{}{}:
		default:
		}
		if string(frame) != "pong" && strings.Contains(string(frame), `"CONNECTION_ESTABLISHED"`) {
			t.established(frame)
		}
		t.Take(frame)
	}
}

func (t *widgetTab) established(frame []byte) {
	var e struct{ Payload struct{ ConnectionID string } }
	if err := json.Unmarshal(frame, &e); err != nil {
		t.w.Error(err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.id = e.Payload.ConnectionID
}

func (t *widgetTab) connection() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.id
}

// drop breaks a tab's connection, unless it is half-open, of which nobody knows.
func (h *widgets) drop(t *widgetTab) {
	if id := t.connection(); id != "" && !h.hasVanished(id) {
		h.api.Drop(id)
	}
}

// vanish makes a tab's connection half-open.
func (h *widgets) vanish(t *widgetTab) {
	if id := t.connection(); id != "" {
		h.mu.Lock()
		h.vanished = append(h.vanished, id)
		h.mu.Unlock()
		h.api.HalfOpen(id)
	}
}

// send writes to a conversation, which begins with it or is there, and reports whether
// that was taken.
func (t *widgetTab) send(conversation string, begins bool, n int) bool {
	item := map[string]any{"id": fmt.Sprintf("m%d", n), "type": "message", "text": fmt.Sprint("Hello ", n), "visitorId": t.Visitor}
	path, body := "/messages", map[string]any{"conversationId": conversation, "item": item}
	if begins {
		welcome := map[string]any{"id": fmt.Sprintf("w%d", n), "type": "message", "text": "Welcome!", "aiAgentId": "guide"}
		path, body = "/conversations", map[string]any{"conversationId": conversation, "visitorId": t.Visitor, "defaultTimelineItems": []any{welcome, item}}
	}
	answer := t.call(t.Visitor, http.MethodPost, path, body)
	if answer == nil {
		return false
	}
	t.Load(answer)
	return true
}

// same fails the test unless the tab shows what the server has.
func (t *widgetTab) same() {
	t.w.Helper()
	if err := t.Faults(); err != nil {
		t.w.Errorf("the client: %v", err)
	}
	var want []string
	list, _ := t.call(t.Visitor, http.MethodGet, "/conversations?limit=100", nil)["conversations"].([]any)
	for _, c := range list {
		c := c.(map[string]any)
		id := c["id"].(string)
		want = append(want, fmt.Sprint(id, " ", c["status"]))
		var items []string
		timeline, _ := t.call(t.Visitor, http.MethodGet, "/conversations/"+id+"/timeline?limit=100", nil)["items"].([]any)
		for _, i := range timeline {
			items = append(items, i.(map[string]any)["id"].(string))
		}
		if got := t.Timeline(id); !slices.Equal(got, items) {
			t.w.Errorf("%s shows %q, the server has %q", id, got, items)
		}
	}
	slices.Sort(want)
	if got := t.Conversations(); !slices.Equal(got, want) {
		t.w.Errorf("the list shows %q, the server has %q", got, want)
	}
}
