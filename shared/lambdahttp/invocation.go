package lambdahttp

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"runtime"
	"runtime/debug"
)

// call is one request on its way through the handler.
type call struct {
	*adapter
	cancel context.CancelFunc
	// done is closed when the handler has returned.
	done chan struct{}
	// cut says that the handler panicked after its response had begun. It is
	// set before the response's body ends.
	cut bool
}

// ServeHTTP runs the handler in the goroutine that lambdaurl starts for it,
// where a panic that nobody recovers would end the process.
func (c *call) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	defer close(c.done)
	defer c.cancel()
	w := &writer{ResponseWriter: rw, header: http.Header{}}
	defer c.recover(w, r)
	r.Host = r.Header.Get("Host")
	r.Header.Del("Host")
	r.RequestURI = r.URL.RequestURI()
	r.RemoteAddr = c.clientAddr(r)
	r.Header.Del(OriginSecretHeader)
	c.handler.ServeHTTP(w, r)
	w.Flush() // a handler that wrote nothing may have set headers
}

// recover turns a panic into an internal error while that can still be said,
// and else into a cut. What the handler had sent stands: whoever streams ends
// with an event of its own and takes a stream without one as cut.
func (c *call) recover(w *writer, r *http.Request) {
	v := recover()
	if v == nil {
		return
	}
	if v != http.ErrAbortHandler {
		c.cfg.Log.ErrorContext(r.Context(), "handler panicked",
			slog.String("panic", panicText(v)), slog.String("stack", string(debug.Stack())))
	}
	if w.began {
		c.cut = true
		return
	}
	internal.write(w)
}

// panicText describes a panic without what it may quote: only the runtime's
// own words are known to be free of contents.
func panicText(v any) string {
	if err, ok := v.(runtime.Error); ok {
		return err.Error()
	}
	return fmt.Sprintf("%T", v)
}

// writer is the response as handlers expect it. lambdaurl's sends every write
// at once, takes an informational status for the final one, has no Flush, and
// reads the header map while the handler may still be changing it.
type writer struct {
	http.ResponseWriter
	header http.Header
	began  bool
}

var _ http.Flusher = (*writer)(nil)

// Header is sent as it is when the response begins.
func (w *writer) Header() http.Header { return w.header }

func (w *writer) WriteHeader(status int) {
	if status < 200 || w.began {
		return
	}
	w.began = true
	maps.Copy(w.ResponseWriter.Header(), w.header.Clone())
	w.ResponseWriter.WriteHeader(status)
}

func (w *writer) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.ResponseWriter.Write(p)
}

// Flush sends the header where nothing was written yet; all else has gone out.
func (w *writer) Flush() { w.WriteHeader(http.StatusOK) }

// Unwrap is for http.ResponseController.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }
