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
	// bufferedTimeout is how long a buffered answer may take. An HTTP API waits 30
	// s for its integration (API Gateway quotas), and the answer needs time to get
	// there.
	bufferedTimeout = 28 * time.Second
	// maxPayload is the longest buffered answer, in bytes of the JSON that it is
	// sent in (Lambda quotas: 6 MB). The platform would refuse a longer one, and
	// the process would end.
	maxPayload = 6 << 20
)

var errTooLong = errors.New("answer too long")

// buffer collects the answer. The handler's context ends half a margin before
// the answer is given up, so that a handler which notices can still answer.
func (a *adapter) buffer(ctx context.Context, event *events.LambdaFunctionURLRequest) events.APIGatewayV2HTTPResponse {
	giveUp := time.Now().Add(bufferedTimeout)
	half := a.margin(bufferedTimeout) / 2
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
	c := &invocation{adapter: a, cancel: cancel, done: make(chan struct{})}
	go func() { answers <- c.collect(ctx, waitCtx, event) }()
	select {
	case answer := <-answers:
		return answer
	case <-waitCtx.Done():
		a.cfg.Log.ErrorContext(ctx, "handler did not answer in time")
		return tooLate.buffered(nil)
	}
}

// collect runs the handler and returns its answer, or a problem in place of it.
// After wait has ended, writes of the handler fail. Until then it waits for the
// handler to return, because a function that has answered is frozen.
func (c *invocation) collect(ctx, wait context.Context, event *events.LambdaFunctionURLRequest) events.APIGatewayV2HTTPResponse {
	response, err := lambdaurl.Wrap(c)(ctx, event)
	if err != nil { // as in stream
		c.cancel()
		return badRequest.buffered(nil)
	}
	stop := context.AfterFunc(wait, func() { response.Close() })
	defer stop()
	b, err := readAtMost(&body{ReadCloser: response.Body.(io.ReadCloser), invocation: c}, maxPayload)
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
		return tooLong.buffered(response.Headers)
	case err != nil: // the handler panicked; nothing has been sent yet
		return internal.buffered(response.Headers)
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

// encodedSize returns the length of the answer's JSON, or 0 if it is certainly
// short enough: a byte takes at most six.
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

func (p problem) buffered(from map[string]string) events.APIGatewayV2HTTPResponse {
	return events.APIGatewayV2HTTPResponse{StatusCode: p.Status, Headers: p.headers(from), Body: string(p.body())}
}
