// Package apigateway runs a socket.Handler as a Lambda function behind a WebSocket
// API of API Gateway, and reaches the clients that such APIs hold. Only this package
// knows their events and their management interface.
//
// The API's route $default needs a route response, or what a handler answers to a
// message never reaches the client.
package apigateway

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"

	"parley/shared/lambdahttp"
	"parley/shared/socket"
)

// margin is how long before the end of the answer's time the handler's context
// ends, as that of HTTP handlers does.
const margin = lambdahttp.DefaultMargin

// ErrNotSocket is the error of an event that is none of a WebSocket API, such as {}.
var ErrNotSocket = errors.New("event is not of a WebSocket API: it has no connection")

// Config says which API a function serves.
type Config struct {
	// API is the API's name in socket.Ref. Required.
	API string
	// Front is the distribution in front of the API, as in lambdahttp.Config. Where only
	// that may connect, others are refused with 403.
	Front lambdahttp.Front
	// Rest gets every event that is none of a WebSocket API, such as the HTTP requests
	// of lambdahttp.AdaptWith; nil answers them with ErrNotSocket. Events of API
	// Gateway have keys of their own, so no client of a function URL or an HTTP API can
	// cause an event of the other kind.
	Rest func(context.Context, json.RawMessage) (any, error)
	// Log takes panics and what else broke; nil means lambdahttp.NewLogger.
	Log *slog.Logger
}

// Start serves the API's events with handler. It does not return.
func Start(handler socket.Handler, c Config) { lambda.Start(Adapt(handler, c)) }

// Adapt returns the function that Start starts. It never returns an error for an
// event of a WebSocket API, as API Gateway would tell the client of it in words of
// its own.
func Adapt(handler socket.Handler, c Config) func(context.Context, json.RawMessage) (any, error) {
	c.Log = cmp.Or(c.Log, lambdahttp.NewLogger())
	if c.Rest == nil {
		c.Rest = func(context.Context, json.RawMessage) (any, error) { return nil, ErrNotSocket }
	}
	handler = socket.Recovered(handler, nil, c.Log)
	return func(ctx context.Context, raw json.RawMessage) (any, error) {
		if !isSocket(raw) {
			return c.Rest(ctx, raw)
		}
		e, err := c.decode(raw)
		if errors.Is(err, errNotThrough) {
			return response(socket.Answer{Status: http.StatusForbidden}), nil
		}
		if err != nil {
			c.Log.ErrorContext(ctx, "event of API Gateway", "api", c.API, "error", err)
			return response(socket.Answer{Status: http.StatusBadRequest}), nil
		}
		ctx, cancel := context.WithDeadline(ctx, deadline(ctx))
		defer cancel()
		return response(handler(ctx, e)), nil
	}
}

// deadline is when the handler's context ends: at most half of the time that is left
// is kept for the answer.
func deadline(ctx context.Context) time.Time {
	left := socket.MaxAnswer
	if end, ok := ctx.Deadline(); ok {
		left = min(left, time.Until(end))
	}
	return time.Now().Add(left - min(margin, left/2))
}

func isSocket(raw json.RawMessage) bool {
	var kind struct {
		Context struct {
			ID   string `json:"connectionId"`
			Type string `json:"eventType"`
		} `json:"requestContext"`
	}
	return json.Unmarshal(raw, &kind) == nil && kind.Context.ID != "" && kind.Context.Type != ""
}

// response is an answer as API Gateway takes it. A message is answered with 200
// whatever became of it: the status of that reaches nobody.
func response(a socket.Answer) events.APIGatewayProxyResponse {
	return events.APIGatewayProxyResponse{StatusCode: cmp.Or(a.Status, http.StatusOK), Body: string(a.Frame)}
}
