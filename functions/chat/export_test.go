package chat

import (
	"net/http"

	"parley/shared/api"
	"parley/shared/parley"
)

// Position is how the function reads how far a reader has got, for its fuzz test.
func Position(r *http.Request, id parley.RunID) (bytes int, ended bool, err error) {
	at, err := api.PositionOf(r, id)
	return at.Bytes, at.Ended, err
}
