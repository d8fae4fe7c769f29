package apigateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"parley/shared/awscall"
	"parley/shared/socket"
)

// postTime bounds one call of the management interface. Our choice: who posts has
// others to post to, and API Gateway answers within milliseconds.
const postTime = 5 * time.Second

// Poster reaches the clients that WebSocket APIs hold. It is safe for concurrent
// use. Each call needs the right execute-api:ManageConnections for its method.
type Poster struct {
	call      *awscall.Client
	endpoints map[string]string
}

var _ socket.Poster = (*Poster)(nil)

// NewPoster returns a poster to APIs by their names in socket.Ref. An endpoint is
// the address of an API's stage, such as
// "https://a1b2c3d4e5.execute-api.us-east-1.amazonaws.com/live".
func NewPoster(call *awscall.Client, endpoints map[string]string) (*Poster, error) {
	p := &Poster{call: call, endpoints: map[string]string{}}
	for api, endpoint := range endpoints {
		u, err := url.Parse(endpoint)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
			return nil, fmt.Errorf("the endpoint of the socket API %q is no address", api)
		}
		p.endpoints[api] = strings.TrimSuffix(endpoint, "/")
	}
	return p, nil
}

// Post sends one frame.
func (p *Poster) Post(ctx context.Context, to socket.Ref, frame []byte) error {
	if err := socket.CheckFrame(frame); err != nil {
		return err
	}
	_, err := p.manage(ctx, http.MethodPost, to, frame)
	return err
}

// Close ends a connection.
func (p *Poster) Close(ctx context.Context, to socket.Ref) error {
	if _, err := p.manage(ctx, http.MethodDelete, to, nil); !errors.Is(err, socket.ErrGone) {
		return err
	}
	return nil
}

// Active returns when the client last sent something.
func (p *Poster) Active(ctx context.Context, to socket.Ref) (time.Time, error) {
	b, err := p.manage(ctx, http.MethodGet, to, nil)
	if err != nil {
		return time.Time{}, err
	}
	var out struct {
		At time.Time `json:"lastActiveAt"`
	}
	if err := json.Unmarshal(b, &out); err != nil || out.At.IsZero() {
		return time.Time{}, fmt.Errorf("%s: GET @connections tells no time of activity", to.API)
	}
	return out.At, nil
}

// manage calls the management interface once.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-how-to-call-websocket-api-connections.html
func (p *Poster) manage(ctx context.Context, method string, to socket.Ref, body []byte) ([]byte, error) {
	endpoint, ok := p.endpoints[to.API]
	if !ok {
		return nil, fmt.Errorf("the function has no endpoint of the socket API %q", to.API)
	}
	ctx, cancel := context.WithTimeout(ctx, postTime)
	defer cancel()
	answer, err := p.call.Once(ctx, awscall.Request{
		Service:  "ApiGatewayManagementApi",
		Signing:  "execute-api",
		Endpoint: endpoint,
		Method:   method,
		Path:     "/@connections/" + escapeID(to.ID),
		Header:   map[string]string{"Content-Type": "application/octet-stream"},
		Body:     body,
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %s @connections: %w", to.API, method, known(err))
	}
	return answer, nil
}

// escapeID escapes all that is not a letter, a digit or one of "-_.~": ids end in
// "=", which a path may have as it is, but API Gateway wants escaped.
func escapeID(id string) string { return strings.ReplaceAll(url.QueryEscape(id), "+", "%20") }

// known returns the error of the port for AWS's. The status is enough: not every
// answer names its error.
func known(err error) error {
	var e *awscall.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Status {
	case http.StatusGone:
		return socket.ErrGone
	case http.StatusTooManyRequests:
		return socket.ErrBusy
	case http.StatusRequestEntityTooLarge:
		return socket.ErrTooLarge
	}
	return err
}
