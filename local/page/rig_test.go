package page_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"parley/functions/chat"
	closing "parley/functions/close"
	"parley/functions/csat"
	"parley/functions/history"
	"parley/functions/identify"
	"parley/functions/updates"
	"parley/functions/uploads"
	"parley/local/files"
	"parley/local/page"
	"parley/shared/agent"
	"parley/shared/agent/agenttest"
	"parley/shared/api"
	"parley/shared/bucket"
	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/run"
	"parley/shared/token"
)

// rig is a page with a whole Parley behind it: every function on the embedded
// table, a bucket, a scripted agent. Page, API and bucket have origins of their
// own, as when deployed. The fronts make the network fail on demand.
type rig struct {
	page        *httptest.Server
	api, bucket *front
	store       *parley.Store
	keys        *token.Keyring
	ahead       atomic.Int64 // how far the store's clock is ahead, a time.Duration

	mu    sync.Mutex
	acted []string      // what was carried out
	gate  chan struct{} // each piece of a reply waits for it, if not nil
	asked map[string]int
}

// answer is what the agent says unless the question names something else.
const answer = "You can reload **at any time**.\n\n1. The answer is a log.\n2. Your page remembers how far it read.\n\n" +
	"```sh\nmake run\n```\n\nMore in the [guide](/docs/guide.md). Grüße! ✓"

func newRig(t *testing.T) *rig {
	t.Helper()
	keys, err := token.New(token.Config{Masters: [][]byte{bytes.Repeat([]byte("m"), token.MinMasterBytes)}})
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{keys: keys, asked: map[string]int{}, api: newFront(t), bucket: newFront(t)}
	r.store = parleytest.Store(t, parley.Config{Derive: keys.Derive, Bucket: r.openBucket(t), Now: r.now})
	project := parleytest.Settings()
	project.Greeting = "Hello! I know Parley’s documentation by heart. What would you like to know?"
	project.Uploads.MaxBytes = 1 << 20
	project.Budgets.MessagesPerMinute = 6000
	project.Actions = actions
	project.Challenge.Numbers = parley.MinChallengeNumbers // every visitor of these tests has solved one
	parleytest.Put(t, r.store, project)
	r.api.serve(r.functions(t))

	handler, err := page.New(page.Config{Key: project.PublicKeys[0], Base: r.api.URL, Origins: []string{r.api.URL, r.bucket.URL}})
	if err != nil {
		t.Fatal(err)
	}
	r.page = httptest.NewServer(handler)
	t.Cleanup(r.page.Close)
	return r
}

func (r *rig) now() time.Time { return time.Now().Add(time.Duration(r.ahead.Load())) }

func (r *rig) openBucket(t *testing.T) *bucket.Bucket {
	t.Helper()
	server, err := files.Open(files.Config{Folder: t.TempDir(), Origin: r.bucket.URL})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	r.bucket.serve(server)
	return bucket.New(bucket.Config{Client: server.Client(), Name: files.Name})
}

