package wire

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"parley/shared/lambdahttp"
	"parley/shared/socket"
	"parley/shared/socket/apigateway"
)

// socketsVariable has the endpoints of the socket APIs by their names, as a JSON
// object: {"chathub":"https://….execute-api.us-east-1.amazonaws.com/live"}.
const socketsVariable = "PARLEY_SOCKETS"

// Poster reaches the clients of the socket APIs that the function has been told.
func (b *Base) Poster() (*apigateway.Poster, error) {
	text, err := Required(socketsVariable)
	if err != nil {
		return nil, err
	}
	var endpoints map[string]string
	if err := json.Unmarshal([]byte(text), &endpoints); err != nil {
		return nil, fmt.Errorf("%s is no JSON object of addresses: %w", socketsVariable, err)
	}
	return apigateway.NewPoster(b.Call, endpoints)
}

// ServeSocket is Main for a function that serves the socket API of a name. It
// answers HTTP requests as well unless the handler for them is nil.
func ServeSocket(api string, handlers func(ctx context.Context, b *Base) (socket.Handler, http.Handler, error)) {
	Main(func(ctx context.Context, b *Base) error {
		sockets, requests, err := handlers(ctx, b)
		if err != nil {
			return err
		}
		c := apigateway.Config{API: api, OriginSecret: b.secret.Origin, Log: b.Log}
		if requests != nil {
			c.Rest = lambdahttp.AdaptWith(requests, b.HTTP(), func(context.Context, json.RawMessage) (any, error) {
				return nil, lambdahttp.ErrNotHTTP
			})
		}
		apigateway.Start(sockets, c)
		return nil
	})
}
