package lambdahttp_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"

	"parley/shared/lambdahttp"
)

// answer is what a client gets, from either kind of host.
type answer struct {
	streamed bool
	status   int
	header   map[string]string
	cookies  []string
	body     string
	// cut is the error that ended the body early.
	cut error
}

// invoke sends a recorded event through the library that a bootstrap uses.
func invoke(ctx context.Context, t *testing.T, cfg lambdahttp.Config, event string, handler http.HandlerFunc) (answer, error) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", event+".json"))
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	// What the function returned is kept, because the body of a stream that
	// was cut is lost in the bytes that Invoke returns.
	var stream *kept
	adapted := lambdahttp.Adapt(handler, cfg)
	function := lambda.NewHandler(func(ctx context.Context, e *events.LambdaFunctionURLRequest) (any, error) {
		v, err := adapted(ctx, e)
		if s, ok := v.(*events.LambdaFunctionURLStreamingResponse); ok {
			stream = &kept{LambdaFunctionURLStreamingResponse: s}
			return stream, err
		}
		return v, err
	})
	out, err := function.Invoke(ctx, b)
	if stream != nil {
		return stream.answer(t, err), nil
	}
	if err != nil {
		return answer{}, err
	}
	return whole(t, out), nil
}

// kept remembers what was read from a streaming response.
type kept struct {
	*events.LambdaFunctionURLStreamingResponse
	read bytes.Buffer
}

func (k *kept) Read(p []byte) (int, error) {
	n, err := k.LambdaFunctionURLStreamingResponse.Read(p)
	k.read.Write(p[:n])
	return n, err
}

func (k *kept) answer(t *testing.T, cut error) answer {
	t.Helper()
	head, body, ok := bytes.Cut(k.read.Bytes(), make([]byte, 8))
	var prelude struct {
		StatusCode int
		Headers    map[string]string
		Cookies    []string
	}
	if err := json.Unmarshal(head, &prelude); err != nil || !ok {
		t.Fatalf("prelude = %q, %v; want JSON and 8 zero bytes", head, err)
	}
	return answer{true, prelude.StatusCode, prelude.Headers, prelude.Cookies, string(body), cut}
}

func whole(t *testing.T, out []byte) answer {
	t.Helper()
	var r events.APIGatewayV2HTTPResponse
	if err := json.Unmarshal(out, &r); err != nil {
		t.Fatalf("answer = %.200q: %v", out, err)
	}
	if r.IsBase64Encoded {
		b, err := base64.StdEncoding.DecodeString(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		r.Body = string(b)
	}
	return answer{false, r.StatusCode, r.Headers, r.Cookies, r.Body, nil}
}

// code returns the code of a problem document, or "" if the answer is none.
func (a answer) code() string {
	var p struct {
		Status int
		Code   string
	}
	if a.header["Content-Type"] != "application/problem+json" || json.Unmarshal([]byte(a.body), &p) != nil || p.Status != a.status {
		return ""
	}
	return p.Code
}

func readAll(t *testing.T, r io.Reader) string {
	t.Helper()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Errorf("read body: %v", err)
	}
	return string(b)
}
