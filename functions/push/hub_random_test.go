package push_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/golang-jwt/jwt/v5"

	"parley/functions/chathub"
	"parley/functions/push"
	socketapi "parley/local/gateway"
	"parley/local/gateway/gatewaytest"
	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/run"
	"parley/shared/signalr"
	"parley/shared/socket"
)

// TestHubRandom plays what TestRandom does with the hub itself: its client behind the
// stand-in for API Gateway, two processes of the hub, every event and every post up to
// 150 ms late, one post in three refused, and connections that break or become half-open
// in the middle of a reply, one of them twice. That a half-open one has ended is told
// soon, late or never. In the end every message has its last frame, no piece of text has
// come twice, every call on a connection that stood was answered, the client has been
// told nothing that it throws at, and the session can be ended.
func TestHubRandom(t *testing.T) {
	seeds(t, 20, func(t *testing.T, seed uint64) {
		in(t, slowly, func(w *world) { w.hubRandom(seed) })
	})
}

const (
	jitter = 150 * time.Millisecond
)

func (w *world) hubRandom(seed uint64) {
	r := rand.New(rand.NewPCG(seed, 2)) // of the test's own goroutine
	w.lag = time.Duration(r.IntN(1500)) * time.Millisecond
	var quiet atomic.Bool
	w.mortals(rand.New(rand.NewPCG(seed, 3)), &quiet)
	u := w.hubUser(r.IntN(2) == 0)
	var mu sync.Mutex
	dice := rand.New(rand.NewPCG(seed, 4))
	roll := func(n int) int {
		mu.Lock()
		defer mu.Unlock()
		return dice.IntN(n)
	}
	late := func() time.Duration { return time.Duration(roll(int(jitter))) }
	delay := func(socket.Event) time.Duration { return late() }
	u.api.Inject(socketapi.Faults{Delay: delay,
		Lose: func(e socket.Event) bool { return e.Kind == socket.Disconnect && roll(3) == 0 },
		Post: func(to socket.Ref, _ []byte) socketapi.PostFault {
			f := socketapi.PostFault{Delay: late()}
			faults := 9
			if u.hasVanished(to.ID) {
				faults = 60 // mostly it takes everything
			}
			switch roll(faults) {
			case 0:
				f.Status = http.StatusGone
			case 1:
				f.Status = http.StatusTooManyRequests
			case 2:
				f.Status, f.Delivered = http.StatusInternalServerError, roll(2) == 0
			}
			return f
		}})

	w.refuses = true
	by := parley.Author{Kind: parley.AuthorHuman, ID: "op", Name: "Ola"}
	silent := false
	somewhile := func(most time.Duration) { time.Sleep(time.Duration(r.Int64N(int64(most)))) }
	vanish := func() {
		u.vanish()
		silent = true
		w.page.mu.Lock()
		w.page.deaf = true
		w.page.mu.Unlock()
		somewhile(time.Minute)
		if r.IntN(2) == 0 {
			u.noticed()
		}
	}
	twice := r.IntN(3)
	for n := range 3 {
		u.send(fmt.Sprint("Hello ", n))
		if n == twice { // within the six seconds that a reply takes
			for range 2 {
				somewhile(2500 * time.Millisecond)
				if r.IntN(4) == 0 {
					vanish()
				} else {
					u.drop()
				}
			}
		}
		for range 2 {
			somewhile(4 * time.Second)
			switch r.IntN(8) {
			case 0, 1, 2:
				u.drop()
			case 3, 4:
				vanish()
			case 5:
				u.call("CancelAsync")
			case 6:
				if id := u.session(); id != "" {
					id := parley.ReplyRequest{ID: parley.EntryID(fmt.Sprint("h", n, r.IntN(1000))), Session: id, Content: fmt.Sprint("human", n)}
					if _, err := w.Store.Reply(w.Context(), parleytest.Operator(), by, id); err != nil {
						w.Error(err)
					} else if err := w.Store.HandBack(w.Context(), parleytest.Operator(), id.Session, by); err != nil {
						w.Error(err)
					}
				}
			case 7:
				u.call("TypingAsync")
			}
		}
		if r.IntN(3) == 0 {
			w.sweep(time.Minute)
		}
	}
	w.sweep(4 * time.Minute)
	quiet.Store(true)
	u.api.Inject(socketapi.Faults{Delay: delay})
	u.drop() // a page that nobody tells anything may be one that is not known any more
	w.sweep(6 * time.Minute)
	for !u.send("Are you there?") && w.ctx.Err() == nil && !w.Failed() {
		time.Sleep(time.Minute)
	}
	w.sweep(2 * time.Minute)
	if forked := len(u.all()) > 1; forked && (u.named || !silent) {
		w.Errorf("a client that came back was given another session: %q", u.all())
	}
	w.allTold(u.session())
	s, err := w.Store.Session(w.Context(), parleytest.Operator(), u.session())
	if err != nil || s.Run != nil || len(s.Queue) > 0 {
		w.Errorf("the session is stuck: %+v, %v", s, err)
	}
	u.ends()
}

