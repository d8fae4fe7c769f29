package action_test

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
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"parley/shared/action"
	"parley/shared/outbound"
	"parley/shared/parley"
)

const token = "Bearer secret-0123456789"

// host is a customer's server: it notes what it was sent and answers as handle says.
type host struct {
	*httptest.Server
	line, body string
	header     http.Header
	calls      atomic.Int32
	left       chan struct{}
}

func serve(t *testing.T, handle http.HandlerFunc) *host {
	h := &host{left: make(chan struct{}, 1)}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.calls.Add(1)
		body, _ := io.ReadAll(r.Body)
		h.line, h.body, h.header = r.Method+" "+r.RequestURI, string(body), r.Header
		handle(w, r)
		if r.Context().Err() != nil {
			h.left <- struct{}{}
		}
	}))
	t.Cleanup(h.Close)
	return h
}

func says(status int, kind, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

func newExecutor(t *testing.T, logged io.Writer, change func(*action.Config)) *action.Executor {
	t.Helper()
	c := action.Config{Outbound: outbound.Config{Private: true}, Log: slog.New(slog.NewTextHandler(logged, nil)),
		Secret: func(_ context.Context, p parley.ProjectID, name string) (string, error) {
			if p != "shop" || name != "token" {
				return "", errors.New("no such parameter")
			}
			return token + "\n", nil
		}}
	if change != nil {
		change(&c)
	}
	x, err := action.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func declared(url string) parley.Action {
	return parley.Action{ID: "find_order", Description: "d", Method: "POST", URL: url + "/{shop}/orders/{order}?v=2", Query: []string{"lines", "tags"},
		Parameters: json.RawMessage(`{"type":"object","properties":{"order":{"type":["string","number"]},"lines":{"type":"boolean"},
			"tags":{"type":"array"},"user":{"type":"string"},"note":{}},"required":["order"]}`),
		Values: []parley.ActionValue{
			{In: parley.InHeader, Name: "Authorization", Secret: "token"},
			{In: parley.InHeader, Name: "X-Tenant", Value: json.RawMessage(`"acme"`)},
			{In: parley.InHeader, Name: "X-Trace", Open: true},
			{In: parley.InPath, Name: "shop", Value: json.RawMessage(`"main"`), Open: true},
			{In: parley.InQuery, Name: "page", Value: json.RawMessage(`1`), Open: true},
			{In: parley.InBody, Name: "user", Value: json.RawMessage(`"nobody"`)},
		}}
}

func call(a parley.Action, arguments string) parley.ActionRequest {
	return parley.ActionRequest{ID: "m1.1", Project: "shop", Action: a, Arguments: json.RawMessage(arguments)}
}

func TestRequests(t *testing.T) {
	brought := func(prefix string) parley.Overrides {
		return parley.Overrides{
			Headers: map[string]string{"x-tenant": prefix + "-tenant", "X-TRACE": prefix + "-trace", "authorization": prefix + "-token", "X-Other": "x"},
			Query:   map[string]string{"page": prefix + "2", "admin": "1"},
			Path:    map[string]string{"shop": prefix + "/../shop", "order": "8"},
			Body:    map[string]json.RawMessage{"user": json.RawMessage(`{"id":"` + prefix + `"}`), "role": json.RawMessage(`"admin"`)}}
	}
	tests := []struct {
		name   string
		change func(r *parley.ActionRequest)
		line   string
		body   string
		header string // tenant and trace
	}{
		{name: "the project's values win over the model's", line: "POST /main/orders/7%2F..%20%3Fx?lines=true&page=1&tags=a&tags=b+c&tags=%7B%22x%22%3A1%7D&v=2",
			body: `{"note":{"deep":12345678901234567890},"user":"nobody"}`, header: "acme "},
		{name: "a contact's over the project's, the secret excepted", change: func(r *parley.ActionRequest) { r.Contact = brought("c") },
			line: "POST /c%2F..%2Fshop/orders/7%2F..%20%3Fx?lines=true&page=c2&tags=a&tags=b+c&tags=%7B%22x%22%3A1%7D&v=2",
			body: `{"note":{"deep":12345678901234567890},"user":{"id":"c"}}`, header: "c-tenant c-trace"},
		{name: "a browser's over both, where the action is open", change: func(r *parley.ActionRequest) { r.Contact, r.Browser = brought("c"), brought("b") },
			line: "POST /b%2F..%2Fshop/orders/7%2F..%20%3Fx?lines=true&page=b2&tags=a&tags=b+c&tags=%7B%22x%22%3A1%7D&v=2",
			body: `{"note":{"deep":12345678901234567890},"user":{"id":"c"}}`, header: "c-tenant b-trace"},
		{name: "without a body all goes into the query", change: func(r *parley.ActionRequest) {
			r.Action.Method, r.Action.Values = "", r.Action.Values[:4]
		}, line: "GET /main/orders/7%2F..%20%3Fx?lines=true&note=%7B%22deep%22%3A12345678901234567890%7D&tags=a&tags=b+c&tags=%7B%22x%22%3A1%7D&user=me&v=2", header: "acme "},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := serve(t, says(200, "application/json", `{"state": "sent"}`))
			var logged bytes.Buffer
			r := call(declared(h.URL), `{"order":"7/.. ?x","lines":true,"tags":["a","b c",{"x":1},null],"user":"me","note":{"deep":12345678901234567890}}`)
			if test.change != nil {
				test.change(&r)
			}
			result, err := newExecutor(t, &logged, nil).Do(t.Context(), r)
			if err != nil || result.Error != "" || string(result.Result) != `{"status":200,"body":{"state":"sent"}}` {
				t.Fatalf("Do = %s %q, %v", result.Result, result.Error, err)
			}
			if h.line != test.line || h.body != test.body {
				t.Errorf("sent\n%s\n%s\nwant\n%s\n%s", h.line, h.body, test.line, test.body)
			}
			if got := h.header.Get("X-Tenant") + " " + h.header.Get("X-Trace"); got != test.header || h.header.Get("X-Other") != "" {
				t.Errorf("headers %v, want %q", h.header, test.header)
			}
			if h.header.Get("Authorization") != token || h.header.Get("Idempotency-Key") != "m1.1" || h.header.Get("Accept") != "application/json" ||
				h.body != "" && h.header.Get("Content-Type") != "application/json" {
				t.Errorf("headers %v", h.header)
			}
			if line := logged.String(); !strings.Contains(line, "action=find_order status=200") || strings.Contains(line, "orders") || strings.Contains(line, "secret-") {
				t.Errorf("logged %s", line)
			}
		})
	}
}

