package bundle

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"parley/local/files"
)

// short are limits that a test can wait for.
var short = limits{body: 100 * time.Millisecond, rate: 1000, piece: 100 * time.Millisecond}

// dial sends the beginning of a request to a bounded handler.
func dial(t *testing.T, begin string, h http.HandlerFunc) net.Conn {
	t.Helper()
	server := httptest.NewServer(bounded(h, short))
	t.Cleanup(server.Close)
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if _, err := io.WriteString(conn, begin); err != nil {
		t.Fatal(err)
	}
	return conn
}

// TestSlowBody: a client that stops in the middle of its body is given up.
func TestSlowBody(t *testing.T) {
	failed := make(chan error, 1)
	dial(t, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf", func(_ http.ResponseWriter, r *http.Request) {
		_, err := io.ReadAll(r.Body)
		failed <- err
	})
	if err := <-failed; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("reading a body that stops = %v, want a deadline", err)
	}
}

// trickle sends bytes one by one until the server closes the connection, and returns
// what it had answered.
func trickle(t *testing.T, conn net.Conn) string {
	t.Helper()
	answer := make(chan string, 1)
	go func() {
		b, _ := io.ReadAll(conn) // it ends with an error where the server resets the connection
		answer <- string(b)
	}()
	tick := time.NewTicker(short.body / 5)
	defer tick.Stop()
	patience := time.After(100 * short.body)
	for {
		select {
		case a := <-answer:
			return a
		case <-patience:
			t.Error("the server keeps the connection of who sends a byte now and then")
			return ""
		case <-tick.C:
			_, _ = io.WriteString(conn, " ") // an error will end the reading too
		}
	}
}

// TestTrickle: a client that sends its body byte by byte holds no connection, be it
// read or not, and is answered.
func TestTrickle(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"read": func(w http.ResponseWriter, r *http.Request) {
			if _, err := io.ReadAll(r.Body); err == nil {
				t.Error("the body was read to its end")
			}
			http.Error(w, "too slow", http.StatusBadRequest)
		},
		"read in part": func(w http.ResponseWriter, r *http.Request) {
			if _, err := r.Body.Read(make([]byte, 3)); err != nil {
				t.Error(err)
			}
			http.Error(w, "enough", http.StatusBadRequest)
		},
		"unread": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no key", http.StatusUnauthorized) },
	} {
		t.Run(name, func(t *testing.T) {
			conn := dial(t, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nbegun", h)
			if got := trickle(t, conn); !strings.HasPrefix(got, "HTTP/1.1 4") {
				t.Errorf("the client is answered %q", got)
			}
		})
	}
}

// TestSlowLine: a body that comes steadily is taken, though it lasts longer than one
// that stops may.
func TestSlowLine(t *testing.T) {
	const pieces, piece = 20, 200 // 4 s of its rate
	read := make(chan error, 1)
	conn := dial(t, fmt.Sprintf("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", pieces*piece), func(_ http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err == nil && len(b) != pieces*piece {
			err = fmt.Errorf("%d bytes", len(b))
		}
		read <- err
	})
	tick := time.NewTicker(short.body / 5)
	defer tick.Stop()
	for range pieces {
		<-tick.C
		if _, err := io.WriteString(conn, strings.Repeat("x", piece)); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-read; err != nil {
		t.Errorf("reading a body that comes slowly = %v", err)
	}
}

// TestTrickleEverywhere: no call of Parley's, and no upload, is held by who sends a
// byte now and then.
func TestTrickleEverywhere(t *testing.T) {
	b, err := Open(t.Context(), Config{Folder: filepath.Join(t.TempDir(), "data"), Port: 0, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	b.limits = short
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- b.Serve(ctx) }()
	for _, address := range []string{b.Page + "/chat", b.Page + "/close", b.Page + "/hissuno/chat", b.Page + "/hissuno/chat/close",
		b.Page + "/backend/widget/v2/upload", b.Page + "/", b.Page + "/docs/chat-api.md", b.Files + "/" + files.Name} {
		t.Run(address[len("http://localhost:"):], func(t *testing.T) {
			t.Parallel()
			u, err := url.Parse(address)
			if err != nil {
				t.Fatal(err)
			}
			conn, err := net.Dial("tcp", u.Host)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=x\r\nContent-Length: 100000\r\n\r\n--x", u.Path)
			if got := trickle(t, conn); !strings.HasPrefix(got, "HTTP/1.1 4") {
				t.Errorf("the client is answered %q", got)
			}
		})
	}
	t.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
}

// TestReaderWhoDoesNotRead: a client that takes nothing is given up.
func TestReaderWhoDoesNotRead(t *testing.T) {
	failed := make(chan error, 1)
	dial(t, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", func(w http.ResponseWriter, _ *http.Request) {
		piece := []byte(strings.Repeat("x", 1<<20))
		var err error
		for err == nil {
			_, err = w.Write(piece)
		}
		failed <- err
	})
	if err := <-failed; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("writing to who does not read = %v, want a deadline", err)
	}
}

// TestLongStream: neither the time for the body nor the one for a piece ends a
// stream that lasts longer than both, be there silence in it.
func TestLongStream(t *testing.T) {
	const pieces = 3
	conn := dial(t, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody", func(w http.ResponseWriter, r *http.Request) {
		if text, err := io.ReadAll(r.Body); err != nil || string(text) != "body" {
			t.Errorf("body = %q, %v", text, err)
		}
		for range pieces {
			select {
			case <-time.After(2 * short.body):
			case <-r.Context().Done():
				t.Error("the request ended with the time for its body")
			}
			fmt.Fprintln(w, "piece")
			if err := http.NewResponseController(w).Flush(); err != nil {
				t.Errorf("flush = %v", err)
			}
		}
	})
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(response.Body)
	if want := strings.Repeat("piece\n", pieces); err != nil && err != io.ErrUnexpectedEOF || string(text) != want {
		t.Errorf("the stream is %q, %v, want %q", text, err, want)
	}
}
