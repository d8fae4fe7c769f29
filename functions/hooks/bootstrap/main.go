// Command bootstrap is the function hooks on Lambda.
package main

import (
	"context"
	"errors"
	"os"
	"strings"

	"github.com/aws/aws-lambda-go/lambda"

	"parley/functions/hooks"
	"parley/functions/internal/wire"
	"parley/functions/internal/wire/hosts"
)

func main() { wire.Main(start) }

func start(_ context.Context, b *wire.Base) error {
	store, err := b.Store(nil)
	if err != nil {
		return err
	}
	client, err := hosts.Client()
	if err != nil {
		return err
	}
	urls, err := wire.URLs()
	if err != nil {
		return err
	}
	if urls.Uploads == "" {
		return errors.New("PARLEY_URLS does not name where files are")
	}
	handler, err := hooks.New(hooks.Config{Store: store, Do: client.Do, Files: strings.TrimRight(urls.Uploads, "/"), Metrics: os.Stdout, Log: b.Log})
	if err != nil {
		return err
	}
	lambda.Start(handler)
	return nil
}
