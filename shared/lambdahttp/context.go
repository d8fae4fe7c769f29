package lambdahttp

import (
	"context"
	"log/slog"

	"github.com/aws/aws-lambda-go/lambdacontext"
)

// NewLogger returns a logger to standard output. Its lines have the request id
// of the invocation that their context belongs to. Lambda's LoggingConfig sets
// its format and level.
func NewLogger() *slog.Logger { return lambdacontext.NewLogger() }

type requestIDKey struct{}

func withRequestID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestIDKey{}, id)
}

// RequestID returns the id of the invocation that serves the request, the one in
// the platform's own log lines, or "" outside an invocation.
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}
