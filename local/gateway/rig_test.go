package gateway_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/coder/websocket"

	"parley/local/gateway"
	"parley/local/gateway/gatewaytest"
	"parley/local/gateway/testdata/mirror/handler"
	"parley/shared/lambdatest"
)

// patience is how long something may take that does not depend on the test.
const patience = 20 * time.Second

var quiet = slog.New(slog.DiscardHandler)

// keys are those that lambdatest gives functions.
var keys = aws.Credentials{AccessKeyID: "lambdatest", SecretAccessKey: "lambdatest"}

// rig is the mirror behind an API.
type rig struct {
	*testing.T
	api      *gateway.API
	endpoint string
	gate     gate
	function *lambdatest.Function // nil in process
}

// rigs runs a test with the mirror in this process and with the compiled one.
func rigs(t *testing.T, test func(r *rig)) {
	t.Run("in process", func(t *testing.T) {
		r := &rig{T: t, gate: newGate(t)}
		poster := gateway.Poster{}
		mirror := handler.Mirror{Poster: poster, Gate: r.gate.url, Die: func() {}}
		r.api = gateway.New(gateway.Config{Name: "mirror", Log: quiet, Invoke: gateway.InProcess(mirror.Handler(), "mirror", quiet)})
		poster["mirror"] = r.api
		address := gatewaytest.Listen(t)
		r.endpoint = address.Endpoint
		address.Serve(r.api, keys)
		test(r)
	})
	t.Run("compiled", func(t *testing.T) {
		r := &rig{T: t, gate: newGate(t)}
		address := gatewaytest.Listen(t)
		r.endpoint = address.Endpoint
		r.function = lambdatest.Start(t, lambdatest.Config{
			Binary: lambdatest.Build(t, "parley/local/gateway/testdata/mirror"),
			Env:    map[string]string{"GATE": r.gate.url, "PARLEY_SOCKETS": `{"mirror":"` + r.endpoint + `"}`},
		})
		r.api = gateway.New(gateway.Config{Name: "mirror", Log: quiet, Invoke: r.function.Invoke})
		address.Serve(r.api, keys)
		test(r)
	})
}

// gate is what the mirror asks. What waits there goes on when open gets a word.
type gate struct {
	url  string
	told chan []string
	open chan struct{}
}

func newGate(t *testing.T) gate {
	g := gate{told: make(chan []string, 100), open: make(chan struct{})}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		words := strings.Split(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
		for i := range words {
			words[i], _ = url.PathUnescape(words[i])
		}
		g.told <- words
		if words[0] == "wait" {
			select {
			case <-g.open:
			case <-r.Context().Done():
			}
		}
	}))
	t.Cleanup(server.Close)
	g.url = server.URL
	return g
}

// tells returns the next thing that the mirror asked.
func (r *rig) tells() string {
	r.Helper()
	select {
	case words := <-r.gate.told:
		return strings.Join(words, " ")
	case <-time.After(patience):
		r.Fatal("the mirror tells nothing")
		return ""
	}
}

func (r *rig) context() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	r.Cleanup(cancel)
	return ctx
}

// dial connects a client.
func (r *rig) dial(query string, header http.Header) (*client, *http.Response) {
	r.Helper()
	ws, response, err := websocket.Dial(r.context(), r.endpoint+query, &websocket.DialOptions{HTTPHeader: header})
	if err != nil {
		if response == nil {
			r.Fatal(err)
		}
		return nil, response
	}
	r.Cleanup(func() { ws.CloseNow() })
	ws.SetReadLimit(1 << 20)
	return &client{r.T, ws}, response
}

func (r *rig) connect() *client {
	r.Helper()
	c, response := r.dial("", nil)
	if c == nil {
		body, _ := io.ReadAll(response.Body)
		r.Fatalf("refused: %d %s", response.StatusCode, body)
	}
	return c
}

// client is one that has connected.
type client struct {
	t  *testing.T
	ws *websocket.Conn
}

func (c *client) say(frame string) {
	c.t.Helper()
	if err := c.ws.Write(c.t.Context(), websocket.MessageText, []byte(frame)); err != nil {
		c.t.Fatal(err)
	}
}

// hear returns the next frame, or how the connection ended.
func (c *client) hear() (string, websocket.StatusCode) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 3*time.Hour) // for bubbles; go test has its own
	defer cancel()
	_, frame, err := c.ws.Read(ctx)
	if err != nil {
		return "", websocket.CloseStatus(err)
	}
	return string(frame), 0
}

// hears checks the next frame.
func (c *client) hears(want string) {
	c.t.Helper()
	if got, code := c.hear(); got != want || code != 0 {
		c.t.Fatalf("the client hears %.200q, code %d; want %.200q", got, code, want)
	}
}

// ends checks that the connection ends with a code next, -1 for none.
func (c *client) ends(want websocket.StatusCode) {
	c.t.Helper()
	if got, code := c.hear(); got != "" || code != want {
		c.t.Fatalf("the client hears %.200q, code %d; want the end with %d", got, code, want)
	}
}
