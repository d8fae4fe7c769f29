// Command bootstrap is the function operator on Lambda.
package main

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	_ "time/tzdata" // to check the time zones of projects, wherever this runs

	"parley/functions/internal/wire"
	"parley/functions/internal/wire/hosts"
	"parley/functions/internal/wire/invoke"
	"parley/functions/internal/wire/objects"
	"parley/functions/operator"
	"parley/functions/operator/console"
	"parley/shared/bucket"
	"parley/shared/lambdahttp"
	"parley/shared/live"
	"parley/shared/run"
)

func main() { wire.Main(start) }

func start(ctx context.Context, b *wire.Base) {
	bucket := objects.Bucket(b)
	a := b.API(bucket)
	pages, address := b.Live(a.Store), wire.SocketAddress(live.ConsoleAPI)
	handler := operator.New(operator.Config{API: a, Runs: invoke.Dispatcher(b, run.Config{Store: a.Store}), CheckURL: hosts.Client().CheckURL,
		Console: wire.Must(newConsole(ctx, bucket, a.URLs.Uploads, address)),
		Typing:  pages.Typing, Seen: pages.Seen, Socket: address, Dismiss: pages.Dismiss})
	lambdahttp.StartWith(handler, b.HTTP(), operator.Commands(a.Store, b.Keys))
}

// newConsole returns the operators' page. It uploads to the bucket, shows
// pictures to which the function uploads redirects, and connects to a socket.
func newConsole(ctx context.Context, b *bucket.Bucket, uploads, socket string) (http.Handler, error) {
	origin, err := b.Origin(ctx)
	if err != nil {
		return nil, err
	}
	at, err := url.Parse(socket)
	if err != nil {
		return nil, err
	}
	origins := []string{origin, at.Scheme + "://" + at.Host}
	if uploads != "" {
		origins = append(origins, strings.TrimRight(uploads, "/"))
	}
	return console.New(console.Config{Origins: origins})
}
