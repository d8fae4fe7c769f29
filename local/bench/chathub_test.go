package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"parley/functions/chathub"
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

// measureChatHub counts what turns of ChatHub's client take and consume, and an hour in
// which it only stays connected.
func measureChatHub(t *tier) {
	synctest.Test(t.T, func(inner *testing.T) {
		w := newHubWorld(inner)
		w.connect("warm")
		w.turn()
		w.connect("page")
		turns := []hubTurn{w.turn()}
		for len(turns) < usualTurns {
			rest()
			turns = append(turns, w.turn())
		}
		first, later := turns[0], turns[1]
		t.atMost("waves of table calls from a frame of ChatHub to its answer: first message", "%.0f", float64(first.answered), 2)
		t.atMost("waves of table calls from a frame of ChatHub to its answer: later message", "%.0f", float64(later.answered), 3)
		t.note("… to the responder", fmt.Sprintf("%d; %d", first.asked, later.asked))
		t.atMost("waves of table calls from the responder to the model: first message", "%.0f", float64(first.model), 4)
		t.atMost("waves of table calls from the responder to the model: later message", "%.0f", float64(later.model), 4)
		t.atMost("write units of a later turn of ChatHub", "%.0f", float64(later.writes), 42)
		t.note("… first turn", fmt.Sprintf("%d write, %g read units", first.writes, first.reads))
		t.note("… later turn; frames posted for it; calls of push", fmt.Sprintf("%d write, %g read units; %d; %d", later.writes, later.reads, later.posts, later.pushes))
		var b socketBill
		for _, turn := range turns {
			turn.bill(&b)
		}
		t.note("dollars for 1,000 turns of ChatHub", b.times(1000/usualTurns))
		t.note("… of it frames", fmt.Sprintf("%.3f", 1000/usualTurns*float64(b.messages)*priceSocketMessage))

		hour := w.idle(time.Hour)
		t.hold("units of an hour in which ChatHub's client only stays connected", fmt.Sprintf("%d write, %g read", hour.writes, hour.reads), "0",
			hour.writes == 0 && hour.reads == 0)
		t.note("dollars for 1,000 such hours", hour.times(1000))
		t.note("… of it the client's own pings, their answers and the connection",
			fmt.Sprintf("%.3f", 1000*(float64(hour.messages)*priceSocketMessage+hour.minutes*priceSocketMinute)))
	})
}

// hubTurn is what one turn took: waves before the responder was asked, until the frame
// was answered, and from there to the model.
type hubTurn struct {
	asked, answered, model int
	writes                 int
	reads                  float64
	posts, pushes, changes int
	took                   time.Duration // of the responder
}

func (t hubTurn) bill(b *socketBill) {
	b.writes += t.writes
	b.reads += t.reads
	b.messages += 2 + t.posts // the frame and its answer
	b.bill.add(shortCall)
	b.bill.add(t.took)
	for range t.changes + t.pushes {
		b.bill.add(shortCall)
	}
}

// hubWorld is the hub with all that answers its frames, over a metered table, in a
// bubble of virtual time.
type hubWorld struct {
	sockets
	meter  *meter.Table
	store  *parley.Store
	hub    *chathub.Hub
	engine *run.Engine
	signed func(sub string) string

	at     socket.Event // of the connection
	asked  []parley.RunRef
	waves  int // before the responder was asked
	model  int // before the model was called
	frames int
}

