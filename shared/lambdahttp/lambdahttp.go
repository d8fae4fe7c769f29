// Package lambdahttp runs an http.Handler as a Lambda function. It is the one
// package that knows Lambda's HTTP events; a handler runs unchanged behind
// net/http, behind a function URL that streams, and behind an HTTP API (also
// `sam local start-api`), which takes an answer only whole.
//
// A function URL must have InvokeMode RESPONSE_STREAM: nothing in an event
// tells a URL in BUFFERED mode apart, and that one would hand the client the
// raw frames of the streaming protocol.
//
// What a handler finds here as everywhere: Flush, panics that cost one request
// only, cookies, Content-Length, RemoteAddr as "ip:port" (the port is 0: Lambda
// does not tell it), and a context that ends when the handler has returned.
// What it does not find: word of a client that left. Lambda keeps taking what
// is written and bills until the handler returns, so a client that wants
// something stopped has to say so in a request of its own, and the context
// ends early enough for a last word before the platform cuts the stream.
package lambdahttp

import (
	"bytes"
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
// context ends. Our choice: enough for one more table write, tried twice, and
// a last event.
const DefaultMargin = 2 * time.Second

// ErrNotHTTP is the error of an event that is no HTTP request, such as {}.
var ErrNotHTTP = errors.New("event is not an HTTP request: it has no method")

// Config says how requests reach the function. The zero value is a function
// that clients reach directly.
type Config struct {
	// OriginSecret is what the distribution in front of the function sends in
	// OriginSecretHeader. Only beside it does a forwarding header count; ""
	// means that there is no distribution and none ever counts.
	OriginSecret string
	// Margin is how long before the end of the invocation the handler's
	// context ends; 0 is DefaultMargin. It is never more than half of the
	// time that is left.
	Margin time.Duration
	// Log takes panics and answers that came too late or were too long; nil is NewLogger.
	Log *slog.Logger
}

// Start serves the function's requests with handler. It does not return.
func Start(handler http.Handler, cfg Config) {
	lambda.Start(Adapt(handler, cfg))
}

// Adapt returns handler as a function for lambda.Start. The result is a
// response that streams for a function URL and a whole one for any other host.
// The error is ErrNotHTTP or says that the event's body is not what it claims.
func Adapt(handler http.Handler, cfg Config) func(context.Context, *events.LambdaFunctionURLRequest) (any, error) {
	if cfg.Margin == 0 {
		cfg.Margin = DefaultMargin
	}
	if cfg.Log == nil {
		cfg.Log = NewLogger()
	}
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
	event, err := normal(event, streams)
	if err != nil {
		return nil, err
	}
	ctx = withRequestID(ctx, requestID(ctx, event))
	if streams {
		return a.stream(ctx, event), nil
	}
	return a.whole(ctx, event), nil
}

// stream returns as soon as the handler has written its first byte.
func (a *adapter) stream(ctx context.Context, event *events.LambdaFunctionURLRequest) *events.LambdaFunctionURLStreamingResponse {
	var cancel context.CancelFunc
	if end, ok := ctx.Deadline(); ok {
		ctx, cancel = context.WithDeadline(ctx, end.Add(-a.margin(time.Until(end))))
	} else {
		ctx, cancel = context.WithCancel(ctx)
	}
	c := &call{adapter: a, cancel: cancel, done: make(chan struct{})}
	response, err := lambdaurl.Wrap(c)(ctx, event)
	if err != nil { // the path or the method is none that a request can have
		cancel()
		return &events.LambdaFunctionURLStreamingResponse{
			StatusCode: badRequest.Status,
			Headers:    badRequest.headers(nil),
			Body:       bytes.NewReader(badRequest.body()),
		}
	}
	response.Body = &body{ReadCloser: response.Body.(io.ReadCloser), call: c}
	return response
}

// margin is the part of the time left that the handler does not get.
func (a *adapter) margin(left time.Duration) time.Duration {
	return max(0, min(a.cfg.Margin, left/2))
}

// body is what the handler writes, with an error in place of the end where the
// handler panicked: the runtime reports it in the response's trailer, so the
// platform knows that the stream was cut.
type body struct {
	io.ReadCloser
	call *call
}

// The type of an error in the trailer, for the function's metrics and logs.
const cutType = "Handler.Panic"

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	// The pipe is closed by the goroutine that ran the handler, after it did.
	if err == io.EOF && b.call.cut {
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
