package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"parley/functions/cossistant"
	"parley/functions/cossistant/shape"
	"parley/functions/cossistantws"
	"parley/functions/push"
	"parley/shared/agent"
	"parley/shared/agent/agenttest"
	"parley/shared/api"
	"parley/shared/live"
	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/run"
	"parley/shared/socket"
	"parley/shared/table/meter"
	"parley/shared/token"
)

// measureCossistant counts what a page with Cossistant's widget takes and consumes when
// it is loaded, when its visitor is answered, and in an hour in which it stays open.
func measureCossistant(t *tier) {
	synctest.Test(t.T, func(inner *testing.T) {
		w := newWidgetWorld(inner)
		w.load() // so that everything is warm
		w.turn(true)
		w.visitor = ""
		first := w.load()
		t.note("requests of a page load with Cossistant's widget; waves of table calls, the longest", fmt.Sprintf("%d; %d", first.requests, first.waves))
		t.note("… units of it and of its connection", fmt.Sprintf("%d write, %g read", first.writes, first.reads))
		turns := []widgetTurn{w.turn(true)}
		for len(turns) < usualTurns {
			rest()
			turns = append(turns, w.turn(false))
		}
		again := w.load()
		t.note("… of a visitor who comes back, with a conversation of a moment ago; frames posted", fmt.Sprintf("%d write, %g read; %d", again.writes, again.reads, again.posts))
		later := turns[1]
		t.atMost("write units of a later turn of Cossistant's widget", "%.0f", float64(later.writes), 38)
		t.note("… first turn", fmt.Sprintf("%d write, %g read units", turns[0].writes, turns[0].reads))
		t.note("… later turn; frames posted for it; calls of push", fmt.Sprintf("%d write, %g read units; %d; %d", later.writes, later.reads, later.posts, later.pushes))
		t.note("waves of table calls until a message of Cossistant's widget is accepted", fmt.Sprintf("%d, later %d", turns[0].accepted, later.accepted))
		var b socketBill
		for _, turn := range turns {
			turn.bill(&b)
		}
		t.note("dollars for 1,000 turns of Cossistant's widget", b.times(1000/usualTurns))
		hour := w.idle(time.Hour)
		t.hold("units of an hour in which Cossistant's client only stays connected", fmt.Sprintf("%d write, %g read", hour.writes, hour.reads), "0",
			hour.writes == 0 && hour.reads == 0)
		t.note("dollars for 1,000 such hours", hour.times(1000))
		seen := w.visible(time.Hour)
		t.note("units of an hour in which the page is also visible, and says so", fmt.Sprintf("%d write, %g read, %d requests", seen.writes, seen.reads, seen.requests))
	})
}

// widgetTurn is what a page load or a turn took.
type widgetTurn struct {
	requests, accepted, waves int
	writes                    int
	reads                     float64
	posts, pushes, changes    int
	took                      time.Duration // of the responder
}

func (t widgetTurn) bill(b *socketBill) {
	b.writes += t.writes
	b.reads += t.reads
	b.messages += t.posts
	b.bill.add(shortCall)
	b.bill.add(t.took)
	b.apiRequests += t.requests
	for range t.changes + t.pushes {
		b.bill.add(shortCall)
	}
}

// widgetWorld is all that answers a page with the widget, over a metered table, in a
// bubble of virtual time.
type widgetWorld struct {
	sockets
	meter    *meter.Table
	store    *parley.Store
	requests http.Handler
	frames   socket.Handler
	engine   *run.Engine

	visitor string
	chat    string
	at      socket.Event // of the connection
	asked   []parley.RunRef
	made    int
	met     []push.Event // that wait to be welcomed
}

