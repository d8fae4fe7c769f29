package apigateway_test

import (
	"context"
	"log/slog"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"parley/shared/lambdahttp"
	"parley/shared/socket"
	"parley/shared/socket/apigateway"
)

// FuzzEvent: an event is answered, or is none of a WebSocket API.
func FuzzEvent(f *testing.F) {
	for _, name := range []string{"connect", "message", "message_base64", "disconnect"} {
		f.Add([]byte(read(f, name)))
	}
	handler := apigateway.Adapt(func(_ context.Context, e socket.Event) socket.Answer { return socket.Answer{Frame: e.Frame} },
		apigateway.Config{API: "chathub", Front: lambdahttp.Front{Secrets: []string{"s3cret"}}, Log: slog.New(slog.DiscardHandler)})
	f.Fuzz(func(t *testing.T, event []byte) {
		answer, err := handler(t.Context(), event)
		if err == apigateway.ErrNotSocket {
			return
		}
		if r, ok := answer.(events.APIGatewayProxyResponse); err != nil || !ok || r.StatusCode == 0 || len(r.Body) > socket.MaxFrame {
			t.Errorf("answer = %+v, %v", answer, err)
		}
	})
}
