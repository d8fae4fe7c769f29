// Package lambdahttp runs an http.Handler as a Lambda function. Only this
// package knows Lambda's HTTP events. The same handler runs behind net/http,
// behind a function URL, which streams, and behind an HTTP API (also `sam local
// start-api`), which needs the whole answer at once.
//
// A function URL must have InvokeMode RESPONSE_STREAM. An event does not show
// its URL's mode, and in BUFFERED mode the client would receive the raw frames
// of the streaming protocol.
//
// Handlers find what they find elsewhere: Flush, panics that end one request
// only, cookies, Content-Length, RemoteAddr as "ip:port" (with port 0, since
// Lambda does not tell it), and a context that ends when the handler has
// returned. What they do not find is a sign that the client has left. Lambda
// accepts everything that is written, and bills until the handler returns. So a
// client that wants something stopped must say so in another request; and the
// context ends early enough to write a last event before the platform cuts the
// stream.
package lambdahttp

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-lambda-go/lambdaurl"
)

// DefaultMargin is how long before the end of an invocation the handler's
// context ends. Our choice: time for one more write to the table, one retry of
// it, and a last event.
const DefaultMargin = 2 * time.Second

// ErrNotHTTP is the error of an event that is not an HTTP request, such as {}.
var ErrNotHTTP = errors.New("event is not an HTTP request: it has no method")

// Config says how requests reach the function. The zero value is for a function
// that clients call directly.
type Config struct {
	// Front is the distribution in front of the function.
	Front Front
	// Margin is how long before the end of the invocation the handler's context
	// ends; 0 means DefaultMargin. At most half of the remaining time is used.
	Margin time.Duration
	// Log takes panics, and answers that came too late or were too long; nil means
	// NewLogger.
	Log *slog.Logger
}

// Start serves the function's requests with handler. It does not return.
func Start(handler http.Handler, cfg Config) {
	lambda.Start(Adapt(handler, cfg))
}

// Adapt returns handler as a function for lambda.Start. Its result is a
// streaming response for a function URL, and a buffered one for any other host.
// The error is ErrNotHTTP, or that the event's body cannot be decoded.
func Adapt(handler http.Handler, cfg Config) func(context.Context, *events.LambdaFunctionURLRequest) (any, error) {
	cfg.Margin, cfg.Log = cmp.Or(cfg.Margin, DefaultMargin), cmp.Or(cfg.Log, NewLogger())
	a := &adapter{handler: handler, cfg: cfg}
	return a.invoke
}

type adapter struct {
	handler http.Handler
	cfg     Config
}

func (a *adapter) invoke(ctx context.Context, event *events.LambdaFunctionURLRequest) (any, error) {
	if event.RequestContext.HTTP.Method == "" {
		return nil, ErrNotHTTP
	}
	streams := strings.Contains(event.RequestContext.DomainName, ".lambda-url.")
	event, err := normalize(event, streams)
	if err != nil {
		return nil, err
	}
	ctx = withRequestID(ctx, requestID(ctx, event))
	if streams {
		return a.stream(ctx, event), nil
	}
	return a.buffer(ctx, event), nil
}

// stream returns as soon as the handler has written its first byte.
func (a *adapter) stream(ctx context.Context, event *events.LambdaFunctionURLRequest) *events.LambdaFunctionURLStreamingResponse {
	var cancel context.CancelFunc
	if end, ok := ctx.Deadline(); ok {
		ctx, cancel = context.WithDeadline(ctx, end.Add(-a.margin(time.Until(end))))
	} else {
		ctx, cancel = context.WithCancel(ctx)
	}
	c := &invocation{adapter: a, cancel: cancel, done: make(chan struct{})}
	response, err := lambdaurl.Wrap(c)(ctx, event)
	if err != nil { // the path or the method is none that a request can have
		cancel()
		return &events.LambdaFunctionURLStreamingResponse{
			StatusCode: badRequest.Status,
			Headers:    badRequest.headers(nil),
			Body:       bytes.NewReader(badRequest.body()),
		}
	}
	response.Body = &body{ReadCloser: response.Body.(io.ReadCloser), invocation: c}
	return response
}

// margin is the part of the remaining time that the handler does not get.
func (a *adapter) margin(left time.Duration) time.Duration {
	return max(0, min(a.cfg.Margin, left/2))
}

// body is the response's body. If the handler panicked it ends with an error,
// which the runtime reports in the response's trailer, so that the platform
// knows that the stream was cut.
type body struct {
	io.ReadCloser
	invocation *invocation
}

// cutType is the type of that error, for the function's metrics and logs.
const cutType = "Handler.Panic"

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	// The goroutine that ran the handler sets cut before it closes the pipe.
	if err == io.EOF && b.invocation.cut {
		return n, messages.InvokeResponse_Error{Type: cutType, Message: "the handler panicked after its response had begun"}
	}
	return n, err
}

func requestID(ctx context.Context, event *events.LambdaFunctionURLRequest) string {
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		return lc.AwsRequestID
	}
	return event.RequestContext.RequestID
}
