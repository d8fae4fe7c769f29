package run_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"parley/shared/agent"
	"parley/shared/agent/agenttest"
	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/run"
	"parley/shared/table"
	"parley/shared/table/fault"
)

// shop is where agents call actions: one process, a model that follows a script
// for each question, and a host that answers as the test says.
type shop struct {
	*testing.T
	table   *parleytest.Listed
	store   *parley.Store
	engine  *run.Engine
	script  *agenttest.Script
	visitor parley.Caller
	says    map[string][]agenttest.Step

	mu    sync.Mutex
	asked []parley.ActionRequest
	host  func(ctx context.Context, r parley.ActionRequest) (parley.ActionResult, error)
}

// parameters are those of the shop's actions.
const parameters = `{"type":"object","properties":{"order":{"type":"string"}},"required":["order"]}`

func inShop(t *testing.T, test func(s *shop)) {
	parleytest.OnBolt(t, func(t *testing.T, tbl *parleytest.Listed) {
		s := &shop{T: t, table: tbl, says: map[string][]agenttest.Step{}}
		s.script = agenttest.New(func(c agent.Conversation) []agenttest.Step {
			return s.says[c.Turns[len(c.Turns)-1].Text]
		})
		s.host = func(context.Context, parley.ActionRequest) (parley.ActionResult, error) {
			return parley.ActionResult{Result: json.RawMessage(`{"status":200,"body":{"state":"sent"}}`)}, nil
		}
		s.store, s.engine = s.process(tbl)
		p := busySettings()
		value := func(in parley.ActionPlace, name string, open bool) parley.ActionValue {
			return parley.ActionValue{In: in, Name: name, Open: open}
		}
		p.Actions = []parley.Action{
			{ID: "find_order", Name: "Find an order", Description: "Finds an order.", URL: "https://api.example.com/{order}", Parameters: json.RawMessage(parameters),
				Values: []parley.ActionValue{value(parley.InHeader, "X-Trace", true), value(parley.InQuery, "user", false)}},
			{ID: "call_us", Description: "Has somebody call back.", URL: "https://api.example.com/call", Handover: true},
			{ID: "refund", Description: "Pays back.", Method: "POST", URL: "https://api.example.com/refund", Parameters: json.RawMessage(parameters), Form: true},
		}
		p.Modes = []parley.Mode{{ID: "returns", Name: "Returns", Description: "The visitor sends something back.", Instructions: "Ask for the order."},
			{ID: "hidden", Name: "Hidden", Instructions: "Nobody enters it alone."}}
		parleytest.Put(t, s.store, p)
		s.visitor = parleytest.Visitor(t, s.store)
		test(s)
	})
}

func (s *shop) process(tbl table.Table) (*parley.Store, *run.Engine) {
	s.Helper()
	store := parleytest.Store(s, parley.Config{Table: tbl})
	e, err := run.New(run.Config{Store: store, Log: slog.New(slog.DiscardHandler),
		Agent: func(*parley.Project, parley.AgentSettings) (agent.Agent, error) { return s.script, nil },
		Act: func(ctx context.Context, r parley.ActionRequest) (parley.ActionResult, error) {
			s.mu.Lock()
			s.asked = append(s.asked, r)
			s.mu.Unlock()
			return s.host(ctx, r)
		}})
	if err != nil {
		s.Fatal(err)
	}
	return store, e
}

// calling is a step that calls a tool.
func calling(tool, arguments string) agenttest.Step {
	return agenttest.Step{Call: &agent.Call{ID: "x", Tool: tool, Arguments: json.RawMessage(arguments)}}
}

func (s *shop) ask(e *run.Engine, r parley.SendRequest) told {
	text, end, sent, err := ask(context.Background(), e, s.visitor, r)
	return told{text, end, sent, err}
}

func (s *shop) later(r parley.SendRequest) <-chan told {
	got := make(chan told, 1)
	_, e := s.process(s.table)
	go func() { got <- s.ask(e, r) }()
	return got
}

func (s *shop) session(id parley.SessionID) *parley.Session {
	s.Helper()
	got, err := s.store.Session(context.Background(), s.visitor, id)
	if err != nil {
		s.Fatal(err)
	}
	return got
}

