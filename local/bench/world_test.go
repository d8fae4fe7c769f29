package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"parley/functions/chat"
	"parley/functions/history"
	"parley/functions/identify"
	"parley/functions/updates"
	"parley/shared/agent"
	"parley/shared/agent/agenttest"
	"parley/shared/api"
	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/run"
	"parley/shared/sse"
	"parley/shared/table"
	"parley/shared/table/meter"
	"parley/shared/token"
)

// The standard turn: a question of 200 bytes; a reply of 1,200 bytes, which
// arrives evenly over 6 s in 60 pieces.
const (
	questionBytes = 200
	replyBytes    = 1200
	replyTime     = 6 * time.Second
	replyPieces   = 60
)

// standardUsage is what the model says that a standard turn used, in tokens.
var standardUsage = agent.Usage{Input: 700, Output: 300}

// roundTrip is how long a call to the table takes in a world, in virtual time.
// Our choice: what a function and a table of one region are apart, about.
const roundTrip = 5 * time.Millisecond

// text returns words of so many bytes.
func text(bytes int) string {
	const words = "the quick brown fox jumps over the lazy dog and goes on to see "
	return strings.Repeat(words, bytes/len(words)+1)[:bytes]
}

// world is the native API over a metered table, in a bubble of virtual time: it
// counts, and nothing in it depends on the machine.
type world struct {
	t     *testing.T
	meter *meter.Table
	store *parley.Store

	chat, identify, history, updates http.Handler

	revive    func(context.Context, parley.RunRef) error
	responded chan time.Duration // receives how long the responder took for a run
	pieces    int                // in which the model's replies come
	waves     int                // before the model was called last
	log       bytes.Buffer       // of the functions
	visitors  int
	sent      int
}

// newWorld must be called in a bubble. A turn of somebody else has warmed it up:
// the project and a part of its budget are at hand.
func newWorld(t *testing.T, project parley.Project) *world {
	w := &world{t: t, responded: make(chan time.Duration), pieces: replyPieces}
	w.meter = meter.New(meter.Config{Table: distant{parleytest.Table(t)}, Label: label})
	keys, err := token.New(token.Config{Masters: [][]byte{bytes.Repeat([]byte("k"), token.MinMasterBytes)}})
	fatal(t, err)
	w.store = parleytest.Store(t, parley.Config{Table: w.meter, Derive: keys.Derive})
	parleytest.Put(t, w.store, project)
	log := slog.New(slog.NewJSONHandler(&w.log, nil))
	calls, err := api.New(api.Config{Store: w.store, Keys: keys, Log: log})
	fatal(t, err)
	w.serve(calls, w.engine(log))
	w.turn(w.visitor(), "")
	return w
}

func (w *world) engine(log *slog.Logger) *run.Engine {
	script := agenttest.New(func(agent.Conversation) []agenttest.Step {
		w.waves = w.meter.Counts().Waves
		return append(agenttest.Evenly(text(replyBytes), w.pieces, replyTime),
			agenttest.Step{Result: &agent.Result{Usage: standardUsage}})
	})
	var engine *run.Engine
	engine, err := run.New(run.Config{Store: w.store, Log: log,
		Agent: func(*parley.Project, parley.AgentSettings) (agent.Agent, error) { return script, nil },
		Respond: func(ctx context.Context, ref parley.RunRef) error {
			go func() {
				began := time.Now()
				if err := engine.Respond(context.WithoutCancel(ctx), ref); err != nil {
					w.t.Error(err)
				}
				w.responded <- time.Since(began)
			}()
			return nil
		}})
	fatal(w.t, err)
	w.revive = engine.Revive
	return engine
}

func (w *world) serve(calls *api.API, engine *run.Engine) {
	w.chat, w.identify = chat.New(chat.Config{API: calls, Engine: engine}), identify.New(calls)
	w.history, w.updates = history.New(calls), updates.New(api.Updates{API: calls})
}

