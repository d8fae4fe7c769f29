package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"parley/shared/socket"
)

var (
	errLost      = errors.New("the event was lost")
	errLate      = errors.New("the function did not answer in time")
	errThrottled = errors.New("too many calls at a time")
	errNoAnswer  = errors.New("the function's answer has no status")
	errTooLong   = errors.New("the function's answer is too long")
)

// connect asks the function whether the client may connect and returns its status,
// 200 for all that let it in, or API Gateway's own where the function failed.
func (c *connection) connect(r *http.Request) int {
	if !c.api.begin(&c.api.calls) {
		return http.StatusServiceUnavailable
	}
	defer c.api.calls.Done()
	e := c.event(socket.Connect)
	addRequest(e, r, c.address)
	answer, err := c.call(socket.Event{Kind: socket.Connect}, e)
	switch {
	case err != nil:
		return http.StatusBadGateway
	case answer.StatusCode/100 == 2:
		return http.StatusOK
	}
	return answer.StatusCode
}

// refuse answers a client that may not connect. What the function says beside the
// status does not reach it.
func (c *connection) refuse(w http.ResponseWriter, status int) {
	if status < 300 || status > 599 {
		status = http.StatusInternalServerError
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(errorText(http.StatusText(status), c.id, newID(11)))
}

// message hands a frame to the function and its answer back to the client.
func (c *connection) message(frame []byte) {
	defer c.api.calls.Done()
	e := c.event(socket.Message)
	e.Body = string(frame)
	e.RequestContext.MessageID = newID(11)
	e.RequestContext.MessageDirection = "IN"
	answer, err := c.call(socket.Event{Kind: socket.Message, Frame: frame}, e)
	if err == nil && len(answer.Body) > MaxMessage {
		err = c.failed(socket.Message, errTooLong)
	}
	switch {
	case errors.Is(err, errLost):
	case err != nil:
		c.write(errorText("Internal server error", c.id, e.RequestContext.RequestID))
	case answer.Body != "":
		c.write([]byte(answer.Body))
	}
}

// disconnect tells the function how the connection ended.
func (c *connection) disconnect() {
	e := c.event(socket.Disconnect)
	e.RequestContext.DisconnectStatusCode = int64(c.cause.code)
	e.RequestContext.DisconnectReason = &c.cause.reason
	c.call(socket.Event{Kind: socket.Disconnect, Code: int(c.cause.code)}, e) // nobody is there to be told
}

// call calls the function with an event, which about describes to the faults.
func (c *connection) call(about socket.Event, e *events.APIGatewayWebsocketProxyRequest) (events.APIGatewayProxyResponse, error) {
	var none events.APIGatewayProxyResponse
	payload, err := json.Marshal(e)
	if err != nil {
		return none, err
	}
	about.Ref, about.Connected = socket.Ref{API: c.api.cfg.Name, ID: c.id}, c.connected
	f := c.api.faults.Load()
	if !f.pass(c.api.ended, about) {
		return none, errLost
	}
	if f.Twice != nil && f.Twice(about) {
		c.api.open.Go(func() { c.invoke(payload) })
	}
	answer, err := c.invoke(payload)
	if err == nil && f.Fail != nil && f.Fail(about) {
		err = errNoAnswer
	}
	if err != nil {
		return none, c.failed(about.Kind, err)
	}
	return answer, nil
}

func (c *connection) failed(kind socket.Kind, err error) error {
	c.api.cfg.Log.Error("socket function", "api", c.api.cfg.Name, "event", string(kind), "error", err)
	return err
}

// invoke calls the function once and waits at most as long as API Gateway does.
func (c *connection) invoke(payload []byte) (answer events.APIGatewayProxyResponse, err error) {
	select {
	case c.api.slots <- struct{}{}:
	default:
		return answer, errThrottled
	}
	ctx, cancel := context.WithTimeout(c.api.ended, c.api.cfg.Answer)
	defer cancel()
	type result struct {
		answer []byte
		err    error
	}
	done := make(chan result, 1)
	go func() {
		defer func() { <-c.api.slots }()
		b, err := c.api.cfg.Invoke(ctx, payload)
		done <- result{b, err}
	}()
	select {
	case r := <-done:
		if r.err != nil {
			return answer, r.err
		}
		if err := json.Unmarshal(r.answer, &answer); err != nil || answer.StatusCode == 0 {
			return answer, errNoAnswer
		}
		return answer, nil
	case <-ctx.Done():
		return answer, errLate
	}
}

// pause waits for a while or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
