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
	ws        *websocket.Conn
	idle      *time.Timer

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

// codeAbnormal is the code of a connection that broke (RFC 6455, 7.4.1).
const codeAbnormal websocket.StatusCode = 1006

func newConnection(a *API, r *http.Request) *connection {
	c := &connection{api: a, id: newID(11), host: r.Host, agent: r.UserAgent(), closed: make(chan struct{})}
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

// serve lets frames in and posts out until the connection has ended.
func (c *connection) serve() {
	a := c.api
	c.ws.SetReadLimit(socket.MaxFrame)
	a.mu.Lock()
	c.idle = time.AfterFunc(a.cfg.Idle, func() { c.close(websocket.StatusGoingAway, "Going away") })
	a.all[c.id] = c
	stopping := a.stopping
	a.mu.Unlock()
	life := time.AfterFunc(a.cfg.Life, func() { c.close(websocket.StatusGoingAway, "Going away") })
	if stopping {
		go c.close(websocket.StatusGoingAway, "Going away")
	}
	c.read()
	life.Stop()
	c.idle.Stop()
	a.mu.Lock()
	delete(a.all, c.id)
	a.mu.Unlock()
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
			c.close(websocket.StatusUnsupportedData, "Binary frames are not supported")
			return
		case !utf8.Valid(frame):
			c.close(websocket.StatusInvalidFramePayloadData, "")
			return
		default:
			c.heard()
			if c.api.beginCall() {
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
		c.close(websocket.StatusMessageTooBig, "")
	case errors.As(err, &said):
		c.finish(end{said.Code, said.Reason})
	default:
		c.finish(end{codeAbnormal, "Connection Closed Abnormally"})
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
func (c *connection) close(code websocket.StatusCode, reason string) {
	if !c.finish(end{code, reason}) {
		return
	}
	if c.isHalfOpen() {
		c.ws.CloseNow()
		return
	}
	c.ws.Close(code, reason)
}

// drop ends the connection as a broken line does.
func (c *connection) drop() {
	c.finish(end{codeAbnormal, "Connection Closed Abnormally"})
	c.ws.CloseNow()
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
	// Not the writer's context: its end would cut the connection.
	ctx, cancel := context.WithTimeout(context.Background(), writeTime)
	defer cancel()
	if c.ws.Write(ctx, websocket.MessageText, frame) != nil {
		c.drop()
		return socket.ErrGone
	}
	return nil
}
