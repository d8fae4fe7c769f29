package chathubtest_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"parley/functions/chathub"
	"parley/functions/chathub/chathubtest"
	"parley/functions/internal/functiontest"
	"parley/functions/push"
	"parley/functions/respond"
	"parley/functions/sweep"
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
	"parley/shared/table/fault"
	"parley/shared/token"
)

const master = "a master secret of at least 32 bytes"

// TestInProcess runs the suite with all functions in this process, on the embedded
// table, behind the stand-in for API Gateway.
func TestInProcess(t *testing.T) {
	chathubtest.Run(t, newHost(t).host())
}

// TestAppsInProcess has apps with SignalR's own client use the same.
func TestAppsInProcess(t *testing.T) {
	chathubtest.RunApps(t, newHost(t).host())
}

func (h *host) host() chathubtest.Host {
	return chathubtest.Host{Base: h.front.URL, Socket: h.front.URL + chathub.Path, Gateway: h.gateway.Load, Store: h.store, Master: master, Model: h.model,
		Dump:  func(t testing.TB) map[table.Key]table.Item { return parleytest.Everything(t, h.table) },
		Break: func() { h.broken.Store(true) }, Kill: h.kill, Pass: h.pass, Restart: h.restart}
}

// host is all functions that the hub's clients have to do with.
type host struct {
	t       *testing.T
	table   *bolt.Table
	keys    *token.Keyring
	store   *parley.Store
	model   *apitest.ModelServer
	gateway atomic.Pointer[gateway.API]
	front   *httptest.Server
	hub     *chathub.Hub
	// broken makes the hub's next read panic; ahead is by how much the clock is.
	broken atomic.Bool
	ahead  atomic.Int64
	// network and writer are whoever writes replies, and reaches nobody once it has
	// crashed.
	network *fault.Network
	writer  atomic.Pointer[writer]
	live    *live.Live
	pushes  push.Handler
	work    sync.WaitGroup
}

// writer is a process that writes replies.
type writer struct {
	process *fault.Process
	engine  *run.Engine
}

func newHost(t *testing.T) *host {
	h := &host{t: t, table: parleytest.Table(t), model: apitest.NewModelServer(t)}
	var err error
	h.keys, err = token.New(token.Config{Masters: [][]byte{[]byte(master)}})
	h.fatal(err)
	h.store = h.storeOver(h.table)
	h.network = fault.NewNetwork(fault.NetworkConfig{Table: h.table})
	h.live, err = live.New(live.Config{Store: h.store, Poster: h, Speakers: live.Speakers(), Log: quiet, Now: h.now})
	h.fatal(err)
	h.pushes = push.New(push.Config{Live: h.live})
	h.writer.Store(h.newWriter())
	calls, err := api.New(api.Config{Store: h.storeOver(breakable{h.table, &h.broken}), Keys: h.keys, Log: quiet})
	h.fatal(err)
	runs, err := run.NewDispatcher(run.Config{Store: calls.Store, Respond: h.respond, Log: quiet})
	h.fatal(err)
	h.hub = chathub.New(chathub.Config{API: calls, Runs: runs, Sockets: h, Now: h.now, Wake: func(ctx context.Context, p parley.ProjectID, id parley.SessionID) error {
		return h.push(ctx, push.Event{Project: p, Session: id})
	}})
	h.open()
	mux := http.NewServeMux()
	mux.Handle(chathub.NegotiatePath, h.hub.Negotiate)
	mux.HandleFunc(chathub.Path, func(w http.ResponseWriter, r *http.Request) { h.gateway.Load().ServeHTTP(w, r) })
	h.front = httptest.NewServer(mux)
	stop := functiontest.Follow(t, h.table, push.Bell(h.push))
	t.Cleanup(func() {
		h.gateway.Load().Stop(context.Background())
		h.front.Close()
		stop()
		h.work.Wait()
	})
	return h
}

var quiet = slog.New(slog.DiscardHandler)

func (h *host) fatal(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *host) now() time.Time { return time.Now().Add(time.Duration(h.ahead.Load())) }

func (h *host) storeOver(tbl table.Table) *parley.Store {
	s, err := parley.New(parley.Config{Table: tbl, Derive: h.keys.Derive, ProjectLife: -1, Now: h.now})
	h.fatal(err)
	return s
}

func (h *host) newWriter() *writer {
	w := &writer{process: h.network.Process(fault.Config{})}
	store := h.storeOver(w.process)
	answers, err := openai.New(openai.Config{BaseURL: h.model.URL, Model: "scripted"})
	h.fatal(err)
	pages, err := live.New(live.Config{Store: store, Poster: mortal{h, w.process}, Speakers: live.Speakers(), Log: quiet, Now: h.now})
	h.fatal(err)
	w.engine, err = run.New(run.Config{Store: store, Log: quiet, Respond: h.respond, Live: pages.Run, Now: h.now,
		Agent: func(*parley.Project, parley.AgentSettings) (agent.Agent, error) { return answers, nil }})
	h.fatal(err)
	return w
}

// open makes a gateway for the hub.
func (h *host) open() {
	h.gateway.Store(gateway.New(gateway.Config{Name: chathub.API, Log: quiet, Invoke: gateway.InProcess(h.hub.Socket, chathub.API, quiet)}))
}

func (h *host) restart(testing.TB) {
	h.gateway.Load().Stop(context.Background())
	h.open()
}

func (h *host) respond(ctx context.Context, ref parley.RunRef) error {
	answer := respond.New(respond.Config{Engine: h.writer.Load().engine, Turns: new(respond.Turns)})
	h.work.Go(func() { _ = answer(context.WithoutCancel(ctx), respond.EventOf(ref)) }) // the sweep finds what is left
	return nil
}

func (h *host) push(ctx context.Context, e push.Event) error {
	h.work.Go(func() { _ = h.pushes(context.WithoutCancel(ctx), e) }) // as respond
	return nil
}

func (h *host) kill(testing.TB) { h.writer.Swap(h.newWriter()).process.Crash() }

// pass lets time pass and sweeps.
func (h *host) pass(t testing.TB, d time.Duration) {
	h.ahead.Add(int64(d))
	do := sweep.New(sweep.Config{Store: h.store, Revive: h.writer.Load().engine.Revive, Log: quiet, Now: h.now,
		Wake: func(ctx context.Context, f parley.Following) error {
			if f.Follower != parley.FollowerPush {
				return nil
			}
			return h.push(ctx, push.EventOf(f))
		}})
	if err := do(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// The host reaches the connections of whatever gateway it has now.
var _ socket.Poster = (*host)(nil)

func (h *host) poster() gateway.Poster { return gateway.Poster{chathub.API: h.gateway.Load()} }

// Post implements socket.Poster.
func (h *host) Post(ctx context.Context, to socket.Ref, frame []byte) error {
	return h.poster().Post(ctx, to, frame)
}

// Close implements socket.Poster.
func (h *host) Close(ctx context.Context, to socket.Ref) error { return h.poster().Close(ctx, to) }

// Active implements socket.Poster.
func (h *host) Active(ctx context.Context, to socket.Ref) (time.Time, error) {
	return h.poster().Active(ctx, to)
}

// mortal is the poster of a process, which reaches nobody once that has crashed.
type mortal struct {
	*host
	process *fault.Process
}

// Post implements socket.Poster.
func (m mortal) Post(ctx context.Context, to socket.Ref, frame []byte) error {
	if m.process.Crashed() {
		return errors.New("the process has crashed")
	}
	return m.host.Post(ctx, to, frame)
}

// breakable is a table whose next read panics, once it is told to.
type breakable struct {
	table.Table
	broken *atomic.Bool
}

// Get implements table.Table.
func (b breakable) Get(ctx context.Context, consistent bool, keys ...table.Key) ([]table.Item, error) {
	if b.broken.CompareAndSwap(true, false) {
		panic("broken for a test")
	}
	return b.Table.Get(ctx, consistent, keys...)
}
