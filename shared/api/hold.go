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

// Hold keeps an answer open that has told all there is, and tells what comes.
type Hold struct {
	// For is how long, Poll how often it looks, Heartbeat how long it may be silent.
	For, Poll, Heartbeat time.Duration
	Now                  func() time.Time
	// Look tells what has come, and whether it wrote anything. enough ends the
	// hold. A table that cannot be reached is asked again.
	Look func(ctx context.Context) (wrote, enough bool, err error)
}

// Wait holds the answer. The error is why nothing more can be told.
func (h Hold) Wait(ctx context.Context, out *sse.Writer) error {
	over, cancel := context.WithTimeout(ctx, h.For)
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

// Cut logs why a stream ended without its end, where that is nobody's choice:
// not that the client left or the time of its request was over, nor that the
// session was erased or the token revoked.
func (a *API) Cut(r *http.Request, p parley.ProjectID, err error) {
	if err == nil || r.Context().Err() != nil || errors.Is(err, sse.ErrLeft) || errors.Is(err, parley.ErrNotFound) || errors.Is(err, parley.ErrDenied) {
		return
	}
	a.Log.LogAttrs(r.Context(), slog.LevelError, "stream cut", slog.String("project", string(p)), slog.String("error", err.Error()))
}