// called writes the calls of an entry, one a line.
func called(e *parley.Entry) string {
	var lines []string
	for _, part := range e.Parts {
		if c := part.Action; c != nil {
			lines = append(lines, strings.Join([]string{c.ID, string(c.Action), c.Name, string(c.Arguments), string(c.Result), c.Error}, " "))
		}
	}
	return strings.Join(lines, "\n")
}

const (
	find     = "where is it"
	findSent = `1 find_order Find an order {"order":"7"} {"status":200,"body":{"state":"sent"}} `
	lost     = `1 find_order Find an order {"order":"7"}  Interrupted: nobody knows whether it was done.`
)

func TestARepliesCallsAreStored(t *testing.T) {
	inShop(t, func(s *shop) {
		s.says[find] = []agenttest.Step{{Delta: "One moment."}, calling("find_order", `{"order":"7"}`), calling("nothing", `{}`),
			calling("find_order", `{"order":"8"}`), {Delta: " It is sent."}}
		s.host = func(_ context.Context, r parley.ActionRequest) (parley.ActionResult, error) {
			log, err := s.store.ReadLog(context.Background(), parley.RunRef{Project: "demo", Run: find}, 0, true)
			var last *parley.ActionCall
			for _, l := range log {
				if l.Kind == parley.LogCall {
					last = l.Call
				}
			}
			if err != nil || last == nil || last.Result != nil || string(last.Arguments) != string(r.Arguments) {
				s.Errorf("while the host is asked the log has the call %+v, %v", last, err)
			}
			if string(r.Arguments) == `{"order":"8"}` {
				return parley.ActionResult{Result: json.RawMessage(`{"status":404}`), Error: "The host answered with status 404."}, nil
			}
			return parley.ActionResult{Result: json.RawMessage(`{"status":200,"body":{"state":"sent"}}`)}, nil
		}
		q := question(find, "")
		q.Extras.Overrides = parley.Overrides{Headers: map[string]string{"x-trace": "t1", "X-Other": "o"}, Query: map[string]string{"user": "me"}}
		got := s.ask(s.engine, q)
		if got.err != nil || got.text != "One moment. It is sent." || got.end.Status != parley.StatusDone {
			s.Fatalf("told %+v", got)
		}
		if want := findSent + "\n" + `2 find_order Find an order {"order":"8"} {"status":404} The host answered with status 404.`; called(got.end.Entry) != want {
			s.Errorf("stored\n%s\nwant\n%s", called(got.end.Entry), want)
		}
		used := s.script.Record()[0].Used
		if len(used) != 3 || used[0].Text != `{"status":200,"body":{"state":"sent"}}` || used[0].Failed || !used[1].Failed || !used[2].Failed ||
			used[2].Text != "The host answered with status 404.\n{\"status\":404}" {
			s.Errorf("the model is told %+v", used)
		}
		if len(s.asked) != 2 || s.asked[0].ID != find+".1" || s.asked[1].ID != find+".2" || s.asked[0].Project != "demo" {
			s.Errorf("asked %+v", s.asked)
		}
		if b := s.asked[0].Browser; len(b.Headers) != 1 || b.Headers["X-Trace"] != "t1" || b.Query != nil {
			s.Errorf("the browser's overrides are %+v, want what is open", b)
		}
		s.says["and now"] = agenttest.Say("Still.")
		s.ask(s.engine, question("and now", got.sent.Session.ID))
		earlier := s.script.Record()[1].Conversation.Earlier
		if len(earlier) != 2 || earlier[0].Tool != "find_order" || earlier[0].Failed || !earlier[1].Failed {
			s.Errorf("the next turn is told of %+v", earlier)
		}
	})
}