func (r *rig) functions(t *testing.T) http.Handler {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	script := agenttest.New(r.script)
	engine, err := run.New(run.Config{Store: r.store, Log: quiet, Act: r.act,
		Agent: func(*parley.Project, parley.AgentSettings) (agent.Agent, error) { return script, nil },
		Flush: func(time.Duration) time.Duration { return time.Millisecond },
	})
	if err != nil {
		t.Fatal(err)
	}
	calls, err := api.New(api.Config{Store: r.store, Keys: r.keys, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mount := func(h http.Handler, patterns ...string) {
		for _, p := range patterns {
			mux.Handle(p, h)
		}
	}
	mount(chat.New(chat.Config{API: calls, Engine: engine}), "/chat", "/chat/")
	mount(updates.New(api.Updates{API: calls}), "/updates/")
	mount(closing.New(calls), "/close")
	mount(history.New(calls), "/history", "/history/")
	mount(csat.New(calls), "/csat", "/csat/")
	mount(uploads.New(calls), "/uploads", "/uploads/", "/files/")
	mount(identify.New(calls), "/config", "/identify", "/identify/")
	return mux
}

// script is how the agent answers: to "say X" with X; to "fail" and "break" the
// first time with an error before and after some text; else with answer.
func (r *rig) script(c agent.Conversation) []agenttest.Step {
	question := c.Turns[len(c.Turns)-1].Text
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked[question]++
	first := r.asked[question] == 1
	var steps []agenttest.Step
	switch {
	case question == "fail" && first:
		steps = []agenttest.Step{{Err: agent.ErrProvider}}
	case question == "break" && first:
		steps = append(agenttest.Say("It begins well, ", "and then"), agenttest.Step{Err: agent.ErrCut})
	case question == "order":
		steps = []agenttest.Step{{Call: &agent.Call{ID: "a", Tool: "find_order", Arguments: json.RawMessage(`{"order":"7"}`)}}, {Delta: "Here it is."}}
	case question == "refund":
		steps = []agenttest.Step{{Call: &agent.Call{ID: "a", Tool: "refund", Arguments: json.RawMessage(`{"order":"7"}`)}}, {Delta: "Please fill this in."}}
	case question == "solve":
		steps = []agenttest.Step{{Delta: "Turn it off and on."}, {Result: &agent.Result{LikelyResolved: true}}}
	case strings.HasPrefix(question, "say "):
		steps = agenttest.Say(question[4:])
	default:
		steps = append(agenttest.Say(pieces(answer)...), agenttest.Step{Result: &agent.Result{
			Sources: []agent.Source{{Title: "Runs and readers", URL: "/docs/runs.md"}}}})
	}
	for i := range steps {
		if r.gate != nil && steps[i].Delta != "" {
			steps[i].Until = r.gate
		}
	}
	return steps
}

var actions = []parley.Action{
	{ID: "find_order", Name: "Your order", Description: "Finds an order.", URL: "https://api.example.com/{order}",
		Parameters: json.RawMessage(`{"type":"object","properties":{"order":{"type":"string"}},"required":["order"]}`)},
	{ID: "refund", Name: "Refund", Description: "Pays back.", Method: "POST", URL: "https://api.example.com/refund", Form: true,
		Parameters: json.RawMessage(`{"type":"object","required":["order","amount","reason"],"properties":{
			"order":{"type":"string","title":"Order"},"amount":{"type":"integer","minimum":1,"description":"In euros"},
			"reason":{"type":"string","enum":["late","broken","<b>other</b>"]},"exchange":{"type":"boolean"},"note":{"type":"string","maxLength":500}}}`)},
}

// act answers for the host of the actions.
func (r *rig) act(_ context.Context, a parley.ActionRequest) (parley.ActionResult, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.acted = append(r.acted, string(a.Action.ID)+" "+string(a.Arguments))
	return parley.ActionResult{Result: json.RawMessage(`{"status":200,"body":{"state":"<img src=x onerror=alert(1)>","arrives_on":"Friday"}}`)}, nil
}

// done returns what was carried out.
func (r *rig) done() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.acted)
}

// answers returns how often the agent was asked this.
func (r *rig) answers(question string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.asked[question]
}

// pieces cuts a text after every third word.
func pieces(text string) (all []string) {
	for i, word := range strings.SplitAfter(text, " ") {
		if i%3 == 0 {
			all = append(all, "")
		}
		all[len(all)-1] += word
	}
	return all
}

// holdReplies makes each piece of the replies from now on wait until the channel
// that it returns has a value or is closed.
func (r *rig) holdReplies() chan struct{} {
	gate := make(chan struct{})
	r.mu.Lock()
	r.gate = gate
	r.mu.Unlock()
	return gate
}

type object = map[string]any

// call makes a call of the API as the visitor with this token, and returns the answer.
func (r *rig) call(t *testing.T, token, method, path string, body any) object {
	t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequest(method, r.api.URL+path, bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json")
	request.Header.Set("Parley-Key", parleytest.Settings().PublicKeys[0])
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var out object
	if err := json.NewDecoder(response.Body).Decode(&out); err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s %s = %d %v, %v", method, path, response.StatusCode, out, err)
	}
	return out
}

// sessions returns the ids of the visitor's sessions, newest first.
func (r *rig) sessions(t *testing.T, token string) (ids []string) {
	t.Helper()
	for _, s := range r.call(t, token, "GET", "/history?limit=100", nil)["sessions"].([]any) {
		ids = append(ids, s.(object)["id"].(string))
	}
	return ids
}

// said returns the texts of a session's messages and, in brackets, its events.
func (r *rig) said(t *testing.T, token, session string) (all []string) {
	t.Helper()
	for _, e := range r.call(t, token, "GET", "/history/"+session, nil)["entries"].([]any) {
		entry := e.(object)
		if event, ok := entry["event"].(string); ok {
			all = append(all, "("+event+")")
			continue
		}
		all = append(all, entry["text"].(string))
	}
	return all
}
