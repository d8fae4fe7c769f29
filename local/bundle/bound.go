package bundle

import (
	"io"
	"log/slog"
	"net/http"
	"time"
)

// Limits of a connection, our choice: generous to a slow line, and no
// connection is kept for a client that is gone.
const (
	headerTime     = 10 * time.Second // to send a request's header
	fileTime       = 5 * time.Minute  // to send or take a whole file
	idleTime       = 2 * time.Minute  // between two requests
	maxHeaderBytes = 32 << 10         // a visitor's token has at most 8 KiB
)

// limits are of one request.
type limits struct {
	body  time.Duration // to send its body
	piece time.Duration // to take one piece of its answer
}

// standard suits the API, whose bodies have 128 KiB at most.
var standard = limits{body: 30 * time.Second, piece: 20 * time.Second}

func newServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: headerTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
}

// bounded limits the time for a request's body and for each piece of the
// answer, but not for the whole answer: a stream may be as long as it likes.
func bounded(next http.Handler, l limits) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := http.NewResponseController(w)
		if r.Body != http.NoBody {
			// Where it cannot be set the client is only trusted more.
			_ = c.SetReadDeadline(time.Now().Add(l.body))
			r.Body = &boundedBody{r.Body, c}
		}
		next.ServeHTTP(&boundedWriter{w, c, l.piece}, r)
	})
}

// boundedBody lifts the deadline at its end: after that the server reads on
// only to notice that the client leaves.
type boundedBody struct {
	io.ReadCloser
	c *http.ResponseController
}

func (b *boundedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		_ = b.c.SetReadDeadline(time.Time{})
	}
	return n, err
}

type boundedWriter struct {
	http.ResponseWriter
	c     *http.ResponseController
	piece time.Duration
}

func (w *boundedWriter) Write(p []byte) (int, error) {
	w.extend()
	return w.ResponseWriter.Write(p)
}

// FlushError is for http.ResponseController.
func (w *boundedWriter) FlushError() error {
	w.extend()
	return w.c.Flush()
}

func (w *boundedWriter) extend() { _ = w.c.SetWriteDeadline(time.Now().Add(w.piece)) }

// Unwrap is for http.ResponseController.
func (w *boundedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
