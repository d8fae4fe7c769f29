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

// OriginSecretHeader is the header in which the distribution proves itself to
// the function. It is removed before the handler runs.
const OriginSecretHeader = "Parley-Origin-Secret"

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

// clientAddr returns the client's address as "ip:port".
func (a *adapter) clientAddr(r *http.Request) string {
	// lambdaurl: RemoteAddr is sourceIp, without a port.
	return net.JoinHostPort(ClientIP(r.Header, r.RemoteAddr, a.cfg.OriginSecret), "0")
}

// ClientIP returns the address of the client that a request with this header comes
// from. The platform says it in sourceIp, here source. But if the request has come
// through the distribution, which proves that with secret, source is one of the
// distribution's servers, and that server's headers name the client. Without a
// secret no header is believed.
func ClientIP(h http.Header, source, secret string) string {
	if fromOrigin(h, secret) {
		if ip, ok := forwardedFor(h, source); ok {
			return ip
		}
	}
	return source
}

func fromOrigin(h http.Header, secret string) bool {
	sent := h.Get(OriginSecretHeader)
	return secret != "" && subtle.ConstantTimeCompare([]byte(sent), []byte(secret)) == 1
}

// forwardedFor returns the address of the distribution's client. CloudFront
// appends it to the X-Forwarded-For that the client sent, and the platform may
// append source after it; so it is the last address other than source. If
// X-Forwarded-For has none, CloudFront-Viewer-Address is used.
func forwardedFor(h http.Header, source string) (string, bool) {
	list := strings.Split(strings.Join(h.Values("X-Forwarded-For"), ","), ",")
	for _, part := range slices.Backward(list) {
		ip, err := netip.ParseAddr(strings.TrimSpace(part))
		if err != nil {
			break // whatever is left of it the client may have invented
		}
		if ip.String() != source {
			return ip.String(), true
		}
	}
	return viewerAddress(h.Get("CloudFront-Viewer-Address"))
}

// viewerAddress removes the port. An IPv6 address may come without brackets.
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
