package api

import (
	"cmp"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"parley/shared/parley"
)

// RunEnd stands in the id of a run's last event, instead of a number.
const RunEnd = "end"

// RunEventID returns the id of a run's event. place is the length in bytes of
// the reply's text up to there, or RunEnd.
func RunEventID(run parley.RunID, place string) string {
	return url.PathEscape(string(run)) + "/" + place
}

// Position is how far a reader has got in a run.
type Position struct {
	Bytes int
	Ended bool
}

// PositionOf reads which event of a run the reader saw last. The header wins
// over the query parameter, which is for clients that cannot set headers. The
// error is invalid_field.
func PositionOf(r *http.Request, id parley.RunID) (Position, error) {
	text := cmp.Or(r.Header.Get("Last-Event-ID"), r.URL.Query().Get("lastEventId"))
	if text == "" {
		return Position{}, nil
	}
	unknown := InvalidField("lastEventId", "the last event id is not one of this run's")
	cut := strings.LastIndexByte(text, '/')
	if cut < 0 {
		return Position{}, unknown
	}
	run, err := url.PathUnescape(text[:cut])
	if err != nil || parley.RunID(run) != id {
		return Position{}, unknown
	}
	if text[cut+1:] == RunEnd {
		return Position{Ended: true}, nil
	}
	n, err := strconv.ParseUint(text[cut+1:], 10, 31)
	if err != nil {
		return Position{}, unknown
	}
	return Position{Bytes: int(n)}, nil
}
