package api

import (
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

// line is what the log says of a request besides what the request and its
// answer do, and how it is told of errors.
type line struct {
	request string
	refuse  Refusal
	project parley.ProjectID
	session parley.SessionID
	run     parley.RunID
	level   slog.Level
}

type lineKey struct{}

// lineOf returns the line of a request that a Handler serves.
func lineOf(r *http.Request) *line { return r.Context().Value(lineKey{}).(*line) }

// About names the session and the run that a request turned out to be about,
// for its line in the log; "" is none.
func About(r *http.Request, session parley.SessionID, run parley.RunID) {
	l := lineOf(r)
	l.session, l.run = session, run
}

// AboutProject names the project that a request turned out to be about, for its
// line in the log.
func AboutProject(r *http.Request, p parley.ProjectID) { lineOf(r).project = p }

// Routine says that a request asked for news and there was none. Most requests
// of a page that stays open are of that kind, and their lines would cost more
// than all else that they do: they have the level DEBUG, which is left out unless
// the log is told otherwise.
func Routine(r *http.Request) { lineOf(r).level = slog.LevelDebug }

func (a *API) requestID(ctx context.Context) string {
	if a.RequestID != nil {
		if id := a.RequestID(ctx); id != "" {
			return id
		}
	}
	return rand.Text()
}

// log writes the line of a request that has been answered: no address, no
// query, no content, and ids that open something only as a hash.
func (a *API) log(w *response, r *http.Request, l *line, began time.Time) {
	if l.session == "" {
		l.session = parley.SessionID(r.PathValue("session"))
	}
	if l.run == "" {
		l.run = parley.RunID(r.PathValue("run"))
	}
	attrs := []slog.Attr{slog.String("request", l.request), slog.String("method", method(r)), slog.String("route", r.Pattern),
		slog.Int("status", w.status), slog.Int64("ms", time.Since(began).Milliseconds())}
	for _, id := range []struct{ name, value string }{
		{"project", string(l.project)}, {"session", a.hash(string(l.session))}, {"run", a.hash(string(l.run))}} {
		if id.value != "" {
			attrs = append(attrs, slog.String(id.name, id.value))
		}
	}
	a.Log.LogAttrs(r.Context(), l.level, "request", attrs...)
}

// method names the request's method unless a stranger made it up.
func method(r *http.Request) string {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return r.Method
	}
	return "other"
}

// hash stands for an id in the log: the same id, the same hash.
func (a *API) hash(id string) string {
	if id == "" {
		return ""
	}
	return hex.EncodeToString(a.Keys.Derive("log", id)[:6])
}

// recover answers a request whose handler panicked, and cuts an answer that
// had begun. A panic with http.ErrAbortHandler is the host's to deal with.
func (a *API) recover(w *response, r *http.Request) {
	v := recover()
	if v == nil {
		return
	}
	if v == http.ErrAbortHandler {
		panic(v)
	}
	a.Log.LogAttrs(r.Context(), slog.LevelError, "handler panicked", slog.String("request", lineOf(r).request),
		slog.String("panic", panicText(v)), slog.String("stack", string(debug.Stack())))
	if w.status != 0 {
		panic(http.ErrAbortHandler)
	}
	lineOf(r).refuse(w, r, newProblem("internal", 0, "The error has been logged under this request's id.", 0))
}

// panicText describes a panic without what it may quote: only the runtime's own
// words, and those of this code, are known to be free of contents.
func panicText(v any) string {
	switch v := v.(type) {
	case runtime.Error:
		return v.Error()
	case string:
		return v
	}
	return "a value of another type"
}

// response remembers the status that was sent, 0 while none was.
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
