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
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"parley/functions/hissuno"
	"parley/shared/agent"
	"parley/shared/agent/agenttest"
	"parley/shared/api"
	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/run"
	"parley/shared/sse"
	"parley/shared/table/meter"
	"parley/shared/token"
)

// contests is how many replies are taken over by a human, each a little later.
const contests = 200

// measureHissuno counts what turns and an hour's waiting of Hissuno's widget
// consume, and what an agent still writes after an operator took its session.
func measureHissuno(t *tier) {
	synctest.Test(t.T, func(inner *testing.T) {
		h := newHook(inner)
		h.turn() // the project and a part of its budget are at hand
		h.session = "first"
		first := h.turn()
		rest()
		later := h.turn()
		t.note("waves of table calls until a message of Hissuno's widget is accepted", fmt.Sprintf("%d, later %d", first.accepted, later.accepted))
		const waves = 4
		t.hold("waves of table calls from the request for a reply's stream to the model", fmt.Sprintf("%d, later %d", first.stream, later.stream),
			fmt.Sprintf("≤ %d", waves), max(first.stream, later.stream) <= waves)
		t.note("… a turn with what the widget asks for beside it",
			fmt.Sprintf("%d write, %g read units; later %d write, %g read", first.WriteUnits(), first.ReadUnits(), later.WriteUnits(), later.ReadUnits()))
		hour := h.wait()
		const goal = 0.3
		t.hold(fmt.Sprintf("dollars for 1,000 pages with Hissuno's widget that stay open for an hour after a reply, %d requests each", hour.invocations),
			hour.times(1000), fmt.Sprintf("≤ %.3f", goal), 1000*hour.total() <= goal)
		t.note("… units of one", fmt.Sprintf("%d write, %g read", hour.writes, hour.reads))
		bill := h.billed()
		t.hold("dollars for 1,000 turns of Hissuno's widget, streamed by function URL", bill.times(thousandTurns), fmt.Sprintf("≤ %.3f", turnsGoal),
			thousandTurns*bill.total() <= turnsGoal)
		ended, late := h.contest()
		t.hold(fmt.Sprintf("AI entries and pieces after the commit of a takeover, %d takeovers that ended %d replies", contests, ended),
			fmt.Sprint(late), "0", late == 0 && ended > contests/2)
	})
}

// hook is a page with Hissuno's widget, and the function behind it.
type hook struct {
	testing.TB
	meter   *meter.Table
	store   *parley.Store
	handler http.Handler
	log     bytes.Buffer
	session string
	last    string // the id of the newest event of updates, for a request that goes on from it
	waves   int    // before the model was called last
	// responded is how long the responder took for the last run.
	responded time.Duration
	pieces    int // in which the model's replies come
}

func newHook(t testing.TB) *hook {
	h := &hook{TB: t, session: "warm", pieces: replyPieces, meter: meter.New(meter.Config{Table: distant{parleytest.Table(t)}, Label: label})}
	keys, err := token.New(token.Config{Masters: [][]byte{[]byte(strings.Repeat("k", token.MinMasterBytes))}})
	fatal(t, err)
	h.store = parleytest.Store(t, parley.Config{Table: h.meter, Derive: keys.Derive})
	parleytest.Put(t, h.store, generous())
	answer := agenttest.New(func(agent.Conversation) []agenttest.Step {
		h.waves = h.meter.Counts().Waves
		return append(agenttest.Evenly(text(replyBytes), h.pieces, replyTime), agenttest.Step{Result: &agent.Result{Usage: standardUsage}})
	})
	var engine *run.Engine
	engine, err = run.New(run.Config{Store: h.store, Log: slog.New(slog.DiscardHandler),
		Agent: func(*parley.Project, parley.AgentSettings) (agent.Agent, error) { return answer, nil },
		Respond: func(ctx context.Context, ref parley.RunRef) error {
			go func() {
				began := time.Now()
				if err := engine.Respond(context.WithoutCancel(ctx), ref); err != nil {
					t.Error(err)
				}
				h.responded = time.Since(began)
			}()
			return nil
		}})
	fatal(t, err)
	calls, err := api.New(api.Config{Store: h.store, Keys: keys, Log: slog.New(slog.NewJSONHandler(&h.log, nil))})
	fatal(t, err)
	h.handler = hissuno.New(hissuno.Config{API: calls, Engine: engine})
	return h
}

// warm has the project's settings at hand, as an instance that is busy does, and
// sets the meter to zero.
func (h *hook) warm() {
	h.do(http.MethodGet, "/embed", nil)
	h.meter.Reset()
}

