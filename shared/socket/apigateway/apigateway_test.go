package apigateway_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"parley/shared/lambdahttp"
	"parley/shared/socket"
	"parley/shared/socket/apigateway"
)

func read(t testing.TB, name string) json.RawMessage {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestEvents hands each kind of event to a handler.
func TestEvents(t *testing.T) {
	connected := time.UnixMilli(1779790830123)
	ref := socket.Ref{API: "chathub", ID: "L0SM9cOFvHcCIhw="}
	message := socket.Event{Kind: socket.Message, Ref: ref, Connected: connected, Address: "198.51.100.23",
		MessageID: "JKJaXmPLvHcCIhw=", Frame: []byte("{\"type\":6}\x1e")}
	for name, want := range map[string]socket.Event{
		"connect": {Kind: socket.Connect, Ref: ref, Connected: connected, Address: "203.0.113.7",
			Query: url.Values{"access_token": {"first", "second"}, "agentId": {"demo.guide"}, "metadata": {`{"plan":"a + b"}`}},
			Header: http.Header{"Authorization": {"Bearer t"}, "Host": {"hub.shop.example"}, "Origin": {"https://shop.example"},
				"Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="}, "Sec-Websocket-Version": {"13"},
				"X-Forwarded-For": {"10.0.0.1, 203.0.113.7"}, "Cookie": {"a=1", "b=2"}}},
		"message":        message,
		"message_base64": message,
		"disconnect":     {Kind: socket.Disconnect, Ref: ref, Connected: connected, Address: "198.51.100.23", Code: 1001},
	} {
		var got socket.Event
		f := apigateway.Adapt(func(_ context.Context, e socket.Event) socket.Answer {
			got = e
			return socket.Answer{Frame: []byte("{}\x1e")}
		}, apigateway.Config{API: "chathub", Front: lambdahttp.Front{Secrets: []string{"s3cret"}}, Log: slog.New(slog.DiscardHandler)})
		answer, err := f(t.Context(), read(t, name))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: the handler saw\n%+v, %v; want\n%+v", name, got, err, want)
		}
		if want := (events.APIGatewayProxyResponse{StatusCode: 200, Body: "{}\x1e"}); !reflect.DeepEqual(answer, want) {
			t.Errorf("%s: answer = %+v, want %+v", name, answer, want)
		}
	}
}

// TestFront: without the distribution's secret its headers are not believed, and where
// only the distribution may connect nobody else gets in.
func TestFront(t *testing.T) {
	for _, secret := range []string{"", "other", "s3cret"} {
		for _, only := range []bool{false, true} {
			proven, called := secret == "s3cret", false
			f := apigateway.Adapt(func(_ context.Context, e socket.Event) socket.Answer {
				called = true
				if want := map[bool]string{false: "198.51.100.23", true: "203.0.113.7"}[proven]; e.Kind == socket.Connect && e.Address != want {
					t.Errorf("with the secret %q: address %s, want %s", secret, e.Address, want)
				}
				for name := range e.Header {
					if strings.HasPrefix(name, "Parley-") {
						t.Errorf("the handler sees %s", name)
					}
				}
				return socket.Answer{Status: http.StatusUnauthorized}
			}, apigateway.Config{API: "chathub", Front: lambdahttp.Front{Secrets: []string{secret}, Only: only}})
			answer, err := f(t.Context(), read(t, "connect"))
			want := http.StatusUnauthorized
			if only && !proven {
				want = http.StatusForbidden
			}
			if r, _ := answer.(events.APIGatewayProxyResponse); err != nil || r.StatusCode != want || called != (want == http.StatusUnauthorized) {
				t.Errorf("secret %q, only: %v: answer = %+v, %v; called: %v; want %d", secret, only, answer, err, called, want)
			}
			called = false // frames carry no headers: who is in is in
			if _, err := f(t.Context(), read(t, "message")); err != nil || !called {
				t.Errorf("a message: called: %v, %v", called, err)
			}
		}
	}
}

// TestNeverFails: whatever the handler does or API Gateway sends, the function answers.
func TestNeverFails(t *testing.T) {
	var log strings.Builder
	f := apigateway.Adapt(func(context.Context, socket.Event) socket.Answer { panic("my order") },
		apigateway.Config{API: "chathub", Log: slog.New(slog.NewTextHandler(&log, nil))})
	message := string(read(t, "message_base64"))
	for event, want := range map[string]int{
		message:                                            http.StatusInternalServerError,
		string(read(t, "connect")):                         http.StatusInternalServerError,
		string(read(t, "disconnect")):                      http.StatusInternalServerError,
		strings.Replace(message, "eyJ0", "!", 1):           http.StatusBadRequest,
		strings.Replace(message, `"MESSAGE"`, `"PING"`, 1): http.StatusBadRequest,
		strings.Replace(message, `1779790830123`, `{}`, 1): http.StatusBadRequest,
	} {
		answer, err := f(t.Context(), json.RawMessage(event))
		r, _ := answer.(events.APIGatewayProxyResponse)
		if err != nil || r.StatusCode != want || r.Body != "" {
			t.Errorf("answer = %+v, %v; want %d", answer, err, want)
		}
	}
	if n := strings.Count(log.String(), "\n"); n != 6 || strings.Contains(log.String(), "my order") {
		t.Errorf("logged %s", log.String())
	}
}

// TestRest: what is no event of a WebSocket API is somebody else's.
func TestRest(t *testing.T) {
	request := json.RawMessage(`{"version":"2.0","requestContext":{"http":{"method":"GET"},"domainName":"x"}}`)
	never := func(context.Context, socket.Event) socket.Answer {
		t.Error("the socket handler was asked")
		return socket.Answer{}
	}
	for _, event := range []json.RawMessage{request, json.RawMessage(`{}`), json.RawMessage(`[]`)} {
		if _, err := apigateway.Adapt(never, apigateway.Config{API: "chathub"})(t.Context(), event); !errors.Is(err, apigateway.ErrNotSocket) {
			t.Errorf("%s: %v", event, err)
		}
	}
	f := apigateway.Adapt(never, apigateway.Config{API: "chathub", Rest: func(_ context.Context, event json.RawMessage) (any, error) { return event, nil }})
	if answer, err := f(t.Context(), request); err != nil || !reflect.DeepEqual(answer, request) {
		t.Errorf("answer = %v, %v", answer, err)
	}
}

// TestDeadline: the handler's context ends before API Gateway or Lambda gives up.
func TestDeadline(t *testing.T) {
	for _, test := range []struct{ timeout, want time.Duration }{
		{time.Minute, 27 * time.Second},
		{10 * time.Second, 8 * time.Second},
		{2 * time.Second, time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), test.timeout)
			defer cancel()
			began := time.Now()
			f := apigateway.Adapt(func(ctx context.Context, _ socket.Event) socket.Answer {
				<-ctx.Done()
				return socket.Answer{}
			}, apigateway.Config{API: "chathub"})
			if _, err := f(ctx, read(t, "message")); err != nil || time.Since(began) != test.want {
				t.Errorf("of %v the handler has %v, %v; want %v", test.timeout, time.Since(began), err, test.want)
			}
		})
	}
}
