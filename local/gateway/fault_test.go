package gateway_test

import (
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"parley/local/gateway"
	"parley/shared/socket"
)

func is(kind socket.Kind) func(socket.Event) bool {
	return func(e socket.Event) bool { return e.Kind == kind }
}

// TestLate: events that are late overtake each other.
func TestLate(t *testing.T) {
	inBubble(t, func(b *bubble) {
		c, _ := b.connect()
		b.api.Inject(gateway.Faults{Delay: func(e socket.Event) time.Duration {
			return map[string]time.Duration{"first": time.Second, "second": time.Millisecond, "": time.Minute}[string(e.Frame)]
		}})
		c.say("first")
		c.say("second")
		c.hears("second")
		c.hears("first")
		c.ws.Close(websocket.StatusNormalClosure, "")
		b.wants("connect", "message second", "message first")
		time.Sleep(time.Minute)
		b.wants("connect", "message second", "message first", "disconnect normal")
	})
}

// TestLost: a frame that is lost is not answered, a DISCONNECT not told, and a CONNECT
// refused.
func TestLost(t *testing.T) {
	inBubble(t, func(b *bubble) {
		c, _ := b.connect()
		b.api.Inject(gateway.Faults{Lose: func(e socket.Event) bool {
			return string(e.Frame) == "lost" || e.Kind == socket.Disconnect
		}})
		c.say("lost")
		c.say("heard")
		c.hears("heard")
		b.api.Drop()
		c.ends(-1)
		b.wants("connect", "message heard")
		b.api.Inject(gateway.Faults{Lose: is(socket.Connect)})
		_, response, err := websocket.Dial(b.Context(), "ws://pipe/", &websocket.DialOptions{HTTPClient: b.client})
		if err == nil || response.StatusCode != http.StatusBadGateway {
			t.Errorf("connecting = %v", err)
		}
		b.wants("connect", "message heard")
	})
}

// TestTwice: an event that comes twice has one name and is answered once.
func TestTwice(t *testing.T) {
	inBubble(t, func(b *bubble) {
		c, _ := b.connect()
		b.api.Inject(gateway.Faults{Twice: is(socket.Message)})
		c.say("a")
		c.hears("a")
		b.wants("connect", "message a", "message a")
		if b.events[1].MessageID != b.events[2].MessageID || b.events[1].MessageID == "" {
			t.Errorf("named %q and %q", b.events[1].MessageID, b.events[2].MessageID)
		}
		b.api.Inject(gateway.Faults{})
		c.say("b")
		c.hears("b")
		if b.events[3].MessageID == b.events[1].MessageID {
			t.Error("two frames have one name")
		}
	})
}

// TestRefusedPost: a post fails as it is told to, with and without the frame arriving.
func TestRefusedPost(t *testing.T) {
	inBubble(t, func(b *bubble) {
		c, ref := b.connect()
		for status, want := range map[int]error{410: socket.ErrGone, 429: socket.ErrBusy, 500: nil} {
			for _, delivered := range []bool{false, true} {
				b.api.Inject(gateway.Faults{Post: func(to socket.Ref, frame []byte) gateway.PostFault {
					if to != ref || string(frame) != "x" {
						t.Errorf("asked of %q to %v", frame, to)
					}
					return gateway.PostFault{Delay: time.Second, Status: status, Delivered: delivered}
				}})
				began := time.Now()
				failed := make(chan error, 1)
				go func() { failed <- b.poster.Post(b.Context(), ref, []byte("x")) }()
				if delivered {
					c.hears("x")
				}
				err := <-failed
				if err == nil || want != nil && err != want || want == nil && (errors.Is(err, socket.ErrGone) || errors.Is(err, socket.ErrBusy)) || time.Since(began) != time.Second {
					t.Errorf("Post with %d = %v after %v", status, err, time.Since(began))
				}
			}
		}
		b.api.Inject(gateway.Faults{})
		if err := b.poster.Post(b.Context(), ref, make([]byte, socket.MaxFrame+1)); !errors.Is(err, socket.ErrTooLarge) {
			t.Errorf("a frame that is too long: Post = %v", err)
		}
	})
}

// TestHalfOpen: posts to a client that has vanished succeed and are lost, and so is
// what it says; that it left is noticed when the connection has been idle for long.
func TestHalfOpen(t *testing.T) {
	inBubble(t, func(b *bubble) {
		c, ref := b.connect()
		other, _ := b.connect()
		b.api.HalfOpen(ref.ID)
		for _, c := range []*client{c, other} {
			c.say("anybody?")
		}
		other.hears("anybody?")
		if err := b.poster.Post(b.Context(), ref, []byte("lost")); err != nil {
			t.Errorf("Post = %v", err)
		}
		c.ws.CloseNow()
		b.wants("connect", "connect", "message anybody?")
		if got := len(b.api.Connections()); got != 2 {
			t.Errorf("%d connections, want 2", got)
		}
		other.ws.Close(websocket.StatusNormalClosure, "")
		time.Sleep(socket.MaxIdle)
		b.wants("connect", "connect", "message anybody?", "disconnect normal", "disconnect going away")
		if err := b.poster.Post(b.Context(), ref, []byte("x")); err != socket.ErrGone {
			t.Errorf("Post to the end of it = %v", err)
		}
	})
}

// TestDrop breaks one connection and then all.
func TestDrop(t *testing.T) {
	inBubble(t, func(b *bubble) {
		clients := map[string]*client{}
		for range 3 {
			before := b.api.Connections()
			c, _ := b.connect()
			for _, id := range b.api.Connections() {
				if len(before) == 0 || clients[id] == nil {
					clients[id] = c
				}
			}
		}
		ids := b.api.Connections()
		b.api.Drop(ids[1])
		clients[ids[1]].ends(-1)
		b.wants("connect", "connect", "connect", "disconnect broken")
		clients[ids[0]].say("still here")
		clients[ids[0]].hears("still here")
		b.api.Drop()
		clients[ids[0]].ends(-1)
		clients[ids[2]].ends(-1)
		synctest.Wait()
		if got := b.api.Connections(); len(got) != 0 {
			t.Errorf("connections = %q", got)
		}
	})
}