func (h *hook) do(method, path string, body any) *httptest.ResponseRecorder {
	h.Helper()
	key := parleytest.Settings().PublicKeys[0]
	content := []byte(nil)
	if body == nil {
		path += "?" + url.Values{"projectId": {key}, "sessionId": {h.session}}.Encode()
	} else {
		var err error
		content, err = json.Marshal(body)
		fatal(h, err)
	}
	r := httptest.NewRequest(method, "/hissuno/chat"+path, bytes.NewReader(content))
	r.Header.Set("Origin", "https://shop.example")
	if h.last != "" {
		r.Header.Set("Last-Event-ID", h.last)
	}
	out := httptest.NewRecorder()
	h.handler.ServeHTTP(out, r)
	if out.Code > 299 {
		h.Fatalf("%s %s = %d %s", method, path, out.Code, out.Body)
	}
	return out
}

// say sends the standard question, in a transcript of one message.
func (h *hook) say() {
	h.Helper()
	h.do(http.MethodPost, "", map[string]any{"projectId": parleytest.Settings().PublicKeys[0], "sessionId": h.session,
		"pageUrl": "https://shop.example/checkout", "pageTitle": "Checkout", "messages": []map[string]string{{"role": "user", "content": text(questionBytes)}}})
}

// hooked is what a turn took.
type hooked struct {
	meter.Counts
	accepted, stream int // waves
}

// turn is a turn as the widget makes it: it opens its updates anew whenever it
// shows one message more.
func (h *hook) turn() hooked {
	h.Helper()
	h.warm()
	h.say()
	accepted := h.meter.Counts().Waves
	said, _, _ := pieces(h, h.do(http.MethodGet, "/stream", nil).Body)
	stream := h.waves - accepted
	if said != text(replyBytes) {
		h.Fatalf("the reply is %q", said)
	}
	for range 2 {
		h.do(http.MethodGet, "/updates", nil)
	}
	time.Sleep(2 * time.Second) // the responder, who left it to the stream, looks once
	return hooked{h.meter.Counts(), accepted, stream}
}

// billed is the bill of a session of the usual length, with the calls that the widget
// makes for each turn, the responder's, and the feed's for each change of the session.
func (h *hook) billed() (b bill) {
	h.Helper()
	h.session = "billed"
	for range usualTurns {
		h.warm()
		began := time.Now()
		h.say()
		b.add(max(time.Since(began), shortCall))
		b.out += headers
		began = time.Now()
		answer := h.do(http.MethodGet, "/stream", nil)
		b.add(time.Since(began))
		b.out += answer.Body.Len() + headers
		for range 2 {
			b.add(shortCall)
			b.out += h.do(http.MethodGet, "/updates", nil).Body.Len() + headers
		}
		rest()
		b.add(h.responded)
		b.consume(turn{Counts: h.meter.Counts()})
		for range h.meter.Counts().Writes[sessionLabel].Actions {
			b.add(shortCall)
		}
	}
	return b
}

// pieces joins the pieces of a reply, and returns when to ask again, and after what.
func pieces(t testing.TB, body io.Reader) (said string, again time.Duration, last string) {
	t.Helper()
	for events := sse.NewReader(body); ; {
		e, err := events.Next()
		if err == io.EOF {
			return said, events.Retry(), last
		}
		fatal(t, err)
		last = e.ID
		var data struct{ Content string }
		fatal(t, json.Unmarshal([]byte(e.Data), &data))
		said += data.Content
	}
}

// wait is the bill of a page that stays open for an hour after a reply: its
// EventSource asks again, after the newest event that it saw.
func (h *hook) wait() (b bill) {
	h.Helper()
	defer func() { h.last = "" }()
	for end := time.Now().Add(time.Hour); time.Now().Before(end); {
		h.warm()
		before := h.log.Len()
		answer := h.do(http.MethodGet, "/updates", nil)
		size := answer.Body.Len()
		var again time.Duration
		_, again, h.last = pieces(h, answer.Body)
		b.consume(turn{Counts: h.meter.Counts(), bytes: size})
		b.add(shortCall)
		if h.log.Len() == before {
			b.silent++
		}
		time.Sleep(again)
	}
	return b
}

// contest has an operator take sessions over in the middle of replies, and counts
// those that were ended and what an agent still wrote.
func (h *hook) contest() (ended, late int) {
	h.Helper()
	op := parleytest.Operator()
	op.Operator = "ola"
	for n := range contests {
		h.session = fmt.Sprint("contest", n)
		h.say()
		heard := make(chan string, 1)
		go func() {
			said, _, _ := pieces(h, h.do(http.MethodGet, "/stream", nil).Body)
			heard <- said
		}()
		time.Sleep(time.Duration(n) * replyTime / contests)
		id := parley.SessionID(h.session)
		fatal(h, h.store.TakeOver(h.Context(), op, id, parley.Author{Kind: parley.AuthorHuman, ID: "ola", Name: "Ola"}))
		said, stored := <-heard, ""
		time.Sleep(time.Minute)
		taken := false
		for _, e := range parleytest.Entries(h, h.store, op, id) {
			switch {
			case e.Event == parley.EventTakenOver:
				taken = true
			case taken && e.Author.Kind == parley.AuthorAI:
				late++
			case e.Status == parley.StatusTakenOver:
				ended++
				stored = e.Text
			}
		}
		if len(said) > len(stored) {
			late++
		}
	}
	return ended, late
}
