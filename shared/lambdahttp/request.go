package lambdahttp

import (
	"encoding/base64"
	"fmt"
	"maps"
	"net/url"
	"strings"

	"github.com/aws/aws-lambda-go/events"
)

// normalize returns the event in the form that lambdaurl expects. A function URL
// leaves the path encoded, an HTTP API and sam local decode it.
func normalize(event *events.LambdaFunctionURLRequest, encodedPath bool) (*events.LambdaFunctionURLRequest, error) {
	e := *event
	if e.IsBase64Encoded {
		b, err := base64.StdEncoding.DecodeString(e.Body)
		if err != nil {
			return nil, fmt.Errorf("event body: %w", err)
		}
		// lambdaurl takes the length of a plain string as Content-Length.
		e.Body, e.IsBase64Encoded = string(b), false
	}
	if !encodedPath {
		e.RawPath = (&url.URL{Path: e.RawPath}).EscapedPath()
	}
	if !strings.HasPrefix(e.RawPath, "/") {
		e.RawPath = "/" + e.RawPath
	}
	e.Headers = maps.Clone(e.Headers)
	if e.Headers == nil {
		e.Headers = map[string]string{}
	}
	addDefault(e.Headers, "Cookie", strings.Join(e.Cookies, "; "))
	addDefault(e.Headers, "Host", e.RequestContext.DomainName)
	return &e, nil
}

// addDefault adds a header if it is not there yet, in upper or lower case. HTTP
// APIs move cookies out of the headers, function URLs and sam local do not.
func addDefault(headers map[string]string, name, value string) {
	if value == "" {
		return
	}
	for k := range headers {
		if strings.EqualFold(k, name) {
			return
		}
	}
	headers[name] = value
}