func TestAnswers(t *testing.T) {
	long := strings.Repeat("x", parley.MaxActionResultBytes)
	tests := []struct {
		name   string
		handle http.HandlerFunc
		result string
		says   string
	}{
		{"text", says(200, "text/html", " <b>\"sent\"</b>\n"), `{"status":200,"body":"<b>\"sent\"</b>"}`, ""},
		{"nothing", says(204, "", ""), `{"status":204}`, ""},
		{"not found", says(404, "application/json", `{"why":"gone"}`), `{"status":404,"body":{"why":"gone"}}`, "status 404"},
		{"server error", says(500, "text/plain", "oops"), `{"status":500,"body":"oops"}`, "status 500"},
		{"a redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://169.254.169.254/", http.StatusFound)
		},
			`{"status":302}`, "a redirect, which is not followed"},
		{"huge", says(200, "text/plain", strings.Repeat(long, 1000)), `{"status":200}`, "longer than 16384 bytes"},
		{"a little too long once it is JSON", says(200, "text/plain", long[:parley.MaxActionResultBytes-10]), `{"status":200}`, "longer than 16384 bytes"},
		{"just short enough", says(200, "text/plain", long[:parley.MaxActionResultBytes-24]),
			`{"status":200,"body":"` + long[:parley.MaxActionResultBytes-24] + `"}`, ""},
		{"bytes", says(200, "image/png", "\x89PNG\xff"), `{"status":200}`, "neither JSON nor text"},
		{"broken off", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			io.WriteString(w, "half")
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}, `{"status":200}`, "broke off"},
		{"no HTTP", func(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) }, "", "No answer: the connection broke"},
		{"slow to answer", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "", "No answer within 1s; nobody knows"},
		{"slow to end", func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "half")
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}, `{"status":200}`, "did not end within 1s"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := serve(t, test.handle)
			r := call(declared(h.URL), `{"order":"7"}`)
			r.Action.TimeoutSeconds = 1
			result, err := newExecutor(t, io.Discard, nil).Do(t.Context(), r)
			if err != nil || string(result.Result) != test.result || (result.Error == "") != (test.says == "") || !strings.Contains(result.Error, test.says) {
				t.Errorf("Do = %.200s %q, %v, want %.200s %q", result.Result, result.Error, err, test.result, test.says)
			}
			if h.calls.Load() != 1 {
				t.Errorf("the host was asked %d times", h.calls.Load())
			}
		})
	}
}

