package cossistanttest_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
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
func TestNetHTTP(t *testing.T) {
	keys := must(token.New(token.Config{Masters: [][]byte{[]byte(master)}}))(t)
	store := must(parley.New(parley.Config{Table: parleytest.Table(t), Bucket: attachments(t), Derive: keys.Derive}))(t)
	engine := must(run.New(run.Config{Store: store, Log: slog.New(slog.DiscardHandler),
		Agent: func(*parley.Project, parley.AgentSettings) (agent.Agent, error) {
			return agenttest.New(func(agent.Conversation) []agenttest.Step { return nil }), nil
		}}))(t)
	calls := must(api.New(api.Config{Store: store, Keys: keys, Log: slog.New(slog.DiscardHandler)}))(t)
	mux := http.NewServeMux()
	mux.Handle("/files/", must(uploads.New(uploads.Config{API: calls}))(t))
	mux.Handle("/cossistant/", must(cossistant.New(cossistant.Config{API: calls, Runs: engine.Dispatcher}))(t))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	cossistanttest.Run(t, cossistanttest.Host{URL: server.URL, Store: store, Master: master})
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