// TestACallIsMadeAtOnce: an action does not wait for the runner's next beat.
func TestACallIsMadeAtOnce(t *testing.T) {
	inShop(t, func(s *shop) {
		s.says[find] = []agenttest.Step{{Delay: 300 * time.Millisecond}, calling("find_order", `{"order":"7"}`), calling("find_order", `{"order":"8"}`), {Delta: "It is sent."}}
		began := time.Now()
		got := s.ask(s.engine, question(find, ""))
		if took := time.Since(began); got.err != nil || len(s.asked) != 2 || took > 400*time.Millisecond {
			s.Errorf("told %+v after %v, the host was asked %d times", got, took, len(s.asked))
		}
		log, err := s.store.ReadLog(s.Context(), got.sent.Ref, 0, true)
		if err != nil || slices.ContainsFunc(log, func(l parley.LogEntry) bool { return l.Kind == parley.LogBeat }) {
			s.Errorf("the log of a moment is %+v, %v", log, err)
		}
	})
}

func TestABeatGoesOnWhileAToolRuns(t *testing.T) {
	inShop(t, func(s *shop) {
		s.says[find] = []agenttest.Step{calling("find_order", `{"order":"7"}`), {Delta: "It is sent."}}
		host := s.host
		s.host = func(ctx context.Context, r parley.ActionRequest) (parley.ActionResult, error) {
			time.Sleep(25 * time.Second)
			return host(ctx, r)
		}
		first := s.later(question(find, ""))
		time.Sleep(20 * time.Second)
		ref := parley.RunRef{Project: "demo", Session: s.sessions()[0].ID, Run: find}
		log, err := s.store.ReadLog(context.Background(), ref, 0, true)
		beats := 0
		for _, l := range log {
			if l.Kind == parley.LogBeat {
				beats++
			}
		}
		if err != nil || beats < 8 {
			s.Errorf("%d beats in 20 s, %v", beats, err)
		}
		_, other := s.process(s.table)
		if err := other.Respond(context.Background(), ref); err != nil {
			s.Errorf("Respond = %v", err)
		}
		if got := <-first; got.err != nil || got.end.Status != parley.StatusDone || called(got.end.Entry) != findSent {
			s.Errorf("told %+v", got)
		}
		if len(s.asked) != 1 {
			s.Errorf("the host was asked %d times", len(s.asked))
		}
	})
}

func (s *shop) sessions() []parley.Session {
	s.Helper()
	all, _, err := s.store.Sessions(context.Background(), s.visitor, parley.PageRequest{})
	if err != nil {
		s.Fatal(err)
	}
	sessions := make([]parley.Session, len(all))
	for i := range all {
		sessions[i] = *all[i]
	}
	return sessions
}

// Whoever ends a run while an action is on its way has the rest dropped, and
// what was begun stored.
func TestACallIsLeftWithItsRun(t *testing.T) {
	for name, end := range map[string]func(s *shop, id parley.SessionID) error{
		"cancelled": func(s *shop, id parley.SessionID) error {
			_, err := s.engine.Cancel(context.Background(), s.visitor, id, "")
			return err
		},
		"taken_over": func(s *shop, id parley.SessionID) error {
			return s.store.TakeOver(context.Background(), parleytest.Operator(), id, parley.Author{Kind: parley.AuthorHuman, ID: "op"})
		},
	} {
		t.Run(name, func(t *testing.T) {
			inShop(t, func(s *shop) {
				s.says[find] = []agenttest.Step{{Delta: "One moment."}, calling("find_order", `{"order":"7"}`), {Delta: "It is sent."}, calling("call_us", `{}`)}
				left := make(chan time.Time, 1)
				s.host = func(ctx context.Context, r parley.ActionRequest) (parley.ActionResult, error) {
					<-ctx.Done()
					left <- time.Now()
					return parley.ActionResult{}, ctx.Err()
				}
				got := s.later(question(find, ""))
				time.Sleep(5 * time.Second)
				id := s.sessions()[0].ID
				if err := end(s, id); err != nil {
					s.Fatal(err)
				}
				if session := s.session(id); session.Run != nil {
					s.Errorf("the session is left with %+v", session.Run)
				}
				ended := time.Now()
				if took := (<-left).Sub(ended); took > 2500*time.Millisecond {
					s.Errorf("the host was left %v later", took)
				}
				told := <-got
				if told.err != nil || string(told.end.Status) != name || told.text != "One moment." || called(told.end.Entry) != lost {
					s.Errorf("told %q, %+v, %v, calls\n%s", told.text, told.end, told.err, called(told.end.Entry))
				}
				if len(s.asked) != 1 {
					s.Errorf("the host was asked %d times", len(s.asked))
				}
			})
		})
	}
}

