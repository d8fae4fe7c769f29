package lambdatest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// URLHandler is the function's URL with InvokeMode RESPONSE_STREAM. What the
// function writes is passed on as it arrives. A client that leaves does not
// stop the invocation. A stream that ends in an error breaks the connection;
// an invocation that fails before is answered 502, as no client may read why.
func URLHandler(f *Function) http.Handler { return urlHandler{f} }

type urlHandler struct{ f *Function }

func (h urlHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	payload, err := event(r, URLDomain)
	if err != nil {
		refuse(w, err)
		return
	}
	pieces := make(chan []byte)
	result := make(chan begun, 1)
	// Not bound to the request: only what it hands over is.
	go func() { result <- h.begin(r.Context(), payload, pieces) }()
	select {
	case b := <-result:
		if b.err != nil {
			refuse(w, b.err)
			return
		}
		b.prelude.write(w)
		pass(w, r, pieces, b.failed)
	case <-r.Context().Done():
	}
}

// begun is a stream of which the prelude has arrived.
type begun struct {
	prelude prelude
	err     error
	failed  <-chan error // gets how the stream ended, before pieces is closed
}

type prelude struct {
	StatusCode int               `json:"statusCode"`
	Headers    map[string]string `json:"headers"`
	Cookies    []string          `json:"cookies"`
}

// begin invokes the function and leaves a goroutine behind that offers what
// arrives, until client has left, and reads to the end in any case.
func (h urlHandler) begin(client context.Context, payload []byte, pieces chan<- []byte) begun {
	response, err := h.f.invoke(payload, false)
	if err != nil {
		return begun{err: err}
	}
	if response.stream == nil {
		return begun{err: errors.New("the answer is not of type " + streamType)}
	}
	stream := bufio.NewReaderSize(response.stream, 64<<10)
	p, err := readPrelude(stream)
	if err != nil {
		response.stream.Close()
		return begun{err: err}
	}
	failed := make(chan error, 1)
	go func() {
		defer close(pieces)
		buffer := make([]byte, 64<<10)
		for {
			n, err := stream.Read(buffer)
			if n > 0 {
				select {
				case pieces <- bytes.Clone(buffer[:n]):
				case <-client.Done():
				}
			}
			if err != nil {
				failed <- err
				return
			}
		}
	}()
	return begun{prelude: p, failed: failed}
}

// readPrelude reads up to the 8 zero bytes that end the JSON object.
func readPrelude(r *bufio.Reader) (prelude, error) {
	var p prelude
	var head []byte
	end := make([]byte, 8)
	for !bytes.HasSuffix(head, end) {
		c, err := r.ReadByte()
		if err != nil {
			return p, fmt.Errorf("prelude: %w", err)
		}
		head = append(head, c)
	}
	err := json.Unmarshal(bytes.TrimSuffix(head, end), &p)
	return p, err
}

func (p prelude) write(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	for name, value := range p.Headers {
		h.Set(name, value)
	}
	h.Del("Content-Length") // the response is chunked
	for _, cookie := range p.Cookies {
		h.Add("Set-Cookie", cookie)
	}
	w.WriteHeader(p.StatusCode)
}

func pass(w http.ResponseWriter, r *http.Request, pieces <-chan []byte, failed <-chan error) {
	controller := http.NewResponseController(w)
	for {
		controller.Flush()
		select {
		case piece, ok := <-pieces:
			if !ok {
				if err := <-failed; err != io.EOF {
					panic(http.ErrAbortHandler)
				}
				return
			}
			w.Write(piece) // an error ends the request's context too
		case <-r.Context().Done():
			return
		}
	}
}

// refuse answers for a function that did not.
func refuse(w http.ResponseWriter, err error) {
	status := http.StatusBadGateway
	switch {
	case errors.Is(err, ErrThrottled):
		status = http.StatusTooManyRequests
	case errors.Is(err, errTooLarge):
		status = http.StatusRequestEntityTooLarge
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	fmt.Fprintf(w, "{\"Message\":%q}\n", http.StatusText(status))
}
