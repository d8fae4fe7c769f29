package chat_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"parley/functions/chat"
	"parley/functions/internal/functiontest"
	"parley/shared/agent/agenttest"
	"parley/shared/parley"
	"parley/shared/run"
	"parley/shared/sse"
)

// function returns the handler over a scripted agent.
func function(t *testing.T, k *functiontest.Kit, script *agenttest.Script, c chat.Config) http.Handler {
	t.Helper()
	c.API, c.Engine = k.API, k.Engine(t, script, nil)
	h := chat.New(c)
	return h
}

const hello = `{"messageId":"m1","content":"Hello"}`

// events reads what a handler wrote.
func events(t *testing.T, w *httptest.ResponseRecorder) ([]sse.Event, *sse.Reader) {
	t.Helper()
	r := sse.NewReader(w.Body)
	var all []sse.Event
	for {
		e, err := r.Next()
		if err != nil {
			return all, r
		}
		all = append(all, e)
	}
}

// TestHeartbeat: a stream that has nothing to say shows that it lives.
func TestHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := functiontest.New(t, parley.Config{})
		_, token := k.Visitor(t)
		script := agenttest.New(agenttest.Always(agenttest.Step{Delay: 35 * time.Second, Delta: "At last."}))
		w := httptest.NewRecorder()
		function(t, k, script, chat.Config{}).ServeHTTP(w, k.Request(http.MethodPost, "/chat", token, hello))
		got, r := events(t, w)
		if len(got) != 3 || got[2].Name != "end" || !strings.Contains(got[2].Data, `"status":"done"`) {
			t.Errorf("events = %v", got)
		}
		if r.Comments() != 3 || r.Retry() != time.Second {
			t.Errorf("%d heartbeats in 35 s and retry %v, want 3 and 1 s", r.Comments(), r.Retry())
		}
	})
}

// TestWholeTooLate: an answer that is no stream comes without the end of a
// reply that takes too long, and the reply goes on.
func TestWholeTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := functiontest.New(t, parley.Config{})
		caller, token := k.Visitor(t)
		script := agenttest.New(agenttest.Always(agenttest.Step{Delta: "One,"}, agenttest.Step{Delay: 30 * time.Second, Delta: " two."}))
		h := function(t, k, script, chat.Config{})
		r := k.Request(http.MethodPost, "/chat", token, hello)
		r.Header.Set("Accept", "application/json")
		w := httptest.NewRecorder()
		began := time.Now()
		h.ServeHTTP(w, r)
		var out struct {
			Session struct{ ID parley.SessionID }
			Run     string
			End     *struct{}
			Text    string
		}
		if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || out.End != nil || out.Text != "One," || out.Run != "m1" {
			t.Errorf("answer = %s, %v", w.Body, err)
		}
		if waited := time.Since(began); waited < 20*time.Second || waited > 21*time.Second {
			t.Errorf("answered after %v, want 20 s", waited)
		}
		time.Sleep(15 * time.Second) // virtual
		session, err := k.Store.Session(t.Context(), caller, out.Session.ID)
		if err != nil || session.Run != nil || session.Last.Text != "One, two." {
			t.Errorf("session = %+v, %v", session, err)
		}
	})
}

// TestAsked: a reply that this request will not generate is asked for at once.
func TestAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := functiontest.New(t, parley.Config{})
		_, token := k.Visitor(t)
		began := time.Now()
		asked := make(chan time.Duration, 10)
		engine := k.Engine(t, agenttest.New(agenttest.Always()), func(c *run.Config) {
			c.Respond = func(context.Context, parley.RunRef) error {
				asked <- time.Since(began)
				return nil
			}
		})
		h := chat.New(chat.Config{API: k.API, Engine: engine, Wait: time.Second})
		r := k.Request(http.MethodPost, "/chat", token, hello)
		r.Header.Set("Accept", "application/json")
		h.ServeHTTP(httptest.NewRecorder(), r)
		if first := <-asked; first != 0 {
			t.Errorf("asked for after %v", first)
		}
	})
}

