package bedrock

import (
	"errors"
	"net"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"

	"parley/shared/agent"
)

// newRetryer repeats a request only where the model cannot have begun to answer.
// The SDK's own retryer also does so after a lost connection, which may pay for
// one question twice, and waits up to 20 s.
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

// busy are the exceptions that mean a lack of capacity: agent.ErrThrottled. Any other
// is agent.ErrProvider.
var busy = []string{"ThrottlingException", "ServiceUnavailableException", "ModelNotReadyException"}

// harmless are the exceptions whose message is about the model or the
// permissions, and may be logged. The messages of others may repeat what the
// visitor wrote.
var harmless = []string{"AccessDeniedException", "ResourceNotFoundException", "ValidationException"}

// translate turns an error of the SDK into one of package agent; fallback is the
// kind of errors that the service did not send.
func translate(err, fallback error) error {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return agent.Fail(fallback, err.Error())
	}
	kind, reason := agent.ErrProvider, api.ErrorCode()
	if slices.Contains(busy, reason) {
		kind = agent.ErrThrottled
	}
	if slices.Contains(harmless, reason) {
		reason += ": " + api.ErrorMessage()
	}
	var response *awshttp.ResponseError
	if errors.As(err, &response) && response.ServiceRequestID() != "" {
		reason += " (request " + response.ServiceRequestID() + ")"
	}
	return agent.Fail(kind, reason)
}
