package gateway

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/coder/websocket"

	"parley/shared/socket"
)

// connection is one client, from its request until the function knows that it left.
type connection struct {
	api       *API
	id        string
	connected time.Time
	host      string
	address   string
	agent     string
	// ws is valid once up is closed; nil if the client was gone by then.
	ws   *websocket.Conn
	up   chan struct{}
	idle *time.Timer

	mu     sync.Mutex
	active time.Time // when the client last sent something
	// halfOpen says that the client has vanished and nobody knows.
	halfOpen bool
	// cause is why the connection ended, once closed is closed.
	cause  end
	closed chan struct{}
}

// end is how a connection ended, as the function is told.
type end struct {
	code   websocket.StatusCode
	reason string
}

// broke is the end of a connection that nobody has closed (RFC 6455, 7.4.1).
var broke = end{1006, "Connection Closed Abnormally"}

func newConnection(a *API, r *http.Request) *connection {
	c := &connection{api: a, id: newID(11), host: r.Host, agent: r.UserAgent(), up: make(chan struct{}), closed: make(chan struct{})}
	c.connected = time.Now()
	c.active = c.connected
	c.address = r.RemoteAddr
	if ip, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		c.address = ip
	}
	return c
}

// newID returns an id as API Gateway makes them: of 11 bytes, with "=" at the end.
func newID(bytes int) string {
	b := make([]byte, bytes)
	rand.Read(b)
	return base64.URLEncoding.EncodeToString(b)
}

// goingAway is the end of connections that have lasted long enough, and of all when
// the API stops.
var goingAway = end{websocket.StatusGoingAway, "Going away"}

// serve upgrades a client that the function has let in, lets its frames in and posts
// out, and returns when the connection has ended.
func (c *connection) serve(w http.ResponseWriter, r *http.Request) {
	a := c.api
	a.mu.Lock()
	c.idle = time.AfterFunc(a.cfg.Idle, func() { c.close(goingAway) })
	// Before the client knows: with the first that it says others may post to it.
	a.all[c.id] = c
	stopping := a.stopping
	a.mu.Unlock()
	life := time.AfterFunc(a.cfg.Life, func() { c.close(goingAway) })
	if stopping {
		go c.close(goingAway)
	}
	c.upgrade(w, r)
	if c.ws != nil {
		c.read()
	}
	life.Stop()
	c.idle.Stop()
	a.mu.Lock()
	delete(a.all, c.id)
	a.mu.Unlock()
}

func (c *connection) upgrade(w http.ResponseWriter, r *http.Request) {
	defer close(c.up)
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		InsecureSkipVerify: true, // whose page it may be is the function's to say
		OnPingReceived:     func(context.Context, []byte) bool { return c.pinged() },
	})
	if err != nil {
		c.finish(broke)
		return
	}
	ws.SetReadLimit(socket.MaxFrame)
	c.ws = ws
}

// read takes frames until the connection has ended and it is known why.
func (c *connection) read() {
	for {
		// A context that ends would cut the connection without a word, so idle time and
		// life are timers that close it.
		kind, frame, err := c.ws.Read(context.Background())
		switch {
		case err != nil && c.isHalfOpen():
			<-c.closed // until then nobody notices
			return
		case err != nil:
			c.broken(err)
			return
		case c.isHalfOpen():
		case kind != websocket.MessageText:
			c.close(end{websocket.StatusUnsupportedData, "Binary frames are not supported"})
			return
		case !utf8.Valid(frame):
			c.close(end{websocket.StatusInvalidFramePayloadData, "Text is not UTF-8"})
			return
		default:
			c.heard()
			if c.api.begin(&c.api.calls) {
				go c.message(frame)
			}
		}
	}
}

// broken ends a connection that cannot be read any more.
func (c *connection) broken(err error) {
	var said websocket.CloseError
	switch {
	case errors.Is(err, websocket.ErrMessageTooBig):
		// This also reads what is left of the frame: with unread bytes the network would
		// reset the connection, and the client would not learn why.
		c.close(end{websocket.StatusMessageTooBig, "Message too long"})
	case errors.As(err, &said):
		c.finish(end{said.Code, said.Reason})
	default:
		c.finish(broke)
	}
	c.ws.CloseNow()
}

// finish says why the connection has ended, unless that was said.
func (c *connection) finish(why end) (first bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-c.closed:
		return false
	default:
	}
	c.cause = why
	close(c.closed)
	return true
}

// close ends the connection with a code. A client that has vanished is told nothing.
func (c *connection) close(why end) {
	if !c.finish(why) {
		return
	}
	if <-c.up; c.ws == nil {
		return
	}
	if c.isHalfOpen() {
		c.ws.CloseNow()
		return
	}
	c.ws.Close(why.code, why.reason)
}

// drop ends the connection as a broken line does.
func (c *connection) drop() {
	c.finish(broke)
	if <-c.up; c.ws != nil {
		c.ws.CloseNow()
	}
}

// heard notes that the client has sent something.
func (c *connection) heard() {
	c.mu.Lock()
	c.active = time.Now()
	c.mu.Unlock()
	c.idle.Reset(c.api.cfg.Idle)
}

// pinged notes a ping of the protocol and returns whether to answer it.
func (c *connection) pinged() bool {
	if c.isHalfOpen() {
		return false
	}
	c.heard()
	return true
}

func (c *connection) isHalfOpen() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.halfOpen
}

// write sends one frame. Frames of several writers go out one after the other.
func (c *connection) write(frame []byte) error {
	select {
	case <-c.closed:
		return socket.ErrGone
	default:
	}
	c.idle.Reset(c.api.cfg.Idle)
	if c.isHalfOpen() {
		return nil
	}
	if <-c.up; c.ws == nil {
		return socket.ErrGone
	}
	// Not the writer's context: its end would cut the connection.
	ctx, cancel := context.WithTimeout(context.Background(), writeTime)
	defer cancel()
	if c.ws.Write(ctx, websocket.MessageText, frame) != nil {
		c.drop()
		return socket.ErrGone
	}
	return nil
}
