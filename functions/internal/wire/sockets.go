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
func (b *Base) Poster() *apigateway.Poster { return Must(apigateway.NewPoster(b.Call, sockets())) }

// SocketAddress returns where clients connect to the socket API of a name:
// "wss://….execute-api.us-east-1.amazonaws.com/live".
func SocketAddress(api string) string {
	rest, ok := strings.CutPrefix(sockets()[api], "http") // or https, which becomes wss
	if !ok {
		panic(lack{fmt.Errorf("%s does not name the address of %s", socketsVariable, api)})
	}
	return "ws" + rest
}

func sockets() (endpoints map[string]string) {
	addresses(socketsVariable, Required(socketsVariable), &endpoints)
	return endpoints
}

// Live tells whoever is connected to the socket APIs that the function has been told
// what happens in the store's sessions.
func (b *Base) Live(store *parley.Store) (pages *live.Live) {
	widgets := shape.Speaker{File: func(p parley.ProjectID, a parley.Attachment) string {
		return api.FileURLAt(pages.Files, store, p, a.ID, a.Name)
	}}
	pages = Must(live.New(live.Config{Store: store, Poster: b.Poster(), Speakers: live.Speakers(), Log: b.Log,
		Keyed: map[parley.Channel]live.KeyedSpeaker{parley.ChannelCossistant: widgets}}))
	return pages
}

// Pages is Live for a function that tells pages messages. These may have files, for
// whose addresses it needs the secret and PARLEY_URLS.
func (b *Base) Pages(store *parley.Store) *live.Live {
	pages := b.Live(store)
	pages.Files = Files()
	return pages
}

// ServeSocket is Main for a function that serves the socket API of a name. It
// answers HTTP requests as well unless the handler for them is nil.
func ServeSocket(api string, handlers func(ctx context.Context, b *Base) (socket.Handler, http.Handler)) {
	Main(func(ctx context.Context, b *Base) {
		sockets, requests := handlers(ctx, b)
		c := apigateway.Config{API: api, Front: b.front, Log: b.Log}
		if requests != nil {
			c.Rest = lambdahttp.AdaptWith(requests, b.HTTP(), func(context.Context, json.RawMessage) (any, error) {
				return nil, lambdahttp.ErrNotHTTP
			})
		}
		apigateway.Start(sockets, c)
	})
}
