package lambdahttp

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambdaurl"
)

const (
	// wholeTimeout is how long a whole answer may take: an HTTP API waits 30 s
	// for its integration (API Gateway quotas), and the answer has to travel.
	wholeTimeout = 28 * time.Second
	// maxPayload is the longest answer that is not streamed, in bytes of the
	// JSON that carries it (Lambda quotas: 6 MB). Past it the platform would
	// refuse the answer and the process would end.
	maxPayload = 6 << 20
)

var errTooLong = errors.New("answer too long")

// whole collects the answer. It gives up half a margin after the handler's
// context has ended, so that a handler which heeds it can still answer.
func (a *adapter) whole(ctx context.Context, event *events.LambdaFunctionURLRequest) events.APIGatewayV2HTTPResponse {
	giveUp := time.Now().Add(wholeTimeout)
	half := a.margin(wholeTimeout) / 2
	if end, ok := ctx.Deadline(); ok {
		half = a.margin(time.Until(end)) / 2
		if end = end.Add(-half); end.Before(giveUp) {
			giveUp = end
		}
	}
	waitCtx, stopWaiting := context.WithDeadline(ctx, giveUp)
	defer stopWaiting()
	ctx, cancel := context.WithDeadline(waitCtx, giveUp.Add(-half))

	answers := make(chan events.APIGatewayV2HTTPResponse, 1)
	c := &call{adapter: a, cancel: cancel, done: make(chan struct{})}
	go func() { answers <- c.collect(ctx, waitCtx, event) }()
	select {
	case answer := <-answers:
		return answer
	case <-waitCtx.Done():
		a.cfg.Log.ErrorContext(ctx, "handler did not answer in time")
		return tooLate.whole(nil)
	}
}

// collect runs the handler and returns its answer, or the problem that takes
// its place. When wait ends, what the handler still writes is refused; until
// then the handler is waited for, because a function that has answered is frozen.
func (c *call) collect(ctx, wait context.Context, event *events.LambdaFunctionURLRequest) events.APIGatewayV2HTTPResponse {
	response, err := lambdaurl.Wrap(c)(ctx, event)
	if err != nil { // as in stream
		c.cancel()
		return badRequest.whole(nil)
	}
	stop := context.AfterFunc(wait, func() { response.Close() })
	defer stop()
	b, err := readAtMost(&body{ReadCloser: response.Body.(io.ReadCloser), call: c}, maxPayload)
	response.Close()
	select {
	case <-c.done:
	case <-wait.Done():
	}
	answer := events.APIGatewayV2HTTPResponse{
		StatusCode: response.StatusCode,
		Headers:    response.Headers,
		Cookies:    response.Cookies,
		Body:       string(b),
	}
	if !utf8.Valid(b) {
		answer.Body, answer.IsBase64Encoded = base64.StdEncoding.EncodeToString(b), true
	}
	switch {
	case errors.Is(err, errTooLong) || encodedSize(answer) > maxPayload:
		c.cfg.Log.ErrorContext(ctx, "answer is too long for a host that does not stream")
		return tooLong.whole(response.Headers)
	case err != nil: // the handler panicked; nothing has been sent yet
		return internal.whole(response.Headers)
	}
	return answer
}

func readAtMost(r io.Reader, n int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, n+1))
	if int64(len(b)) > n {
		return nil, errTooLong
	}
	return b, err
}

// encodedSize is the length of the answer's JSON as the runtime writes it, or
// 0 where it is short enough in any case: one byte becomes at most six.
func encodedSize(answer events.APIGatewayV2HTTPResponse) int {
	if len(answer.Body) < maxPayload/8 {
		return 0
	}
	var n counter
	e := json.NewEncoder(&n)
	e.SetEscapeHTML(false)
	_ = e.Encode(answer) // strings, an int and a bool
	return int(n)
}

type counter int

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

func (p problem) whole(from map[string]string) events.APIGatewayV2HTTPResponse {
	return events.APIGatewayV2HTTPResponse{StatusCode: p.Status, Headers: p.headers(from), Body: string(p.body())}
}
