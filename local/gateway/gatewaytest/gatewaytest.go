// Package gatewaytest is a test kit: it gives socket APIs an address, on the network
// or within a synctest bubble.
package gatewaytest

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"parley/local/gateway"
	"parley/shared/awstest"
)

// stopTime is how long an API's connections may take to end when the test does.
const stopTime = 5 * time.Second

// Address is where an API will be: the environment of its function names it, so it is
// needed before the function is there.
type Address struct {
	// Endpoint is the address that clients connect to, with http instead of ws, and
	// that of the management interface without its path, as on AWS.
	Endpoint string

	t      testing.TB
	server *httptest.Server
}

// Listen returns a free address, which is free again when the test ends.
func Listen(t testing.TB) *Address {
	server := httptest.NewUnstartedServer(nil)
	t.Cleanup(server.Close)
	return &Address{"http://" + server.Listener.Addr().String() + "/" + gateway.Stage, t, server}
}

// Serve puts an API at the address. Requests to its management interface must be
// signed with the keys.
func (l *Address) Serve(a *gateway.API, keys aws.Credentials) {
	mux := http.NewServeMux()
	mux.Handle("/"+gateway.Stage, a)
	mux.Handle(gateway.ManagementPath, awstest.Signed(l.t, "execute-api", keys, a.Management()))
	l.server.Config.Handler = mux
	l.server.Start()
	stopAtEnd(l.t, a)
}

func stopAtEnd(t testing.TB, a *gateway.API) {
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), stopTime)
		defer cancel()
		a.Stop(ctx)
	})
}

// Pipe serves an API within the process and returns a client of it, for whom any
// address does. Nothing of it waits for the network, so that it can be used in a
// synctest bubble, where time passes at once. It ends with stop.
func Pipe(a *gateway.API) (client *http.Client, stop func()) {
	l := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
	server := &http.Server{Handler: a}
	go server.Serve(l)
	transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		mine, its := net.Pipe()
		select {
		case l.conns <- its:
			return mine, nil
		case <-l.closed:
			return nil, net.ErrClosed
		}
	}}
	return &http.Client{Transport: transport}, func() {
		ctx, cancel := context.WithTimeout(context.Background(), stopTime)
		defer cancel()
		a.Stop(ctx)
		server.Close()
		transport.CloseIdleConnections()
	}
}

// pipes is a listener for the other ends of pipes.
type pipes struct {
	conns  chan net.Conn
	once   sync.Once
	closed chan struct{}
}

func (l *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipes) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "pipe"} }
