// Package invoke lets a function invoke another one.
package invoke

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"

	"parley/functions/internal/wire"
	"parley/functions/respond"
	"parley/shared/awscall"
	"parley/shared/parley"
	"parley/shared/run"
)

// Dispatcher returns a run.Dispatcher for a function that leaves the generation
// of runs to another. Of c, Store is required; Respond and Log are set here.
func Dispatcher(b *wire.Base, c run.Config) *run.Dispatcher {
	c.Respond, c.Log = Responder(b), b.Log
	return wire.Must(run.NewDispatcher(c))
}

// Responder returns a run.Config.Respond that invokes the function named by
// PARLEY_RESPOND_FUNCTION and does not wait for it.
func Responder(b *wire.Base) func(ctx context.Context, ref parley.RunRef) error {
	call := Function[respond.Event](b, "PARLEY_RESPOND_FUNCTION")
	return func(ctx context.Context, ref parley.RunRef) error { return call(ctx, respond.EventOf(ref)) }
}

// Function returns what invokes the function named by an environment variable,
// without waiting for it.
// https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
func Function[E any](b *wire.Base, variable string) func(ctx context.Context, event E) error {
	name := wire.Required(variable)
	return func(ctx context.Context, event E) error {
		payload, err := json.Marshal(event)
		if err != nil {
			return fmt.Errorf("encode event: %w", err)
		}
		_, err = b.Call.Do(ctx, awscall.Request{
			Service: "Lambda",
			Path:    "/2015-03-31/functions/" + url.PathEscape(name) + "/invocations",
			Header:  map[string]string{"Content-Type": "application/json", "X-Amz-Invocation-Type": "Event"},
			Body:    payload,
		})
		if err != nil {
			return fmt.Errorf("invoke %s: %w", name, err)
		}
		return nil
	}
}
