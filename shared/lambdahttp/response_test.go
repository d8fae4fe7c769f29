package lambdahttp_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"parley/shared/lambdahttp"
)

// hosts are an event of each kind of host.
var hosts = []string{"url_get", "api_get"}

func TestPanicBeforeFirstByte(t *testing.T) {
	for _, event := range hosts {
		t.Run(event, func(t *testing.T) {
			var log bytes.Buffer
			cfg := lambdahttp.Config{Log: slog.New(slog.NewJSONHandler(&log, nil))}
			a, err := invoke(t.Context(), t, cfg, event, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Access-Control-Allow-Origin", "https://shop.example")
				w.Header().Set("Content-Length", "12")
				w.Header().Set("Set-Cookie", "a=1")
				panic("the visitor said: my card is 4111")
			})
			if err != nil || a.status != http.StatusInternalServerError || a.code() != "internal" {
				t.Fatalf("answer = %+v, %v; want an internal problem", a, err)
			}
			if got := slices.Sorted(maps.Keys(a.header)); !slices.Equal(got, []string{"Access-Control-Allow-Origin", "Cache-Control", "Content-Type"}) || a.cookies != nil {
				t.Errorf("headers = %v, cookies = %v; want what makes the problem readable and no more", a.header, a.cookies)
			}
			if s := log.String(); !strings.Contains(s, `"panic":"string"`) || !strings.Contains(s, "response_test.go") || strings.Contains(s, "my card") {
				t.Errorf("log = %s; want the place of the panic and nothing it quotes", s)
			}
		})
	}
}

func TestPanicOfTheRuntimeIsLoggedInItsWords(t *testing.T) {
	var log bytes.Buffer
	cfg := lambdahttp.Config{Log: slog.New(slog.NewJSONHandler(&log, nil))}
	_, err := invoke(t.Context(), t, cfg, "url_get", func(w http.ResponseWriter, r *http.Request) {
		index := map[string]int{}["a"] - 1
		_ = []string{"a"}[index]
	})
	if err != nil || !strings.Contains(log.String(), "index out of range [-1]") {
		t.Errorf("log = %s, %v", &log, err)
	}
}

func TestPanicAfterFirstByte(t *testing.T) {
	handler := func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "data: 1\n\n")
		panic(http.ErrAbortHandler)
	}
	a, err := invoke(t.Context(), t, lambdahttp.Config{}, "url_get", handler)
	if err != nil {
		t.Fatal(err)
	}
	var cut messages.InvokeResponse_Error
	if a.status != http.StatusOK || a.body != "data: 1\n\n" || !errors.As(a.cut, &cut) || cut.Type != "Handler.Panic" || cut.ShouldExit {
		t.Errorf("streamed answer = %+v; want what was written and then a cut", a)
	}

	a, err = invoke(t.Context(), t, lambdahttp.Config{}, "api_get", handler)
	if err != nil || a.status != http.StatusInternalServerError || a.code() != "internal" {
		t.Errorf("whole answer = %+v, %v; want an internal problem", a, err)
	}
}

func TestAbortIsNotLogged(t *testing.T) {
	var log bytes.Buffer
	cfg := lambdahttp.Config{Log: slog.New(slog.NewJSONHandler(&log, nil))}
	if _, err := invoke(t.Context(), t, cfg, "url_get", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }); err != nil || log.Len() > 0 {
		t.Errorf("log = %s, %v", &log, err)
	}
}

func TestNoContent(t *testing.T) {
	for _, event := range hosts {
		a, err := invoke(t.Context(), t, lambdahttp.Config{}, event, func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusEarlyHints)
			w.Header().Set("Vary", "Origin")
			w.WriteHeader(http.StatusNoContent)
		})
		if err != nil || a.status != http.StatusNoContent || a.body != "" || a.header["Vary"] != "Origin" || a.cut != nil {
			t.Errorf("%s: answer = %+v, %v", event, a, err)
		}
	}
}

