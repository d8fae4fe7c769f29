package lambdahttp

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"runtime"
	"runtime/debug"
)

// invocation is one request while the handler works on it.
type invocation struct {
	*adapter
	cancel context.CancelFunc
	// done is closed when the handler has returned.
	done chan struct{}
	// cut says that the handler panicked after its response had begun. It is set
	// before the end of the response's body is read.
	cut bool
}

// ServeHTTP runs the handler. lambdaurl starts a goroutine for that, in which an
// unrecovered panic would end the process.
func (c *invocation) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	defer close(c.done)
	defer c.cancel()
	w := &writer{ResponseWriter: rw, header: http.Header{}}
	defer c.recover(w, r)
	r.Host = r.Header.Get("Host")
	r.Header.Del("Host")
	r.RequestURI = r.URL.RequestURI()
	client, ok := c.cfg.Front.Client(r.Header, r.RemoteAddr) // sourceIp, without a port
	if !ok {
		notThrough.write(w)
		return
	}
	r.RemoteAddr = net.JoinHostPort(client.Address, "0")
	if client.Host != "" {
		r.Host = client.Host
		r = r.WithContext(context.WithValue(r.Context(), throughKey{}, true))
	}
	c.handler.ServeHTTP(w, r)
	w.Flush() // a handler that wrote nothing may have set headers
}

// recover turns a panic into an internal error, or, if the response has begun,
// marks it as cut. What was sent before stays valid: streams end with an event
// of their own, and a reader takes a stream without one as cut.
func (c *invocation) recover(w *writer, r *http.Request) {
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

// panicText describes a panic without values that it may quote: only the
// runtime's own texts are known to be free of content.
func panicText(v any) string {
	if err, ok := v.(runtime.Error); ok {
		return err.Error()
	}
	return fmt.Sprintf("%T", v)
}

// writer is the response that handlers expect. lambdaurl's own has no Flush,
// takes an informational status for the final one, and reads the headers while
// the handler may still change them.
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

// Flush sends the headers if nothing has been written yet. Everything else has
// been sent already.
func (w *writer) Flush() { w.WriteHeader(http.StatusOK) }

// Unwrap is for http.ResponseController.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }
