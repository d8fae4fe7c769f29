// Package gateway is a stand-in for the WebSocket APIs of API Gateway, for this
// machine and for tests: it holds connections and calls a function for each of their
// events, as API Gateway does, with its limits and where it hurts. Connecting waits
// for the function, which may refuse; every frame is a call of its own, side by side
// with others of its connection; a function that fails leaves the client with a text
// of API Gateway's; and until the function has let a connection in, nothing can be
// posted to it.
//
// What API Gateway does that this does not: routes other than the three of API
// Gateway's own, authorizers, stage variables, subprotocols; and it takes a message
// of up to 128 KB in several frames, which no browser sends: here a message is one
// frame's length.
package gateway

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"parley/shared/socket"
	"parley/shared/socket/apigateway"
)

// Invoke calls the function: it takes an event and returns its answer, or an error if
// the function failed. The Invoke of a lambdatest.Function is one.
type Invoke func(ctx context.Context, event []byte) (answer []byte, err error)

// InProcess returns an Invoke of a handler in this process, which serves the API of
// that name. Events reach it by the same way as on AWS.
func InProcess(handler socket.Handler, name string, log *slog.Logger) Invoke {
	f := apigateway.Adapt(handler, apigateway.Config{API: name, Log: log})
	return func(ctx context.Context, event []byte) ([]byte, error) {
		answer, err := f(ctx, event)
		if err != nil {
			return nil, err
		}
		return json.Marshal(answer)
	}
}

// Stage is the stage of every API, as template.yaml names it.
const Stage = "live"

// Limits of API Gateway and Lambda that the package socket does not know.
const (
	// MaxMessage is the longest frame that a function may post or answer, in bytes
	// (API Gateway quotas: 128 KB).
	MaxMessage = 128 << 10
	// maxURL is the longest address to connect to, in bytes (API Gateway quotas).
	maxURL = 4096
	// concurrency is how many calls there are at a time (Lambda quotas: 1,000 of an
	// account). One more fails.
	concurrency = 1000
)

// writeTime is how long a client may take to receive one frame before its connection
// is dropped. Our choice: whoever posts waits for it.
const writeTime = 5 * time.Second

// Config says what an API does. Only tests set its times.
type Config struct {
	// Name is the API's name in socket.Ref. Required.
	Name string
	// Invoke calls the function. Required.
	Invoke Invoke
	// Life, Idle and Answer are in place of socket.MaxLife, MaxIdle and MaxAnswer; 0
	// means these.
	Life, Idle, Answer time.Duration
	// Log takes failures of the function; nil means slog.Default.
	Log *slog.Logger
}

// API is one WebSocket API. As an http.Handler it is the address that clients connect
// to, at whatever path it is mounted. It is safe for concurrent use.
type API struct {
	cfg    Config
	faults atomic.Pointer[Faults]
	slots  chan struct{} // has a token for each call under way

	// ended ends with Stop, and with it what still waits for the function.
	ended context.Context
	end   context.CancelFunc

	mu       sync.Mutex
	draining bool
	stopping bool
	all      map[string]*connection
	open     sync.WaitGroup // connections, from before their CONNECT until after their DISCONNECT
	calls    sync.WaitGroup // CONNECT and MESSAGE calls under way
}

// New returns an API.
func New(c Config) *API {
	c.Life = cmp.Or(c.Life, socket.MaxLife)
	c.Idle = cmp.Or(c.Idle, socket.MaxIdle)
	c.Answer = cmp.Or(c.Answer, socket.MaxAnswer)
	c.Log = cmp.Or(c.Log, slog.Default())
	a := &API{cfg: c, slots: make(chan struct{}, concurrency), all: map[string]*connection{}}
	a.faults.Store(&Faults{})
	a.ended, a.end = context.WithCancel(context.Background())
	return a
}

// ServeHTTP connects a client, if the function lets it in, and returns when the
// connection has ended.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if len(r.RequestURI) > maxURL {
		http.Error(w, http.StatusText(http.StatusRequestURITooLong), http.StatusRequestURITooLong)
		return
	}
	if !upgrades(r) {
		w.Header().Set("Connection", "Upgrade")
		w.Header().Set("Upgrade", "websocket")
		http.Error(w, http.StatusText(http.StatusUpgradeRequired), http.StatusUpgradeRequired)
		return
	}
	if !a.begin(&a.open) {
		http.Error(w, http.StatusText(http.StatusServiceUnavailable), http.StatusServiceUnavailable)
		return
	}
	defer a.open.Done()
	c := newConnection(a, r)
	if status := c.connect(r); status != http.StatusOK {
		c.refuse(w, status)
		return
	}
	c.serve(w, r)
	c.disconnect()
}

// begin counts a connection or a call of the function in, unless there may be no more.
func (a *API) begin(group *sync.WaitGroup) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.draining {
		group.Add(1)
	}
	return !a.draining
}

func (a *API) connection(id string) *connection {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.all[id]
}

// Drain lets nobody in any more, heeds no more frames and waits for the calls that
// are under way, or for ctx. What is posted still goes out, and connections stay.
func (a *API) Drain(ctx context.Context) {
	a.mu.Lock()
	a.draining = true
	a.mu.Unlock()
	wait(ctx, &a.calls)
}

// Stop drains the API, closes all connections with 1001 and tells the function so.
// It returns when that is done or ctx has ended.
func (a *API) Stop(ctx context.Context) {
	a.Drain(ctx)
	a.mu.Lock()
	a.stopping = true
	for _, c := range a.all {
		go c.close(goingAway)
	}
	a.mu.Unlock()
	wait(ctx, &a.open)
	a.end()
}

// wait waits for a group or for ctx.
func wait(ctx context.Context, group *sync.WaitGroup) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		group.Wait()
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// errorText is what API Gateway tells a client whose frame the function did not
// answer in its own words.
func errorText(message, connection, request string) []byte {
	return fmt.Appendf(nil, `{"message": %q, "connectionId":%q, "requestId":%q}`, message, connection, request)
}
