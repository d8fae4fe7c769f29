// Package feed is the only consumer of the table's stream. It works like a bell:
// for every session that changed it wakes those who follow sessions, and counts.
// It calls no outside host and takes milliseconds, because a slow consumer would
// delay all others' changes.
package feed

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"parley/functions/internal/emf"
	"parley/shared/parley"
	"parley/shared/table"
)

// Record is one change of the table.
type Record struct {
	// ID is the record's position in the stream, by which a failure is reported.
	ID string
	table.Change
	// Changed is when the table changed, to about a second; zero where nobody says.
	Changed time.Time
}

// MaxLag is how far the feed may be behind the table before it logs an error, for
// which an alarm rings. Our choice: a push that comes a minute late is one that
// people see. Lambda has a metric for it (IteratorAge), but watching that costs more
// than all else of an idle month but the secret.
const MaxLag = time.Minute

// Kind says what happened to a session.
type Kind string

// The kinds of change.
const (
	Opened  Kind = "opened"
	Changed Kind = "changed"
	Erased  Kind = "erased" // or expired
)

// Change says that a session changed. It does not contain the new state, which
// the follower reads itself.
type Change struct {
	Project parley.ProjectID
	Session parley.SessionID
	Kind    Kind
	// After and Upto bound the entries that came: those after the one up to the other,
	// none where they are the same. The windows of all changes of a session follow one
	// another without a gap; one that is delivered again may reach further. Of what was
	// erased they say nothing.
	After, Upto parley.Seq
	// Channel is the dialect that the session is held in, "" of what was erased.
	Channel parley.Channel
	// Run is the reply that is being written, "" if none is. Ended is the one that ended
	// with the last entries of the change, "" if others came after them.
	Run, Ended parley.RunID
	// Moved says that its state differs, or whether it is archived, or whether its
	// visitor has left the page, of which there may be no entry.
	Moved bool
	// Closed says that a close of the session has become final.
	Closed bool
	// Waits says that a wait for a person has begun in it, and Waited when one began that
	// is over, in Unix milliseconds, 0 if none is.
	Waits  bool
	Waited int64
	// Unmet says that a person's answer in it waits for a page to meet it.
	Unmet bool
}

// Bell wakes a follower of sessions. It is called at least once for each change,
// but only once for several changes of a session in one batch.
type Bell func(ctx context.Context, c Change) error

// Config is what the function needs. All of it may be left out.
type Config struct {
	// Bells are rung in order.
	Bells []Bell
	// Metrics takes how many sessions changed, in CloudWatch's embedded format.
	Metrics emf.Log
	// Log takes errors of bells and metrics; nil means slog.Default.
	Log *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Handler handles records in order. It returns the ID of the first record that
// must be delivered again, together with all after it; "" if there is none.
type Handler func(ctx context.Context, records []Record) (failed string)

// New returns the function's handler.
func New(c Config) Handler {
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c.handle
}

// session is one session with its changes in a batch merged.
type session struct {
	Change
	first int // index of its first record in the batch
}

func (c Config) handle(ctx context.Context, records []Record) (failed string) {
	c.watch(ctx, records)
	sessions := sessionsOf(records)
	counts := map[Kind]int{}
	stop := len(records)
	for _, s := range sessions {
		if err := c.ring(ctx, s.Change); err != nil {
			if !errors.Is(ctx.Err(), context.Canceled) { // make run stops, and rings again when it is back
				c.Log.LogAttrs(ctx, slog.LevelError, "bell", slog.String("project", string(s.Project)), slog.String("error", err.Error()))
			}
			stop = s.first
			break
		}
		counts[s.Kind]++
		c.logWait(ctx, s.Change)
	}
	c.count(ctx, counts)
	if stop == len(records) {
		return ""
	}
	return records[stop].ID
}

// watch says when the feed has fallen behind, with the oldest of the records, which is
// the first.
func (c Config) watch(ctx context.Context, records []Record) {
	if len(records) == 0 || records[0].Changed.IsZero() {
		return
	}
	if lag := c.Now().Sub(records[0].Changed); lag > MaxLag {
		c.Log.LogAttrs(ctx, slog.LevelError, "the feed is behind the table", slog.Int("seconds", int(lag.Seconds())))
	}
}

// sessionsOf returns the changed sessions in the order of their first change. So
// when one fails, everything before its first record has been handled.
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
		s.merge(change)
	}
	return order
}

// merge makes the change one with the next of the same session. What says how the
// session is now is the next one's, what says that something happened is either's: but
// the end of a reply only until entries come after it.
func (c *Change) merge(next Change) {
	if next.Ended != "" || next.Upto > c.Upto {
		c.Ended = next.Ended
	}
	c.Upto, c.Channel, c.Run, c.Unmet = next.Upto, next.Channel, next.Run, next.Unmet
	c.Moved = c.Moved || next.Moved
	c.Closed = c.Closed || next.Closed
	c.Waits = c.Waits || next.Waits
	c.Waited = cmp.Or(c.Waited, next.Waited)
	if c.Kind == Changed || next.Kind == Erased {
		c.Kind = next.Kind
	}
}

func (c Config) ring(ctx context.Context, change Change) error {
	for i, bell := range c.Bells {
		if err := bell(ctx, change); err != nil {
			return fmt.Errorf("bell %d: %w", i, err)
		}
	}
	return nil
}

// logWait writes that somebody has begun to wait for a person, and for how long somebody
// did: the dashboard of template.yaml counts them.
func (c Config) logWait(ctx context.Context, s Change) {
	if s.Waited > 0 {
		c.Log.LogAttrs(ctx, slog.LevelInfo, "wait over", slog.String("project", string(s.Project)), slog.Int64("waitedMs", c.Now().UnixMilli()-s.Waited))
	}
	if s.Waits {
		c.Log.LogAttrs(ctx, slog.LevelInfo, "wait begun", slog.String("project", string(s.Project)))
	}
}

// count writes the metric. If that fails, the records are not delivered again
// for it.
func (c Config) count(ctx context.Context, counts map[Kind]int) {
	for _, kind := range []Kind{Opened, Changed, Erased} {
		if counts[kind] == 0 {
			continue
		}
		err := c.Metrics.Put(c.Now(), map[string]string{"Kind": string(kind)},
			emf.Metric{Name: "SessionChanges", Unit: emf.Count, Value: float64(counts[kind])})
		if err != nil {
			c.Log.ErrorContext(ctx, "metrics of the feed", "error", err)
		}
	}
}

// changeOf returns the session that a change of the table belongs to; ok is
// false for changes of other items.
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
	out.After, out.Upto, out.Channel = was.Seq, is.Seq, is.Channel
	if is.Run != nil {
		out.Run = is.Run.ID
	}
	if was.Run != nil && was.Run.ID != out.Run {
		out.Ended = was.Run.ID
	}
	out.Moved = is.State != was.State || is.Archived != was.Archived || (is.Left > 0) != (was.Left > 0)
	same := was.Waits() && is.Waits() && was.WaitingSince == is.WaitingSince
	out.Waits = is.Waits() && !same
	if was.Waits() && !same {
		out.Waited = was.WaitingSince
	}
	out.Unmet = is.Unmet > 0
	out.Closed = is.Closes > was.Closes
	return out, ok
}