func fatal(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// visitor is somebody with a token and a network address of their own.
type visitor struct{ token, address string }

func (w *world) visitor() visitor {
	w.visitors++
	v := visitor{address: fmt.Sprintf("192.0.2.%d:1234", w.visitors)}
	answer := w.do(w.identify, v, "POST", "/identify", map[string]string{}, "application/json")
	var got struct{ Token string }
	fatal(w.t, json.Unmarshal(answer.Body.Bytes(), &got))
	v.token = got.Token
	return v
}

// do makes a call that must succeed.
func (w *world) do(h http.Handler, v visitor, method, path string, in any, accept string) *httptest.ResponseRecorder {
	w.t.Helper()
	body, err := json.Marshal(in)
	fatal(w.t, err)
	r := httptest.NewRequest(method, path, bytes.NewReader(body))
	r.RemoteAddr = v.address
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", accept)
	r.Header.Set(api.KeyHeader, parleytest.Settings().PublicKeys[0])
	if v.token != "" {
		r.Header.Set("Authorization", "Bearer "+v.token)
	}
	out := httptest.NewRecorder()
	h.ServeHTTP(out, r)
	if out.Code != http.StatusOK {
		w.t.Fatalf("%s %s = %d %s", method, path, out.Code, out.Body)
	}
	return out
}

// turn is what one standard turn took.
type turn struct {
	meter.Counts
	session parley.SessionID
	// waves were made before the model was called.
	waves int
	took  time.Duration
	bytes int // of the answer's body
	// logged says that the function has written a line. Only news tells.
	logged bool
}

// message is a body of POST /chat.
type message map[string]any

// message is the standard question.
func (w *world) message(session parley.SessionID) message {
	w.sent++
	return message{"messageId": fmt.Sprintf("01890a5d-ac96-774b-bcce-%012d", w.sent), "sessionId": session, "content": text(questionBytes)}
}

// about adds what a page says of itself.
func (m message) about(url, title string) { m["page"] = map[string]string{"url": url, "title": title} }

// turn asks the standard question in a session, or in a new one for "".
func (w *world) turn(v visitor, session parley.SessionID) turn {
	return w.send(v, w.message(session))
}

// send sends a message and reads the reply as a stream.
func (w *world) send(v visitor, m message) turn {
	w.t.Helper()
	w.warm(v)
	began := time.Now()
	answer := w.do(w.chat, v, "POST", "/chat", m, sse.ContentType)
	out := turn{Counts: w.meter.Counts(), waves: w.waves, took: time.Since(began), bytes: answer.Body.Len()}
	var said strings.Builder
	for events := sse.NewReader(answer.Body); ; {
		e, err := events.Next()
		if err == io.EOF {
			break
		}
		fatal(w.t, err)
		var data struct {
			Delta   string
			Session struct{ ID parley.SessionID }
		}
		fatal(w.t, json.Unmarshal([]byte(e.Data), &data))
		said.WriteString(data.Delta)
		if e.Name == "accepted" {
			out.session = data.Session.ID
		}
	}
	if said.String() != text(replyBytes) {
		w.t.Fatalf("the reply is %q", said.String())
	}
	return out
}

// ask is send for an answer that is no stream. The responder may not be done yet.
func (w *world) ask(v visitor, m message) turn {
	w.t.Helper()
	w.warm(v)
	began := time.Now()
	answer := w.do(w.chat, v, "POST", "/chat", m, "application/json")
	out := turn{took: time.Since(began), bytes: answer.Body.Len()}
	var data struct {
		Text    string
		Session struct{ ID parley.SessionID }
	}
	fatal(w.t, json.Unmarshal(answer.Body.Bytes(), &data))
	if data.Text != text(replyBytes) {
		w.t.Fatalf("the reply is %q", data.Text)
	}
	out.session = data.Session.ID
	return out
}

// news asks what came after a turn, and returns when to ask again.
func (w *world) news(v visitor, after turn) (turn, time.Duration) {
	w.t.Helper()
	w.warm(v)
	before := w.log.Len()
	answer := w.do(w.updates, v, "GET", fmt.Sprintf("/updates/%s?after=2", after.session), nil, sse.ContentType)
	out := turn{Counts: w.meter.Counts(), bytes: answer.Body.Len(), logged: w.log.Len() > before}
	events := sse.NewReader(answer.Body)
	for {
		if _, err := events.Next(); err == io.EOF {
			return out, events.Retry()
		} else {
			fatal(w.t, err)
		}
	}
}

// warm has the project's settings at hand, as an instance that is busy does,
// and sets the meter to zero.
func (w *world) warm(v visitor) {
	w.do(w.identify, v, "GET", "/config", nil, "application/json")
	w.meter.Reset()
}

// rest lets time pass between two turns.
func rest() { time.Sleep(20 * time.Second) }

// distant is a table a round trip away. It delays reads only: the meter over it
// reads what stands before each write, so every call of the meter's caller takes
// one round trip, and calls that are made together overlap.
type distant struct{ table.Table }

func (d distant) Get(ctx context.Context, consistent bool, keys ...table.Key) ([]table.Item, error) {
	time.Sleep(roundTrip)
	return d.Table.Get(ctx, consistent, keys...)
}

func (d distant) Query(ctx context.Context, q table.Query) (table.Page, error) {
	time.Sleep(roundTrip)
	return d.Table.Query(ctx, q)
}
