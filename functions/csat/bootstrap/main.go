// Command bootstrap is the function csat on Lambda.
package main

import (
	"context"
	"net/http"

	"parley/functions/csat"
	"parley/functions/internal/wire"
)

func main() {
	wire.Serve(func(_ context.Context, b *wire.Base) http.Handler { return csat.New(b.API(nil)) })
}
