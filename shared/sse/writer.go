// Package sse writes and reads event streams as the HTML standard describes
// them (https://html.spec.whatwg.org/multipage/server-sent-events.html).
package sse

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// ContentType is the media type of an event stream.
const ContentType = "text/event-stream"

// Event is one event of a stream.
type Event struct {
	// ID tells a reconnecting reader where to continue; with "" the last one stays
	// valid.
	ID string
	// Name is the event's type; "" is "message".
	Name string
	// Data is the text. Line ends of any kind arrive as "\n".
	Data string
}

// Writer writes events to one response, and sends each at once. It is for one
// goroutine. It sets no timeout for a write; the host must.
type Writer struct {
	w       http.ResponseWriter
	control *http.ResponseController
}

// Start begins the response with status 200 and headers that keep caches and
// proxies from storing or buffering the stream.
func Start(w http.ResponseWriter) *Writer {
	h := w.Header()
	h.Set("Content-Type", ContentType)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // else nginx buffers the stream
	w.WriteHeader(http.StatusOK)
	return &Writer{w: w, control: http.NewResponseController(w)}
}

// ErrUnwritable is the error of an event that the format cannot represent.
var ErrUnwritable = errors.New("sse: line end or NUL in an id, a name or a comment")

// ErrLeft is the error of writing to a reader that has left.
var ErrLeft = errors.New("sse: the reader has left")

// Event writes an event. The error is ErrUnwritable or ErrLeft.
func (w *Writer) Event(e Event) error {
	if strings.ContainsAny(e.ID, "\x00\r\n") || strings.ContainsAny(e.Name, "\r\n") {
		return ErrUnwritable
	}
	var b strings.Builder
	if e.ID != "" {
		fmt.Fprintf(&b, "id: %s\n", e.ID)
	}
	if e.Name != "" {
		fmt.Fprintf(&b, "event: %s\n", e.Name)
	}
	for line := range lines(e.Data) {
		fmt.Fprintf(&b, "data: %s\n", line)
	}
	b.WriteByte('\n')
	return w.write(b.String())
}

// Comment writes a line that readers ignore, to show that the stream is alive.
func (w *Writer) Comment(text string) error {
	if strings.ContainsAny(text, "\r\n") {
		return ErrUnwritable
	}
	return w.write(": " + text + "\n\n")
}

// Retry tells the reader how long to wait before it comes back, in whole milliseconds.
func (w *Writer) Retry(d time.Duration) error {
	return w.write(fmt.Sprintf("retry: %d\n\n", d.Milliseconds()))
}

func (w *Writer) write(s string) error {
	if _, err := w.w.Write([]byte(s)); err != nil {
		return fmt.Errorf("write event: %w: %w", ErrLeft, err)
	}
	// A writer without Flush sends everything at once, as Lambda's does.
	if err := w.control.Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return fmt.Errorf("flush event: %w: %w", ErrLeft, err)
	}
	return nil
}

// lines yields the lines of s, which end with CR LF, LF or CR.
func lines(s string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for {
			i := strings.IndexAny(s, "\r\n")
			if i < 0 {
				yield(s)
				return
			}
			if !yield(s[:i]) {
				return
			}
			if strings.HasPrefix(s[i:], "\r\n") {
				i++
			}
			s = s[i+1:]
		}
	}
}
