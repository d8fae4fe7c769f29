package apitest_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	articles "parley/docs"
	"parley/functions/chat"
	closing "parley/functions/close"
	"parley/functions/csat"
	"parley/functions/history"
	"parley/functions/identify"
	"parley/functions/operator"
	"parley/functions/updates"
	"parley/functions/uploads"
	"parley/local/files"
	"parley/shared/action"
	"parley/shared/agent"
	"parley/shared/agent/docs"
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

// hold is long enough for a request to be met by what it waits for, and short
// enough to be sat out a dozen times.
const hold = time.Second

const master = "a master secret of at least 32 bytes"

// TestNetHTTP runs the API suite over net/http, each function under an origin of
// its own, on the embedded table and the embedded bucket.
func TestNetHTTP(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some 20 s")
	}
	model := apitest.NewModelServer(t)
	host := netHTTP(t, must(openai.New(openai.Config{BaseURL: model.URL, Model: "scripted"}))(t))
	host.Model = model
	apitest.Run(t, host)
}

// TestTour: the tour that other hosts are taken on finds every call of the document.
func TestTour(t *testing.T) {
	library := must(docs.New(docs.Config{Articles: articles.FS, Pace: docs.DefaultPace}))(t)
	apitest.Tour(t, netHTTP(t, library))
}

// netHTTP is a host on the embedded table and the embedded bucket.
func netHTTP(t *testing.T, answers agent.Agent) apitest.Host {
	keys := must(token.New(token.Config{Masters: [][]byte{[]byte(master)}}))(t)
	tbl := parleytest.Table(t)
	store := must(parley.New(parley.Config{Table: tbl, Bucket: attachments(t), Derive: keys.Derive}))(t)
	act := must(action.New(action.Config{Outbound: outbound.Config{Private: true}, Log: slog.New(slog.DiscardHandler)}))(t)
	engine := must(run.New(run.Config{Store: store, Act: act.Do, Log: slog.New(slog.DiscardHandler),
		Agent: func(*parley.Project, parley.AgentSettings) (agent.Agent, error) { return answers, nil }}))(t)

	// The servers have to be there before the API that names them.
	var urls api.URLs
	var handlers []func(http.Handler)
	var desk string
	for _, address := range []*string{&urls.Identify, &urls.Chat, &urls.Updates, &urls.Close, &urls.History, &urls.CSAT, &urls.Uploads, &desk} {
		var handler http.Handler
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
		t.Cleanup(server.Close)
		*address = server.URL
		handlers = append(handlers, func(h http.Handler) { handler = h })
	}
	a := must(api.New(api.Config{Store: store, Keys: keys, URLs: urls, Log: slog.New(slog.DiscardHandler)}))(t)
	for i, h := range []http.Handler{
		identify.New(a),
		chat.New(chat.Config{API: a, Engine: engine}),
		updates.New(api.Updates{API: a, Hold: hold, Poll: 50 * time.Millisecond}),
		closing.New(a),
		history.New(a),
		csat.New(a),
		uploads.New(a),
		operator.New(operator.Config{API: a, Runs: engine.Dispatcher, Hold: hold, Poll: 50 * time.Millisecond,
			CheckURL: must(outbound.New(outbound.Config{}))(t).CheckURL}),
	} {
		handlers[i](h)
	}
	return apitest.Host{URLs: urls, Operator: desk, OperatorOrigin: desk, Store: store, Master: master, Hold: hold,
		Dump: func(t testing.TB) map[table.Key]table.Item { return parleytest.Everything(t, tbl) }}
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
