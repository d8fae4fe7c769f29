package cossistanttest_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"parley/functions/consolews"
	"parley/functions/cossistant"
	"parley/functions/cossistant/cossistanttest"
	"parley/functions/cossistant/shape"
	"parley/functions/cossistantws"
	"parley/functions/internal/functiontest"
	"parley/functions/push"
	"parley/functions/respond"
	"parley/local/gateway"
	"parley/shared/agent"
	"parley/shared/agent/openai"
	"parley/shared/api"
	"parley/shared/api/apitest"
	"parley/shared/live"
	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/run"
	"parley/shared/socket"
	"parley/shared/table"
	"parley/shared/table/bolt"
	"parley/shared/token"
)

// TestSockets runs the suite of the sockets with all functions in this process, on the
// embedded table, behind the stand-in for API Gateway.
func TestSockets(t *testing.T) { cossistanttest.RunSockets(t, newSocketHost(t).host()) }

// socketHost is all functions that pages with the widget have to do with.
type socketHost struct {
	t       *testing.T
	table   *bolt.Table
	store   *parley.Store
	model   *apitest.ModelServer
	engine  *run.Engine
	widgets socket.Handler
	pages   atomic.Pointer[gateway.API]
	desks   *gateway.API
	pushes  push.Handler
	front   *httptest.Server
	work    sync.WaitGroup
}

var quiet = slog.New(slog.DiscardHandler)

func (h *socketHost) host() cossistanttest.SocketHost {
	return cossistanttest.SocketHost{Host: cossistanttest.Host{URL: h.front.URL, Store: h.store, Master: master, Origin: "https://shop.example"},
		Socket: h.front.URL + cossistantws.Path, Console: h.front.URL + "/console/socket", Gateway: h.pages.Load, Model: h.model, Closes: true,
		Dump: func(t testing.TB) map[table.Key]table.Item { return parleytest.Everything(t, h.table) },
		Restart: func(testing.TB) {
			h.pages.Load().Stop(context.Background())
			h.open()
		}}
}

func newSocketHost(t *testing.T) *socketHost {
	h := &socketHost{t: t, table: parleytest.Table(t), model: apitest.NewModelServer(t)}
	keys := must(token.New(token.Config{Masters: [][]byte{[]byte(master)}}))(t)
	h.store = must(parley.New(parley.Config{Table: h.table, Bucket: attachments(t), Derive: keys.Derive, ProjectLife: -1}))(t)
	told := must(live.New(live.Config{Store: h.store, Poster: h, Log: quiet,
		Keyed: map[parley.Channel]live.KeyedSpeaker{parley.ChannelCossistant: shape.Speaker{}}}))(t)
	h.pushes = push.New(push.Config{Live: told})
	answers := must(openai.New(openai.Config{BaseURL: h.model.URL, Model: "scripted"}))(t)
	h.engine = must(run.New(run.Config{Store: h.store, Log: quiet, Respond: h.respond, Live: told.Run,
		Agent: func(*parley.Project, parley.AgentSettings) (agent.Agent, error) { return answers, nil }}))(t)
	calls := must(api.New(api.Config{Store: h.store, Keys: keys, Log: quiet}))(t)
	h.widgets = cossistantws.New(cossistantws.Config{API: calls, Sockets: h, Typing: told.TypingText,
		Meet: func(ctx context.Context, p parley.ProjectID, ref socket.Ref) error {
			return h.push(ctx, push.MeetEvent(p, ref))
		},
		Refuse: func(ctx context.Context, ref socket.Ref, code, text string) error {
			return h.push(ctx, push.RefuseEvent(ref, parley.ChannelCossistant, code, text))
		}})
	h.open()
	consoles := consolews.New(consolews.Config{Store: h.store, Live: told, Log: quiet})
	h.desks = gateway.New(gateway.Config{Name: live.ConsoleAPI, Log: quiet, Invoke: gateway.InProcess(consoles, live.ConsoleAPI, quiet)})
	mux := http.NewServeMux()
	mux.Handle("/cossistant/", cossistant.New(cossistant.Config{API: calls, Runs: h.engine.Dispatcher, Typing: told.TypingText}))
	mux.HandleFunc(cossistantws.Path, func(w http.ResponseWriter, r *http.Request) { h.pages.Load().ServeHTTP(w, r) })
	mux.Handle("/console/socket", h.desks)
	h.front = httptest.NewServer(mux)
	stop := functiontest.Follow(t, h.table, push.PageBell(h.push))
	t.Cleanup(func() {
		h.pages.Load().Stop(context.Background())
		h.desks.Stop(context.Background())
		h.front.Close()
		stop()
		h.work.Wait()
	})
	return h
}

// open makes a gateway for the pages.
func (h *socketHost) open() {
	h.pages.Store(gateway.New(gateway.Config{Name: shape.SocketAPI, Log: quiet, Invoke: gateway.InProcess(h.widgets, shape.SocketAPI, quiet)}))
}

func (h *socketHost) respond(ctx context.Context, ref parley.RunRef) error {
	answer := respond.New(respond.Config{Engine: h.engine, Turns: new(respond.Turns)})
	h.work.Go(func() {
		if err := answer(context.WithoutCancel(ctx), respond.EventOf(ref)); err != nil {
			h.t.Errorf("respond: %v", err)
		}
	})
	return nil
}

func (h *socketHost) push(ctx context.Context, e push.Event) error {
	h.work.Go(func() {
		if err := h.pushes(context.WithoutCancel(ctx), e); err != nil {
			h.t.Errorf("push: %v", err)
		}
	})
	return nil
}

// The host reaches the connections of whatever gateways it has now.
var (
	_ socket.Poster  = (*socketHost)(nil)
	_ socket.Refuser = (*socketHost)(nil)
)

func (h *socketHost) poster() gateway.Poster {
	return gateway.Poster{shape.SocketAPI: h.pages.Load(), live.ConsoleAPI: h.desks}
}

// Post implements socket.Poster.
func (h *socketHost) Post(ctx context.Context, to socket.Ref, frame []byte) error {
	return h.poster().Post(ctx, to, frame)
}

// Close implements socket.Poster.
func (h *socketHost) Close(ctx context.Context, to socket.Ref) error {
	return h.poster().Close(ctx, to)
}

// Active implements socket.Poster.
func (h *socketHost) Active(ctx context.Context, to socket.Ref) (time.Time, error) {
	return h.poster().Active(ctx, to)
}

// Refuse implements socket.Refuser.
func (h *socketHost) Refuse(ctx context.Context, to socket.Ref) error {
	return h.poster().Refuse(ctx, to)
}