// deafAgent is a model that goes on for 5 s whatever becomes of its run, and then calls an
// action.
type deafAgent struct{ called chan error }

func (a deafAgent) Reply(ctx context.Context, c agent.Conversation, emit func(string) error) (agent.Result, error) {
	if err := emit("One moment."); err != nil {
		return agent.Result{}, err
	}
	time.Sleep(5 * time.Second)
	_, err := c.Use(context.WithoutCancel(ctx), agent.Call{ID: "x", Tool: "find_order", Arguments: json.RawMessage(`{"order":"7"}`)})
	a.called <- err
	return agent.Result{}, err
}

// TestNoCallAfterTheRun: what a model calls when its run is over is not carried out.
func TestNoCallAfterTheRun(t *testing.T) {
	inShop(t, func(s *shop) {
		deaf := deafAgent{make(chan error, 1)}
		config := s.engine.Config
		config.Agent = func(*parley.Project, parley.AgentSettings) (agent.Agent, error) { return deaf, nil }
		e, err := run.New(config)
		if err != nil {
			s.Fatal(err)
		}
		got := make(chan told, 1)
		go func() { got <- s.ask(e, question("m", "")) }()
		time.Sleep(2 * time.Second)
		if _, err := e.Cancel(s.Context(), s.visitor, s.sessions()[0].ID, ""); err != nil {
			s.Fatal(err)
		}
		if told := <-got; told.err != nil || told.end.Status != parley.StatusCancelled || told.text != "One moment." || len(told.end.Entry.Parts) != 0 {
			s.Errorf("told %+v", told)
		}
		if err := <-deaf.called; err == nil || len(s.asked) != 0 {
			s.Errorf("the call = %v, and the host was asked %d times", err, len(s.asked))
		}
	})
}

// TestAnAnswerAfterTheRun: what a host answers when its run is over is dropped, and no
// failure of the model.
func TestAnAnswerAfterTheRun(t *testing.T) {
	inShop(t, func(s *shop) {
		var log bytes.Buffer
		config := s.engine.Config
		config.Store, config.Log = parleytest.Store(t, parley.Config{Table: s.table}), slog.New(slog.NewTextHandler(&log, nil))
		e, err := run.New(config)
		if err != nil {
			s.Fatal(err)
		}
		s.says[find] = []agenttest.Step{{Delta: "One moment."}, calling("find_order", `{"order":"7"}`), {Delta: "It is sent."}}
		host := s.host
		s.host = func(ctx context.Context, r parley.ActionRequest) (parley.ActionResult, error) {
			time.Sleep(time.Second)
			if _, err := s.engine.Cancel(context.Background(), s.visitor, s.sessions()[0].ID, ""); err != nil {
				s.Error(err)
			}
			return host(ctx, r)
		}
		got := s.ask(e, question(find, ""))
		if got.err != nil || got.end.Status != parley.StatusCancelled || got.text != "One moment." || called(got.end.Entry) != lost {
			s.Errorf("told %+v, calls\n%s", got, called(got.end.Entry))
		}
		if log.Len() > 0 {
			s.Errorf("logged %s", &log)
		}
		if used := s.script.Record()[0].Used; len(used) > 0 {
			s.Errorf("the model is told %+v", used)
		}
	})
}

// closed is a table of which logs of runs take no entry for a while.
type closed struct {
	table.Table
	from, until time.Time
}

func (c closed) Write(ctx context.Context, actions ...table.Action) error {
	if now := time.Now(); len(actions) == 1 && strings.Contains(actions[0].Key.PK, "/run/") && !now.Before(c.from) && now.Before(c.until) {
		return table.ErrNotDone
	}
	return c.Table.Write(ctx, actions...)
}

