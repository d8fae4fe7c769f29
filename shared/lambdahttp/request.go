package lambdahttp

import (
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/aws/aws-lambda-go/events"
)

// OriginSecretHeader is the header in which a distribution proves itself to
// the function. Handlers never see it.
const OriginSecretHeader = "Parley-Origin-Secret"

// normal returns the event as lambdaurl can make a request of it. A function
// URL gives the path as it was sent, an HTTP API (and sam local) decoded.
func normal(event *events.LambdaFunctionURLRequest, encodedPath bool) (*events.LambdaFunctionURLRequest, error) {
	e := *event
	if e.IsBase64Encoded {
		b, err := base64.StdEncoding.DecodeString(e.Body)
		if err != nil {
			return nil, fmt.Errorf("event body: %w", err)
		}
		// As a plain string its length is known, so that Content-Length is right.
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

// addDefault adds a header unless it is there, in whatever case. HTTP APIs
// move the cookies out of the headers, function URLs and sam local do not.
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

// clientAddr returns the client's address as "ip:port". It is the platform's
// word, sourceIp, unless the request proves to come through the distribution:
// then sourceIp is one of the distribution's servers, and the client is who
// that server says.
func (a *adapter) clientAddr(r *http.Request) string {
	source := r.RemoteAddr // lambdaurl: sourceIp, without a port
	if a.fromOrigin(r) {
		if ip, ok := forwardedFor(r.Header, source); ok {
			return net.JoinHostPort(ip, "0")
		}
	}
	return net.JoinHostPort(source, "0")
}

func (a *adapter) fromOrigin(r *http.Request) bool {
	sent := r.Header.Get(OriginSecretHeader)
	return a.cfg.OriginSecret != "" && subtle.ConstantTimeCompare([]byte(sent), []byte(a.cfg.OriginSecret)) == 1
}

// forwardedFor returns the address of the distribution's client. CloudFront
// appends it to whatever X-Forwarded-For the client sent, and the platform may
// append source, so it is the last address that is not source. Where
// X-Forwarded-For has none, CloudFront-Viewer-Address says it.
func forwardedFor(h http.Header, source string) (string, bool) {
	list := strings.Split(strings.Join(h.Values("X-Forwarded-For"), ","), ",")
	for _, part := range slices.Backward(list) {
		ip, err := netip.ParseAddr(strings.TrimSpace(part))
		if err != nil {
			break // what stands left of it is the client's invention
		}
		if ip.String() != source {
			return ip.String(), true
		}
	}
	return viewerAddress(h.Get("CloudFront-Viewer-Address"))
}

// viewerAddress takes the port off; an IPv6 address may come without brackets.
func viewerAddress(s string) (string, bool) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 {
		return "", false
	}
	ip, err := netip.ParseAddr(strings.Trim(s[:i], "[]"))
	if err != nil {
		return "", false
	}
	return ip.String(), true
}