func newHubWorld(t *testing.T) *hubWorld {
	w := &hubWorld{sockets: sockets{t: t, table: parleytest.Table(t), bell: push.Bell}}
	quiet := slog.New(slog.DiscardHandler)
	w.meter = meter.New(meter.Config{Table: distant{w.table}, Label: label})
	keys, err := token.New(token.Config{Masters: [][]byte{bytes.Repeat([]byte("k"), token.MinMasterBytes)}})
	fatal(t, err)
	store := parleytest.Store(t, parley.Config{Table: w.meter, Derive: keys.Derive})
	parleytest.Put(t, store, generous())
	w.store = store
	calls, err := api.New(api.Config{Store: store, Keys: keys, Log: quiet})
	fatal(t, err)
	ask := func(_ context.Context, ref parley.RunRef) error {
		w.asked, w.waves = append(w.asked, ref), w.meter.Counts().Waves
		return nil
	}
	runs, err := run.NewDispatcher(run.Config{Store: store, Respond: ask})
	fatal(t, err)
	pages, err := live.New(live.Config{Store: store, Poster: w, Speakers: live.Speakers(), Log: quiet})
	fatal(t, err)
	script := agenttest.New(func(agent.Conversation) []agenttest.Step {
		w.model = w.meter.Counts().Waves
		return append(agenttest.Evenly(text(replyBytes), replyPieces, replyTime), agenttest.Step{Result: &agent.Result{Usage: standardUsage}})
	})
	w.engine, err = run.New(run.Config{Store: store, Log: quiet, Live: pages.Run, Respond: ask,
		Agent: func(*parley.Project, parley.AgentSettings) (agent.Agent, error) { return script, nil }})
	fatal(t, err)
	w.push = push.New(push.Config{Live: pages})
	w.hub = chathub.New(chathub.Config{API: calls, Runs: runs, Sockets: w})
	kid, _, err := store.AddSigningKey(t.Context(), parleytest.Project)
	fatal(t, err)
	w.signed = func(sub string) string {
		claims := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"sub": sub, "exp": time.Now().Add(time.Hour).Unix()})
		claims.Header["kid"] = kid
		text, err := claims.SignedString([]byte(keys.SigningSecret(parleytest.Project, kid)))
		fatal(t, err)
		return text
	}
	return w
}

// connect connects a user's page, up to the first ping of its client.
func (w *hubWorld) connect(user string) {
	w.t.Helper()
	w.at = socket.Event{Kind: socket.Connect, Ref: socket.Ref{API: chathub.API, ID: user + "="}, Connected: time.Now(), Header: http.Header{},
		Query: url.Values{"agentId": {"demo.guide"}, "access_token": {w.signed(user)}}, Address: "192.0.2.1"}
	if a := w.hub.Socket(w.t.Context(), w.at); a.Status != http.StatusOK {
		w.t.Fatalf("connect = %d", a.Status)
	}
	w.frame(`{"protocol":"json","version":1}`)
	w.frame(`{"type":6}`)
}

// frame sends one record, which must not be answered with an error.
func (w *hubWorld) frame(record string) {
	w.t.Helper()
	w.frames++
	a := w.hub.Socket(w.t.Context(), socket.Event{Kind: socket.Message, Ref: w.at.Ref, Connected: w.at.Connected, Address: w.at.Address,
		MessageID: strconv.Itoa(w.frames), Frame: []byte(record + "\x1e")})
	if len(a.Frame) == 0 || bytes.Contains(a.Frame, []byte("error")) {
		w.t.Fatalf("%s is answered %q", record, a.Frame)
	}
}

// turn asks the standard question. The responder begins once the frame is answered, so
// that it is seen what waits for what.
func (w *hubWorld) turn() hubTurn {
	w.t.Helper()
	question, err := json.Marshal(map[string]any{"type": 1, "target": "SendMessageAsync", "invocationId": "0",
		"arguments": []any{map[string]string{"content": text(questionBytes)}}})
	fatal(w.t, err)
	w.bells() // of what came before
	w.asked, w.posts = nil, 0
	_, err = w.store.Project(w.t.Context(), parleytest.Project) // at hand, as in an instance that is busy
	fatal(w.t, err)
	w.meter.Reset()
	w.frame(string(question))
	c := w.meter.Counts()
	out := hubTurn{asked: w.waves, answered: c.Waves, writes: c.WriteUnits(), reads: c.ReadUnits()}
	if len(w.asked) != 1 {
		w.t.Fatalf("%d replies were asked for", len(w.asked))
	}
	w.meter.Reset()
	began := time.Now()
	fatal(w.t, w.engine.Respond(w.t.Context(), w.asked[0]))
	out.took, out.model = time.Since(began), w.model
	out.changes, out.pushes = w.bells()
	c = w.meter.Counts()
	out.writes += c.WriteUnits()
	out.reads += c.ReadUnits()
	out.posts = w.posts
	if out.posts < 5 {
		w.t.Fatalf("%d frames were posted for a reply", out.posts)
	}
	return out
}

// idle is the bill of a client that only pings.
func (w *hubWorld) idle(d time.Duration) (b socketBill) {
	time.Sleep(pings)
	w.meter.Reset()
	w.posts = 0
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(pings) {
		w.frame(`{"type":6}`)
		b.messages += 2
		b.bill.add(shortCall)
		b.silent++
	}
	w.bells()
	c := w.meter.Counts()
	b.writes, b.reads, b.minutes = c.WriteUnits(), c.ReadUnits(), d.Minutes()
	b.messages += w.posts
	return b
}
