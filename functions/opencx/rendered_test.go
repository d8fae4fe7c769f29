package opencx_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/functions/opencx"
	"parley/shared/agent"
	"parley/shared/agent/agenttest"
	"parley/shared/api"
	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/run"
	"parley/shared/table/meter"
	"parley/shared/token"
)

// shop is a project with one page of OpenCX's widget, and as many instances of the
// function as a test wants.
type shop struct {
	testing.TB
	meter *meter.Table
	store *parley.Store
	api   *api.API
	runs  *run.Dispatcher
	token string
	count int
	// writing are the replies; one gives tokens back after it has been answered.
	writing sync.WaitGroup
}

func newShop(t testing.TB) *shop {
	s := &shop{TB: t, meter: meter.New(meter.Config{Table: parleytest.Table(t)})}
	keys, err := token.New(token.Config{Masters: [][]byte{[]byte(strings.Repeat("k", token.MinMasterBytes))}})
	s.fatal(err)
	s.store = parleytest.Store(t, parley.Config{Table: s.meter, Derive: keys.Derive})
	settings := parleytest.Settings()
	settings.Budgets.MessagesPerMinute = 1e6
	parleytest.Put(t, s.store, settings)
	var engine *run.Engine
	engine, err = run.New(run.Config{Store: s.store, Log: slog.New(slog.DiscardHandler), PollMin: time.Millisecond,
		Respond: func(ctx context.Context, ref parley.RunRef) error {
			s.writing.Go(func() {
				if err := engine.Respond(context.WithoutCancel(ctx), ref); err != nil {
					s.Error(err)
				}
			})
			return nil
		},
		Agent: func(*parley.Project, parley.AgentSettings) (agent.Agent, error) {
			return agenttest.New(func(agent.Conversation) []agenttest.Step {
				return []agenttest.Step{{Delta: strings.Repeat("So it is. ", 100)}}
			}), nil
		}})
	s.fatal(err)
	s.runs = engine.Dispatcher
	s.api, err = api.New(api.Config{Store: s.store, Keys: keys, Log: slog.New(slog.DiscardHandler)})
	s.fatal(err)
	s.token = s.visitor(s.instance())
	return s
}

