package lambdatest_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"parley/shared/lambdatest"
)

// fronts are the two ways to a function over HTTP.
var fronts = map[string]func(*lambdatest.Function) http.Handler{
	"url": lambdatest.URLHandler,
	"api": lambdatest.APIHandler,
}

// TestRequestArrives sends requests whose bodies travel as text and as base64
// and reads back what the compiled handler saw.
func TestRequestArrives(t *testing.T) {
	f := start(t, "web", lambdatest.Config{})
	tests := []struct {
		name, method, target, contentType, body string
		header                                  http.Header
	}{
		{"query", "GET", "/echo/a?x=1&x=2&y=a%26b&z=", "", "", nil},
		{"path", "GET", "/echo/100%25%20caf%C3%A9.pdf", "", "", nil},
		{"cookies", "GET", "/echo/", "", "", http.Header{"Cookie": {"a=1; b=2"}}},
		{"repeated header", "GET", "/echo/", "", "", http.Header{"X-Many": {"1", "2"}}},
		{"preflight", "OPTIONS", "/echo/", "", "", http.Header{"Origin": {"https://shop.example"}}},
		{"JSON", "POST", "/echo/", "application/json", `{"a":"ü"}`, nil},
		{"beacon", "POST", "/echo/", "text/plain;charset=UTF-8", `{"a":"ü"}`, nil},
		{"form", "POST", "/echo/", "application/x-www-form-urlencoded", "a=%C3%BC", nil},
		{"no type", "POST", "/echo/", "", "a", nil},
		{"binary", "PUT", "/echo/", "image/png", "\x89PNG\r\n\x1a\n\x00\xff", nil},
		{"text that is none", "POST", "/echo/", "text/plain", "\xff\xfe", nil},
	}
	for front, handler := range fronts {
		base := serve(t, handler(f))
		for _, test := range tests {
			t.Run(front+" "+test.name, func(t *testing.T) {
				header := test.header.Clone()
				if header == nil {
					header = http.Header{}
				}
				if test.contentType != "" {
					header.Set("Content-Type", test.contentType)
				}
				header.Set("Accept", "application/json, text/event-stream")
				response := do(t, t.Context(), test.method, base+test.target, header, test.body)
				defer response.Body.Close()
				var got struct {
					Method, Name, Type, Accept string
					Query                      url.Values
					Body                       []byte
					Length                     int64
					Cookies, Many              []string
				}
				if err := json.NewDecoder(response.Body).Decode(&got); err != nil {
					t.Fatal(err)
				}
				u, _ := url.Parse(test.target)
				want := got
				want.Method, want.Name, want.Type = test.method, strings.TrimPrefix(u.Path, "/echo/"), test.contentType
				want.Accept, want.Query, want.Body, want.Length = header.Get("Accept"), u.Query(), []byte(test.body), int64(len(test.body))
				want.Cookies, want.Many = nil, []string{""}
				if test.name == "cookies" {
					want.Cookies = []string{"a=1", "b=2"}
				}
				if test.name == "repeated header" {
					want.Many = []string{"1", "2"}
				}
				if !reflect.DeepEqual(got, want) {
					t.Errorf("handler saw\n%+v, want\n%+v", got, want)
				}
				if response.StatusCode != http.StatusAccepted || response.Header.Get("Content-Type") != "application/json" || len(response.Cookies()) != 2 {
					t.Errorf("answer = %d %v", response.StatusCode, response.Header)
				}
			})
		}
	}
}

// TestStreamArrivesAsWritten: each line is read before the handler is allowed
// to write the next.
func TestStreamArrivesAsWritten(t *testing.T) {
	g := newGate(t)
	f := start(t, "web", lambdatest.Config{Env: g.env()})
	response := do(t, t.Context(), "GET", serve(t, lambdatest.URLHandler(f))+"/steps/3", nil, "")
	defer response.Body.Close()
	lines := bufio.NewReader(response.Body)
	var last time.Time
	for _, want := range []string{"step 0\n", "step 1\n", "step 2\n"} {
		g.await(t)
		got, err := lines.ReadString('\n')
		if err != nil || got != want {
			t.Fatalf("read %q, %v; want %q", got, err, want)
		}
		if now := time.Now(); !now.After(last) {
			t.Error("the line did not come after the one before")
		} else {
			last = now
		}
		g.pass(t)
	}
	if rest, err := io.ReadAll(lines); len(rest) > 0 || err != nil {
		t.Errorf("then read %q, %v; want the end", rest, err)
	}
}

// TestAPIAnswersWhole: the same handler behind an HTTP API sends nothing
// before it is done.
func TestAPIAnswersWhole(t *testing.T) {
	g := newGate(t)
	f := start(t, "web", lambdatest.Config{Env: g.env()})
	base := serve(t, lambdatest.APIHandler(f))
	answered := make(chan string, 1)
	go func() {
		_, body := get(t, base+"/steps/2")
		answered <- body
	}()
	for range 2 {
		g.await(t)
		if len(answered) > 0 {
			t.Error("answered before the handler was done")
		}
		g.pass(t)
	}
	if got := <-answered; got != "step 0\nstep 1\n" {
		t.Errorf("body = %q", got)
	}
}