func TestBinaryBodyAndCookies(t *testing.T) {
	body := "\xff\x00\xfe"
	for _, event := range hosts {
		a, err := invoke(t.Context(), t, lambdahttp.Config{}, event, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "image/png")
			w.Header().Add("Vary", "Origin")
			w.Header().Add("Vary", "Accept")
			http.SetCookie(w, &http.Cookie{Name: "a", Value: "1"})
			http.SetCookie(w, &http.Cookie{Name: "b", Value: "2"})
			io.WriteString(w, body)
		})
		if err != nil || a.body != body || a.header["Vary"] != "Origin,Accept" || !slices.Equal(a.cookies, []string{"a=1", "b=2"}) {
			t.Errorf("%s: answer = %+v, %v", event, a, err)
		}
	}
}

// TestFlush: code that insists on a Flusher works, and what is flushed first,
// the header alone, has left before the handler goes on.
func TestFlush(t *testing.T) {
	for _, event := range hosts {
		a, err := invoke(t.Context(), t, lambdahttp.Config{}, event, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			if err := http.NewResponseController(w).Flush(); err != nil {
				t.Errorf("%s: Flush: %v", event, err)
			}
			w.Header().Set("Content-Type", "too late")
			w.WriteHeader(http.StatusTeapot)
			io.WriteString(w, ": hello\n\n")
			w.(http.Flusher).Flush()
			if inner := w.(interface{ Unwrap() http.ResponseWriter }).Unwrap(); inner == nil || inner == w {
				t.Errorf("%s: Unwrap = %v", event, inner)
			}
		})
		if err != nil || a.status != http.StatusOK || a.header["Content-Type"] != "text/event-stream" || a.body != ": hello\n\n" {
			t.Errorf("%s: answer = %+v, %v", event, a, err)
		}
	}
}

func TestLongAnswer(t *testing.T) {
	const mb = 1 << 20
	tests := []struct {
		name, event, unit string
		size              int
		fits              bool
	}{
		{"text streams", "url_get", "a", 7 * mb, true},
		{"text just fits whole", "api_get", "a", 6*mb - 1000, true},
		{"text does not", "api_get", "a", 6*mb + 1000, false},
		{"endless", "api_get", "a", 64 * mb, false},
		{"binary fits", "api_get", "\xff", 4 * mb, true},
		{"binary grows past it", "api_get", "\xff", 5 * mb, false},
		{"quotes grow past it", "api_get", `"`, 4 * mb, false},
		{"control characters grow past it", "api_get", "\x01", 2 * mb, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			chunk := []byte(strings.Repeat(test.unit, 1000))
			returned := false
			a, err := invoke(t.Context(), t, lambdahttp.Config{}, test.event, func(w http.ResponseWriter, r *http.Request) {
				defer func() { returned = true }()
				w.Header().Set("Access-Control-Allow-Origin", "https://shop.example")
				w.Header().Set("Content-Type", "text/plain")
				for range test.size / len(chunk) {
					if _, err := w.Write(chunk); err != nil {
						return
					}
				}
			})
			switch {
			case err != nil:
				t.Fatal(err)
			case test.fits && (a.status != http.StatusOK || len(a.body) != test.size/1000*1000):
				t.Errorf("answer = %d with %d bytes, want all %d", a.status, len(a.body), test.size)
			case !test.fits && (a.status != http.StatusInternalServerError || a.code() != "response_too_large" || a.header["Access-Control-Allow-Origin"] == ""):
				t.Errorf("answer = %d %v %.200s; want a readable response_too_large problem", a.status, a.header, a.body)
			}
			if !returned {
				t.Error("answered before the handler had returned")
			}
		})
	}
}

func TestRequestID(t *testing.T) {
	withID := lambdacontext.NewContext(t.Context(), &lambdacontext.LambdaContext{AwsRequestID: "platform-id"})
	for want, ctx := range map[string]context.Context{
		"platform-id":                          withID,
		"0f2c6c0e-5b0e-4a8e-9d0a-6d7a4a1c9f01": t.Context(),
	} {
		var got string
		_, err := invoke(ctx, t, lambdahttp.Config{}, "url_get", func(_ http.ResponseWriter, r *http.Request) {
			got = lambdahttp.RequestID(r.Context())
		})
		if err != nil || got != want {
			t.Errorf("RequestID = %q, %v; want %q", got, err, want)
		}
	}
	if got := lambdahttp.RequestID(t.Context()); got != "" {
		t.Errorf("RequestID outside of a request = %q", got)
	}
}
