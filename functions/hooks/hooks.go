// Package hooks delivers webhooks: for what happens in sessions, in its order,
// at least once, to every endpoint that the project has.
package hooks

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"parley/functions/internal/emf"
	"parley/shared/parley"
)

// Event asks for the webhooks of a session: to all endpoints of the project, or
// to the one that Follower names.
type Event struct {
	Project  parley.ProjectID `json:"project"`
	Session  parley.SessionID `json:"session"`
	Follower parley.Follower  `json:"follower,omitempty"`
}

// EventOf returns the event that wakes a follower.
func EventOf(f parley.Following) Event { return Event(f) }

// Config is what the function needs; Store, Do and Files are required.
type Config struct {
	Store *parley.Store
	// Do asks a host that a customer named; outbound.Client.Do does. It bounds
	// the time that this takes by AttemptTime.
	Do func(*http.Request) (*http.Response, error)
	// Files is the base of the addresses of files, without a slash at its end.
	Files string
	// Metrics takes what was delivered, in CloudWatch's embedded format; nil means nobody.
	Metrics io.Writer
	// Log takes a line an attempt; nil means slog.Default.
	Log *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Handler delivers. Every mark in the table says what an endpoint has already, so
// an event may come twice. An error means that an event has to come again: what
// an endpoint did not take is none, the sweep brings that back.
type Handler func(ctx context.Context, e Event) error

// New returns the function's handler.
func New(c Config) (Handler, error) {
	if c.Store == nil || c.Do == nil || c.Files == "" {
		return nil, errors.New("hooks: Store, Do and Files are required")
	}
	if c.Metrics == nil {
		c.Metrics = io.Discard
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c.handle, nil
}

func (c Config) handle(ctx context.Context, e Event) error {
	if e.Project == "" || e.Session == "" {
		return errors.New("hooks: the event names no session")
	}
	p, err := c.Store.Project(ctx, e.Project)
	if errors.Is(err, parley.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	followers := []parley.Follower{e.Follower}
	if e.Follower == "" {
		followers = nil
		for _, h := range p.Hooks {
			if !h.Disabled {
				followers = append(followers, h.ID.Follower())
			}
		}
	}
	return c.follow(ctx, e, followers)
}

// follow has each endpoint's webhooks delivered beside the others', so that none
// waits for another's host.
func (c Config) follow(ctx context.Context, e Event, followers []parley.Follower) error {
	done := make([]counts, len(followers))
	errs := make([]error, len(followers))
	var all sync.WaitGroup
	for i, f := range followers {
		all.Go(func() {
			w := &worker{Config: c, Following: parley.Following{Project: e.Project, Session: e.Session, Follower: f}}
			errs[i] = w.follow(ctx)
			done[i] = w.counts
		})
	}
	all.Wait()
	c.count(ctx, done)
	return errors.Join(errs...)
}

// counts is what became of webhooks: delivered, to be tried again, given up.
type counts struct{ delivered, retried, failed int }

func (c counts) plus(o counts) counts {
	return counts{c.delivered + o.delivered, c.retried + o.retried, c.failed + o.failed}
}

// count writes the metrics. Some that are lost are no reason to deliver again.
func (c Config) count(ctx context.Context, all []counts) {
	var sum counts
	for _, n := range all {
		sum = sum.plus(n)
	}
	if sum == (counts{}) {
		return
	}
	metric := func(name string, n int) emf.Metric { return emf.Metric{Name: name, Unit: emf.Count, Value: float64(n)} }
	if err := emf.Write(c.Metrics, c.Now(), nil, metric("WebhooksDelivered", sum.delivered),
		metric("WebhooksRetried", sum.retried), metric("WebhooksFailed", sum.failed)); err != nil {
		c.Log.ErrorContext(ctx, "metrics of webhooks", "error", err)
	}
}
