package bedrock

import (
	"net/http"
	"net/http/httptrace"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// requestFirst delays a response until its request has been sent completely. The
// SDK closes the request's body as soon as there is a response. If net/http has
// not yet read that body to its end, it then closes the connection in the middle
// of the stream. A server on the same machine is fast enough to cause this, and
// so is a distant one where this process has only a fraction of a processor.
type requestFirst struct{ client aws.HTTPClient }

// Do implements aws.HTTPClient.
func (w requestFirst) Do(r *http.Request) (*http.Response, error) {
	done := make(chan struct{})
	var once sync.Once
	trace := &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { once.Do(func() { close(done) }) }}
	response, err := w.client.Do(r.WithContext(httptrace.WithClientTrace(r.Context(), trace)))
	if err == nil {
		select {
		case <-done:
		case <-r.Context().Done():
		}
	}
	return response, err
}
