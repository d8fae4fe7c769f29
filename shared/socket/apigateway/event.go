package apigateway

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"parley/shared/socket"
)

// kinds are the kinds of events by API Gateway's names.
var kinds = map[string]socket.Kind{"CONNECT": socket.Connect, "MESSAGE": socket.Message, "DISCONNECT": socket.Disconnect}

// errNotThrough is the error of a client that connects past the distribution.
var errNotThrough = errors.New("it did not come through the distribution")

// decode reads an event of API Gateway. Its error quotes nothing of it.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-mapping-template-reference.html
func (c Config) decode(raw json.RawMessage) (e socket.Event, err error) {
	var in events.APIGatewayWebsocketProxyRequest
	if err := json.Unmarshal(raw, &in); err != nil {
		return e, fmt.Errorf("it cannot be read: %T", err)
	}
	kind, ok := kinds[in.RequestContext.EventType]
	if !ok {
		return e, fmt.Errorf("its type is not known")
	}
	e = socket.Event{
		Kind:      kind,
		Ref:       socket.Ref{API: c.API, ID: in.RequestContext.ConnectionID},
		Connected: time.UnixMilli(in.RequestContext.ConnectedAt),
		Address:   in.RequestContext.Identity.SourceIP,
	}
	switch kind {
	case socket.Connect:
		e.Query = url.Values(both(in.QueryStringParameters, in.MultiValueQueryStringParameters))
		e.Header = header(in)
		client, ok := c.Front.Client(e.Header, e.Address)
		if !ok {
			return e, errNotThrough
		}
		e.Address = client.Address
	case socket.Message:
		e.MessageID, _ = in.RequestContext.MessageID.(string)
		if e.Frame, err = frame(in); err != nil {
			return e, err
		}
	case socket.Disconnect:
		e.Code = int(in.RequestContext.DisconnectStatusCode)
	}
	return e, nil
}

// header is the request's. API Gateway keeps names as the client wrote them, and
// writes them in lower case behind some domains.
func header(in events.APIGatewayWebsocketProxyRequest) http.Header {
	h := http.Header{}
	for name, values := range both(in.Headers, in.MultiValueHeaders) {
		for _, value := range values {
			h.Add(name, value)
		}
	}
	return h
}

// both returns all values of each name in their order: one has the last value of
// every name, many has all, and either may be missing.
func both(one map[string]string, many map[string][]string) map[string][]string {
	all := map[string][]string{}
	for name, value := range one {
		all[name] = []string{value}
	}
	for name, values := range many {
		all[name] = values
	}
	return all
}

func frame(in events.APIGatewayWebsocketProxyRequest) ([]byte, error) {
	if !in.IsBase64Encoded {
		return []byte(in.Body), nil
	}
	b, err := base64.StdEncoding.DecodeString(in.Body)
	if err != nil {
		return nil, fmt.Errorf("its body is not base64: %w", err)
	}
	return b, nil
}
