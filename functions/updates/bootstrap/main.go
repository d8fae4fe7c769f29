// Command bootstrap is the function updates on Lambda.
package main

import (
	"context"
	"net/http"

	"parley/functions/internal/wire"
	"parley/functions/updates"
	"parley/shared/api"
)

func main() {
	wire.Serve(func(_ context.Context, b *wire.Base) http.Handler { return updates.New(api.Updates{API: b.API(nil)}) })
}
