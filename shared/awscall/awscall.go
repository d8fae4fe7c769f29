// Package awscall calls single operations of AWS, signed with Signature Version
// 4, for functions that need only one operation of a service. The SDK's client
// describes all operations of its service when a process starts, which takes up
// to 2 of the 5 ms of a start.
package awscall

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// maxAnswer is the longest answer, in bytes. Our choice: a secret has at most 64
// KB (Secrets Manager quotas), and six times that if all of it is escaped.
const maxAnswer = 512 << 10

// Client sends requests. It is safe for concurrent use.
type Client struct {
	http     aws.HTTPClient
	region   string
	keys     aws.CredentialsProvider
	endpoint func(service string) string
	signer   *v4.Signer
	retryer  *retry.Standard
}

// New returns a client with c's region, credentials and HTTP client, which are
// all required. If a config source of c replaces a service's endpoint, it is
// used.
func New(c aws.Config) *Client {
	return &Client{
		http:     c.HTTPClient,
		region:   c.Region,
		keys:     c.Credentials,
		endpoint: endpointOf(c),
		signer:   v4.NewSigner(),
		retryer:  retry.NewStandard(),
	}
}

// Request is one operation.
type Request struct {
	// Service is the service's name in AWS's SDKs, such as "Secrets Manager". The
	// environment variable that replaces its endpoint is named after it.
	Service string
	// Host is the service's name in host names; "" means Service in lower case
	// without spaces.
	Host string
	// Signing is the service's name in signatures, if it is not the one in host
	// names; "" means Host.
	Signing string
	// Endpoint is the base address of services that have one for each customer; ""
	// is the service's own in the client's region.
	Endpoint string
	// Method is the HTTP method; "" is POST.
	Method string
	// Path is escaped; "/" for protocols that name the operation in a header.
	Path string
	// Header is sent besides what signing adds.
	Header map[string]string
	Body   []byte
}

// Error is an answer with a status other than 2xx.
type Error struct {
	// Status is the HTTP status.
	Status int
	// Code is AWS's name for what went wrong, or "".
	Code string
	// Message is AWS's explanation, or "". It may contain parts of the request.
	Message string
}

func (e *Error) Error() string {
	return fmt.Sprintf("status %d: %s: %s", e.Status, cmp.Or(e.Code, http.StatusText(e.Status)), e.Message)
}

// HTTPStatusCode and ErrorCode tell the SDK's retryer what happened.
func (e *Error) HTTPStatusCode() int { return e.Status }

// ErrorCode is Code; see HTTPStatusCode.
func (e *Error) ErrorCode() string { return e.Code }

// Do sends a request and returns the body of the answer, or an *Error. Like the
// SDK it tries three times, with growing pauses, if the connection failed, AWS
// failed, or requests were throttled; so an operation may be carried out more
// than once.
func (c *Client) Do(ctx context.Context, r Request) ([]byte, error) {
	for attempt := 1; ; attempt++ {
		answer, err := c.send(ctx, r)
		if err == nil || attempt == c.retryer.MaxAttempts() || ctx.Err() != nil || !c.retryer.IsErrorRetryable(err) {
			return answer, err
		}
		pause, delayErr := c.retryer.RetryDelay(attempt, err)
		if delayErr != nil {
			return nil, err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil, err
		}
	}
}

// Once is Do without a second try, for operations that may not be carried out
// twice. An error that is no *Error leaves open whether it was.
func (c *Client) Once(ctx context.Context, r Request) ([]byte, error) { return c.send(ctx, r) }

func (c *Client) send(ctx context.Context, r Request) ([]byte, error) {
	name := cmp.Or(r.Host, strings.ToLower(strings.ReplaceAll(r.Service, " ", "")))
	base := cmp.Or(r.Endpoint, c.endpoint(r.Service))
	if base == "" {
		base = "https://" + name + "." + c.region + "." + suffix(c.region)
	}
	request, err := http.NewRequestWithContext(ctx, cmp.Or(r.Method, http.MethodPost), strings.TrimSuffix(base, "/")+r.Path, bytes.NewReader(r.Body))
	if err != nil {
		return nil, err
	}
	for header, value := range r.Header {
		request.Header.Set(header, value)
	}
	keys, err := c.keys.Retrieve(ctx)
	if err != nil {
		return nil, err
	}
	hash := sha256.Sum256(r.Body)
	if err := c.signer.SignHTTP(ctx, keys, request, hex.EncodeToString(hash[:]), cmp.Or(r.Signing, name), c.region, time.Now()); err != nil {
		return nil, err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, err
	case response.StatusCode/100 != 2:
		return nil, failure(response, answer)
	case len(answer) > maxAnswer:
		return nil, fmt.Errorf("%s answers more than %d bytes", r.Service, maxAnswer)
	}
	return answer, nil
}
