package hissuno_test

import (
	"cmp"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"parley/functions/hissuno"
	"parley/functions/internal/functiontest"
	"parley/functions/review"
	"parley/shared/agent"
	"parley/shared/agent/agenttest"
	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/run"
	"parley/shared/sse"
)

// TestHours is what takes minutes: silence, and pages that are left or loaded
// anew. It makes the widget's requests, in virtual time.
func TestHours(t *testing.T) {
	for name, test := range map[string]func(*hours){
		"H27_BeaconOfAReload":      (*hours).reloads,
		"H27_BeaconOfAClosedTab":   (*hours).leaves,
		"H32_LeftByClearHistory":   (*hours).abandoned,
		"H32_LeftByDefault":        (*hours).forgotten,
		"H40_PromptAndClose":       (*hours).silence,
		"H40_AnsweredPrompt":       (*hours).answered,
		"H40_NoPromptUnderAPerson": (*hours).human,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(newHours(t)) })
		})
	}
}

// hours is a page with the widget, and a minute's schedule that sweeps.
type hours struct {
	*testing.T
	*functiontest.Kit
	handler http.Handler
	review  review.Handler
	reviews int    // that the agent was asked for
	last    string // id of the event after which the page goes on
	closing string // media type of what closes the conversation
}

// session is what the page named itself.
const session = "6ba7b810-9dad-41d1-80b4-00c04fd430c8"

func newHours(t *testing.T) *hours {
	h := &hours{T: t, Kit: functiontest.New(t, parley.Config{ProjectLife: -1})}
	p := parleytest.Settings()
	p.IdlePromptSeconds, p.IdleCloseSeconds = 300, 60
	p.Texts = map[string]string{parley.TextIdlePrompt: "Hello?"}
	parleytest.Put(t, h.Store, p)
	var engine *run.Engine
	engine = h.Engine(t, agenttest.New(agenttest.Always(agenttest.Say("One,", " two.")...)), func(c *run.Config) {
		c.Respond = func(ctx context.Context, ref parley.RunRef) error {
			go engine.Respond(context.WithoutCancel(ctx), ref)
			return nil
		}
	})
	h.handler = hissuno.New(hissuno.Config{API: h.API, Engine: engine})
	h.review = review.New(review.Config{Store: h.Store, Log: slog.New(slog.DiscardHandler),
		Agent: func(*parley.Project, parley.AgentSettings) (agent.Agent, error) { return critic{nil, &h.reviews}, nil }})
	h.minutes(1)
	return h
}

// critic counts what it is asked to review.
type critic struct {
	agent.Agent
	asked *int
}

func (c critic) Review(context.Context, agent.Transcript) (agent.Review, error) {
	*c.asked++
	return agent.Review{Summary: "They talked.", Outcome: agent.Resolved, Sentiment: agent.Neutral}, nil
}

// minutes lets time pass. The schedule's sweep is all that rings for reviews.
func (h *hours) minutes(n int) {
	h.Helper()
	for range n {
		time.Sleep(time.Minute)
		_, err := h.Store.Sweep(h.Context(), parley.SweepHelp{Revive: func(context.Context, parley.RunRef) error { return nil },
			Wake: func(ctx context.Context, f parley.Following) error {
				return h.review(ctx, review.Event{Project: f.Project, Session: f.Session})
			}})
		fatal(h, err)
	}
}

func (h *hours) do(method, path, body string) *httptest.ResponseRecorder {
	h.Helper()
	if method == http.MethodGet {
		path += "?" + url.Values{"projectId": {h.Key}, "sessionId": {session}}.Encode()
	}
	r := httptest.NewRequest(method, "/hissuno/chat"+path, strings.NewReader(body))
	r.Header.Set("Origin", "https://shop.example")
	if path == "/close" {
		r.Header.Set("Content-Type", h.closing)
	}
	if h.last != "" && strings.HasPrefix(path, "/updates") {
		r.Header.Set("Last-Event-ID", h.last)
	}
	out := httptest.NewRecorder()
	h.handler.ServeHTTP(out, r)
	if out.Code > 299 {
		h.Fatalf("%s %s = %d %s", method, path, out.Code, out.Body)
	}
	return out
}

// ask sends a message and reads the reply.
func (h *hours) ask() {
	h.Helper()
	h.do(http.MethodPost, "", `{"projectId":"`+h.Key+`","sessionId":"`+session+`","messages":[{"role":"user","content":"Hello"}]}`)
	if !strings.Contains(h.do(http.MethodGet, "/stream", "").Body.String(), "message-complete") {
		h.Fatal("the reply has no end")
	}
}

// beacon is what a page sends when it is left.
func (h *hours) beacon() {
	h.Helper()
	h.closes("text/plain;charset=UTF-8")
}

