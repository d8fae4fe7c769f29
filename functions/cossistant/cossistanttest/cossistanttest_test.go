package cossistanttest_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"parley/functions/cossistant"
	"parley/functions/cossistant/cossistanttest"
	"parley/functions/uploads"
	"parley/local/files"
	"parley/shared/agent"
	"parley/shared/agent/agenttest"
	"parley/shared/api"
	"parley/shared/bucket"
	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/run"
	"parley/shared/token"
)

const master = "a master secret of at least 32 bytes"

// TestNetHTTP runs the suite over net/http, on the embedded table and bucket.
func TestNetHTTP(t *testing.T) { cossistanttest.Run(t, serve(t, nil)) }

// TestEveryRouteIsTabled: no call is served that the access tables do not have, but the
// one by which pages become visitors.
func TestEveryRouteIsTabled(t *testing.T) {
	keys := must(token.New(token.Config{Masters: [][]byte{[]byte(master)}}))(t)
	store := must(parley.New(parley.Config{Table: parleytest.Table(t), Derive: keys.Derive}))(t)
	var served []string
	calls := must(api.New(api.Config{Store: store, Keys: keys, Routed: func(pattern string) { served = append(served, strings.Replace(pattern, "/cossistant/v1", "", 1)) }}))(t)
	cossistant.New(cossistant.Config{API: calls, Runs: new(run.Dispatcher)})
	if len(served) == 0 {
		t.Fatal("nothing is served")
	}
	tabled := append(cossistanttest.Tabled(), "GET /websites")
	for _, route := range served {
		if !slices.Contains(tabled, route) {
			t.Errorf("%s is in no access table", route)
		}
	}
}

// TestTyping: the team is told that the visitor types and that it has stopped, and
// nothing of another's session.
func TestTyping(t *testing.T) {
	var told []string
	host := serve(t, func(_ context.Context, s *parley.Session, by parley.Author, typing bool, text string) {
		told = append(told, fmt.Sprint(s.ID, " ", by.Kind, " ", by.ID, " ", typing, " ", text))
	})
	if err := host.Store.PutProject(t.Context(), parley.Project{ID: "shop", Name: "Shop", PublicKeys: []string{"pk_live_shop"}, Origins: []string{"https://shop.example"},
		Agents: []parley.AgentSettings{{ID: "ada", Name: "Ada"}}}); err != nil {
		t.Fatal(err)
	}
	arrive := func() string {
		return string(must(host.Store.Arrive(t.Context(), parley.Caller{Project: "shop", Channel: parley.ChannelCossistant}, ""))(t).ID)
	}
	visitor, other := arrive(), arrive()
	post := func(visitor, path, body string) int {
		r := must(http.NewRequestWithContext(t.Context(), http.MethodPost, host.URL+"/cossistant/v1/conversations"+path, strings.NewReader(body)))(t)
		return ask(t, r, visitor).StatusCode
	}
	if status := post(visitor, "", `{"conversationId":"c1","defaultTimelineItems":[{"id":"m1","text":"hello"}]}`); status != http.StatusOK {
		t.Fatalf("begin = %d", status)
	}
	for _, on := range []string{"true", "false"} {
		if status := post(visitor, "/c1/typing", `{"isTyping":`+on+`,"visitorPreview":"I wan"}`); status != http.StatusOK {
			t.Errorf("typing = %d", status)
		}
		if status := post(other, "/c1/typing", `{"isTyping":`+on+`}`); status != http.StatusNotFound {
			t.Errorf("typing in another's = %d", status)
		}
	}
	if want := []string{"c1 user " + visitor + " true I wan", "c1 user " + visitor + " false I wan"}; !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
}

// ask makes a request as a visitor of the project "shop"; the body is closed.
func ask(t *testing.T, r *http.Request, visitor string) *http.Response {
	t.Helper()
	r.Header.Set("Origin", "https://shop.example")
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Public-Key", "pk_live_shop")
	r.Header.Set("X-Visitor-Id", visitor)
	response := must(http.DefaultClient.Do(r))(t)
	t.Cleanup(func() { response.Body.Close() })
	return response
}

// serve serves the function with the embedded table and bucket, and what else the
// suite needs.
func serve(t *testing.T, typing func(context.Context, *parley.Session, parley.Author, bool, string)) cossistanttest.Host {
	keys := must(token.New(token.Config{Masters: [][]byte{[]byte(master)}}))(t)
	store := must(parley.New(parley.Config{Table: parleytest.Table(t), Bucket: attachments(t), Derive: keys.Derive}))(t)
	engine := must(run.New(run.Config{Store: store, Log: slog.New(slog.DiscardHandler),
		Agent: func(*parley.Project, parley.AgentSettings) (agent.Agent, error) {
			return agenttest.New(func(agent.Conversation) []agenttest.Step { return nil }), nil
		}}))(t)
	calls := must(api.New(api.Config{Store: store, Keys: keys, Log: slog.New(slog.DiscardHandler)}))(t)
	mux := http.NewServeMux()
	mux.Handle("/files/", uploads.New(calls))
	mux.Handle("/cossistant/", cossistant.New(cossistant.Config{API: calls, Runs: engine.Dispatcher, Typing: typing}))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return cossistanttest.Host{URL: server.URL, Store: store, Master: master, Origin: "https://shop.example"}
}

// attachments is the embedded bucket.
func attachments(t *testing.T) *bucket.Bucket {
	server := httptest.NewUnstartedServer(nil)
	objects := must(files.Open(files.Config{Folder: t.TempDir(), Origin: "http://" + strings.Replace(server.Listener.Addr().String(), "127.0.0.1", "localhost", 1)}))(t)
	server.Config.Handler = objects
	server.Start()
	t.Cleanup(func() {
		server.Close()
		if err := objects.Close(); err != nil {
			t.Error(err)
		}
	})
	return bucket.New(bucket.Config{Client: objects.Client(), Name: files.Name})
}

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}
