package bench

import (
	"bytes"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"parley/shared/agent"
	"parley/shared/agent/openai"
	"parley/shared/parleytest"
	"parley/shared/sse"
)

const (
	// tokens are those of a standard reply by a usual model: one each 50 ms.
	tokens = 120
	// smooth is the longest pause between two texts in which nobody sees a jerk: a
	// token's time, and what the way takes more or less.
	smooth = 60 * time.Millisecond
	// smoothGoal is how many pauses of a hundred must be smooth.
	smoothGoal = 95
	// listeners are the pages that are timed at once, in real time.
	listeners = 3
	// quiet is how many of the model's own pauses are smooth, of a hundred, where
	// nothing else keeps the machine busy.
	quiet = 99
)

// pauses are those between readers' texts.
type pauses []time.Duration

func (p *pauses) add(texts []time.Time) {
	for i := range max(len(texts)-1, 0) {
		*p = append(*p, texts[i+1].Sub(texts[i]))
	}
}

// share is how many pauses are smooth, in percent; 0 of none.
func (p pauses) share() float64 {
	short := 0
	for _, d := range p {
		if d <= smooth {
			short++
		}
	}
	return 100 * float64(short) / float64(max(len(p), 1))
}

func (p pauses) say() string { return fmt.Sprintf("%.1f %% of %d", p.share(), len(p)) }

// measureSmooth counts pauses in virtual time.
func measureSmooth(t *tier) {
	name := fmt.Sprintf("pauses between texts of at most %d ms, of a model that says a token each %d: ",
		smooth.Milliseconds(), (replyTime / tokens).Milliseconds())
	hold := func(reader string, texts []time.Time) {
		var p pauses
		p.add(texts)
		t.hold(name+reader, p.say(), fmt.Sprintf("≥ %d %%", smoothGoal), p.share() >= smoothGoal)
		name = "… "
	}
	synctest.Test(t.T, func(inner *testing.T) {
		w := newWorld(inner, parleytest.Settings())
		w.pieces = tokens
		v := w.visitor()
		session := w.turn(v, "").session
		rest()
		sender := &timed{Handler: w.chat, method: http.MethodPost, text: `{"delta":`}
		second := &timed{Handler: sender, method: http.MethodGet, text: sender.text}
		w.chat = second
		m := w.message(session)
		var follow sync.WaitGroup
		follow.Go(func() {
			time.Sleep(10 * roundTrip)
			w.do(w.chat, v, "GET", fmt.Sprintf("/chat/%s/runs/%s", session, m["messageId"]), nil, sse.ContentType)
		})
		w.send(v, m)
		follow.Wait()
		hold("the sender", sender.texts)
		hold("a second reader, who polls", second.texts)
	})
	synctest.Test(t.T, func(inner *testing.T) {
		h := newHook(inner)
		h.pieces = tokens
		page := &timed{Handler: h.handler, method: http.MethodGet, text: "message-chunk"}
		h.handler = page
		h.turn()
		hold("Hissuno's widget", page.texts)
	})
}

// timed notes when a handler writes texts to requests of a method.
type timed struct {
	http.Handler
	method, text string // text is what an event with text contains
	texts        []time.Time
}

func (t *timed) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == t.method {
		w = timedWriter{w, t}
	}
	t.Handler.ServeHTTP(w, r)
}

type timedWriter struct {
	http.ResponseWriter
	to *timed
}

func (w timedWriter) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte(w.to.text)) {
		w.to.texts = append(w.to.texts, time.Now())
	}
	return w.ResponseWriter.Write(p)
}

func (w timedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// measureSmoothProcess times the laptop's Parley and the model that it asks side by
// side, so that a busy machine delays both.
func measureSmoothProcess(t *tier) {
	model := serveModel(t, tokens, replyTime)
	p := startParley(t, model)
	asked, err := openai.New(openai.Config{BaseURL: model, Model: "scripted"})
	fatal(t, err)
	var mu sync.Mutex
	var direct, through pauses
	add := func(to *pauses, texts []time.Time) {
		mu.Lock()
		defer mu.Unlock()
		to.add(texts)
	}
	var all sync.WaitGroup
	for n := range listeners {
		all.Go(func() {
			v := &client{http: from(t, n), base: p.page, key: p.key}
			err := v.identify(t.Context())
			var r *reply
			if err == nil {
				r, err = v.read(t.Context(), "POST", "/chat", map[string]any{"messageId": fmt.Sprint("m", n), "content": question(n)}, nil)
			}
			if err := r.whole(err, answer(question(n))); err != nil {
				t.Error(err)
				return
			}
			add(&through, r.texts)
		})
		all.Go(func() {
			var texts []time.Time
			c := agent.Conversation{MaxTokens: 1000, Turns: []agent.Turn{{Role: agent.Visitor, Text: question(n)}}}
			_, err := asked.Reply(t.Context(), c, func(string) error {
				texts = append(texts, time.Now())
				return nil
			})
			if err != nil {
				t.Error(err)
			}
			add(&direct, texts)
		})
	}
	all.Wait()
	if len(direct) == 0 || len(through) == 0 {
		t.Fatal("nothing was read")
	}
	name := fmt.Sprintf("… %d pages of `make run` at once, in real time; the model itself", listeners)
	measured := fmt.Sprintf("%.1f %%; %.1f %%", through.share(), direct.share())
	if direct.share() < quiet {
		t.note(name, measured+": the machine is too busy to judge")
		return
	}
	t.hold(name, measured, fmt.Sprintf("≥ %d %%", smoothGoal), through.share() >= smoothGoal)
}
