package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"parley/shared/api"
	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/table"
	"parley/shared/token"
)

// serve returns the handler of one route "POST /things/{session}/{run}", and
// what it logs. configure may change the API first.
func serve(t testing.TB, handle api.HandlerFunc, configure func(*api.Config)) (http.Handler, *bytes.Buffer) {
	t.Helper()
	keys, err := token.New(token.Config{Masters: [][]byte{[]byte(strings.Repeat("m", 32))}})
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	c := api.Config{Store: parleytest.Store(t, parley.Config{Table: parleytest.Table(t)}), Keys: keys,
		Log: slog.New(slog.NewJSONHandler(&log, nil))}
	if configure != nil {
		configure(&c)
	}
	a, err := api.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return a.Handler(api.Route{Pattern: "POST /things/{session}/{run}", Handle: handle}), &log
}

func post(h http.Handler, body string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodPost, "/things/secret-session/secret-run?ticket=secret-ticket", strings.NewReader(body))
	r.Header.Set("Origin", "https://shop.example")
	r.Header.Set("Authorization", "Bearer secret-token")
	r.Header.Set("Content-Type", "application/json")
	h.ServeHTTP(w, r)
	return w
}

func TestProblems(t *testing.T) {
	tests := []struct {
		name       string
		err        error
		status     int
		code       string
		retryAfter string
		detail     string // part of it
		logged     bool
	}{
		{"known code", &parley.Error{Kind: parley.ErrInvalid, Code: "attachment_unknown", Text: "no file", Field: "attachments"}, 422, "attachment_unknown", "", "no file", false},
		{"wrapped", fmt.Errorf("context: %w", &parley.Error{Kind: parley.ErrDenied, Code: "blocked", Text: "no"}), 403, "blocked", "", "no", false},
		{"invalid", &parley.Error{Kind: parley.ErrInvalid, Code: "new_code"}, 400, "new_code", "", "", false},
		{"not found", &parley.Error{Kind: parley.ErrNotFound, Code: "new_code"}, 404, "new_code", "", "", false},
		{"conflict", &parley.Error{Kind: parley.ErrConflict, Code: "new_code"}, 409, "new_code", "", "", false},
		{"denied", &parley.Error{Kind: parley.ErrDenied, Code: "new_code"}, 403, "new_code", "", "", false},
		{"limit", &parley.Error{Kind: parley.ErrLimit, Code: "new_code", RetryAfter: 1200 * time.Millisecond}, 429, "new_code", "2", "", false},
		{"unavailable", fmt.Errorf("%w: %w at host-17", parley.ErrUnavailable, table.ErrUnknown), 503, "unavailable", "1", "", true},
		{"out of time", context.DeadlineExceeded, 503, "unavailable", "1", "", true},
		{"anything else", errors.New("secret detail"), 500, "internal", "", "", true},
		{"of no kind", &parley.Error{Kind: errors.New("odd"), Code: "odd"}, 500, "internal", "", "", true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h, log := serve(t, func(http.ResponseWriter, *http.Request) error { return test.err }, nil)
			w := post(h, "")
			var p api.Problem
			if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
				t.Fatal(err)
			}
			if w.Code != test.status || p.Status != test.status || p.Code != test.code || p.Type != "/problems/"+test.code || p.Title == "" ||
				w.Header().Get("Retry-After") != test.retryAfter || !strings.Contains(p.Detail, test.detail) {
				t.Errorf("answer = %d %v %s, want %d %s", w.Code, w.Header(), w.Body, test.status, test.code)
			}
			if strings.Contains(w.Body.String(), "secret detail") || strings.Contains(w.Body.String(), "host-17") {
				t.Errorf("%s tells too much", w.Body)
			}
			if got := strings.Contains(log.String(), test.err.Error()); got != test.logged {
				t.Errorf("logged: %v, want %v: %s", got, test.logged, log)
			}
		})
	}
}

