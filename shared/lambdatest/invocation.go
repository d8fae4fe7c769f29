package lambdatest

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
)

// invocation is one event on its way through a process.
type invocation struct {
	id      string
	payload []byte
	outcome chan outcome  // gets the first outcome only
	done    chan struct{} // closed when the process is free again
}

type outcome struct {
	response *response
	err      error
}

// response is whole, or a stream that has begun.
type response struct {
	whole  []byte
	stream *io.PipeReader
}

func (inv *invocation) end(r *response, err error) {
	select {
	case inv.outcome <- outcome{r, err}:
	default:
	}
}

// Invoke sends an event and returns the answer, the frames of a stream
// included. The error is an *Error, ErrThrottled or the context's; a context
// that ends does not stop the invocation.
func (f *Function) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	result := make(chan outcome, 1)
	go func() {
		r, err := f.invoke(payload, false)
		if err == nil && r.stream != nil {
			r.whole, err = io.ReadAll(r.stream)
		}
		result <- outcome{r, err}
	}()
	select {
	case o := <-result:
		if o.err != nil {
			return nil, o.err
		}
		return o.response.whole, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// InvokeAsync sends an event that nobody waits for, and waits itself for a
// process where all are busy. An error is found in the log.
func (f *Function) InvokeAsync(payload []byte) {
	payload = bytes.Clone(payload)
	f.async.Go(func() {
		r, err := f.invoke(payload, true)
		if err == nil && r.stream != nil {
			_, err = io.Copy(io.Discard, r.stream)
		}
		if err != nil {
			f.log.printf("asynchronous invocation of %s: %v", f.cfg.Name, err)
		}
	})
}

// invoke returns when the answer is whole or its stream has begun. The stream
// must be read to its end or closed.
func (f *Function) invoke(payload []byte, wait bool) (*response, error) {
	if len(payload) > MaxPayload {
		return nil, errTooLarge
	}
	in, err := f.acquire(wait)
	if err != nil {
		return nil, err
	}
	inv := &invocation{id: newID(), payload: payload, outcome: make(chan outcome, 1), done: make(chan struct{})}
	select {
	case in.events <- inv:
	case <-in.exited:
		return nil, in.failure()
	}
	var o outcome
	select {
	case o = <-inv.outcome:
	case <-in.exited:
		inv.end(nil, in.failure()) // unless it answered before
		o = <-inv.outcome
	}
	if o.err != nil || o.response.stream == nil {
		in.over(inv)
	}
	return o.response, o.err
}

var errTooLarge = &Error{"RequestEntityTooLargeException", fmt.Sprintf("Request must be smaller than %d bytes for the InvokeFunction operation", MaxPayload)}

func newID() string {
	var b [16]byte
	rand.Read(b[:])
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
