package apigateway_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"parley/shared/awscall"
	"parley/shared/awstest"
	"parley/shared/socket"
	"parley/shared/socket/apigateway"
)

var keys = aws.Credentials{AccessKeyID: "AKID", SecretAccessKey: "secret/+", SessionToken: "to/ken=="}

func poster(t *testing.T, client aws.HTTPClient, endpoint string) *apigateway.Poster {
	t.Helper()
	p, err := apigateway.NewPoster(awscall.New(aws.Config{
		Region:      "us-east-1",
		Credentials: credentials.NewStaticCredentialsProvider(keys.AccessKeyID, keys.SecretAccessKey, keys.SessionToken),
		HTTPClient:  client,
	}), map[string]string{"chathub": endpoint})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestSigned: each call is signed for what is sent, ids with "=" at the end and others
// that a path does not have as they are.
func TestSigned(t *testing.T) {
	var got []string
	server := httptest.NewServer(awstest.Signed(t, "execute-api", keys, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		got = append(got, r.Method+" "+r.URL.EscapedPath()+" "+string(body))
		switch r.Method {
		case http.MethodGet:
			io.WriteString(w, `{"connectedAt":"2026-05-26T10:20:30.123Z","lastActiveAt":"2026-05-26T10:20:31.456Z","identity":{"sourceIp":"198.51.100.23"}}`)
		case http.MethodDelete:
			w.WriteHeader(http.StatusNoContent)
		}
	})))
	defer server.Close()
	p := poster(t, http.DefaultClient, server.URL+"/live/")
	for _, id := range []string{"L0SM9cOFvHcCIhw=", "a/b+c d?#%e="} {
		to := socket.Ref{API: "chathub", ID: id}
		if err := p.Post(t.Context(), to, []byte("{\"type\":6}\x1e")); err != nil {
			t.Error(err)
		}
		if at, err := p.Active(t.Context(), to); err != nil || !at.Equal(time.Date(2026, 5, 26, 10, 20, 31, 456e6, time.UTC)) {
			t.Errorf("Active = %v, %v", at, err)
		}
		if err := p.Close(t.Context(), to); err != nil {
			t.Error(err)
		}
	}
	var want []string
	for _, id := range []string{"L0SM9cOFvHcCIhw%3D", "a%2Fb%2Bc%20d%3F%23%25e%3D"} {
		path := "/live/@connections/" + id
		want = append(want, "POST "+path+" {\"type\":6}\x1e", "GET "+path+" ", "DELETE "+path+" ")
	}
	if !slices.Equal(got, want) {
		t.Errorf("received %q, want %q", got, want)
	}
}

type transport func(r *http.Request) (*http.Response, error)

func (f transport) Do(r *http.Request) (*http.Response, error) { return f(r) }

// TestErrors: each error of API Gateway's is one of the port's, or leaves open what
// became of the frame; and all are met once.
func TestErrors(t *testing.T) {
	reset := errors.New("connection reset by peer")
	for _, test := range []struct {
		status int
		want   error
	}{
		{410, socket.ErrGone}, {429, socket.ErrBusy}, {413, socket.ErrTooLarge}, {403, nil}, {500, nil}, {503, nil}, {0, reset},
	} {
		calls := 0
		p := poster(t, transport(func(*http.Request) (*http.Response, error) {
			if calls++; test.status == 0 {
				return nil, reset
			}
			return &http.Response{StatusCode: test.status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(""))}, nil
		}), "https://x.example/live")
		err := p.Post(t.Context(), socket.Ref{API: "chathub", ID: "a="}, []byte("x"))
		known := errors.Is(err, socket.ErrGone) || errors.Is(err, socket.ErrBusy) || errors.Is(err, socket.ErrTooLarge)
		if err == nil || calls != 1 || test.want != nil && !errors.Is(err, test.want) || test.want == nil && known {
			t.Errorf("status %d: Post = %v after %d calls", test.status, err, calls)
		}
		if err := p.Close(t.Context(), socket.Ref{API: "chathub", ID: "a="}); (err == nil) != (test.status == 410) {
			t.Errorf("status %d: Close = %v", test.status, err)
		}
	}
}

// TestNotSent: a frame that is too long, or for an API that the function does not
// know, is not sent.
func TestNotSent(t *testing.T) {
	p := poster(t, transport(func(*http.Request) (*http.Response, error) {
		t.Error("sent")
		return nil, io.EOF
	}), "https://x.example/live")
	if err := p.Post(t.Context(), socket.Ref{API: "chathub", ID: "a="}, make([]byte, socket.MaxFrame+1)); !errors.Is(err, socket.ErrTooLarge) {
		t.Errorf("Post = %v", err)
	}
	if err := p.Post(t.Context(), socket.Ref{API: "console", ID: "a="}, nil); err == nil {
		t.Error("a frame to an unknown API was sent")
	}
}

// TestHangs: a post that is not answered is given up.
func TestHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := poster(t, transport(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}), "https://x.example/live")
		began := time.Now()
		err := p.Post(t.Context(), socket.Ref{API: "chathub", ID: "a="}, []byte("x"))
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 5*time.Second {
			t.Errorf("Post = %v after %v", err, time.Since(began))
		}
	})
}

// TestNoTime: an answer without the time is an error, not the beginning of time.
func TestNoTime(t *testing.T) {
	for _, body := range []string{"", "{}", `{"lastActiveAt":"soon"}`} {
		p := poster(t, transport(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}, nil
		}), "https://x.example/live")
		if at, err := p.Active(t.Context(), socket.Ref{API: "chathub", ID: "a="}); err == nil {
			t.Errorf("%s: Active = %v", body, at)
		}
	}
}

func TestNewPoster(t *testing.T) {
	for _, endpoint := range []string{"", "x.example/live", "wss://x.example/live", "https:///live", "https://u@x.example", "https://x.example?a=b", "https://x.example/\x7f"} {
		if _, err := apigateway.NewPoster(nil, map[string]string{"chathub": endpoint}); err == nil {
			t.Errorf("%q passes for an endpoint", endpoint)
		}
	}
}