func TestClientThatLeavesStopsNothing(t *testing.T) {
	g := newGate(t)
	f := start(t, "web", lambdatest.Config{Env: g.env()})
	ctx, leave := context.WithCancel(t.Context())
	response := do(t, ctx, "GET", serve(t, lambdatest.URLHandler(f))+"/steps/3", nil, "")
	defer response.Body.Close()
	g.await(t)
	leave()
	if _, err := io.ReadAll(response.Body); err == nil {
		t.Error("the client did not leave")
	}
	g.pass(t)
	for range 2 {
		g.await(t)
		g.pass(t)
	}
	until(t, "the handler is done", func() bool { return strings.Contains(f.Log(), "all steps written") })
}

func TestPanicKeepsProcess(t *testing.T) {
	for front, handler := range fronts {
		t.Run(front, func(t *testing.T) {
			f := start(t, "web", lambdatest.Config{})
			base := serve(t, handler(f))
			_, pid := get(t, base+"/pid")
			if status, body := get(t, base+"/panic"); status != http.StatusInternalServerError || !strings.Contains(body, `"code":"internal"`) {
				t.Errorf("panic answered %d %s", status, body)
			}
			if _, now := get(t, base+"/pid"); now != pid {
				t.Errorf("process %s after the panic, %s before", now, pid)
			}
			if !strings.Contains(f.Log(), `"panic":"string"`) {
				t.Errorf("log = %s; want the panic", f.Log())
			}
		})
	}
}

func TestPanicAfterFirstByteCutsStream(t *testing.T) {
	f := start(t, "web", lambdatest.Config{})
	base := serve(t, lambdatest.URLHandler(f))
	response := do(t, t.Context(), "GET", base+"/panic-late", nil, "")
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil || response.StatusCode != http.StatusOK || len(body) == 0 {
		t.Errorf("answer = %d %q, %v; want a body that breaks off", response.StatusCode, body, err)
	}
	if _, pid := get(t, base+"/pid"); pid != string(body) {
		t.Errorf("process %s after the panic, %s before", pid, body)
	}

	payload := `{"rawPath":"/panic-late","requestContext":{"domainName":"x.lambda-url.us-east-1.on.aws","http":{"method":"GET"}}}`
	_, err = f.Invoke(t.Context(), []byte(payload))
	if e, ok := err.(*lambdatest.Error); !ok || e.Type != "Handler.Panic" || e.Message == "" {
		t.Errorf("trailer = %v; want Handler.Panic", err)
	}
}

func TestEmptyAnswer(t *testing.T) {
	f := start(t, "web", lambdatest.Config{})
	for front, handler := range fronts {
		if status, body := get(t, serve(t, handler(f))+"/empty"); status != http.StatusNoContent || body != "" {
			t.Errorf("%s: answer = %d %q", front, status, body)
		}
	}
}

func TestBinaryAnswer(t *testing.T) {
	f := start(t, "web", lambdatest.Config{})
	for front, handler := range fronts {
		if status, body := get(t, serve(t, handler(f))+"/binary"); status != http.StatusOK || body != "\xff\x00\xfe" {
			t.Errorf("%s: answer = %d %q", front, status, body)
		}
	}
}

// TestAnswerThatIsNone: an HTTP API takes JSON of any shape, a streaming URL
// needs the frames.
func TestAnswerThatIsNone(t *testing.T) {
	f := start(t, "event", lambdatest.Config{})
	response := do(t, t.Context(), "GET", serve(t, lambdatest.APIHandler(f))+"/", nil, "")
	defer response.Body.Close()
	var got struct{ Function string }
	if err := json.NewDecoder(response.Body).Decode(&got); err != nil || got.Function == "" || response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != "application/json" {
		t.Errorf("api: answer = %d %v %+v, %v", response.StatusCode, response.Header, got, err)
	}
	if status, _ := get(t, serve(t, lambdatest.URLHandler(f))+"/"); status != http.StatusBadGateway {
		t.Errorf("url: %d, want %d", status, http.StatusBadGateway)
	}
}

func TestTooMuch(t *testing.T) {
	f := start(t, "web", lambdatest.Config{})
	url, api := serve(t, lambdatest.URLHandler(f)), serve(t, lambdatest.APIHandler(f))
	_, pid := get(t, url+"/pid")

	if status, body := get(t, url+"/bytes/7340032"); status != http.StatusOK || len(body) != 7<<20 {
		t.Errorf("7 MB streamed: %d with %d bytes", status, len(body))
	}
	if status, body := get(t, api+"/bytes/7340032"); status != http.StatusInternalServerError || !strings.Contains(body, "response_too_large") {
		t.Errorf("7 MB whole: %d %.200s; want the function's own problem", status, body)
	}
	for _, base := range []string{url, api} {
		response := do(t, t.Context(), "POST", base+"/echo/", nil, strings.Repeat("a", 5<<20)) // base64: 6.7 MB
		response.Body.Close()
		if response.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("5 MB binary request: %d", response.StatusCode)
		}
	}
	header := http.Header{"Authorization": {strings.Repeat("a", 11<<10)}}
	for base, want := range map[string]int{url: http.StatusAccepted, api: http.StatusRequestHeaderFieldsTooLarge} {
		response := do(t, t.Context(), "GET", base+"/echo/", header, "")
		io.Copy(io.Discard, response.Body)
		response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("11 KB of headers: %d, want %d", response.StatusCode, want)
		}
	}
	if _, now := get(t, url+"/pid"); now != pid {
		t.Errorf("process %s after all that, %s before", now, pid)
	}
}
