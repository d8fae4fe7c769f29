// Package sweep does, every minute, what has become due: closes become final,
// runs that nobody generates are revived, unfinished jobs are continued.
package sweep

import (
	"context"
	"log/slog"
	"time"

	"parley/functions/internal/emf"
	"parley/shared/parley"
)

// Config is what the function needs; Store, whose bucket is used for jobs, and
// Revive are required.
type Config struct {
	Store *parley.Store
	// Revive deals with a run that may be dead, as run.Engine.Revive does. It must
	// not generate the run itself, which would take too long.
	Revive func(ctx context.Context, ref parley.RunRef) error
	// Wake starts a call of Store.Follow for a follower, and need not wait for it;
	// nil means that there are no followers.
	Wake func(ctx context.Context, f parley.Following) error
	// Metrics takes the figures of each sweep that found something, in CloudWatch's
	// embedded format: a metric is billed for each hour in which it has a value.
	Metrics emf.Log
	// Log takes errors that do not end the sweep; nil means slog.Default.
	Log *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Handler does one sweep. An error means that it ended early; the next sweep
// begins at the same place.
type Handler func(ctx context.Context) error

// New returns the function's handler.
func New(c Config) Handler {
	if c.Store == nil || c.Revive == nil {
		panic("sweep: Store and Revive are required")
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c.sweep
}

func (c Config) sweep(ctx context.Context) error {
	began := c.Now()
	swept, err := c.Store.Sweep(ctx, parley.SweepHelp{Revive: c.Revive, Wake: c.Wake})
	if swept == (parley.Swept{}) {
		return err
	}
	count := func(name string, n int) emf.Metric { return emf.Metric{Name: name, Unit: emf.Count, Value: float64(n)} }
	// Lost metrics are no reason to repeat the sweep.
	if err := c.Metrics.Put(began, nil, count("SweepLooked", swept.Looked), count("SweepRevived", swept.Revived),
		count("SweepWoken", swept.Woken), count("SweepJobs", swept.Jobs), count("SweepFailed", swept.Failed),
		emf.Metric{Name: "SweepTime", Unit: emf.Milliseconds, Value: float64(c.Now().Sub(began).Milliseconds())}); err != nil {
		c.Log.ErrorContext(ctx, "metrics of the sweep", "error", err)
	}
	return err
}
