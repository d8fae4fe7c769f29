package hissunotest_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"parley/functions/hissuno"
	"parley/functions/hissuno/hissunotest"
	"parley/shared/agent"
	"parley/shared/agent/openai"
	"parley/shared/api"
	"parley/shared/api/apitest"
	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/run"
	"parley/shared/table"
	"parley/shared/token"
)

const master = "a master secret of at least 32 bytes"

// TestNetHTTP runs the suite over net/http, on the embedded table: once as on a
// laptop, where a request for updates is held, and once as on Lambda.
func TestNetHTTP(t *testing.T) {
	for name, hold := range map[string]time.Duration{"held": 300 * time.Millisecond, "unheld": 0} {
		t.Run(name, func(t *testing.T) {
			keys, err := token.New(token.Config{Masters: [][]byte{[]byte(master)}})
			fatal(t, err)
			tbl := parleytest.Table(t)
			store, err := parley.New(parley.Config{Table: tbl, Derive: keys.Derive, ProjectLife: -1})
			fatal(t, err)
			model := apitest.NewModelServer(t)
			start := func() http.Handler { return handler(t, store, keys, model, hold) }
			server := &replaced{handler: start()}
			front := httptest.NewServer(server)
			t.Cleanup(front.Close)
			hissunotest.Run(t, hissunotest.Host{URL: front.URL, Store: store, Master: master, Model: model, Hold: hold,
				Dump:    func(t testing.TB) map[table.Key]table.Item { return parleytest.Everything(t, tbl) },
				Restart: func(testing.TB) { server.handler = start() }})
		})
	}
}

// replaced is a server whose handler can be replaced between requests.
type replaced struct{ handler http.Handler }

func (s *replaced) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

func handler(t *testing.T, store *parley.Store, keys *token.Keyring, model *apitest.ModelServer, hold time.Duration) http.Handler {
	answers, err := openai.New(openai.Config{BaseURL: model.URL, Model: "scripted"})
	fatal(t, err)
	quiet := slog.New(slog.DiscardHandler)
	engine, err := run.New(run.Config{Store: store, Log: quiet,
		Agent: func(*parley.Project, parley.AgentSettings) (agent.Agent, error) { return answers, nil }})
	fatal(t, err)
	calls, err := api.New(api.Config{Store: store, Keys: keys, Log: quiet})
	fatal(t, err)
	h := hissuno.New(hissuno.Config{API: calls, Engine: engine, Hold: hold, Poll: 20 * time.Millisecond})
	return h
}

func fatal(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
