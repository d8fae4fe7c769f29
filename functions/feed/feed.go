// Package feed is the only consumer of the table's stream: a bell. For every
// session that changed it wakes whoever follows sessions, and counts. It asks
// nobody outside and takes milliseconds.
package feed

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"parley/functions/internal/emf"
	"parley/shared/parley"
	"parley/shared/table"
)

// Record is one change of the table.
type Record struct {
	// ID is the record's place in the stream, by which a failure is reported.
	ID string
	table.Change
}

// Kind says what happened to a session.
type Kind string

// The kinds of change.
const (
	Opened  Kind = "opened"
	Changed Kind = "changed"
	Erased  Kind = "erased" // or expired
)

// Change says that a session changed. What it is now is for the bell to read.
type Change struct {
	Project parley.ProjectID
	Session parley.SessionID
	Kind    Kind
	// Closed says that a close of it has stuck.
	Closed bool
	// Waits says that a wait for a person has begun in it.
	Waits bool
	// Unmet says that a person's answer in it waits for a page to meet it.
	Unmet bool
}

// Bell wakes whoever follows sessions. It is called at least once for each
// change, once for all changes of a session that came together.
type Bell func(ctx context.Context, c Change) error

// Config is what the function needs. All of it may be left out.
type Config struct {
	// Bells are rung in order.
	Bells []Bell
	// Metrics takes how many sessions changed, in CloudWatch's embedded format;
	// nil means nobody.
	Metrics io.Writer
	// Log takes what could not be done; nil means slog.Default.
	Log *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Handler handles records in their order. It returns the ID of the first one
// that has to be delivered again, with all that follow it, "" if none has.
type Handler func(ctx context.Context, records []Record) (failed string)

// New returns the function's handler.
func New(c Config) Handler {
	if c.Metrics == nil {
		c.Metrics = io.Discard
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c.handle
}

// session is the changes of one session in a batch.
type session struct {
	Change
	first int // position of its first record
}

func (c Config) handle(ctx context.Context, records []Record) (failed string) {
	sessions := sessionsOf(records)
	counts := map[Kind]int{}
	stop := len(records)
	for _, s := range sessions {
		if err := c.ring(ctx, s.Change); err != nil {
			c.Log.LogAttrs(ctx, slog.LevelError, "bell", slog.String("project", string(s.Project)), slog.String("error", err.Error()))
			stop = s.first
			break
		}
		counts[s.Kind]++
	}
	c.count(ctx, counts)
	if stop == len(records) {
		return ""
	}
	return records[stop].ID
}

// sessionsOf returns the sessions that changed, in the order in which they first
// did, so that everything before a session that fails has been done.
func sessionsOf(records []Record) []*session {
	type key struct {
		project parley.ProjectID
		session parley.SessionID
	}
	var order []*session
	known := map[key]*session{}
	for i, r := range records {
		change, ok := changeOf(r.Change)
		if !ok {
			continue
		}
		k := key{change.Project, change.Session}
		s := known[k]
		if s == nil {
			s = &session{change, i}
			known[k] = s
			order = append(order, s)
			continue
		}
		s.Closed = s.Closed || change.Closed
		s.Waits = s.Waits || change.Waits
		s.Unmet = change.Unmet // as it is now
		if s.Kind == Changed || change.Kind == Erased {
			s.Kind = change.Kind
		}
	}
	return order
}

func (c Config) ring(ctx context.Context, change Change) error {
	for i, bell := range c.Bells {
		if err := bell(ctx, change); err != nil {
			return fmt.Errorf("bell %d: %w", i, err)
		}
	}
	return nil
}

// count writes the metric. One that is lost is no reason to do all again.
func (c Config) count(ctx context.Context, counts map[Kind]int) {
	for _, kind := range []Kind{Opened, Changed, Erased} {
		if counts[kind] == 0 {
			continue
		}
		err := emf.Write(c.Metrics, c.Now(), map[string]string{"Kind": string(kind)},
			emf.Metric{Name: "SessionChanges", Unit: emf.Count, Value: float64(counts[kind])})
		if err != nil {
			c.Log.ErrorContext(ctx, "metrics of the feed", "error", err)
		}
	}
}

// changeOf says which session a change of the table is of; ok is false for a
// change of something else.
func changeOf(c table.Change) (out Change, ok bool) {
	item := c.New
	if item == nil {
		item = c.Old
	}
	out.Kind = Changed
	out.Project, out.Session, ok = parley.HeadOf(item.Key())
	switch {
	case c.New == nil || c.New.Bool("erased"):
		out.Kind = Erased
	case c.Old == nil:
		out.Kind = Opened
	}
	was, is := parley.SessionOf(c.Old), parley.SessionOf(c.New)
	out.Waits = is.Waits() && !(was.Waits() && was.Asked == is.Asked)
	out.Unmet = is.Unmet > 0
	out.Closed = is.Closes > was.Closes
	return out, ok
}
