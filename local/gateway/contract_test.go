package gateway_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"parley/local/gateway"
	"parley/shared/socket"
)

// TestConnect: the function sees all of the request, and can post nothing before it
// has let the client in.
func TestConnect(t *testing.T) {
	rigs(t, func(r *rig) {
		header := http.Header{"X-Tell": {"1", "2"}, "Authorization": {"Bearer t"}}
		if c, response := r.dial("?tell=a%20%2Bb&tell=c%22%C3%A4&z", header); c == nil {
			t.Fatalf("refused: %d", response.StatusCode)
		}
		got := r.tells()
		id := r.api.Connections()[0]
		if want := "connect " + id + ` [a +b c"ä] [1 2] Bearer t 127.0.0.1 gone`; got != want {
			t.Errorf("the function was told %q, want %q", got, want)
		}
		if !regexp.MustCompile(`^[\w-]{15}=$`).MatchString(id) {
			t.Errorf("id = %q", id)
		}
	})
}

// TestRefused: the function's status refuses, and what it says beside that is not sent.
func TestRefused(t *testing.T) {
	rigs(t, func(r *rig) {
		for query, want := range map[string]int{"?status=401": 401, "?status=503": 503, "?panic": http.StatusTeapot} {
			c, response := r.dial(query, nil)
			if c != nil || response.StatusCode != want {
				t.Errorf("%s is answered %d, want %d", query, response.StatusCode, want)
				continue
			}
			if body, err := io.ReadAll(response.Body); err != nil || bytes.Contains(body, []byte("never seen")) {
				t.Errorf("%s is answered %q, %v", query, body, err)
			}
		}
		if got := r.api.Connections(); len(got) != 0 {
			t.Errorf("connections = %q", got)
		}
	})
}

// TestMessages: each frame is answered with one, or none.
func TestMessages(t *testing.T) {
	rigs(t, func(r *rig) {
		c := r.connect()
		c.say("nothing")
		for _, text := range []string{"{}\x1e", "ä\U0001f600", strings.Repeat("y", socket.MaxFrame-len("echo "))} {
			c.say("echo " + text)
			c.hears(text)
		}
		c.say("panic")
		c.hears("broken message")
		c.say("long 32768")
		c.hears(strings.Repeat("x", socket.MaxFrame))
		c.say("long 32769")
		c.hears("broken message")
	})
}

// TestConcurrent: frames of one connection are handled at the same time, and answered
// when they are done.
func TestConcurrent(t *testing.T) {
	rigs(t, func(r *rig) {
		c := r.connect()
		c.say("wait a")
		c.say("wait b")
		asked := map[string]bool{r.tells(): true, r.tells(): true}
		if !asked["wait a"] || !asked["wait b"] {
			t.Fatalf("asked = %v", asked)
		}
		c.say("echo meanwhile")
		c.hears("meanwhile")
		r.gate.open <- struct{}{}
		first, _ := c.hear()
		r.gate.open <- struct{}{}
		second, _ := c.hear()
		if heard := map[string]bool{first: true, second: true}; !heard["waited a"] || !heard["waited b"] {
			t.Errorf("heard %v", heard)
		}
		if r.function != nil && r.function.Instances() != 3 {
			t.Errorf("%d instances, want 3", r.function.Instances())
		}
	})
}

// TestPoster: a function posts to its connection, looks at it and ends it.
func TestPoster(t *testing.T) {
	rigs(t, func(r *rig) {
		c := r.connect()
		id := r.api.Connections()[0]
		c.say("post hello\x1e")
		c.hears("hello\x1e")
		c.hears("posted: ok")
		c.say("active")
		c.hears("true ok")
		c.say("close")
		if got, code := c.hear(); code == 0 && got == "ok" { // the answer may be the first
			_, code = c.hear()
			if code != websocket.StatusNormalClosure {
				t.Errorf("the connection ends with %d", code)
			}
		} else if code != websocket.StatusNormalClosure {
			t.Errorf("heard %q, the connection ends with %d", got, code)
		}
		if got := r.tells(); got != "left "+id+" 1000" {
			t.Errorf("told %q", got)
		}
	})
}