// TestDeadline: where the platform ends a request, the run has ended before
// and its reader been told.
func TestDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := functiontest.New(t, parley.Config{})
		_, token := k.Visitor(t)
		script := agenttest.New(agenttest.Always(agenttest.Step{Delta: "One,"}, agenttest.Step{Delay: time.Hour}))
		ctx, cancel := context.WithTimeout(t.Context(), 28*time.Second)
		defer cancel()
		w := httptest.NewRecorder()
		function(t, k, script, chat.Config{}).ServeHTTP(w, k.Request(http.MethodPost, "/chat", token, hello).WithContext(ctx))
		got, _ := events(t, w)
		if ctx.Err() != nil || len(got) != 3 || !strings.Contains(got[2].Data, `"status":"incomplete"`) {
			t.Errorf("context %v, events = %v; want an incomplete reply in time", ctx.Err(), got)
		}
	})
}

// gone is a response whose reader leaves after the first event.
type gone struct {
	http.ResponseWriter
	writes int
}

func (g *gone) Write(p []byte) (int, error) {
	if g.writes++; g.writes > 2 {
		return 0, errors.New("the reader has left")
	}
	return g.ResponseWriter.Write(p)
}

// TestReaderLeaves: a handler that claimed the run returns when that has ended.
func TestReaderLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := functiontest.New(t, parley.Config{})
		caller, token := k.Visitor(t)
		script := agenttest.New(agenttest.Always(agenttest.Step{Delta: "One,"}, agenttest.Step{Delay: 20 * time.Second, Delta: " two."}))
		w := httptest.NewRecorder()
		function(t, k, script, chat.Config{}).ServeHTTP(&gone{ResponseWriter: w}, k.Request(http.MethodPost, "/chat", token, hello))
		if calls := script.Record(); len(calls) != 1 || !calls[0].Ended || calls[0].Text != "One, two." {
			t.Errorf("agent = %+v, want a whole reply", calls)
		}
		list, _, err := k.Store.Sessions(t.Context(), caller, parley.PageRequest{})
		if err != nil || len(list) != 1 || list[0].Run != nil || list[0].Last.Text != "One, two." {
			t.Errorf("sessions = %+v, %v", list, err)
		}
	})
}

func TestNew(t *testing.T) {
	k := functiontest.New(t, parley.Config{})
	for _, c := range []chat.Config{{}, {API: k.API}, {Engine: new(run.Engine)}} {
		functiontest.Lacking(t, func() { chat.New(c) })
	}
}

// FuzzPosition: an event id that the stream wrote is read back, and anything
// else is refused.
func FuzzPosition(f *testing.F) {
	f.Add("m1", 17, "m1/17")
	f.Add("a/b %", 0, "a%2Fb%20%25/end")
	f.Add("", -1, "/")
	f.Add("m1", 1, "m1/+1")
	f.Fuzz(func(t *testing.T, run string, at int, text string) {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		if n, ended, err := ask(r, url.PathEscape(run)+"/"+strconv.Itoa(at), run); at >= 0 && at < 1<<31 && (err != nil || ended || n != at) {
			t.Errorf("place %d of %q = %d, %v, %v", at, run, n, ended, err)
		}
		n, ended, err := ask(r, text, run)
		if err != nil || text == "" {
			return
		}
		written := url.PathEscape(run) + "/" + strconv.Itoa(n)
		if ended {
			written = url.PathEscape(run) + "/end"
		}
		plain, unescapeErr := url.PathUnescape(strings.TrimSuffix(text, text[strings.LastIndexByte(text, '/'):]))
		if unescapeErr != nil || plain != run || n < 0 {
			t.Errorf("%q is taken for %q of %q", text, written, run)
		}
	})
}

func ask(r *http.Request, last, run string) (int, bool, error) {
	r.Header["Last-Event-Id"] = []string{last}
	return chat.Position(r, parley.RunID(run))
}
