package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"parley/shared/parley"
	"parley/shared/sse"
)

// Hold keeps the answer to a request open and writes news as it comes, so that
// the client need not ask again.
type Hold struct {
	// For is how long the answer stays open, Poll how often Look is called, and
	// Heartbeat the longest silence before a comment is written.
	For, Poll, Heartbeat time.Duration
	Now                  func() time.Time
	// Seat takes the seat that waiting needs; with nil none is needed. Where all are
	// taken the hold ends at once: the client has been told what there is, and asks
	// again.
	Seat parley.Seating
	// Look writes what is new, and returns whether it wrote anything. enough ends
	// the hold. ErrUnavailable does not: the next Look tries again.
	Look func(ctx context.Context) (wrote, enough bool, err error)
}

// Wait keeps the answer open until For has passed, or the life of its seat. An error
// is the reason for ending earlier.
func (h Hold) Wait(ctx context.Context, out *sse.Writer) error {
	hold := h.For
	if h.Seat != nil {
		seat, err := h.Seat(ctx)
		if errors.Is(err, parley.ErrLimit) || errors.Is(err, parley.ErrUnavailable) {
			return nil
		}
		if err != nil {
			return err
		}
		defer seat.Leave(ctx)
		hold = min(hold, parley.SeatLife)
	}
	over, cancel := context.WithTimeout(ctx, hold)
	defer cancel()
	poll := time.NewTicker(h.Poll)
	defer poll.Stop()
	said := h.Now()
	for {
		select {
		case <-over.Done():
			return ctx.Err()
		case <-poll.C:
		}
		wrote, enough, err := h.Look(ctx)
		if errors.Is(err, parley.ErrUnavailable) {
			err = nil
		}
		switch {
		case err != nil || enough:
			return err
		case wrote:
			said = h.Now()
		case h.Now().Sub(said) >= h.Heartbeat:
			said = h.Now()
			if err := out.Comment("beat"); err != nil {
				return err
			}
		}
	}
}

// Cut logs why a stream ended early, if that was a fault. It is none that the
// client left or its request timed out, that the session was erased, or that the
// token was revoked.
func (a *API) Cut(r *http.Request, p parley.ProjectID, err error) {
	if err == nil || r.Context().Err() != nil || errors.Is(err, sse.ErrLeft) || errors.Is(err, parley.ErrNotFound) || errors.Is(err, parley.ErrDenied) {
		return
	}
	a.Log.LogAttrs(r.Context(), slog.LevelError, "stream cut", slog.String("project", string(p)), slog.String("error", err.Error()))
}
