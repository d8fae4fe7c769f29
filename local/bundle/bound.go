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
	idleTime       = 2 * time.Minute  // between two requests
	maxHeaderBytes = 32 << 10         // a visitor's token has at most 8 KiB
)

// limits are of one request.
type limits struct {
	// body is the time to send its body, and each second more that has gone by allows
	// for this many bytes: a large body on a slow line takes as long as it takes.
	body time.Duration
	rate int64
	// piece is the time to take one piece of its answer.
	piece time.Duration
}

// standard lets 8 KiB a second pass, which the slowest mobile networks have.
var standard = limits{body: 20 * time.Second, rate: 8 << 10, piece: 20 * time.Second}

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
		b := &boundedBody{ReadCloser: r.Body, c: c, rate: l.rate}
		if r.Body != http.NoBody {
			b.until = time.Now().Add(l.body)
			// Where it cannot be set the client is only trusted more.
			_ = c.SetReadDeadline(b.until)
			r = r.WithContext(r.Context()) // the server looks at the body of its own
			r.Body = b
		}
		next.ServeHTTP(&boundedWriter{w, c, b, l.piece}, r)
	})
}

// boundedBody moves the deadline with each byte, and lifts it at its end: after that
// the server reads on only to notice that the client leaves. Where the body was not
// read to its end the deadline stays, for then the server itself reads what is left.
type boundedBody struct {
	io.ReadCloser
	c     *http.ResponseController
	until time.Time // zero when it has been read
	rate  int64     // bytes a second
}

func (b *boundedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.until = b.until.Add(time.Duration(n) * time.Second / time.Duration(b.rate))
	switch err {
	case nil:
		_ = b.c.SetReadDeadline(b.until)
	case io.EOF:
		b.until = time.Time{}
		_ = b.c.SetReadDeadline(time.Time{})
	}
	return n, err
}

type boundedWriter struct {
	http.ResponseWriter
	c     *http.ResponseController
	body  *boundedBody
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

// extend gives time for the next piece. The server writes none before it has read what
// is left of the body, or waited for it.
func (w *boundedWriter) extend() {
	begin := time.Now()
	if w.body.until.After(begin) {
		begin = w.body.until
	}
	_ = w.c.SetWriteDeadline(begin.Add(w.piece))
}

// Unwrap is for http.ResponseController.
func (w *boundedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
