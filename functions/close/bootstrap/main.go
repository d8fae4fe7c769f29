// Command bootstrap is the function close on Lambda.
package main

import (
	"context"
	"net/http"
	closing "parley/functions/close"

	"parley/functions/internal/wire"
)

func main() {
	wire.Serve(func(_ context.Context, b *wire.Base) http.Handler { return closing.New(b.API(nil)) })
}
