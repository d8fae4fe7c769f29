package lambdatest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

const (
	runtimePath   = "/2018-06-01/runtime/"
	extensionPath = "/2020-01-01/extension/"
	// streamType is the type of a response that begins with a prelude of
	// status and headers and is passed on as it arrives.
	streamType = "application/vnd.awslambda.http-integration-response"
)

// runtimeAPI is the server that the process polls.
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
func (in *instance) runtimeAPI() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+runtimePath+"invocation/next", in.next)
	mux.HandleFunc("POST "+runtimePath+"invocation/{id}/response", in.response)
	mux.HandleFunc("POST "+runtimePath+"invocation/{id}/error", in.error)
	mux.HandleFunc("POST "+extensionPath+"register", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Lambda-Extension-Identifier", "lambdatest")
		io.WriteString(w, "{}")
	})
	mux.HandleFunc("GET "+extensionPath+"event/next", func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done() // no extension here has asked for events
	})
	return mux
}

// next ends the invocation before, if any, and waits for the one to come.
func (in *instance) next(w http.ResponseWriter, r *http.Request) {
	<-in.running // the process may be faster than its own start
	served := in.finish()
	freeze(in.cmd.Process)
	if served != nil {
		in.f.release(in)
		close(served.done)
	}
	select {
	case inv := <-in.events:
		thaw(in.cmd.Process)
		in.begin(inv)
		in.f.begun.Add(1)
		h := w.Header()
		h.Set("Lambda-Runtime-Aws-Request-Id", inv.id)
		h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(time.Now().Add(in.f.cfg.Timeout).UnixMilli(), 10))
		h.Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:123456789012:function:"+in.f.cfg.Name)
		h.Set("Lambda-Runtime-Trace-Id", "Root=1-00000000-000000000000000000000000;Sampled=0")
		h.Set("Content-Type", "application/json")
		w.Write(inv.payload)
	case <-in.exited:
	case <-r.Context().Done():
	}
}

func (in *instance) begin(inv *invocation) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.current = inv
	timeout := in.f.cfg.Timeout
	in.timer = time.AfterFunc(timeout, func() {
		in.kill(&Error{"Sandbox.Timedout", fmt.Sprintf("%s Task timed out after %.2f seconds", inv.id, timeout.Seconds())})
	})
}

// finish returns the invocation that has come to its end, or nil if it was the init.
func (in *instance) finish() *invocation {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.timer.Stop()
	if in.current == nil {
		in.initTook = time.Since(in.started)
		close(in.ready)
		return nil
	}
	served := in.current
	in.current = nil
	return served
}

// invocation returns the one that is being served, if r is about it.
func (in *instance) invocation(w http.ResponseWriter, r *http.Request) *invocation {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.current == nil || in.current.id != r.PathValue("id") {
		http.Error(w, `{"errorType":"InvalidRequestID"}`, http.StatusBadRequest)
		return nil
	}
	return in.current
}

func (in *instance) response(w http.ResponseWriter, r *http.Request) {
	inv := in.invocation(w, r)
	if inv == nil {
		return
	}
	var err error
	if r.Header.Get("Content-Type") == streamType {
		err = in.stream(inv, r)
	} else {
		err = in.whole(inv, r)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}

// whole takes an answer that is no stream.
func (in *instance) whole(inv *invocation, r *http.Request) error {
	b, err := io.ReadAll(io.LimitReader(r.Body, MaxPayload+1))
	switch {
	case err != nil:
		inv.end(nil, in.lost(err))
	case len(b) > MaxPayload:
		err := &Error{"Function.ResponseSizeTooLarge", fmt.Sprintf("Response payload size exceeded maximum allowed payload size (%d bytes).", MaxPayload)}
		inv.end(nil, err)
		return err
	default:
		inv.end(&response{whole: b}, nil)
	}
	return nil
}

// stream passes a response on piece by piece. A reader that left does not
// hold it up.
func (in *instance) stream(inv *invocation, r *http.Request) error {
	body, w := io.Pipe()
	inv.end(&response{stream: body}, nil)
	buffer := make([]byte, 64<<10)
	for {
		n, err := r.Body.Read(buffer)
		if n > 0 {
			w.Write(buffer[:n]) // an error is a reader that left
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			w.CloseWithError(in.lost(err))
			return nil
		}
	}
	end := trailerError(r.Trailer) // nil is the plain end
	go func() {
		in.over(inv)
		w.CloseWithError(end)
	}()
	return nil
}

// over waits until the process has asked for another event or exited. Only
// then is the client told, so that its next request finds the process idle.
func (in *instance) over(inv *invocation) {
	select {
	case <-inv.done:
	case <-in.exited:
	}
}

// lost is the error of a response whose connection broke: why the process has
// died, which takes a moment to be known, or else the connection's own.
func (in *instance) lost(err error) error {
	select {
	case <-in.exited:
		return in.failure()
	case <-time.After(time.Second):
		return err
	}
}

func trailerError(trailer http.Header) error {
	kind := trailer.Get("Lambda-Runtime-Function-Error-Type")
	if kind == "" {
		return nil
	}
	e := &Error{Type: kind}
	if b, err := base64.StdEncoding.DecodeString(trailer.Get("Lambda-Runtime-Function-Error-Body")); err == nil {
		json.Unmarshal(b, e)
	}
	return e
}

func (in *instance) error(w http.ResponseWriter, r *http.Request) {
	inv := in.invocation(w, r)
	if inv == nil {
		return
	}
	e := &Error{}
	if err := json.NewDecoder(r.Body).Decode(e); err != nil {
		e.Type, e.Message = "Runtime.InvalidError", err.Error()
	}
	inv.end(nil, e)
	w.WriteHeader(http.StatusAccepted)
}
