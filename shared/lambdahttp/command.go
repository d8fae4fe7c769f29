package lambdahttp

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
)

// StartWith is Start for a function that is also invoked directly: command gets
// every event that is not an HTTP request. HTTP hosts put a request under keys
// of their own, so no HTTP client can cause such an event, only somebody who may
// invoke the function. It does not return.
func StartWith(handler http.Handler, cfg Config, command func(context.Context, json.RawMessage) (any, error)) {
	lambda.Start(AdaptWith(handler, cfg, command))
}

// AdaptWith returns the function that StartWith starts.
func AdaptWith(handler http.Handler, cfg Config, command func(context.Context, json.RawMessage) (any, error)) func(context.Context, json.RawMessage) (any, error) {
	requests := Adapt(handler, cfg)
	return func(ctx context.Context, event json.RawMessage) (any, error) {
		var kind struct {
			Context json.RawMessage `json:"requestContext"`
		}
		if err := json.Unmarshal(event, &kind); err != nil || kind.Context == nil {
			return command(ctx, event)
		}
		var request events.LambdaFunctionURLRequest
		if err := json.Unmarshal(event, &request); err != nil {
			return nil, fmt.Errorf("decode request: %w", err)
		}
		return requests(ctx, &request)
	}
}