func TestPanic(t *testing.T) {
	t.Run("before the answer", func(t *testing.T) {
		h, log := serve(t, func(http.ResponseWriter, *http.Request) error {
			index := map[string]int{}["secret"] - 1
			_ = []string{"secret"}[index]
			return nil
		}, nil)
		w := post(h, "")
		if w.Code != http.StatusInternalServerError || !strings.Contains(w.Body.String(), `"code":"internal"`) ||
			w.Header().Get("Access-Control-Allow-Origin") != "https://shop.example" {
			t.Errorf("answer = %d %v %s", w.Code, w.Header(), w.Body)
		}
		if !strings.Contains(log.String(), "index out of range [-1]") || !strings.Contains(log.String(), "api_test.go") {
			t.Errorf("log = %s, want the panic and where it was", log)
		}
	})
	t.Run("a value of unknown content", func(t *testing.T) {
		h, log := serve(t, func(http.ResponseWriter, *http.Request) error { panic(errors.New("a visitor's words")) }, nil)
		if w := post(h, ""); w.Code != http.StatusInternalServerError || strings.Contains(log.String()+w.Body.String(), "words") {
			t.Errorf("answer = %d %s, log %s", w.Code, w.Body, log)
		}
	})
	for name, handle := range map[string]api.HandlerFunc{
		"after the answer began":             func(w http.ResponseWriter, _ *http.Request) error { w.WriteHeader(200); panic("late") },
		"error after the answer began":       func(w http.ResponseWriter, _ *http.Request) error { w.WriteHeader(200); return errors.New("late") },
		"a handler that cuts the connection": func(http.ResponseWriter, *http.Request) error { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			h, log := serve(t, handle, nil)
			defer func() {
				if v := recover(); v != http.ErrAbortHandler {
					t.Errorf("panic = %v, want %v", v, http.ErrAbortHandler)
				}
				if !strings.Contains(log.String(), `"msg":"request"`) {
					t.Errorf("log = %s, want the request", log)
				}
			}()
			post(h, "")
		})
	}
}

// TestLog: one line a request, which names nothing that opens anything.
func TestLog(t *testing.T) {
	h, log := serve(t, func(w http.ResponseWriter, _ *http.Request) error {
		return api.JSON(w, http.StatusTeapot, struct{}{})
	}, func(c *api.Config) { c.RequestID = func(context.Context) string { return "platform-id" } })
	w := post(h, `{"content":"secret content"}`)
	if got := w.Header().Get(api.RequestIDHeader); got != "platform-id" {
		t.Errorf("%s = %q", api.RequestIDHeader, got)
	}
	var line struct {
		Request, Method, Route, Session, Run string
		Status                               int
	}
	if err := json.Unmarshal(log.Bytes(), &line); err != nil {
		t.Fatalf("log %s: %v", log, err)
	}
	if line.Request != "platform-id" || line.Method != "POST" || line.Route != "POST /things/{session}/{run}" || line.Status != http.StatusTeapot ||
		len(line.Session) != 12 || len(line.Run) != 12 || line.Session == line.Run {
		t.Errorf("line = %+v", line)
	}
	if strings.Contains(log.String(), "secret") {
		t.Errorf("log = %s", log)
	}
	h, log = serve(t, func(_ http.ResponseWriter, r *http.Request) error {
		api.About(r, "told-session", "")
		return nil
	}, nil)
	if w := post(h, ""); len(w.Header().Get(api.RequestIDHeader)) < 20 || strings.Contains(log.String(), "told-session") || !strings.Contains(log.String(), `"session":"`) {
		t.Errorf("id %q, log %s", w.Header().Get(api.RequestIDHeader), log)
	}
	log.Reset()
	r := httptest.NewRequest("SECRET", "/secret", nil)
	h.ServeHTTP(httptest.NewRecorder(), r)
	if strings.Contains(strings.ToLower(log.String()), "secret") {
		t.Errorf("log of a made-up method = %s", log)
	}
}

type throughKey struct{}

func through(r *http.Request) {
	*r = *r.WithContext(context.WithValue(r.Context(), throughKey{}, true))
}