// TestACallThatIsNotLogged: where a call cannot be noted it is not made, and its runner
// leaves the run, which somebody else then begins anew.
func TestACallThatIsNotLogged(t *testing.T) {
	inShop(t, func(s *shop) {
		now := time.Now()
		_, e := s.process(closed{s.table, now.Add(time.Second), now.Add(8 * time.Second)})
		s.says["m"] = []agenttest.Step{{Delay: 2 * time.Second}, calling("find_order", `{"order":"7"}`), {Delta: "It is sent."}}
		got := s.ask(e, question("m", ""))
		if got.err != nil || got.end.Status != parley.StatusDone || got.text != "It is sent." || called(got.end.Entry) != findSent {
			s.Errorf("told %+v, %+v", got, got.end)
		}
		if calls := s.script.Calls(); calls != 2 || len(s.asked) != 1 {
			s.Errorf("the model was asked %d times and the host %d", calls, len(s.asked))
		}
	})
}

// hastyAgent is a model that leaves its first call of an action after a moment.
type hastyAgent struct {
	s      *shop
	called *int
}

func (a hastyAgent) Reply(ctx context.Context, c agent.Conversation, emit func(string) error) (agent.Result, error) {
	time.Sleep(2 * time.Second)
	if *a.called++; *a.called == 1 {
		hasty, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
		defer cancel()
		_, err := c.Use(hasty, agent.Call{ID: "x", Tool: "find_order", Arguments: json.RawMessage(`{"order":"7"}`)})
		if !errors.Is(err, context.DeadlineExceeded) || len(a.s.asked) > 0 {
			a.s.Errorf("a call that was left before it was noted = %v, and the host was asked %v", err, a.s.asked)
		}
		return agent.Result{}, err
	}
	return agent.Result{}, emit("It is sent.")
}

// TestACallThatIsLeft: nor is one that the model leaves before it is noted.
func TestACallThatIsLeft(t *testing.T) {
	inShop(t, func(s *shop) {
		config, now := s.engine.Config, time.Now()
		config.Store = parleytest.Store(t, parley.Config{Table: closed{s.table, now.Add(time.Second), now.Add(8 * time.Second)}})
		called := 0
		config.Agent = func(*parley.Project, parley.AgentSettings) (agent.Agent, error) { return hastyAgent{s, &called}, nil }
		e, err := run.New(config)
		if err != nil {
			s.Fatal(err)
		}
		if got := s.ask(e, question("m", "")); got.err != nil || got.text != "It is sent." || called != 2 || len(s.asked) != 0 {
			s.Errorf("told %+v, the model was asked %d times and the host %d", got, called, len(s.asked))
		}
	})
}

// mortal is a table as a process sees it that dies at some moment.
type mortal struct {
	table.Table
	dead atomic.Bool
}

func (m *mortal) Get(ctx context.Context, consistent bool, keys ...table.Key) ([]table.Item, error) {
	if m.dead.Load() {
		return nil, fault.ErrCrashed
	}
	return m.Table.Get(ctx, consistent, keys...)
}

func (m *mortal) Query(ctx context.Context, q table.Query) (table.Page, error) {
	if m.dead.Load() {
		return table.Page{}, fault.ErrCrashed
	}
	return m.Table.Query(ctx, q)
}

func (m *mortal) Write(ctx context.Context, actions ...table.Action) error {
	if m.dead.Load() {
		return fault.ErrCrashed
	}
	return m.Table.Write(ctx, actions...)
}

