package lambdahttp

import (
	"context"
	"log/slog"

	"github.com/aws/aws-lambda-go/lambdacontext"
)

// NewLogger returns a logger to standard output whose lines carry the request
// id of the invocation that their context belongs to. Lambda's LoggingConfig
// says whether it writes JSON and from which level on.
func NewLogger() *slog.Logger { return lambdacontext.NewLogger() }

type requestIDKey struct{}

func withRequestID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestIDKey{}, id)
}

// RequestID returns the id of the invocation that serves the request, as the
// platform's own log lines name it, or "" if ctx belongs to none.
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}