// closes has the page close the conversation; it stays where that is JSON.
func (h *hours) closes(mediaType string) {
	h.Helper()
	h.closing = mediaType
	h.do(http.MethodPost, "/close", `{"projectId":"`+h.Key+`","sessionId":"`+session+`"}`)
}

func (h *hours) operator() parley.Caller { return parleytest.Operator() }

// told is what the page is told besides replies, by type of sender or status.
func (h *hours) told() []string {
	h.Helper()
	told := []string{}
	for events := sse.NewReader(h.do(http.MethodGet, "/updates", "").Body); ; {
		e, err := events.Next()
		if err == io.EOF {
			return told
		}
		fatal(h, err)
		h.last = cmp.Or(e.ID, h.last)
		var out struct {
			Type, Status string
			Message      struct{ Role, Content, SenderType string }
		}
		fatal(h, json.Unmarshal([]byte(e.Data), &out))
		switch out.Type {
		case "status-change":
			told = append(told, out.Status)
		case "message":
			told = append(told, strings.Join([]string{out.Message.Role, out.Message.SenderType, out.Message.Content}, " "))
		}
	}
}

// tells asks for updates as a page that shows what it was told: anew, and then on
// from there.
func (h *hours) tells(want ...string) {
	h.Helper()
	var all []string
	h.last = ""
	for range 4 {
		all = append(all, h.told()...)
		time.Sleep(20 * time.Millisecond)
	}
	if !slices.Equal(all, want) {
		h.Errorf("the page is told %q, want %q", all, want)
	}
}

// stands checks the session's state, and how many reviews there were.
func (h *hours) stands(what string, state parley.State, reviews int) {
	h.Helper()
	s, err := h.Store.Session(h.Context(), h.operator(), session)
	fatal(h, err)
	if s.State != state || h.reviews != reviews {
		h.Errorf("%s: the session is %s after %d reviews, want %s and %d", what, s.State, h.reviews, state, reviews)
	}
}

func (h *hours) reloads() {
	h.ask()
	for range 4 {
		h.beacon()
		time.Sleep(time.Second)
		h.do(http.MethodGet, "", "")
		h.minutes(1)
	}
	h.stands("reloaded", parley.StateOpen, 0)
	h.tells()
}

func (h *hours) leaves() {
	h.ask()
	h.beacon()
	h.beacon()
	h.minutes(10)
	h.stands("left", parley.StateClosed, 1)
	h.ask()
	h.stands("back", parley.StateOpen, 1)
	h.beacon()
	h.minutes(10)
	h.stands("left again", parley.StateClosed, 2)
}

func (h *hours) abandoned() {
	h.ask()
	h.minutes(10)
	h.stands("left without a beacon", parley.StateClosed, 1)
}

// forgotten: what clearHistory leaves ends by itself, where the project does not say
// when. Sessions to which a visitor can return do not.
func (h *hours) forgotten() {
	parleytest.Put(h, h.Store, parleytest.Settings())
	native := parleytest.Turn(h, h.Store, parleytest.Visitor(h, h.Store), "m", "").ID
	h.ask()
	h.minutes(59)
	h.stands("left for 59 minutes", parley.StateOpen, 0)
	h.minutes(3)
	h.stands("left for an hour", parley.StateClosed, 1)
	entries := parleytest.Entries(h, h.Store, h.operator(), session)
	if last := entries[2]; last.Event != parley.EventClosed || last.Reason != string(parley.CloseByIdle) {
		h.Errorf("it ended as %q", parleytest.Brief(entries))
	}
	h.ask()
	h.stands("gone on with", parley.StateOpen, 1)
	h.minutes(30)
	if got, err := h.Store.Session(h.Context(), h.operator(), native); err != nil || got.State != parley.StateOpen {
		h.Errorf("a session of the chat API is %+v, %v", got, err)
	}
}

func (h *hours) silence() {
	h.ask()
	h.tells()
	h.minutes(4)
	h.tells()
	h.minutes(1)
	h.tells("assistant system Hello?")
	h.stands("asked", parley.StateOpen, 0)
	h.minutes(2)
	h.tells("closed")
	h.minutes(5)
	h.tells()
	h.stands("silent", parley.StateClosed, 1)
}

func (h *hours) answered() {
	h.ask()
	h.minutes(6)
	h.tells("assistant system Hello?")
	h.ask()
	h.minutes(3)
	h.stands("answered", parley.StateOpen, 0)
	h.tells()
}

func (h *hours) human() {
	h.ask()
	fatal(h, h.Store.TakeOver(h.Context(), h.operator(), session, ola))
	h.tells("human_takeover")
	h.minutes(30)
	h.tells()
	h.stands("a person has it", parley.StateOpen, 0)
}
