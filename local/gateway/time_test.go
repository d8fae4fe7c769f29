package gateway_test

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"parley/local/gateway"
	"parley/local/gateway/gatewaytest"
	"parley/shared/socket"
)

// bubble is an API with a handler in virtual time.
type bubble struct {
	*testing.T
	api    *gateway.API
	poster gateway.Poster
	client *http.Client

	mu     sync.Mutex
	events []socket.Event // that reached the handler
}

// inBubble runs a test with an API whose handler notes its events, takes as long as a
// frame says and answers with it; "never" never ends.
func inBubble(t *testing.T, test func(b *bubble)) {
	synctest.Test(t, func(t *testing.T) {
		b := &bubble{T: t, poster: gateway.Poster{}}
		b.api = gateway.New(gateway.Config{Name: "mirror", Log: quiet, Invoke: gateway.InProcess(b.handle, "mirror", quiet)})
		b.poster["mirror"] = b.api
		var stop func()
		b.client, stop = gatewaytest.Pipe(b.api)
		defer stop()
		test(b)
	})
}

func (b *bubble) handle(ctx context.Context, e socket.Event) socket.Answer {
	b.mu.Lock()
	b.events = append(b.events, e)
	b.mu.Unlock()
	switch text := string(e.Frame); {
	case text == "never":
		<-ctx.Done()
		return socket.Answer{Frame: []byte("out of time")}
	case text == "heedless":
		time.Sleep(time.Minute)
	}
	return socket.Answer{Frame: e.Frame}
}

// happened returns the events so far: kinds, with frames and codes.
func (b *bubble) happened() []string {
	synctest.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []string
	for _, e := range b.events {
		text := string(e.Kind)
		if e.Frame != nil {
			text += " " + string(e.Frame)
		}
		if e.Kind == socket.Disconnect {
			text += map[int]string{1000: " normal", 1001: " going away", 1006: " broken"}[e.Code]
		}
		all = append(all, text)
	}
	return all
}

func (b *bubble) wants(want ...string) {
	b.Helper()
	if got := b.happened(); !slices.Equal(got, want) {
		b.Errorf("events = %q, want %q", got, want)
	}
}

func (b *bubble) connect() (*client, socket.Ref) {
	b.Helper()
	ws, _, err := websocket.Dial(b.Context(), "ws://pipe/", &websocket.DialOptions{HTTPClient: b.client})
	if err != nil {
		b.Fatal(err)
	}
	ids := b.api.Connections()
	return &client{b.T, ws}, socket.Ref{API: "mirror", ID: ids[len(ids)-1]}
}

// TestIdle: a connection ends 10 minutes after the last frame of either side, and two
// hours after it began whatever is said.
func TestIdle(t *testing.T) {
	inBubble(t, func(b *bubble) {
		c, ref := b.connect()
		time.Sleep(9 * time.Minute)
		go b.poster.Post(b.Context(), ref, []byte("from here"))
		c.hears("from here")
		time.Sleep(9 * time.Minute)
		c.say("from there")
		c.hears("from there")
		last := time.Now()
		c.ends(websocket.StatusGoingAway)
		if got := time.Since(last); got != socket.MaxIdle {
			t.Errorf("ended after %v, want %v", got, socket.MaxIdle)
		}
		b.wants("connect", "message from there", "disconnect going away")
	})
	inBubble(t, func(b *bubble) {
		c, _ := b.connect()
		began := time.Now()
		for time.Since(began)+time.Minute < socket.MaxLife {
			time.Sleep(time.Minute)
			c.say("ping")
			c.hears("ping")
		}
		c.ends(websocket.StatusGoingAway)
		if got := time.Since(began); got != socket.MaxLife {
			t.Errorf("ended after %v, want %v", got, socket.MaxLife)
		}
	})
}

// TestAnswerTime: a handler is told in time to answer, and one that does not is not
// waited for.
func TestAnswerTime(t *testing.T) {
	inBubble(t, func(b *bubble) {
		c, _ := b.connect()
		began := time.Now()
		c.say("never")
		c.hears("out of time")
		if got := time.Since(began); got != 27*time.Second {
			t.Errorf("the context ended after %v, want 27s", got)
		}
		began = time.Now()
		c.say("heedless")
		if text, _ := c.hear(); time.Since(began) != socket.MaxAnswer || len(text) < 20 {
			t.Errorf("heard %q after %v, want API Gateway's text after %v", text, time.Since(began), socket.MaxAnswer)
		}
		time.Sleep(time.Minute) // until it has ended too
	})
}

// TestActive: what the client sends counts, and what it is sent does not.
func TestActive(t *testing.T) {
	inBubble(t, func(b *bubble) {
		c, ref := b.connect()
		time.Sleep(time.Minute)
		c.say("here")
		c.hears("here")
		at := time.Now()
		time.Sleep(time.Minute)
		go b.poster.Post(b.Context(), ref, []byte("you?"))
		c.hears("you?")
		if got, err := b.poster.Active(b.Context(), ref); err != nil || !got.Equal(at) {
			t.Errorf("Active = %v, %v; want %v", got, err, at)
		}
		if err := b.poster.Close(b.Context(), ref); err != nil {
			t.Error(err)
		}
		c.ends(websocket.StatusNormalClosure)
		synctest.Wait()
		if _, err := b.poster.Active(b.Context(), ref); err != socket.ErrGone {
			t.Errorf("Active of a connection that has ended = %v", err)
		}
		if err := b.poster.Close(b.Context(), ref); err != nil {
			t.Errorf("Close of a connection that has ended = %v", err)
		}
		if err := b.poster.Post(b.Context(), socket.Ref{API: "other", ID: ref.ID}, nil); err == nil {
			t.Error("a frame to an API that is not there arrived")
		}
	})
}

// TestSlowClient: a client that takes nothing is dropped and holds nobody up for long.
func TestSlowClient(t *testing.T) {
	inBubble(t, func(b *bubble) {
		_, ref := b.connect()
		began := time.Now()
		if err := b.poster.Post(b.Context(), ref, make([]byte, socket.MaxFrame)); err != socket.ErrGone || time.Since(began) != 5*time.Second {
			t.Errorf("Post = %v after %v", err, time.Since(began))
		}
		b.wants("connect", "disconnect broken")
	})
}