// hubUser is an app with SignalR's client, which comes back whenever its connection
// has ended, as withAutomaticReconnect does and pages that connect anew after that.
type hubUser struct {
	w     *world
	api   *socketapi.API
	http  *http.Client
	query url.Values
	// named says that the app names its session once it knows it.
	named bool

	mu       sync.Mutex
	ws       *websocket.Conn // nil while it is not connected
	made     int
	calls    map[string]chan []byte
	sessions []parley.SessionID
	over     bool // the hub has ended the connection for good

	vanished []string // the newest connections that are half-open
}

// vanish makes the connections half-open.
func (u *hubUser) vanish() {
	u.mu.Lock()
	u.vanished = u.api.Connections()
	u.mu.Unlock()
	u.api.HalfOpen()
}

func (u *hubUser) hasVanished(id string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Contains(u.vanished, id)
}

// noticed has the gateway find out that half-open connections have ended.
func (u *hubUser) noticed() {
	u.mu.Lock()
	gone := u.vanished
	u.mu.Unlock()
	if len(gone) > 0 {
		u.api.Drop(gone...)
	}
}

// drop breaks the connections that are not half-open, of which nobody knows.
func (u *hubUser) drop() {
	known := slices.DeleteFunc(u.api.Connections(), u.hasVanished)
	if len(known) > 0 {
		u.api.Drop(known...)
	}
}

func (w *world) hubUser(named bool) *hubUser {
	u := &hubUser{w: w, named: named, calls: map[string]chan []byte{}}
	quiet := slog.New(slog.DiscardHandler)
	poster := socketapi.Poster{}
	w.sockets = poster
	runs, err := run.NewDispatcher(run.Config{Store: w.Store, Respond: func(_ context.Context, ref parley.RunRef) error { w.ask(ref); return nil }})
	if err != nil {
		w.Fatal(err)
	}
	var hubs [2]*chathub.Hub
	for i := range hubs {
		hubs[i] = chathub.New(chathub.Config{API: w.API, Runs: runs, Sockets: poster, Wake: func(_ context.Context, p parley.ProjectID, id parley.SessionID) error {
			w.work.Go(func() { w.push(push.Event{Project: p, Session: id}) })
			return nil
		}})
	}
	var events atomic.Int64
	either := func(ctx context.Context, e socket.Event) socket.Answer {
		return hubs[events.Add(1)%int64(len(hubs))].Socket(ctx, e)
	}
	u.api = socketapi.New(socketapi.Config{Name: chathub.API, Log: quiet, Invoke: socketapi.InProcess(either, chathub.API, quiet)})
	poster[chathub.API] = u.api
	client, stop := gatewaytest.Pipe(u.api)
	u.http = client
	kid, _, err := w.Store.AddSigningKey(w.Context(), parleytest.Project)
	if err != nil {
		w.Fatal(err)
	}
	claims := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"sub": "ann", "exp": time.Now().Add(24 * time.Hour).Unix()})
	claims.Header["kid"] = kid
	token, err := claims.SignedString([]byte(w.Keys.SigningSecret(parleytest.Project, kid)))
	if err != nil {
		w.Fatal(err)
	}
	u.query = url.Values{"agentId": {"demo.guide"}, "access_token": {token}}
	w.work.Go(func() {
		defer stop()
		u.stay()
	})
	return u
}

// stay connects, and again after the pauses of SignalR's client.
func (u *hubUser) stay() {
	pauses := []time.Duration{0, 2 * time.Second, 10 * time.Second, 30 * time.Second}
	for try := 0; u.w.ctx.Err() == nil; {
		u.w.pause(pauses[min(try, len(pauses)-1)])
		try++
		if u.connected() {
			try = 0
		}
		u.mu.Lock()
		over := u.over
		u.mu.Unlock()
		if over {
			return
		}
	}
}

// What SignalR's client does by itself: it pings, and gives a connection up on which
// it heard nothing for a while.
const (
	pings     = 15 * time.Second
	gives     = 30 * time.Second
	handshake = 15 * time.Second
)

// connected is one connection from its beginning to its end, and reports whether
// there was one.
func (u *hubUser) connected() bool {
	ctx, cancel := context.WithCancel(u.w.ctx)
	defer cancel()
	q := url.Values{}
	for name, values := range u.query {
		q[name] = values
	}
	if id := u.session(); u.named && id != "" {
		q.Set("sessionId", string(id))
	}
	dial, stop := context.WithTimeout(ctx, handshake)
	defer stop()
	ws, _, err := websocket.Dial(dial, "ws://hub/?"+q.Encode(), &websocket.DialOptions{HTTPClient: u.http})
	if err != nil {
		return false
	}
	defer ws.CloseNow()
	ws.SetReadLimit(1 << 20)
	if ws.Write(dial, websocket.MessageText, []byte("{\"protocol\":\"json\",\"version\":1}\x1e")) != nil {
		return false
	}
	_, shake, err := ws.Read(dial)
	if err != nil {
		return false
	}
	if string(shake) != "{}\x1e" {
		u.w.Errorf("the handshake is answered %q", shake)
		return false
	}
	u.mu.Lock()
	u.ws = ws
	u.mu.Unlock()
	defer u.lost()
	u.w.work.Go(func() {
		for ctx.Err() == nil {
			_ = ws.Write(ctx, websocket.MessageText, signalr.KeepAlive()) // reading finds out
			select {
			case <-ctx.Done():
			case <-time.After(pings):
			}
		}
	})
	for {
		read, stop := context.WithTimeout(ctx, gives)
		_, frame, err := ws.Read(read)
		stop()
		if err != nil {
			return true
		}
		if u.take(frame) {
			return true
		}
	}
}

