package lambdatest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/events"
)

// The domains that events name, whatever address a test calls.
const (
	URLDomain = "x.lambda-url.us-east-1.on.aws"
	APIDomain = "x.execute-api.us-east-1.amazonaws.com"
)

// event returns the payload, format 2.0, that the host named domain makes of a
// request. A function URL keeps the path and the Cookie header as they were
// sent; an HTTP API decodes the one and takes the other out of the headers.
func event(r *http.Request, domain string) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, MaxPayload+1))
	if err != nil {
		return nil, err
	}
	ip, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return nil, err
	}
	path := r.URL.EscapedPath()
	headers := eventHeaders(r, domain, ip)
	cookies := eventCookies(r)
	if domain == APIDomain {
		path = r.URL.Path
		delete(headers, "cookie")
	}
	now := time.Now()
	e := events.APIGatewayV2HTTPRequest{
		Version:               "2.0",
		RouteKey:              "$default",
		RawPath:               path,
		RawQueryString:        r.URL.RawQuery,
		Cookies:               cookies,
		Headers:               headers,
		QueryStringParameters: joined(r.URL.Query()),
		RequestContext: events.APIGatewayV2HTTPRequestContext{
			RouteKey:     "$default",
			AccountID:    "anonymous",
			Stage:        "$default",
			RequestID:    newID(),
			APIID:        "x",
			DomainName:   domain,
			DomainPrefix: "x",
			Time:         now.UTC().Format("02/Jan/2006:15:04:05 -0700"),
			TimeEpoch:    now.UnixMilli(),
			HTTP: events.APIGatewayV2HTTPRequestContextHTTPDescription{
				Method:    r.Method,
				Path:      path,
				Protocol:  r.Proto,
				SourceIP:  ip,
				UserAgent: r.UserAgent(),
			},
		},
		Body: string(body),
	}
	if len(body) > 0 && !isText(r.Header.Get("Content-Type"), body) {
		e.Body, e.IsBase64Encoded = base64.StdEncoding.EncodeToString(body), true
	}
	payload, err := json.Marshal(e)
	if err == nil && len(payload) > MaxPayload {
		err = errTooLarge
	}
	return payload, err
}

// isText reports whether a body travels as it is: these types do, everything
// else is base64, also forms and what has no type.
func isText(contentType string, body []byte) bool {
	if !utf8.Valid(body) {
		return false
	}
	t, _, err := mime.ParseMediaType(contentType)
	return err == nil && (strings.HasPrefix(t, "text/") ||
		slices.Contains([]string{"application/json", "application/xml", "application/javascript"}, t))
}

func eventHeaders(r *http.Request, domain, ip string) map[string]string {
	h := map[string]string{}
	for name, value := range joined(r.Header) {
		h[strings.ToLower(name)] = value
	}
	for _, hop := range []string{"connection", "keep-alive", "transfer-encoding", "te", "upgrade"} {
		delete(h, hop)
	}
	if r.ContentLength >= 0 && r.Body != http.NoBody {
		h["content-length"] = fmt.Sprint(r.ContentLength)
	}
	h["host"] = domain
	h["x-forwarded-for"] = strings.TrimPrefix(h["x-forwarded-for"]+", "+ip, ", ")
	h["x-forwarded-port"] = "443"
	h["x-forwarded-proto"] = "https"
	return h
}

func eventCookies(r *http.Request) []string {
	var all []string
	for _, line := range r.Header.Values("Cookie") {
		all = append(all, strings.Split(line, "; ")...)
	}
	return all
}

func joined(values map[string][]string) map[string]string {
	one := map[string]string{}
	for k, v := range values {
		one[k] = strings.Join(v, ",")
	}
	return one
}
