package parleytest

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"time"
)

const (
	// wireTimeout bounds a request to DynamoDB Local, in the machine's own time.
	wireTimeout = time.Minute
	// wires is how many requests of a bubble are under way at once; more wait.
	wires = 32
)

// wire carries requests out of a bubble of virtual time to connections that
// are kept open. Within the bubble a connection that waits for its next request
// would stop time for good, and to open one for each costs DynamoDB Local more
// than the request. Time stands still while a request is on the wire, whose
// context is not heard meanwhile.
type wire struct {
	free chan *carrier
}

// carrier is a goroutine outside of the bubble, for one request at a time. Who
// waits for a channel that was made outside holds virtual time.
type carrier struct {
	out  chan *http.Request
	back chan carried
}

type carried struct {
	response *http.Response
	err      error
}

// newWire is called outside of the bubble, and close when the bubble is over.
func newWire() *wire {
	w := &wire{make(chan *carrier, wires)}
	transport := &http.Transport{MaxIdleConnsPerHost: wires}
	for range wires {
		c := &carrier{make(chan *http.Request), make(chan carried)}
		go c.carry(transport)
		w.free <- c
	}
	return w
}

func (w *wire) close() {
	for range wires {
		close((<-w.free).out)
	}
}

func (c *carrier) carry(transport *http.Transport) {
	for request := range c.out {
		response, err := exchange(transport, request)
		c.back <- carried{response, err}
	}
	transport.CloseIdleConnections()
}

// exchange reads the answer whole.
func exchange(transport *http.Transport, r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(context.Background(), wireTimeout)
	defer cancel()
	response, err := transport.RoundTrip(r.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	response.Body = io.NopCloser(bytes.NewReader(body))
	return response, err
}

// RoundTrip implements http.RoundTripper.
func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	outside, err := http.NewRequest(r.Method, r.URL.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	outside.Header, outside.Host = r.Header, r.Host
	c := <-w.free
	defer func() { w.free <- c }()
	c.out <- outside
	got := <-c.back
	return got.response, got.err
}
