package api

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"net/http"
	"runtime"
	"runtime/debug"
	"time"

	"parley/shared/parley"
)

// RequestIDHeader tells clients the id under which their request is in the log.
const RequestIDHeader = "Parley-Request-Id"

// logLine collects, while a request is served, what its line in the log will
// say, and holds the function that writes its errors.
type logLine struct {
	request string
	refuse  Refusal
	project parley.ProjectID
	session parley.SessionID
	run     parley.RunID
	level   slog.Level
}

type logLineKey struct{}

// logLineOf returns the line of a request that a Handler serves.
func logLineOf(r *http.Request) *logLine { return r.Context().Value(logLineKey{}).(*logLine) }

// About sets the session and the run in the request's log line, where they are
// not path values; "" for none.
func About(r *http.Request, session parley.SessionID, run parley.RunID) {
	l := logLineOf(r)
	l.session, l.run = session, run
}

// AboutProject sets the project in the request's log line.
func AboutProject(r *http.Request, p parley.ProjectID) { logLineOf(r).project = p }

// Routine marks a request that asked for news when there were none. Most
// requests of an open page are like that, and their log lines would cost more
// than everything else they do; so they get the level DEBUG, which is normally
// not written.
func Routine(r *http.Request) { logLineOf(r).level = slog.LevelDebug }

func (a *API) requestID(ctx context.Context) string {
	if a.RequestID != nil {
		if id := a.RequestID(ctx); id != "" {
			return id
		}
	}
	return rand.Text()
}

// log writes the line of an answered request. It contains no address, query or
// content, and ids that grant access only as a hash.
func (a *API) log(w *response, r *http.Request, l *logLine, began time.Time) {
	session := cmp.Or(string(l.session), r.PathValue("session"))
	run := cmp.Or(string(l.run), r.PathValue("run"))
	attrs := []slog.Attr{slog.String("request", l.request), slog.String("method", method(r)), slog.String("route", r.Pattern),
		slog.Int("status", w.status), slog.Int64("ms", time.Since(began).Milliseconds())}
	for _, id := range []struct{ name, value string }{
		{"project", string(l.project)}, {"session", a.hash(session)}, {"run", a.hash(run)}} {
		if id.value != "" {
			attrs = append(attrs, slog.String(id.name, id.value))
		}
	}
	a.Log.LogAttrs(r.Context(), l.level, "request", attrs...)
}

// LogConnect writes the line of a request to connect a socket, by the status that it is
// answered, the error behind that, and the project where it names one.
func (a *API) LogConnect(ctx context.Context, p *parley.Project, status int, err error) {
	attrs, level := []slog.Attr{slog.Int("status", status), slog.String("code", parley.Code(err))}, slog.LevelInfo
	if p != nil {
		attrs = append(attrs, slog.String("project", string(p.ID)))
	}
	if status >= http.StatusInternalServerError {
		level = slog.LevelError
		attrs = append(attrs, slog.String("error", err.Error()))
	}
	a.Log.LogAttrs(ctx, level, "connect", attrs...)
}

// method returns the request's method, or "other" for one that a client made up.
func method(r *http.Request) string {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return r.Method
	}
	return "other"
}

// hash replaces an id in the log; equal ids have equal hashes.
func (a *API) hash(id string) string {
	if id == "" {
		return ""
	}
	return hex.EncodeToString(a.Keys.Derive("log", id)[:6])
}

// recover answers a request whose handler panicked, or cuts the answer off if it
// has begun. A panic with http.ErrAbortHandler is left to the host.
func (a *API) recover(w *response, r *http.Request) {
	v := recover()
	if v == nil {
		return
	}
	if v == http.ErrAbortHandler {
		panic(v)
	}
	a.Log.LogAttrs(r.Context(), slog.LevelError, "handler panicked", slog.String("request", logLineOf(r).request),
		slog.String("panic", panicText(v)), slog.String("stack", string(debug.Stack())))
	if w.status != 0 {
		panic(http.ErrAbortHandler)
	}
	logLineOf(r).refuse(w, r, newProblem("internal", 0, "The error has been logged under this request's id.", 0))
}

// panicText describes a panic without values that it may quote: only texts of
// the runtime and of this code are known to be free of content.
func panicText(v any) string {
	switch v := v.(type) {
	case runtime.Error:
		return v.Error()
	case string:
		return v
	}
	return "a value of another type"
}

// response remembers the status that was sent; 0 before that.
type response struct {
	http.ResponseWriter
	status int
}

func (w *response) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *response) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func begun(w http.ResponseWriter) bool {
	r, ok := w.(*response)
	return ok && r.status != 0
}
