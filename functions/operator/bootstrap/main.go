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

func start(ctx context.Context, b *wire.Base) error {
	bucket, err := objects.Bucket(b)
	if err != nil {
		return err
	}
	a, err := b.API(bucket)
	if err != nil {
		return err
	}
	runs, err := invoke.Dispatcher(b, run.Config{Store: a.Store})
	if err != nil {
		return err
	}
	pages, err := b.Live(a.Store)
	if err != nil {
		return err
	}
	address, err := wire.SocketAddress(live.ConsoleAPI)
	if err != nil {
		return err
	}
	page, err := newConsole(ctx, bucket, a.URLs.Uploads, address)
	if err != nil {
		return err
	}
	client, err := hosts.Client()
	if err != nil {
		return err
	}
	handler, err := operator.New(operator.Config{API: a, Runs: runs, CheckURL: client.CheckURL, Console: page,
		Typing: pages.Typing, Seen: pages.Seen, Socket: address, Dismiss: pages.Dismiss})
	if err != nil {
		return err
	}
	lambdahttp.StartWith(handler, b.HTTP(), operator.Commands(a.Store, b.Keys))
	return nil
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
