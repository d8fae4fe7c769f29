// Package action carries out an agent's calls: it builds the request that a
// project has declared, sends it, and reads the answer.
package action

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"
	"unicode/utf8"

	"parley/shared/outbound"
	"parley/shared/parley"
)

// Config is what an Executor needs.
type Config struct {
	// Outbound says which hosts may be called. Its timeouts and its MaxBytes are
	// overwritten with the limits of actions.
	Outbound outbound.Config
	// Secret returns a secret that the deployment stores for a project. Nil means
	// that there are none.
	Secret func(ctx context.Context, p parley.ProjectID, name string) (string, error)
	// Now is the clock that says when cached secrets expire; nil means time.Now.
	Now func() time.Time
	// Log takes one line a call; nil means slog.Default.
	Log *slog.Logger
}

// Executor carries out calls. It is safe for concurrent use.
type Executor struct {
	client  *outbound.Client
	secrets *secrets
	log     *slog.Logger
}

// New returns an Executor. It fails with the errors of outbound.New.
func New(c Config) (*Executor, error) {
	c.Outbound.Header, c.Outbound.Whole = parley.MaxActionTime, parley.MaxActionTime
	c.Outbound.MaxBytes = parley.MaxActionResultBytes
	client, err := outbound.New(c.Outbound)
	if err != nil {
		return nil, err
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Executor{client: client, secrets: &secrets{fetch: c.Secret, now: c.Now}, log: cmp.Or(c.Log, slog.Default())}, nil
}

// Do carries out a call. A failure is part of the result, for the model to read.
// The error is that of ctx alone, and then nobody knows whether the host has
// acted.
func (x *Executor) Do(ctx context.Context, r parley.ActionRequest) (parley.ActionResult, error) {
	timed, cancel := context.WithTimeout(ctx, r.Action.Timeout())
	defer cancel()
	began := time.Now()
	status, result := x.do(timed, r)
	if err := ctx.Err(); err != nil && result.Error != "" {
		return parley.ActionResult{}, err
	}
	level := slog.LevelInfo
	if result.Error != "" {
		level = slog.LevelWarn
	}
	x.log.LogAttrs(ctx, level, "action", slog.String("project", string(r.Project)), slog.String("action", string(r.Action.ID)),
		slog.Int("status", status), slog.Duration("took", time.Since(began)))
	return result, nil
}

func (x *Executor) do(ctx context.Context, r parley.ActionRequest) (int, parley.ActionResult) {
	request, err := x.request(ctx, r)
	if err != nil {
		return 0, failed("Not sent: %s.", err)
	}
	response, err := x.client.Do(request)
	if err != nil {
		return 0, noAnswer(ctx, r, err)
	}
	defer response.Body.Close()
	return response.StatusCode, resultOf(ctx, r, response)
}

func failed(format string, args ...any) parley.ActionResult {
	return parley.ActionResult{Error: fmt.Sprintf(format, args...)}
}

// noAnswer says why there is no answer, in words that do not contain the
// address: it may hold what a visitor wrote.
func noAnswer(ctx context.Context, r parley.ActionRequest, err error) parley.ActionResult {
	var outboundErr *outbound.Error
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return failed("No answer within %v; nobody knows whether it was done.", r.Action.Timeout())
	case errors.Is(err, outbound.ErrRefused):
		return failed("Not sent: the host may not be asked from here.")
	case errors.As(err, &outboundErr):
		return failed("No answer: %s.", outboundErr.Text)
	}
	return failed("No answer.")
}

// answer is the form in which a host's answer is stored.
type answer struct {
	Status int             `json:"status"`
	Body   json.RawMessage `json:"body,omitempty"`
}

// resultOf turns an answer into a result. An unreadable answer is an error in
// the result, and not of the call: the host may have acted all the same.
func resultOf(ctx context.Context, r parley.ActionRequest, response *http.Response) parley.ActionResult {
	var result parley.ActionResult
	a := answer{Status: response.StatusCode}
	body, err := io.ReadAll(response.Body)
	switch {
	case errors.Is(err, outbound.ErrTooLarge):
		result.Error = tooLong
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		result.Error = fmt.Sprintf("The answer did not end within %v.", r.Action.Timeout())
	case err != nil:
		result.Error = "The answer broke off."
	case response.StatusCode >= 300 && response.StatusCode < 400:
		result.Error = fmt.Sprintf("The host answered with status %d, a redirect, which is not followed.", response.StatusCode)
	default:
		var ok bool
		if a.Body, ok = bodyOf(body); !ok {
			result.Error = "The answer is neither JSON nor text."
		}
	}
	if result.Error == "" && response.StatusCode >= 400 {
		result.Error = fmt.Sprintf("The host answered with status %d.", response.StatusCode)
	}
	if result.Result = encode(a); len(result.Result) > parley.MaxActionResultBytes {
		a.Body, result.Error = nil, tooLong
		result.Result = encode(a)
	}
	return result
}

var tooLong = fmt.Sprintf("The answer is longer than %d bytes, and was not read.", parley.MaxActionResultBytes)

// bodyOf returns a body as JSON: unchanged if it is JSON, else as a string. ok
// is false if it is not text.
func bodyOf(body []byte) (text json.RawMessage, ok bool) {
	body = bytes.TrimSpace(body)
	var b bytes.Buffer
	switch {
	case !utf8.Valid(body):
		return nil, false
	case len(body) == 0:
		return nil, true
	case json.Compact(&b, body) == nil:
		return b.Bytes(), true
	}
	return encode(string(body)), true
}

// encode writes JSON without escaping HTML, since it is never put into a page as
// it is. Strings, numbers and valid JSON always encode.
func encode(v any) json.RawMessage {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		panic("action: encode: " + err.Error())
	}
	return bytes.TrimSpace(b.Bytes())
}
