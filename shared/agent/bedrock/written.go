package bedrock

import (
	"net/http"
	"net/http/httptrace"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// written holds a response back until its request has been written. The SDK
// closes the request's body as soon as there is a response; where that comes
// before net/http has seen the body's end, the connection is torn down in
// mid-stream. A server on the same machine is fast enough for that, and so is a
// distant one where this process has a fraction of a processor.
type written struct{ client aws.HTTPClient }

// Do implements aws.HTTPClient.
func (w written) Do(r *http.Request) (*http.Response, error) {
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