func TestBases(t *testing.T) {
	var got api.URLs
	tests := []struct {
		name   string
		urls   api.URLs
		change func(*http.Request)
		chat   string
		close  string
	}{
		{"of the request", api.URLs{}, nil, "http://example.com", "http://example.com"},
		{"behind a platform", api.URLs{}, func(r *http.Request) { r.Header.Set("X-Forwarded-Proto", "https") }, "https://example.com", "https://example.com"},
		{"odd scheme", api.URLs{}, func(r *http.Request) { r.Header.Set("X-Forwarded-Proto", "javascript") }, "http://example.com", "http://example.com"},
		{"a host with a port", api.URLs{}, func(r *http.Request) { r.Host = "localhost:3000" }, "http://localhost:3000", "http://localhost:3000"},
		{"configured", api.URLs{Chat: "https://chat.example/p/"}, nil, "https://chat.example/p", "http://example.com"},
		{"through a distribution", api.URLs{Chat: "https://chat.example/p/"}, through, "http://example.com", "http://example.com"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var a *api.API
			h, _ := serve(t, func(_ http.ResponseWriter, r *http.Request) error { got = a.Bases(r); return nil }, func(c *api.Config) {
				c.URLs = test.urls
				c.Through = func(ctx context.Context) bool { return ctx.Value(throughKey{}) != nil }
				a = &api.API{Config: *c}
			})
			r := httptest.NewRequest(http.MethodPost, "/things/a/b", nil)
			if test.change != nil {
				test.change(r)
			}
			h.ServeHTTP(httptest.NewRecorder(), r)
			if got.Chat != test.chat || got.Close != test.close {
				t.Errorf("chat %q and close %q, want %q and %q", got.Chat, got.Close, test.chat, test.close)
			}
		})
	}
}

// TestPaths: a path is cleaned without a redirect, and what is escaped in it stays.
func TestPaths(t *testing.T) {
	var session, run string
	h, _ := serve(t, func(_ http.ResponseWriter, r *http.Request) error {
		session, run = r.PathValue("session"), r.PathValue("run")
		return nil
	}, nil)
	tests := []struct{ path, session, run string }{
		{"/things/a/b", "a", "b"},
		{"//things///a//b//", "a", "b"},
		{"/things/a/b%2Fc", "a", "b/c"},
		{"/things/%C3%A4/b%20%3F%25", "ä", "b ?%"},
		{"/things/a/..%2F..%2Fconfig", "a", "../../config"},
	}
	for _, test := range tests {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, test.path, nil))
		if w.Code != http.StatusOK || session != test.session || run != test.run {
			t.Errorf("%s = %d with %q and %q, want %q and %q", test.path, w.Code, session, run, test.session, test.run)
		}
	}
}

// TestCodes: the document names every code, and no other.
func TestCodes(t *testing.T) {
	_, list, _ := strings.Cut(api.OpenAPI, "\n    Code:\n")
	list, _, _ = strings.Cut(list, "\n\n")
	documented := map[string]bool{}
	for _, line := range strings.Split(list, "\n") {
		if code, ok := strings.CutPrefix(line, "        - "); ok {
			documented[code] = true
		}
	}
	for code := range api.Codes {
		if !documented[code] {
			t.Errorf("%s is not in the document", code)
		}
		delete(documented, code)
	}
	for code := range documented {
		t.Errorf("%s is in the document only", code)
	}
}

func TestNew(t *testing.T) {
	if _, err := api.New(api.Config{}); err == nil {
		t.Error("New without a store and keys succeeded")
	}
}

// FuzzDecode: any body is taken, or refused with a problem.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{"", "{}", `{"a":"b","m":{"k":"v"}}`, `{"a":1}`, `{"m":{"k":1}}`, "[]", "null", "{}{}", "\xff", `{"a":"\ud800"}`, strings.Repeat("[", 20000)} {
		f.Add(s, true)
		f.Add(s, false)
	}
	f.Fuzz(func(t *testing.T, body string, named bool) {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		if named {
			r.Header.Set("Content-Type", "application/json; charset=utf-8")
		}
		again := r.Clone(t.Context())
		again.Body = io.NopCloser(strings.NewReader(body))
		type shape struct {
			A string            `json:"a"`
			M map[string]string `json:"m"`
		}
		for _, err := range []error{api.Decode(r, new(shape)), api.DecodeOptional(again, new(shape))} {
			var e *parley.Error
			if err != nil && (!errors.As(err, &e) || api.Codes[e.Code].Status() == 0) {
				t.Errorf("%q: %v is no problem", body, err)
			}
		}
	})
}

// TestRoutine: a question for news without an answer leaves a line only where
// details are wanted.
func TestRoutine(t *testing.T) {
	for level, want := range map[slog.Level]bool{slog.LevelInfo: false, slog.LevelDebug: true} {
		var log bytes.Buffer
		h, _ := serve(t, func(_ http.ResponseWriter, r *http.Request) error {
			api.Routine(r)
			return nil
		}, func(c *api.Config) { c.Log = slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: level})) })
		post(h, "")
		if got := strings.Contains(log.String(), `"msg":"request"`); got != want {
			t.Errorf("at level %v: %s", level, log.String())
		}
	}
}
