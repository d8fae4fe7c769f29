// Command bootstrap is the function hooks on Lambda.
package main

import (
	"context"
	"errors"
	"os"
	_ "time/tzdata" // of projects' quiet hours, wherever this runs

	"github.com/aws/aws-lambda-go/lambda"

	"parley/functions/hooks"
	"parley/functions/internal/ses"
	"parley/functions/internal/wire"
	"parley/functions/internal/wire/hosts"
	"parley/shared/parley"
)

func main() { wire.Main(start) }

func start(_ context.Context, b *wire.Base) {
	c := hooks.Config{Store: b.Store(nil), Do: hosts.Client().Do, Files: wire.Files(), Metrics: wire.Metrics(), Log: b.Log,
		Console: os.Getenv("PARLEY_CONSOLE"), MailFrom: os.Getenv("PARLEY_MAIL_FROM"), Secret: secrets(b)}
	if c.MailFrom != "" {
		c.Mail = ses.New(b.Call).Send
	}
	lambda.Start(hooks.New(c))
}

// secretsVariable is how the names of the parameters of SSM begin that hold the
// addresses of Slack's webhooks, "/parley/notify/"; the project and the secret's
// name follow. Without it there are none.
const secretsVariable = "PARLEY_NOTIFY_PARAMETERS"

// secrets reads one when it is needed: a start waits for none.
func secrets(b *wire.Base) func(context.Context, parley.ProjectID, string) (string, error) {
	prefix := os.Getenv(secretsVariable)
	return func(ctx context.Context, p parley.ProjectID, name string) (string, error) {
		if prefix == "" {
			return "", errors.New(secretsVariable + " is not set")
		}
		return b.FetchParameter(ctx, prefix+string(p)+"/"+name)
	}
}