func TestNotSent(t *testing.T) {
	h := serve(t, says(200, "application/json", `{}`))
	private := func(c *action.Config) {
		c.Outbound = outbound.Config{Resolve: func(context.Context, string) ([]netip.Addr, error) {
			return []netip.Addr{netip.MustParseAddr("10.1.2.3")}, nil
		}}
	}
	tests := []struct {
		name      string
		arguments string
		url       string
		change    func(r *parley.ActionRequest)
		config    func(c *action.Config)
		says      string
	}{
		{name: "arguments missing", arguments: `{}`, says: "Not sent: the arguments do not fit: order is missing."},
		{name: "arguments too many", arguments: `{"order":"7","x":1}`, says: "x is not among the properties"},
		{name: "arguments of another type", arguments: `{"order":true}`, says: "order is not of the type string or number"},
		{name: "arguments that are none", arguments: `7`, says: "not of the type object"},
		{name: "up the path", arguments: `{"order":".."}`, says: "order is missing, or is no part of a path"},
		{name: "empty path", arguments: `{"order":""}`, says: "order is missing, or is no part of a path"},
		{name: "a browser goes up the path", arguments: `{"order":"7"}`, change: func(r *parley.ActionRequest) {
			r.Browser.Path = map[string]string{"shop": ".."}
		}, says: "shop is missing, or is no part of a path"},
		{name: "a browser splits a header", arguments: `{"order":"7"}`, change: func(r *parley.ActionRequest) {
			r.Browser.Headers = map[string]string{"X-Trace": "a\r\nX-Evil: b"}
		}, says: "X-Trace has control characters"},
		{name: "no such secret", arguments: `{"order":"7"}`, change: func(r *parley.ActionRequest) { r.Project = "other" }, says: "the secret token of this deployment"},
		{name: "a private address", arguments: `{"order":"7"}`, url: "https://api.example.com", config: private, says: "Not sent: the host may not be asked from here."},
		{name: "this machine", arguments: `{"order":"7"}`, url: "https://127.0.0.1", config: private, says: "Not sent: the host may not be asked from here."},
		{name: "nobody listens", arguments: `{"order":"7"}`, url: "http://127.0.0.1:1", says: "No answer: the connection was refused."},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			url := h.URL
			if test.url != "" {
				url = test.url
			}
			r := call(declared(url), test.arguments)
			if test.change != nil {
				test.change(&r)
			}
			var logged bytes.Buffer
			result, err := newExecutor(t, &logged, test.config).Do(t.Context(), r)
			if err != nil || result.Result != nil || !strings.Contains(result.Error, test.says) {
				t.Errorf("Do = %s %q, %v, want %q", result.Result, result.Error, err, test.says)
			}
			if text := fmt.Sprint(result.Error, logged.String()); strings.Contains(text, "10.1.2.3") || strings.Contains(text, "secret-") {
				t.Errorf("told %s", text)
			}
		})
	}
	if h.calls.Load() != 0 {
		t.Errorf("the host was asked %d times", h.calls.Load())
	}
}

func TestACancelledCallIsLeft(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	h := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	if _, err := newExecutor(t, io.Discard, nil).Do(ctx, call(declared(h.URL), `{"order":"7"}`)); !errors.Is(err, context.Canceled) {
		t.Errorf("Do = %v, want %v", err, context.Canceled)
	}
	select {
	case <-h.left:
	case <-time.After(5 * time.Second):
		t.Error("the host still has the connection after 5s")
	}
}

func TestSecretsAreKeptShortly(t *testing.T) {
	h := serve(t, says(200, "application/json", `{}`))
	now, fetched, text := time.Now(), 0, "first"
	x := newExecutor(t, io.Discard, func(c *action.Config) {
		c.Now = func() time.Time { return now }
		c.Secret = func(context.Context, parley.ProjectID, string) (string, error) {
			fetched++
			return text, nil
		}
	})
	ask := func() (string, string) {
		result, err := x.Do(t.Context(), call(declared(h.URL), `{"order":"7"}`))
		if err != nil {
			t.Fatal(err)
		}
		return h.header.Get("Authorization"), result.Error
	}
	ask()
	text = "second"
	if got, _ := ask(); got != "first" || fetched != 1 {
		t.Errorf("sent %q after %d fetches, want the first one again", got, fetched)
	}
	now = now.Add(5 * time.Minute)
	if got, _ := ask(); got != "second" || fetched != 2 {
		t.Errorf("sent %q after %d fetches, want the second one", got, fetched)
	}
	now, text = now.Add(5*time.Minute), "two\nlines"
	if _, problem := ask(); !strings.Contains(problem, "could not be read") || h.calls.Load() != 3 {
		t.Errorf("a secret of two lines: %q", problem)
	}
}
