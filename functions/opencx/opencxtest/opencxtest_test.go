package opencxtest_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"parley/functions/opencx"
	"parley/functions/opencx/opencxtest"
	"parley/functions/uploads"
	"parley/local/files"
	"parley/shared/action"
	"parley/shared/agent"
	"parley/shared/agent/openai"
	"parley/shared/api"
	"parley/shared/api/apitest"
	"parley/shared/bucket"
	"parley/shared/outbound"
	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/run"
	"parley/shared/table"
	"parley/shared/token"
)

const master = "a master secret of at least 32 bytes"

// TestNetHTTP runs the suite over net/http, on the embedded table and bucket.
func TestNetHTTP(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some 10 s")
	}
	keys := must(token.New(token.Config{Masters: [][]byte{[]byte(master)}}))(t)
	tbl := parleytest.Table(t)
	store := must(parley.New(parley.Config{Table: tbl, Bucket: attachments(t), Derive: keys.Derive}))(t)
	model := apitest.NewModelServer(t)
	answers := must(openai.New(openai.Config{BaseURL: model.URL, Model: "scripted"}))(t)
	act := must(action.New(action.Config{Outbound: outbound.Config{Private: true}, Log: slog.New(slog.DiscardHandler),
		Secret: func(_ context.Context, _ parley.ProjectID, name string) (string, error) {
			return opencxtest.Secret(name), nil
		}}))(t)
	engine := must(run.New(run.Config{Store: store, Act: act.Do, Log: slog.New(slog.DiscardHandler),
		Agent: func(*parley.Project, parley.AgentSettings) (agent.Agent, error) { return answers, nil }}))(t)
	calls := must(api.New(api.Config{Store: store, Keys: keys, Log: slog.New(slog.DiscardHandler)}))(t)
	mux := http.NewServeMux()
	mux.Handle("/files/", uploads.New(calls))
	widget := opencx.New(opencx.Config{API: calls, Runs: engine.Dispatcher})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/files/") {
			mux.ServeHTTP(w, r)
			return
		}
		widget.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	opencxtest.Run(t, opencxtest.Host{URL: server.URL, Store: store, Master: master, Model: model,
		Dump: func(t testing.TB) map[table.Key]table.Item { return parleytest.Everything(t, tbl) }})
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
