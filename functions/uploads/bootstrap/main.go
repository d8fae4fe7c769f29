// Command bootstrap is the function uploads on Lambda.
package main

import (
	"context"
	"net/http"

	"parley/functions/internal/wire"
	"parley/functions/internal/wire/objects"
	"parley/functions/uploads"
)

func main() {
	wire.Serve(func(_ context.Context, b *wire.Base) http.Handler { return uploads.New(b.API(objects.Bucket(b))) })
}
