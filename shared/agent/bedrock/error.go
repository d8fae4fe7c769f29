package bedrock

import (
	"errors"
	"net"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"

	"parley/shared/agent"
)

// newRetryer sends a request again only where the model cannot have begun on
// it. The SDK's own also does after a connection was lost, which may make one
// question cost two calls, and waits up to 20 s.
func newRetryer(attempts int) aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = attempts
		o.Backoff = retry.BackoffDelayerFunc(func(try int, _ error) (time.Duration, error) {
			return agent.Backoff(try), nil
		})
		o.Retryables = []retry.IsErrorRetryable{
			retry.NoRetryCanceledError{},
			retry.RetryableHTTPStatusCode{Codes: map[int]struct{}{429: {}, 500: {}, 502: {}, 503: {}, 504: {}}},
			retry.IsErrorRetryableFunc(func(err error) aws.Ternary {
				var op *net.OpError
				return aws.BoolTernary(errors.As(err, &op) && op.Op == "dial")
			}),
		}
	})
}

// kinds says which exceptions mean that there was no capacity. Any other is
// agent.ErrProvider.
var kinds = map[string]error{
	"ThrottlingException":         agent.ErrThrottled,
	"ServiceUnavailableException": agent.ErrThrottled,
	"ModelNotReadyException":      agent.ErrThrottled,
}

// told are the exceptions whose message is about the model or the rights, and
// worth logging: what others say may repeat what the visitor wrote.
var told = map[string]bool{
	"AccessDeniedException":     true,
	"ResourceNotFoundException": true,
	"ValidationException":       true,
}

// translate explains an error of the SDK; what is no exception of the service
// is of the kind fallback.
func translate(err, fallback error) error {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return agent.Fail(fallback, err.Error())
	}
	kind := kinds[api.ErrorCode()]
	if kind == nil {
		kind = agent.ErrProvider
	}
	reason := api.ErrorCode()
	if told[reason] {
		reason += ": " + api.ErrorMessage()
	}
	var response *awshttp.ResponseError
	if errors.As(err, &response) && response.ServiceRequestID() != "" {
		reason += " (request " + response.ServiceRequestID() + ")"
	}
	return agent.Fail(kind, reason)
}
