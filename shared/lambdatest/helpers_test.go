package lambdatest_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"parley/shared/lambdatest"
)

const programs = "parley/shared/lambdatest/testdata/"

// start runs one of the test programs.
func start(t *testing.T, program string, cfg lambdatest.Config) *lambdatest.Function {
	t.Helper()
	cfg.Binary = lambdatest.Build(t, programs+program)
	return lambdatest.Start(t, cfg)
}

// serve puts a handler on a real connection.
func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL
}

// gate is what a test program asks before it goes on.
type gate struct {
	url     string
	arrived chan string
	open    chan struct{}
}

func newGate(t *testing.T) *gate {
	g := &gate{arrived: make(chan string), open: make(chan struct{})}
	g.url = serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case g.arrived <- r.URL.Path:
		case <-r.Context().Done():
			return
		}
		select {
		case <-g.open:
		case <-r.Context().Done():
		}
	}))
	return g
}

func (g *gate) env() map[string]string { return map[string]string{"GATE": g.url} }

// await waits for the program to ask.
func (g *gate) await(t *testing.T) string {
	t.Helper()
	select {
	case path := <-g.arrived:
		return path
	case <-time.After(20 * time.Second):
		t.Fatal("the program does not come to the gate")
		return ""
	}
}

// pass lets the program go on that has asked.
func (g *gate) pass(t *testing.T) {
	t.Helper()
	select {
	case g.open <- struct{}{}:
	case <-time.After(20 * time.Second):
		t.Fatal("the program is not waiting at the gate")
	}
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	response := do(t, t.Context(), "GET", url, nil, "")
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatalf("GET %s: %v", url, err)
	}
	return response.StatusCode, string(body)
}

func do(t *testing.T, ctx context.Context, method, url string, header http.Header, body string) *http.Response {
	t.Helper()
	request, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range header {
		request.Header[k] = v
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	return response
}

// until polls a condition that becomes true without anybody being told.
func until(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}