func (s *shop) fatal(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// instance is another process of the function.
func (s *shop) instance() http.Handler {
	s.Helper()
	h := opencx.New(opencx.Config{API: s.api, Runs: s.runs})
	return h
}

func (s *shop) visitor(h http.Handler) string {
	s.Helper()
	var out struct{ Token string }
	s.fatal(json.Unmarshal(s.call(h, "POST", "/contact/create-unverified", "{}").Body.Bytes(), &out))
	return out.Token
}

func (s *shop) call(h http.Handler, method, path, body string, header ...string) *httptest.ResponseRecorder {
	s.Helper()
	r := httptest.NewRequest(method, "/backend/widget/v2"+path, strings.NewReader(body))
	r.Header.Set("X-Bot-Token", parleytest.Settings().PublicKeys[0])
	r.Header.Set("Authorization", "Bearer "+s.token)
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// ok is call whose answer must be a success.
func (s *shop) ok(h http.Handler, method, path, body string, header ...string) string {
	s.Helper()
	w := s.call(h, method, path, body, header...)
	if w.Code > 299 {
		s.Fatalf("%s %s = %d %s", method, path, w.Code, w.Body)
	}
	return w.Body.String()
}

// begin is a session of so many turns.
func (s *shop) begin(h http.Handler, turns int) parley.SessionID {
	s.Helper()
	var session struct{ ID parley.SessionID }
	s.fatal(json.Unmarshal([]byte(s.ok(h, "POST", "/create-session", `{"customData":{"external_id":"browser"}}`)), &session))
	for range turns {
		s.say(h, session.ID, "Is it so?")
	}
	return session.ID
}

// say sends a message and returns the id of the reply.
func (s *shop) say(h http.Handler, id parley.SessionID, text string) string {
	s.Helper()
	s.count++
	var out struct {
		Success bool
		Reply   struct{ ID string } `json:"autopilotResponse"`
	}
	s.fatal(json.Unmarshal([]byte(s.ok(h, "POST", "/chat/send", fmt.Sprintf(`{"uuid":"u%d","session_id":%q,"content":%q}`, s.count, id, text))), &out))
	if !out.Success {
		s.Fatalf("message %d is not taken", s.count)
	}
	s.writing.Wait()
	return out.Reply.ID
}

var ola = parley.Operator{ID: "op", Name: "Ola"}

func (s *shop) reply(id parley.SessionID, text string) {
	s.Helper()
	s.count++
	_, err := s.store.Reply(s.Context(), parleytest.Operator(), ola.Author(), parley.ReplyRequest{ID: parley.EntryID(fmt.Sprint("r", s.count)), Session: id, Content: text})
	s.fatal(err)
}

// TestPollOfWarmInstance: whatever happens in a session, an instance that has rendered
// it before answers like one that never has.
func TestPollOfWarmInstance(t *testing.T) {
	s := newShop(t)
	warm, other := s.instance(), s.instance()
	s.fatal(s.store.PutOperator(t.Context(), parleytest.Project, ola))
	id := s.begin(other, 2)
	staff := parleytest.Operator()
	steps := []struct {
		what string
		do   func()
	}{
		{"nothing", func() {}},
		{"a turn", func() { s.say(other, id, "And now?") }},
		{"a vote", func() {
			s.ok(other, "POST", "/chat/vote", fmt.Sprintf(`{"action":"upvote","sessionId":%q,"messagePublicId":%q}`, id, s.say(other, id, "Good?")))
		}},
		{"a checkpoint", func() {
			s.ok(other, "POST", "/checkpoint", fmt.Sprintf(`{"session_id":%q,"payload":{"step":1}}`, id))
		}},
		{"attributes", func() { s.fatal(s.store.SetAttributes(t.Context(), staff, id, map[string]string{"plan": "pro"})) }},
		{"a note", func() {
			_, err := s.store.Reply(t.Context(), staff, ola.Author(), parley.ReplyRequest{ID: "note", Session: id, Content: "secret note", Internal: true})
			s.fatal(err)
		}},
		{"a person's answer", func() { s.reply(id, "Ola here") }},
		{"another name of theirs", func() {
			s.fatal(s.store.PutOperator(t.Context(), parleytest.Project, parley.Operator{ID: ola.ID, Name: "Olga"}))
		}},
		{"the agent again", func() { s.fatal(s.store.HandBack(t.Context(), staff, id, ola.Author())) }},
		{"other words of the project's", func() {
			settings := parleytest.Settings()
			settings.Texts = map[string]string{parley.TextHandedBack: "The machine again."}
			parleytest.Put(t, s.store, settings)
		}},
		{"the end", func() { s.ok(other, "POST", "/session/resolve", fmt.Sprintf(`{"session_id":%q}`, id)) }},
		{"a rating", func() {
			s.ok(other, "POST", "/submit-csat", fmt.Sprintf(`{"session_id":%q,"score":4,"system_message_uuid":"c1"}`, id))
		}},
	}
	paths := []string{"/poll/" + string(id), "/session/history/" + string(id), "/session/" + string(id)}
	for _, step := range steps {
		step.do()
		for _, path := range paths {
			for range 2 {
				got, want := s.ok(warm, "GET", path, ""), s.ok(s.instance(), "GET", path, "")
				if got != want {
					t.Fatalf("after %s %s = %s, want %s", step.what, path, got, want)
				}
				if strings.Contains(got, "secret note") {
					t.Fatalf("%s tells a note", path)
				}
			}
		}
	}
	if got := s.ok(warm, "GET", paths[0], ""); !strings.Contains(got, "The machine again.") || !strings.Contains(got, "csat_submitted") || !strings.Contains(got, `{"step":1}`) {
		t.Errorf("poll = %s", got)
	}
}

// TestPollCosts: a poll that finds nothing new reads the same little, however long
// the session is and whoever has it, and news cost what they weigh.
func TestPollCosts(t *testing.T) {
	s := newShop(t)
	warm, other := s.instance(), s.instance()
	s.fatal(s.store.PutOperator(t.Context(), parleytest.Project, ola))
	id := s.begin(other, 60)
	read := func(what string, most float64) {
		t.Helper()
		s.meter.Reset()
		s.ok(warm, "GET", "/poll/"+string(id), "")
		if c := s.meter.Counts(); c.ReadUnits() > most || c.WriteUnits() != 0 {
			t.Errorf("%s reads %g units and writes %d, want at most %g and 0", what, c.ReadUnits(), c.WriteUnits(), most)
		}
	}
	s.ok(warm, "GET", "/poll/"+string(id), "")
	read("a poll", 2)
	s.say(other, id, "And now?")
	read("a poll with a turn's news", 3)
	s.reply(id, "Ola here")
	s.ok(warm, "GET", "/poll/"+string(id), "")
	read("a poll with a person", 2)
}

// TestPollIsNobodyElses: what an instance has rendered is told only to those who may
// read the session now.
func TestPollIsNobodyElses(t *testing.T) {
	s := newShop(t)
	warm := s.instance()
	id := s.begin(warm, 1)
	path := "/poll/" + string(id)
	s.ok(warm, "GET", path, "")
	refused := func(what string, want int, header ...string) {
		t.Helper()
		if w := s.call(warm, "GET", path, "", header...); w.Code != want || strings.Contains(w.Body.String(), "Is it so?") {
			t.Errorf("%s = %d %s, want %d", what, w.Code, w.Body, want)
		}
	}
	refused("a stranger's poll", http.StatusNotFound, "Authorization", "Bearer "+s.visitor(warm))
	refused("an anonymous poll", http.StatusNotFound, "Authorization", "", "X-Consumer-Id", ":")
	s.ok(warm, "GET", path, "")
	me, err := s.api.Keys.ReadContact(&parley.Project{ID: parleytest.Project}, s.token)
	s.fatal(err)
	s.fatal(s.store.BlockVisitor(t.Context(), me.Project, me.Visitor, true))
	refused("a blocked visitor's poll", http.StatusForbidden)
	s.fatal(s.store.BlockVisitor(t.Context(), me.Project, me.Visitor, false))
	s.ok(warm, "GET", path, "")
	s.fatal(s.store.Erase(t.Context(), parleytest.Operator(), id))
	refused("a poll of an erased session", http.StatusNotFound)
	refused("another one", http.StatusNotFound)
}

// TestCompressedPoll: answers that are long come compressed where the client takes
// that, and are the same then.
func TestCompressedPoll(t *testing.T) {
	s := newShop(t)
	warm := s.instance()
	short, long := s.begin(warm, 0), s.begin(warm, 30)
	for _, test := range []struct {
		accept     string
		id         parley.SessionID
		compressed bool
	}{
		{"", long, false}, {"gzip, deflate, br", long, true}, {"br;q=1.0, gzip;q=0.8, *;q=0.1", long, true}, {"*", long, true},
		{"gzip;q=0", long, false}, {"gzip; q=0.0, *", long, false}, {"identity", long, false}, {"deflate", long, false}, {"GZIP", long, true},
		{"gzip", short, false},
	} {
		for _, path := range []string{"/poll/", "/session/history/", "/session/history/"} {
			path += string(test.id)
			plain := s.ok(warm, "GET", path, "")
			w := s.call(warm, "GET", path, "", "Accept-Encoding", test.accept)
			body := w.Body.Bytes()
			if got := w.Header().Get("Content-Encoding") == "gzip"; got != test.compressed {
				t.Errorf("%q: compressed = %v, want %v", test.accept, got, test.compressed)
				continue
			}
			if test.compressed {
				if len(body) > len(plain)/5 {
					t.Errorf("%q: %d bytes of %d", test.accept, len(body), len(plain))
				}
				z, err := gzip.NewReader(bytes.NewReader(body))
				s.fatal(err)
				body, err = io.ReadAll(z)
				s.fatal(err)
			}
			if string(body) != plain || !strings.Contains(strings.Join(w.Header().Values("Vary"), ","), "Accept-Encoding") {
				t.Errorf("%q: %s = %.200s, want %.200s", test.accept, path, body, plain)
			}
		}
	}
}

// TestRenderedIsBounded: an instance keeps what it used last, up to a limit.
func TestRenderedIsBounded(t *testing.T) {
	kept := opencx.NewCache(10_000)
	for i := range 100 {
		kept.Put(fmt.Sprint(i), 1000)
		kept.Get("0")
		if kept.Bytes() > 10_000 {
			t.Fatalf("%d bytes are kept", kept.Bytes())
		}
	}
	if !kept.Get("0") || !kept.Get("99") || kept.Get("50") || kept.Len() < 3 {
		t.Errorf("%d are kept; the one used each time: %v, the last: %v, an old one: %v", kept.Len(), kept.Get("0"), kept.Get("99"), kept.Get("50"))
	}
	kept.Put("99", 2000)
	kept.Put("99", 2000)
	kept.Put("huge", 20_000)
	if kept.Get("huge") || !kept.Get("99") || kept.Bytes() > 10_000 {
		t.Errorf("%d bytes are kept; what is too much: %v", kept.Bytes(), kept.Get("huge"))
	}
	for i := range 100 {
		kept.Drop(fmt.Sprint(i))
	}
	if kept.Bytes() != 0 || kept.Len() != 0 {
		t.Errorf("%d bytes are left of %d sessions", kept.Bytes(), kept.Len())
	}
}
