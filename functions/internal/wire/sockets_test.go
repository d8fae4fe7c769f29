package wire

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"parley/shared/awscall"
	"parley/shared/socket"
)

type transport func(r *http.Request) (*http.Response, error)

func (f transport) Do(r *http.Request) (*http.Response, error) { return f(r) }

// TestPoster: the environment says where each socket API is.
func TestPoster(t *testing.T) {
	var sent string
	b := &Base{Call: awscall.New(aws.Config{Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("id", "secret", ""),
		HTTPClient: transport(func(r *http.Request) (*http.Response, error) {
			sent = r.URL.String()
			return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(""))}, nil
		})})}
	t.Setenv("PARLEY_SOCKETS", `{"chathub":"https://a.example/live","console":"https://b.example/live"}`)
	p := b.Poster()
	for api, want := range map[string]string{"chathub": "https://a.example/live/@connections/x%3D", "console": "https://b.example/live/@connections/x%3D"} {
		if err := p.Post(t.Context(), socket.Ref{API: api, ID: "x="}, []byte("{}")); err != nil || sent != want {
			t.Errorf("Post to %s went to %s, %v; want %s", api, sent, err, want)
		}
	}
	for _, text := range []string{"", "https://a.example/live", `{"chathub":""}`, `{"chathub":1}`} {
		t.Setenv("PARLEY_SOCKETS", text)
		if lacking(func() { b.Poster() }) == "" {
			t.Errorf("PARLEY_SOCKETS=%s passes", text)
		}
	}
}

// TestSocketAddress: clients reach an API where functions manage it.
func TestSocketAddress(t *testing.T) {
	t.Setenv("PARLEY_SOCKETS", `{"chathub":"https://a.example/live","console":"http://localhost:1/live","odd":"ftp://a.example"}`)
	for api, want := range map[string]string{"chathub": "wss://a.example/live", "console": "ws://localhost:1/live"} {
		if got := SocketAddress(api); got != want {
			t.Errorf("%s is at %q, want %q", api, got, want)
		}
	}
	for _, api := range []string{"odd", "none"} {
		if lacking(func() { SocketAddress(api) }) == "" {
			t.Errorf("%s has an address", api)
		}
	}
}
