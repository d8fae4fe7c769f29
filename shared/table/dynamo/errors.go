package dynamo

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"

	"parley/shared/table"
)

// busyCodes are answers after which nothing was written and the same request
// may succeed: of a request, and of one action in a cancelled transaction.
//
// TransactionInProgressException is not among them: it says that an earlier
// attempt with the same token, ours alone, is still being done.
var busyCodes = map[string]bool{
	"ProvisionedThroughputExceededException": true,
	"RequestLimitExceeded":                   true,
	"ThrottlingException":                    true,
	"TransactionConflictException":           true,
	"ReplicatedWriteConflictException":       true,

	"ProvisionedThroughputExceeded": true,
	"ThrottlingError":               true,
	"TransactionConflict":           true,
}

const (
	refusedCode    = "ConditionalCheckFailed"
	inProgressCode = "TransactionInProgressException"
)

// translateWrite turns the SDK's error of a write into one of package table.
// Unanswered means that one of the request's attempts may have been done.
func translateWrite(err error, unanswered bool) error {
	if err == nil {
		return nil
	}
	refused, decodeErr := refusal(err)
	switch {
	case decodeErr != nil:
		return decodeErr
	case refused != nil:
		return refused
	case unanswered || code(err) == inProgressCode:
		return fmt.Errorf("%w: %w", table.ErrUnknown, err)
	case busy(err) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%w: %w", table.ErrNotDone, err)
	}
	return err
}

// translateRead turns the SDK's error of a read into one of package table, or
// the context's.
func translateRead(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if answered(err) && !busy(err) {
		return err
	}
	return fmt.Errorf("%w: %w", table.ErrUnavailable, err)
}

// refusal returns the refusal in an error, nil if it is none. A transaction
// that was cancelled for several reasons is refused only if every action was
// looked at. Where one met a conflict or a throttle nobody knows whether its
// condition holds, and a caller would take its absence from the list for
// consent; tried again, the write gets the whole answer.
func refusal(err error) (*table.Refused, error) {
	if failed, ok := errors.AsType[*types.ConditionalCheckFailedException](err); ok {
		item, err := decodeItem(failed.Item)
		return &table.Refused{Refusals: []table.Refusal{{Item: item}}}, err
	}
	cancelled, ok := errors.AsType[*types.TransactionCanceledException](err)
	if !ok || busy(err) {
		return nil, nil
	}
	var refusals []table.Refusal
	for n, reason := range cancelled.CancellationReasons {
		if aws.ToString(reason.Code) != refusedCode {
			continue
		}
		item, err := decodeItem(reason.Item)
		if err != nil {
			return nil, err
		}
		refusals = append(refusals, table.Refusal{Action: n, Item: item})
	}
	if refusals == nil {
		return nil, nil
	}
	return &table.Refused{Refusals: refusals}, nil
}

// busy reports whether nothing was written because of a conflict or a throttle.
func busy(err error) bool {
	if cancelled, ok := errors.AsType[*types.TransactionCanceledException](err); ok {
		for _, reason := range cancelled.CancellationReasons {
			if busyCodes[aws.ToString(reason.Code)] {
				return true
			}
		}
	}
	return busyCodes[code(err)]
}

func code(err error) string {
	if answer, ok := errors.AsType[smithy.APIError](err); ok {
		return answer.ErrorCode()
	}
	return ""
}

// answered reports whether DynamoDB said that it has not done the request; a
// status of 500 and above says nothing.
func answered(err error) bool {
	response, ok := errors.AsType[interface {
		error
		HTTPStatusCode() int
	}](err)
	return ok && response.HTTPStatusCode() >= 400 && response.HTTPStatusCode() < 500
}

// A watch sees every attempt that the SDK makes to send one write. The SDK's
// error is the last attempt's; if that one was throttled, an earlier one that
// timed out may still have been done.
type watch struct{ unanswered bool }

// options makes the client tell the watch about each attempt. It stands around
// the sending alone: an attempt that fails before, for want of credentials or
// because the context has ended, does not count.
func (w *watch) options(o *dynamodb.Options) {
	see := func(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (
		out middleware.DeserializeOutput, metadata middleware.Metadata, err error,
	) {
		out, metadata, err = next.HandleDeserialize(ctx, in)
		if err != nil && !answered(err) {
			w.unanswered = true
		}
		return out, metadata, err
	}
	o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
		return stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("WatchAttempts", see), middleware.Before)
	})
}
