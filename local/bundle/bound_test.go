package bundle

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"
)

// short are limits that a test can wait for.
var short = limits{body: 100 * time.Millisecond, piece: 100 * time.Millisecond}

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
