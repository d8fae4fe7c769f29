// Package updates returns what has changed in a session after a given number:
// its entries and its state.
package updates

import (
	"errors"
	"net/http"
	"time"

	"parley/shared/api"
	"parley/shared/parley"
)

// Config is what the function needs; API is required.
type Config struct {
	API *api.API
	// Hold is how long a request may wait for news. Zero answers at once with what
	// there is, which is right for Lambda, where waiting costs money.
	Hold time.Duration
	// Poll is how often a waiting request looks for news; zero means 500 ms.
	Poll time.Duration
	// Heartbeat is how long a stream may be silent; zero means 10 s.
	Heartbeat time.Duration
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// New returns the function's handler.
func New(c Config) (http.Handler, error) {
	if c.API == nil {
		return nil, errors.New("updates: API is required")
	}
	f := function{api.NewUpdates(api.Updates{API: c.API, Hold: c.Hold, Poll: c.Poll, Heartbeat: c.Heartbeat, Now: c.Now,
		Entry: func(r *http.Request, p parley.ProjectID, e parley.Entry) any { return c.API.Entry(r, p, e) },
		State: func(s *parley.Session) any { return api.NewSession(s) }, Typing: true})}
	return c.API.Handler(api.Route{Pattern: "GET /updates/{session}", Handle: f.updates}), nil
}

type function struct{ *api.Updates }

func (f function) updates(w http.ResponseWriter, r *http.Request) error {
	id := parley.SessionID(r.PathValue("session"))
	caller, _, err := f.Reader(r, id)
	if errors.Is(err, api.ErrTicketOver) {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	if err != nil {
		return err
	}
	return f.Serve(w, r, caller, id)
}
