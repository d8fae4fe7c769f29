package bundle

import (
	"context"
	"net/http"
	"sync"
	"time"

	"parley/local/gateway"
	"parley/shared/socket"
)

// hangUpTime is how long clients may take to answer that their connection is closed
// when Parley stops. Our choice: who is there answers at once.
const hangUpTime = 2 * time.Second

// mountSocket serves the socket API of a name at a path of the page's port. Handlers
// reach their clients by b.sockets.
func (b *Bundle) mountSocket(mux *http.ServeMux, name, path string, h socket.Handler) {
	b.sockets[name] = gateway.New(gateway.Config{Name: name, Invoke: gateway.InProcess(h, name, b.log), Log: b.log})
	mux.Handle(path, b.sockets[name])
}

// drainSockets lets nobody in any more and waits for the frames that are being
// handled, which may begin replies. What replies say still goes out.
func (b *Bundle) drainSockets(ctx context.Context) {
	b.eachSocket(func(a *gateway.API) { a.Drain(ctx) })
}

// stopSockets closes all connections with 1001, so that clients connect again after
// the restart. http.Server neither waits for them nor ends them.
func (b *Bundle) stopSockets() {
	ctx, cancel := context.WithTimeout(context.Background(), hangUpTime)
	defer cancel()
	b.eachSocket(func(a *gateway.API) { a.Stop(ctx) })
}

func (b *Bundle) eachSocket(do func(*gateway.API)) {
	var all sync.WaitGroup
	for _, a := range b.sockets {
		all.Go(func() { do(a) })
	}
	all.Wait()
}
