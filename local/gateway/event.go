package gateway

import (
	"net/http"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"parley/shared/socket"
)

// names are API Gateway's for the kinds of events: of the event and of its route.
var names = map[socket.Kind]struct{ event, route string }{
	socket.Connect:    {"CONNECT", "$connect"},
	socket.Message:    {"MESSAGE", "$default"},
	socket.Disconnect: {"DISCONNECT", "$disconnect"},
}

// event returns what all events have.
func (c *connection) event(kind socket.Kind) *events.APIGatewayWebsocketProxyRequest {
	now := time.Now()
	id := newID(11)
	e := &events.APIGatewayWebsocketProxyRequest{
		RequestContext: events.APIGatewayWebsocketProxyRequestContext{
			APIID:             c.api.cfg.Name,
			ConnectedAt:       c.connected.UnixMilli(),
			ConnectionID:      c.id,
			DomainName:        c.host,
			EventType:         names[kind].event,
			RouteKey:          names[kind].route,
			RequestID:         id,
			ExtendedRequestID: id,
			RequestTime:       now.UTC().Format("02/Jan/2006:15:04:05 -0700"),
			RequestTimeEpoch:  now.UnixMilli(),
			Stage:             Stage,
		},
	}
	e.RequestContext.Identity.SourceIP = c.address
	e.RequestContext.Identity.UserAgent = c.agent
	if kind == socket.Disconnect {
		e.Headers = map[string]string{"Host": c.host, "x-api-key": "", "X-Forwarded-For": "", "x-restapi": ""}
		e.MultiValueHeaders = map[string][]string{"Host": {c.host}, "x-api-key": {""}, "X-Forwarded-For": {""}, "x-restapi": {""}}
	}
	return e
}

// addRequest adds what only a CONNECT has. Of a name that is given several times the
// single-valued maps have the last value.
func addRequest(e *events.APIGatewayWebsocketProxyRequest, r *http.Request, address string) {
	h := r.Header.Clone()
	h.Del("Connection")
	h.Del("Upgrade")
	h.Set("Host", r.Host)
	h.Add("X-Forwarded-For", address)
	h.Set("X-Forwarded-Port", "443")
	h.Set("X-Forwarded-Proto", "https")
	e.Headers, e.MultiValueHeaders = last(h), h
	if q := r.URL.Query(); len(q) > 0 {
		e.QueryStringParameters, e.MultiValueQueryStringParameters = last(q), q
	}
}

func last(all map[string][]string) map[string]string {
	one := map[string]string{}
	for name, values := range all {
		one[name] = values[len(values)-1]
	}
	return one
}
