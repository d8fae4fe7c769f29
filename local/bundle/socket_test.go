package bundle

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"parley/shared/socket"
)

// TestSocket mounts a socket API on the page's port: it outlives the limits of
// requests, is posted to by a function call, and ends with 1001 when Parley stops,
// after the replies that were under way.
func TestSocket(t *testing.T) {
	b, err := Open(t.Context(), Config{Folder: filepath.Join(t.TempDir(), "data"), Port: 0, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	b.limits = short
	began, finish := make(chan struct{}), make(chan struct{})
	var connection atomic.Pointer[socket.Ref]
	left := make(chan socket.Event, 1)
	mux := http.NewServeMux()
	b.mountSocket(mux, "mirror", "/mirror", func(_ context.Context, e socket.Event) socket.Answer {
		switch {
		case e.Kind == socket.Connect:
			connection.Store(&e.Ref)
		case e.Kind == socket.Disconnect:
			left <- e
		case string(e.Frame) == "reply":
			b.responses.Go(func() {
				close(began)
				<-finish
				if err := b.sockets.Post(context.Background(), e.Ref, []byte("final")); err != nil {
					t.Errorf("the final of a reply: %v", err)
				}
			})
		}
		return socket.Answer{Frame: e.Frame}
	})
	mux.Handle("/", b.handler)
	b.handler = oneSlash(mux)
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- b.Serve(ctx) }()

	patient, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	address := "ws" + strings.TrimPrefix(b.Page, "http") + "//mirror?agentId=demo.guide"
	ws, _, err := websocket.Dial(patient, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer ws.CloseNow()
	hears := func(want string) {
		t.Helper()
		if _, got, err := ws.Read(patient); err != nil || string(got) != want {
			t.Fatalf("heard %q, %v; want %q", got, err, want)
		}
	}
	say := func(frame string) {
		t.Helper()
		if err := ws.Write(patient, websocket.MessageText, []byte(frame)); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(2 * max(short.body, short.piece)) // longer than a request may take
	say("hello")
	hears("hello")
	if err := b.sockets.Post(patient, *connection.Load(), []byte("news")); err != nil {
		t.Fatal(err)
	}
	hears("news")

	say("reply")
	hears("reply")
	<-began
	stop()
	close(finish)
	hears("final")
	if _, _, err := ws.Read(patient); websocket.CloseStatus(err) != websocket.StatusGoingAway {
		t.Errorf("the connection ends with %v, want 1001", err)
	}
	if e := <-left; e.Code != int(websocket.StatusGoingAway) {
		t.Errorf("the function is told %d", e.Code)
	}
	if err := <-served; err != nil && !errors.Is(err, http.ErrServerClosed) {
		t.Error(err)
	}
	if _, _, err := websocket.Dial(patient, address, nil); err == nil {
		t.Error("a client connects after the end")
	}
	if err := b.sockets.Post(patient, *connection.Load(), []byte("late")); err != socket.ErrGone {
		t.Errorf("Post after the end = %v", err)
	}
}
