// Command bootstrap is the function history on Lambda.
package main

import (
	"context"
	"net/http"

	"parley/functions/history"
	"parley/functions/internal/wire"
	"parley/functions/internal/wire/objects"
)

func main() {
	wire.Serve(func(_ context.Context, b *wire.Base) http.Handler { return history.New(b.API(objects.Bucket(b))) })
}