func newWidgetWorld(t *testing.T) *widgetWorld {
	w := &widgetWorld{sockets: sockets{t: t, table: parleytest.Table(t), bell: push.PageBell}}
	quiet := slog.New(slog.DiscardHandler)
	w.meter = meter.New(meter.Config{Table: distant{w.table}, Label: label})
	keys, err := token.New(token.Config{Masters: [][]byte{bytes.Repeat([]byte("k"), token.MinMasterBytes)}})
	fatal(t, err)
	w.store = parleytest.Store(t, parley.Config{Table: w.meter, Derive: keys.Derive})
	parleytest.Put(t, w.store, generous())
	calls, err := api.New(api.Config{Store: w.store, Keys: keys, Log: quiet})
	fatal(t, err)
	ask := func(_ context.Context, ref parley.RunRef) error { w.asked = append(w.asked, ref); return nil }
	pages, err := live.New(live.Config{Store: w.store, Poster: w, Log: quiet,
		Keyed: map[parley.Channel]live.KeyedSpeaker{parley.ChannelCossistant: shape.Speaker{}}})
	fatal(t, err)
	script := agenttest.New(func(agent.Conversation) []agenttest.Step {
		return append(agenttest.Evenly(text(replyBytes), replyPieces, replyTime), agenttest.Step{Result: &agent.Result{Usage: standardUsage}})
	})
	w.engine, err = run.New(run.Config{Store: w.store, Log: quiet, Live: pages.Run, Respond: ask,
		Agent: func(*parley.Project, parley.AgentSettings) (agent.Agent, error) { return script, nil }})
	fatal(t, err)
	w.push = push.New(push.Config{Live: pages})
	w.requests = cossistant.New(cossistant.Config{API: calls, Runs: w.engine.Dispatcher, Typing: pages.TypingText})
	w.frames = cossistantws.New(cossistantws.Config{API: calls, Sockets: w, Typing: pages.TypingText,
		Meet: func(_ context.Context, p parley.ProjectID, ref socket.Ref) error {
			w.met = append(w.met, push.MeetEvent(p, ref))
			return nil
		},
		Refuse: func(_ context.Context, _ socket.Ref, code, text string) error {
			t.Errorf("refused: %s %s", code, text)
			return nil
		}})
	return w
}

// call makes a request that must succeed.
func (w *widgetWorld) call(method, path string, body any) map[string]any {
	w.t.Helper()
	content, err := json.Marshal(body)
	fatal(w.t, err)
	r := httptest.NewRequest(method, "http://localhost/cossistant/v1"+path, bytes.NewReader(content))
	for name, value := range map[string]string{"Origin": "http://localhost:3000", "Content-Type": "application/json",
		"X-Public-Key": parleytest.Settings().PublicKeys[0], "X-Visitor-Id": w.visitor} {
		r.Header.Set(name, value)
	}
	recorded := httptest.NewRecorder()
	w.requests.ServeHTTP(recorded, r)
	var out map[string]any
	if err := json.Unmarshal(recorded.Body.Bytes(), &out); err != nil || recorded.Code != http.StatusOK {
		w.t.Fatalf("%s %s = %d %s", method, path, recorded.Code, recorded.Body)
	}
	return out
}

// begin has everything counted anew, with the project at hand, as in an instance that
// is busy.
func (w *widgetWorld) begin() {
	w.bells()
	_, err := w.store.Project(w.t.Context(), parleytest.Project)
	fatal(w.t, err)
	_, err = w.store.ProjectByKey(w.t.Context(), parleytest.Settings().PublicKeys[0])
	fatal(w.t, err)
	w.meter.Reset()
	w.posts, w.asked = 0, nil
}

func (w *widgetWorld) end(out widgetTurn) widgetTurn {
	changes, pushes := w.bells()
	c := w.meter.Counts()
	out.writes, out.reads, out.posts = c.WriteUnits(), c.ReadUnits(), w.posts
	out.changes, out.pushes = changes, out.pushes+pushes
	return out
}

