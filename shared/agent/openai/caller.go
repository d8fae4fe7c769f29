package openai

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"parley/shared/agent"
)

// Limits of a call, our choice.
const (
	// maxPause is the longest Retry-After that is obeyed. A visitor is better
	// served by an error now than by a reply that comes too late.
	maxPause = 2 * time.Second
	// maxErrorBody is how much of a refusal is read, in bytes.
	maxErrorBody = 64 << 10
)

// retryClient repeats requests that were refused before a stream opened, and
// limits and cleans up the responses.
type retryClient struct {
	client   *http.Client
	attempts int
}

// Do is go-openai's HTTPDoer.
func (c *retryClient) Do(request *http.Request) (*http.Response, error) {
	for try := 1; ; try++ {
		response, err := c.client.Do(request)
		if err == nil && response.StatusCode < http.StatusBadRequest {
			response.Body = newDataLines(response.Body)
			return response, nil
		}
		pause, again := retryAfter(response, err, try)
		if !again || try >= c.attempts {
			return limitBody(response), err
		}
		if response != nil {
			response.Body.Close()
		}
		if request, err = rewound(request); err != nil {
			return nil, err
		}
		select {
		case <-time.After(pause):
		case <-request.Context().Done():
			return nil, request.Context().Err()
		}
	}
}

// retryAfter says whether to send the same request again, and when. A request
// that the server may have begun to answer is never repeated.
func retryAfter(response *http.Response, err error, try int) (time.Duration, bool) {
	if err != nil {
		var op *net.OpError
		return agent.Backoff(try), errors.As(err, &op) && op.Op == "dial"
	}
	if response.StatusCode != http.StatusTooManyRequests && response.StatusCode < http.StatusInternalServerError {
		return 0, false
	}
	asked, err := strconv.ParseFloat(response.Header.Get("Retry-After"), 64)
	if err != nil {
		return agent.Backoff(try), true
	}
	pause := time.Duration(asked * float64(time.Second))
	return pause, pause <= maxPause
}

// rewound returns the request with its body at the start again.
func rewound(request *http.Request) (*http.Request, error) {
	body, err := request.GetBody()
	if err != nil {
		return nil, fmt.Errorf("rewind request: %w", err)
	}
	request = request.Clone(request.Context())
	request.Body = body
	return request, nil
}

// limitBody bounds how much of a refusal is read into memory.
func limitBody(response *http.Response) *http.Response {
	if response == nil {
		return nil
	}
	response.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(response.Body, maxErrorBody), response.Body}
	return response
}
