// Command bootstrap is the function identify on Lambda.
package main

import (
	"context"
	"net/http"

	"parley/functions/identify"
	"parley/functions/internal/wire"
)

func main() {
	wire.Serve(func(_ context.Context, b *wire.Base) http.Handler { return identify.New(b.API(nil)) })
}