// lost fails the calls that were waiting, as the client does.
func (u *hubUser) lost() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.ws = nil
	for id, waits := range u.calls {
		close(waits)
		delete(u.calls, id)
	}
}

// take reads a frame as strictly as the client, and reports whether it is the last.
func (u *hubUser) take(frame []byte) (last bool) {
	whole, ended := bytes.CutSuffix(frame, []byte{0x1e})
	if !ended || len(frame) > socket.MaxFrame {
		u.w.Errorf("the client throws at the frame %.200q", frame)
		return false
	}
	records := bytes.Split(whole, []byte{0x1e})
	for _, text := range records {
		var r struct {
			Type           int
			InvocationID   *string
			Result         json.RawMessage
			Error          *string
			AllowReconnect bool
		}
		if err := json.Unmarshal(text, &r); err != nil {
			u.w.Errorf("the client throws at %q: %v", text, err)
			continue
		}
		switch r.Type {
		case 1:
			u.w.page.mu.Lock()
			u.w.page.record(text, len(records))
			u.w.page.mu.Unlock()
		case 3:
			u.complete(r.InvocationID, r.Result, r.Error)
		case 6:
		case 7:
			u.mu.Lock()
			u.over = !r.AllowReconnect
			u.mu.Unlock()
			last = true
		default:
			u.w.Errorf("the client throws at %q", text)
		}
	}
	return last
}

func (u *hubUser) complete(id *string, result json.RawMessage, failure *string) {
	if id == nil || failure != nil && result != nil {
		u.w.Error("the client throws at a completion")
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	waits := u.calls[*id]
	if waits == nil {
		return // of a call that was given up
	}
	delete(u.calls, *id)
	if failure != nil {
		u.w.Errorf("a call failed: %s", *failure)
		close(waits)
		return
	}
	var sent struct{ ConversationID parley.SessionID }
	_ = json.Unmarshal(result, &sent) // null is no object
	if id := sent.ConversationID; id != "" && !slices.Contains(u.sessions, id) {
		u.sessions = append(u.sessions, id)
	}
	waits <- result
}

func (u *hubUser) all() []parley.SessionID {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Clone(u.sessions)
}

// session is the one that the client was told of last.
func (u *hubUser) session() parley.SessionID {
	all := u.all()
	if len(all) == 0 {
		return ""
	}
	return all[len(all)-1]
}

// call calls a method when there is a connection, and reports whether it was answered.
// It fails the test if the connection stood and no answer came.
func (u *hubUser) call(method string, arguments ...any) bool {
	waits := make(chan []byte, 1)
	var ws *websocket.Conn
	var id string
	for end := time.Now().Add(5 * time.Minute); ws == nil; {
		u.mu.Lock()
		if ws = u.ws; ws != nil {
			u.made++
			id = strconv.Itoa(u.made)
			u.calls[id] = waits
		}
		u.mu.Unlock()
		if ws == nil && time.Now().After(end) {
			u.w.Error("the client does not get back in for five minutes")
			return false
		}
		if ws == nil {
			time.Sleep(100 * time.Millisecond)
		}
	}
	record, err := json.Marshal(map[string]any{"type": 1, "target": method, "arguments": append([]any{}, arguments...), "invocationId": id})
	if err != nil {
		u.w.Fatal(err)
	}
	_ = ws.Write(u.w.ctx, websocket.MessageText, append(record, 0x1e)) // the call fails with its connection
	select {
	case _, answered := <-waits:
		return answered
	case <-time.After(2 * time.Minute):
		u.w.Errorf("%s is not answered on a connection that stands", method)
		return false
	}
}

func (u *hubUser) send(text string) bool {
	return u.call("SendMessageAsync", map[string]string{"content": text})
}

// ends ends the session, and fails the test unless the client is told so and let go.
func (u *hubUser) ends() {
	if !u.call("EndSessionAsync") {
		u.w.Error("the end is not answered")
	}
	time.Sleep(time.Second)
	u.mu.Lock()
	defer u.mu.Unlock()
	u.w.page.mu.Lock()
	defer u.w.page.mu.Unlock()
	if n := len(u.w.page.log); !u.over || n < 2 || u.w.page.log[n-1] != "ended user_ended" {
		u.w.Errorf("the session was ended, and the client told %q, over %v", u.w.page.log[max(0, n-3):], u.over)
	}
}
