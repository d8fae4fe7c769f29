package page_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// front stands between a browser and a server: it notes the calls, and refuses,
// holds or cuts them when a test wants it to.
type front struct {
	*httptest.Server
	t *testing.T

	mu      sync.Mutex
	changed chan struct{} // closed and replaced at each change
	next    http.Handler
	seen    []string // "METHOD path", with Last-Event-ID where there is one
	beacons []string // content types and bodies of POST /close
	refuse  map[string][]problem
	held    map[string]chan struct{}
	cuts    int
}

// problem is a refusal as the API makes it.
type problem struct {
	Status     int    `json:"status"`
	Code       string `json:"code"`
	Detail     string `json:"detail"`
	RetryAfter int    `json:"retryAfter,omitempty"`
}

func newFront(t *testing.T) *front {
	f := &front{t: t, changed: make(chan struct{}), refuse: map[string][]problem{}, held: map[string]chan struct{}{}}
	f.Server = httptest.NewServer(f)
	t.Cleanup(func() {
		f.CloseClientConnections()
		f.Close()
	})
	return f
}

// serve puts a server behind the front.
func (f *front) serve(h http.Handler) {
	server := httptest.NewServer(h)
	f.t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	target, err := url.Parse(server.URL)
	if err != nil {
		f.t.Fatal(err)
	}
	f.next = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host // addresses in answers lead here again
		},
		FlushInterval: -1,
		ErrorLog:      log.New(io.Discard, "", 0), // what browsers cut, and what is cut for them
	}
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	call := r.Method + " " + r.URL.Path
	if r.Method == http.MethodOptions {
		f.next.ServeHTTP(w, r)
		return
	}
	if call == "POST /close" {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		f.change(func() { f.beacons = append(f.beacons, r.Header.Get("Content-Type")+" "+string(body)) })
	}
	var refusal problem
	var held chan struct{}
	f.change(func() {
		f.seen = append(f.seen, strings.TrimSpace(call+" "+r.Header.Get("Last-Event-ID")))
		held = f.held[call]
		if waiting := f.refuse[call]; len(waiting) > 0 {
			refusal, f.refuse[call] = waiting[0], waiting[1:]
		}
	})
	if held != nil {
		select {
		case <-held:
		case <-r.Context().Done():
			return
		}
	}
	if refusal.Status != 0 {
		w.Header().Set("Access-Control-Allow-Origin", "*")
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(refusal.Status)
		json.NewEncoder(w).Encode(refusal)
		return
	}
	f.next.ServeHTTP(&cutter{w, f}, r)
}

// refuseNext makes the next calls fail, one for each problem.
func (f *front) refuseNext(call string, problems ...problem) {
	f.change(func() { f.refuse[call] = problems })
}

// hold makes calls wait before they reach the server until the channel that it
// returns has a value or is closed.
func (f *front) hold(call string) chan struct{} {
	ch := make(chan struct{})
	f.change(func() { f.held[call] = ch })
	return ch
}

// cutNext makes the next stream break off after its next piece of text.
func (f *front) cutNext() { f.change(func() { f.cuts++ }) }

// change runs fn alone and wakes whoever waits.
func (f *front) change(fn func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fn()
	close(f.changed)
	f.changed = make(chan struct{})
}

// until waits for something to become true of what the front has noted.
func (f *front) until(what string, ok func() bool) {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), patience)
	defer cancel()
	for {
		f.mu.Lock()
		done, changed, seen := ok(), f.changed, f.seen
		f.mu.Unlock()
		if done {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			f.t.Fatalf("it never came to this: %s; the calls were %q", what, seen)
		}
	}
}

// calls returns the calls that begin like this.
func (f *front) calls(prefix string) (found []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.seen {
		if strings.HasPrefix(c, prefix) {
			found = append(found, c)
		}
	}
	return found
}

var errCut = errors.New("the connection was cut")

// cutter is a ResponseWriter that fails where the front cuts.
type cutter struct {
	http.ResponseWriter
	front *front
}

func (c *cutter) Write(b []byte) (int, error) {
	n, err := c.ResponseWriter.Write(b)
	cut := false
	if bytes.Contains(b, []byte("event: text")) {
		c.front.change(func() {
			if cut = c.front.cuts > 0; cut {
				c.front.cuts--
			}
		})
	}
	if cut {
		http.NewResponseController(c.ResponseWriter).Flush()
		return n, errCut // the proxy then breaks the connection
	}
	return n, err
}

// Unwrap lets the proxy flush.
func (c *cutter) Unwrap() http.ResponseWriter { return c.ResponseWriter }