// TestFailure: a function that dies leaves the client with a text of API Gateway's,
// and its connection and its neighbours with nothing.
func TestFailure(t *testing.T) {
	rigs(t, func(r *rig) {
		if r.function == nil { // a handler cannot die without the test
			r.api.Inject(gateway.Faults{Fail: func(e socket.Event) bool { return string(e.Frame) == "die" }})
		}
		c, neighbour := r.connect(), r.connect()
		c.say("die")
		text, _ := c.hear()
		var said struct{ Message, ConnectionID, RequestID string }
		if err := json.Unmarshal([]byte(text), &said); err != nil || said.Message != "Internal server error" || said.RequestID == "" || !strings.HasSuffix(said.ConnectionID, "=") {
			t.Errorf("the client is told %q, %v", text, err)
		}
		for _, c := range []*client{c, neighbour} {
			c.say("echo still here")
			c.hears("still here")
		}
	})
}

// TestCloses: what may not be sent ends the connection with the code that says why,
// and the function is told that code.
func TestCloses(t *testing.T) {
	tests := []struct {
		name  string
		kind  websocket.MessageType
		frame []byte
		want  websocket.StatusCode
		told  string
	}{
		{"a byte too long", websocket.MessageText, make([]byte, socket.MaxFrame+1), 1009, "1009"},
		{"far too long", websocket.MessageText, make([]byte, 4<<20), 1009, "1009"},
		{"binary", websocket.MessageBinary, []byte("echo x"), 1003, "1003"},
		{"no UTF-8", websocket.MessageText, []byte("echo \xff"), 1007, "1007"},
	}
	rigs(t, func(r *rig) {
		for _, test := range tests {
			c := r.connect()
			id := r.api.Connections()[0]
			if err := c.ws.Write(t.Context(), test.kind, test.frame); err != nil {
				t.Errorf("%s: %v", test.name, err)
			}
			c.ends(test.want)
			if got := r.tells(); got != "left "+id+" "+test.told {
				t.Errorf("%s: told %q, want %s", test.name, got, test.told)
			}
		}
	})
}

// TestLeaves: the function is told how a client left.
func TestLeaves(t *testing.T) {
	rigs(t, func(r *rig) {
		for want, leave := range map[string]func(c *client){
			"1000": func(c *client) { c.ws.Close(websocket.StatusNormalClosure, "") },
			"1001": func(c *client) { c.ws.Close(websocket.StatusGoingAway, "") },
			"1005": func(c *client) { c.ws.Close(websocket.StatusNoStatusRcvd, "") },
			"1006": func(c *client) { c.ws.CloseNow() },
		} {
			c := r.connect()
			id := r.api.Connections()[0]
			leave(c)
			if got := r.tells(); got != "left "+id+" "+want {
				t.Errorf("told %q, want %s", got, want)
			}
		}
	})
}

// TestStop: an API that is drained lets nobody in and heeds no frame, but posts still
// go out; one that stops closes its connections with 1001 once calls are done.
func TestStop(t *testing.T) {
	rigs(t, func(r *rig) {
		c := r.connect()
		id := r.api.Connections()[0]
		c.say("wait a")
		r.tells()
		drained := make(chan struct{})
		go func() {
			defer close(drained)
			r.api.Drain(r.context())
		}()
		for {
			late, response := r.dial("", nil)
			if late == nil {
				if response.StatusCode != http.StatusServiceUnavailable {
					t.Errorf("refused with %d", response.StatusCode)
				}
				break
			}
		}
		for len(r.gate.told) > 0 {
			r.tells()
		}
		c.say("echo unheard")
		select {
		case <-drained:
			t.Error("drained while a call is under way")
		default:
		}
		r.gate.open <- struct{}{}
		c.hears("waited a")
		<-drained
		r.api.Stop(r.context())
		c.ends(websocket.StatusGoingAway)
		left := map[string]bool{}
		for len(r.gate.told) > 0 {
			left[r.tells()] = true
		}
		if !left["left "+id+" 1001"] {
			t.Errorf("told %v", left)
		}
	})
}

// TestNoUpgrade: what does not ask for a WebSocket, or at too long an address, never
// reaches the function.
func TestNoUpgrade(t *testing.T) {
	rigs(t, func(r *rig) {
		for want, path := range map[int]string{http.StatusUpgradeRequired: "?tell=x", http.StatusRequestURITooLong: "?tell=" + strings.Repeat("x", 4096)} {
			response, err := http.Get(r.endpoint + path)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			if response.StatusCode != want {
				t.Errorf("answered %d, want %d", response.StatusCode, want)
			}
		}
		if len(r.gate.told) != 0 {
			t.Error("the function was asked")
		}
	})
}