// load is a page load: the client's requests, its connection, and its welcome. waves is
// of the request that takes the most.
func (w *widgetWorld) load() (out widgetTurn) {
	w.t.Helper()
	w.begin()
	step := func(do func()) {
		before := w.meter.Counts().Waves
		do()
		out.waves = max(out.waves, w.meter.Counts().Waves-before)
	}
	for _, request := range []struct {
		method, path string
		body         any
	}{
		{"GET", "/websites", nil},
		{"PATCH", "/visitors/VISITOR", map[string]any{"browser": "Firefox", "language": "en", "timezone": "Europe/Berlin",
			"currentPage": map[string]any{"url": "https://shop.example/checkout", "title": "Checkout"}}},
		{"GET", "/conversations?visitorId=VISITOR", nil},
		{"GET", "/support/state", nil},
		{"POST", "/visitors/VISITOR/activity", map[string]any{"sessionId": "tab", "activityType": "connected"}},
	} {
		step(func() {
			answer := w.call(request.method, string(bytes.ReplaceAll([]byte(request.path), []byte("VISITOR"), []byte(w.visitor))), request.body)
			if v, ok := answer["visitor"].(map[string]any); ok {
				w.visitor = v["id"].(string)
			}
		})
		out.requests++
	}
	step(w.connect)
	for _, e := range w.met {
		step(func() { fatal(w.t, w.push(w.t.Context(), e)) })
		out.pushes++
	}
	w.met = nil
	return w.end(out)
}

func (w *widgetWorld) connect() {
	w.made++
	w.at = socket.Event{Kind: socket.Connect, Ref: socket.Ref{API: shape.SocketAPI, ID: fmt.Sprint("c", w.made, "=")}, Connected: time.Now(),
		Header: http.Header{"Origin": {"http://localhost:3000"}}, Address: "192.0.2.1",
		Query: url.Values{"visitorId": {w.visitor}, "publicKey": {parleytest.Settings().PublicKeys[0]}}}
	if a := w.frames(w.t.Context(), w.at); a.Status != http.StatusOK {
		w.t.Fatalf("connect = %d", a.Status)
	}
}

// turn asks the standard question.
func (w *widgetWorld) turn(begins bool) (out widgetTurn) {
	w.t.Helper()
	w.made++
	item := map[string]any{"id": fmt.Sprintf("01890A5DAC96774BBCCE%06d", w.made), "type": "message", "text": text(questionBytes), "visitorId": w.visitor}
	w.begin()
	if begins {
		w.chat = fmt.Sprint("CO", w.made)
		w.call("POST", "/conversations", map[string]any{"conversationId": w.chat, "visitorId": w.visitor, "defaultTimelineItems": []any{item}})
	} else {
		w.call("POST", "/messages", map[string]any{"conversationId": w.chat, "item": item})
	}
	out.requests, out.accepted = 1, w.meter.Counts().Waves
	if len(w.asked) != 1 {
		w.t.Fatalf("%d replies were asked for", len(w.asked))
	}
	began := time.Now()
	fatal(w.t, w.engine.Respond(w.t.Context(), w.asked[0]))
	out.took = time.Since(began)
	out = w.end(out)
	if out.posts < 5 {
		w.t.Fatalf("%d frames were posted for a turn", out.posts)
	}
	return out
}

// ping is the client's heartbeat.
func (w *widgetWorld) ping() {
	a := w.frames(w.t.Context(), socket.Event{Kind: socket.Message, Ref: w.at.Ref, Connected: w.at.Connected, Address: w.at.Address, Frame: []byte("ping")})
	if string(a.Frame) != "pong" {
		w.t.Fatalf("ping is answered %q", a.Frame)
	}
}

// idle is the bill of a client that only pings, of whom it is known that it was
// welcomed.
func (w *widgetWorld) idle(d time.Duration) (b socketBill) {
	time.Sleep(time.Minute)
	w.begin()
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(pings) {
		w.ping()
		b.messages += 2
		b.bill.add(shortCall)
		b.silent++
	}
	c := w.meter.Counts()
	b.writes, b.reads, b.minutes = c.WriteUnits(), c.ReadUnits(), d.Minutes()
	return b
}

// visible is what the client says over HTTP while its page is looked at: each two
// minutes that it is.
func (w *widgetWorld) visible(d time.Duration) (out widgetTurn) {
	w.begin()
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(2 * time.Minute) {
		w.call("POST", "/visitors/"+w.visitor+"/activity", map[string]any{"sessionId": "tab", "activityType": "heartbeat"})
		out.requests++
	}
	return w.end(out)
}
