// Command bootstrap is the function operator on Lambda.
package main

import (
	"context"
	"net/http"
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
	page, err := newConsole(ctx, bucket, a.URLs.Uploads)
	if err != nil {
		return err
	}
	client, err := hosts.Client()
	if err != nil {
		return err
	}
	handler, err := operator.New(operator.Config{API: a, Runs: runs, CheckURL: client.CheckURL, Console: page})
	if err != nil {
		return err
	}
	lambdahttp.StartWith(handler, b.HTTP(), operator.Commands(a.Store, b.Keys))
	return nil
}

// newConsole returns the operators' page. It uploads to the bucket, and shows
// pictures to which the function uploads redirects.
func newConsole(ctx context.Context, b *bucket.Bucket, uploads string) (http.Handler, error) {
	origin, err := b.Origin(ctx)
	if err != nil {
		return nil, err
	}
	origins := []string{origin}
	if uploads != "" {
		origins = append(origins, strings.TrimRight(uploads, "/"))
	}
	return console.New(console.Config{Origins: origins})
}