// A runner that dies with an action on its way is not followed by one that
// would do it again: the run ends as incomplete.
func TestACallIsNotMadeAgain(t *testing.T) {
	inShop(t, func(s *shop) {
		s.says[find] = []agenttest.Step{calling("find_order", `{"order":"7"}`), {Delta: "It is sent."}}
		dying := &mortal{Table: s.table}
		_, e := s.process(dying)
		s.host = func(ctx context.Context, _ parley.ActionRequest) (parley.ActionResult, error) {
			dying.dead.Store(true)
			return parley.ActionResult{Result: json.RawMessage(`{"status":200}`)}, nil
		}
		if got := s.ask(e, question(find, "")); got.err == nil {
			s.Errorf("the dead process told %+v", got)
		}
		id := s.sessions()[0].ID
		for range 3 {
			time.Sleep(time.Minute)
			if _, err := s.store.Sweep(context.Background(), parley.SweepHelp{Revive: s.engine.Revive}); err != nil {
				s.Fatal(err)
			}
		}
		entries := parleytest.Entries(s, s.store, s.visitor, id)
		last := entries[len(entries)-1]
		if last.Status != parley.StatusIncomplete || called(&last) != lost || len(s.asked) != 1 {
			s.Errorf("%s, calls %s, the host was asked %d times", last.Status, called(&last), len(s.asked))
		}
		s.says[find] = agenttest.Say("I asked before; let me not do it twice.")
		got := s.ask(s.engine, parley.SendRequest{ID: "again", Session: id, Retry: find, Claim: true})
		if got.err != nil || got.end.Status != parley.StatusDone {
			s.Errorf("the retry told %+v", got)
		}
		if earlier := s.script.Record()[1].Conversation.Earlier; len(earlier) != 1 || !earlier[0].Failed {
			s.Errorf("the retry is told of %+v", earlier)
		}
	})
}

func TestAnActionHandsOver(t *testing.T) {
	inShop(t, func(s *shop) {
		s.says["call me"] = []agenttest.Step{calling("call_us", `{}`), {Delta: "Somebody will call."}}
		got := s.ask(s.engine, question("call me", ""))
		if got.err != nil || got.end.Status != parley.StatusDone || got.end.Session.Holder != parley.HolderWaiting {
			s.Errorf("told %+v", got)
		}
		s.says["refused"] = []agenttest.Step{calling("call_us", `{}`), {Delta: "That did not work."}}
		s.host = func(context.Context, parley.ActionRequest) (parley.ActionResult, error) {
			return parley.ActionResult{Error: "No answer."}, nil
		}
		if got := s.ask(s.engine, question("refused", "")); got.err != nil || got.end.Session.Holder != parley.HolderAI {
			s.Errorf("told %+v", got)
		}
		// The model fails after the call, before and after a word: what was called stays known.
		for _, said := range []string{"", "Hm."} {
			s.says["fails"+said] = []agenttest.Step{{Delta: said}, calling("find_order", `{"order":"7"}`), {Err: agent.ErrCut}}
			s.host = func(context.Context, parley.ActionRequest) (parley.ActionResult, error) {
				return parley.ActionResult{Result: json.RawMessage(`{"status":200,"body":{"state":"sent"}}`)}, nil
			}
			if got := s.ask(s.engine, question("fails"+said, "")); got.err != nil || called(got.end.Entry) != findSent || got.end.Status == parley.StatusDone {
				s.Errorf("told %+v, calls %s", got, called(got.end.Entry))
			}
		}
	})
}

