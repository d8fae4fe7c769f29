package wire

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"parley/functions/cossistant/shape"
	"parley/shared/api"
	"parley/shared/lambdahttp"
	"parley/shared/live"
	"parley/shared/parley"
	"parley/shared/socket"
	"parley/shared/socket/apigateway"
)

// socketsVariable has the endpoints of the socket APIs by their names, as a JSON
// object: {"chathub":"https://….execute-api.us-east-1.amazonaws.com/live"}.
const socketsVariable = "PARLEY_SOCKETS"

// Poster reaches the clients of the socket APIs that the function has been told.
func (b *Base) Poster() (*apigateway.Poster, error) {
	endpoints, err := sockets()
	if err != nil {
		return nil, err
	}
	return apigateway.NewPoster(b.Call, endpoints)
}

// SocketAddress returns where clients connect to the socket API of a name:
// "wss://….execute-api.us-east-1.amazonaws.com/live".
func SocketAddress(api string) (string, error) {
	endpoints, err := sockets()
	if err != nil {
		return "", err
	}
	rest, ok := strings.CutPrefix(endpoints[api], "http") // or https, which becomes wss
	if !ok {
		return "", fmt.Errorf("%s does not name the address of %s", socketsVariable, api)
	}
	return "ws" + rest, nil
}

func sockets() (endpoints map[string]string, err error) {
	text, err := Required(socketsVariable)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal([]byte(text), &endpoints); err != nil {
		return nil, fmt.Errorf("%s is no JSON object of addresses: %w", socketsVariable, err)
	}
	return endpoints, nil
}

// Live tells whoever is connected to the socket APIs that the function has been told
// what happens in the store's sessions.
func (b *Base) Live(store *parley.Store) (pages *live.Live, err error) {
	poster, err := b.Poster()
	if err != nil {
		return nil, err
	}
	widgets := shape.Speaker{File: func(p parley.ProjectID, a parley.Attachment) string {
		return api.FileURLAt(pages.Files, store, p, a.ID, a.Name)
	}}
	pages, err = live.New(live.Config{Store: store, Poster: poster, Speakers: live.Speakers(), Log: b.Log,
		Keyed: map[parley.Channel]live.KeyedSpeaker{parley.ChannelCossistant: widgets}})
	return pages, err
}

// Pages is Live for a function that tells pages messages. These may have files, for
// whose addresses it needs the secret and PARLEY_URLS.
func (b *Base) Pages(store *parley.Store) (*live.Live, error) {
	pages, err := b.Live(store)
	if err != nil {
		return nil, err
	}
	pages.Files, err = Files()
	return pages, err
}

// ServeSocket is Main for a function that serves the socket API of a name. It
// answers HTTP requests as well unless the handler for them is nil.
func ServeSocket(api string, handlers func(ctx context.Context, b *Base) (socket.Handler, http.Handler, error)) {
	Main(func(ctx context.Context, b *Base) error {
		sockets, requests, err := handlers(ctx, b)
		if err != nil {
			return err
		}
		c := apigateway.Config{API: api, Front: b.front, Log: b.Log}
		if requests != nil {
			c.Rest = lambdahttp.AdaptWith(requests, b.HTTP(), func(context.Context, json.RawMessage) (any, error) {
				return nil, lambdahttp.ErrNotHTTP
			})
		}
		apigateway.Start(sockets, c)
		return nil
	})
}