func TestModesComeAndGo(t *testing.T) {
	inShop(t, func(s *shop) {
		tools := func(n int) (names []string, enum string) {
			for _, tool := range s.script.Record()[n].Conversation.Tools {
				if form := strings.Contains(tool.Description, "shows the visitor a form"); form != (tool.Name == "refund") {
					s.Errorf("of %s is said %q", tool.Name, tool.Description)
				}
				if !json.Valid(tool.Parameters) {
					s.Errorf("the parameters of %s are %q", tool.Name, tool.Parameters)
				}
				names = append(names, tool.Name)
				if tool.Name == string(parley.EnterMode) && !strings.HasSuffix(tool.Description, "The modes:\n- returns (Returns): The visitor sends something back.") {
					s.Errorf("of the modes is said %q", tool.Description)
				}
				if tool.Name == string(parley.EnterMode) {
					enum = string(tool.Parameters)
				}
			}
			return names, enum
		}
		s.says["in"] = []agenttest.Step{calling("enter_mode", `{"mode":"hidden"}`), calling("enter_mode", `{"mode":"returns"}`), {Delta: "Which order?"}}
		first := s.ask(s.engine, question("in", ""))
		id := first.sent.Session.ID
		used := s.script.Record()[0].Used
		if first.end.Session.Mode != "returns" || !used[0].Failed || !strings.Contains(used[1].Text, "Ask for the order.") || len(first.end.Entry.Parts) != 0 {
			s.Errorf("%+v after %+v", first.end.Session, used)
		}
		if names, enum := tools(0); !slices.Equal(names, []string{"find_order", "call_us", "refund", "enter_mode"}) || !strings.Contains(enum, `"enum":["returns"]`) {
			s.Errorf("offered %q, %s", names, enum)
		}
		s.says["still"] = agenttest.Say("Go on.")
		s.ask(s.engine, question("still", id))
		if mode := s.script.Record()[1].Conversation.Mode; mode != (agent.Mode{ID: "returns", Name: "Returns", Instructions: "Ask for the order."}) {
			s.Errorf("the second turn is in the mode %+v", mode)
		}
		if names, _ := tools(1); !slices.Equal(names, []string{"find_order", "call_us", "refund", "leave_mode"}) {
			s.Errorf("offered %q", names)
		}
		s.says["out"] = []agenttest.Step{calling("leave_mode", `{}`), {Delta: "Done."}}
		if got := s.ask(s.engine, question("out", id)); got.end.Session.Mode != "" {
			s.Errorf("still in the mode %q", got.end.Session.Mode)
		}
		// A run that somebody ends leaves the mode as it was; a message may end it.
		again := question("in", id)
		again.ID = "in2"
		s.ask(s.engine, again)
		s.says["stopped"] = []agenttest.Step{calling("leave_mode", `{}`), {Delta: "Hm."}, {Delay: time.Hour}}
		got := s.later(question("stopped", id))
		time.Sleep(3 * time.Second)
		if _, err := s.engine.Cancel(context.Background(), s.visitor, id, ""); err != nil {
			s.Fatal(err)
		}
		if <-got; s.session(id).Mode != "returns" {
			s.Errorf("a cancelled run leaves the mode %q", s.session(id).Mode)
		}
		q := question("leave", id)
		q.LeaveMode, q.Extras.Prompt = true, "The cart was emptied."
		s.says["leave\n\n(The page adds: The cart was emptied.)"] = agenttest.Say("All right.")
		if got := s.ask(s.engine, q); got.text != "All right." || got.sent.Session.Mode != "" || got.end.Session.Mode != "" {
			s.Errorf("told %q, mode %q", got.text, got.end.Session.Mode)
		}
	})
}

// TestWhatTheAgentSaysOfItsReplyIsKept: why it asks for a human, that its reply was
// cut, and what it rests on.
func TestWhatTheAgentSaysOfItsReplyIsKept(t *testing.T) {
	inShop(t, func(s *shop) {
		s.says["help"] = []agenttest.Step{{Delta: "A person will"}, {Result: &agent.Result{Truncated: true, Handover: true, Reason: "It is about money.",
			Sources: []agent.Source{{Title: "Refunds", URL: "https://shop.example/refunds"}}}}}
		s.says["call"] = []agenttest.Step{{Delta: "A person will"}, calling("call_us", `{}`)}
		for text, why := range map[string]string{"help": "It is about money.", "call": `The action "call_us" asks for a human.`} {
			got := s.ask(s.engine, question(text, ""))
			if got.err != nil || got.end.Entry.Truncated != (text == "help") {
				s.Fatalf("%s: %+v", text, got)
			}
			sources := 0
			for _, part := range got.end.Entry.Parts {
				if part.Source != nil && *part.Source == (parley.Source{Title: "Refunds", URL: "https://shop.example/refunds"}) {
					sources++
				}
			}
			if want := map[string]int{"help": 1}[text]; sources != want {
				s.Errorf("%s: %d sources are stored, want %d", text, sources, want)
			}
			over, err := s.store.EntryAt(context.Background(), "demo", got.end.Session.ID, got.end.Entry.Seq+1)
			if err != nil || over.Event != parley.EventHandedOver || over.Reason != why {
				s.Errorf("%s: the handover is %+v, %v, want the reason %q", text, over, err, why)
			}
		}
	})
}
