package bundle

import (
	"context"
	"errors"
	"strconv"
	"sync/atomic"
	"time"

	"parley/functions/feed"
	"parley/shared/parley"
	"parley/shared/table/bolt"
)

// pausesOfWork are those before what failed in the background is tried again, as
// the Lambda service does with an event; for a laptop they are short.
var pausesOfWork = []time.Duration{time.Second, 10 * time.Second}

// background does the work of a function that nobody waits for, until Parley
// stops; the log tells by the function's name what failed. If a change of the table
// asked for it, that change stays in the feed until it is done: what was not when
// Parley ended, however it ended, the next start does.
func (b *Bundle) background(ctx context.Context, function string, p parley.ProjectID, work func(context.Context) error) {
	done := keepChange(ctx)
	b.responses.Go(func() {
		if b.try(function, p, work) {
			done()
		}
	})
}

// try does something until it succeeds or was tried often enough.
func (b *Bundle) try(function string, p parley.ProjectID, work func(context.Context) error) (done bool) {
	for n := 0; ; n++ {
		err := work(b.stopping)
		if err == nil || b.stopping.Err() != nil {
			return err == nil
		}
		b.log.Error(function, "project", p, "error", err)
		if n == len(pausesOfWork) {
			return false
		}
		select {
		case <-b.stopping.Done():
			return false
		case <-time.After(pausesOfWork[n]):
		}
	}
}

// hand gives a change to the feed. It is done once nothing is under way that the
// feed's bells have begun for it.
func (b *Bundle) hand(ctx context.Context, r bolt.Record, done func()) error {
	c := &change{done: done}
	c.keep()
	id := strconv.FormatUint(r.Seq, 10)
	if b.feed(context.WithValue(ctx, changeKey{}, c), []feed.Record{{ID: id, Change: r.Change}}) != "" {
		return errors.New("the feed wants it again")
	}
	c.release()
	return nil
}

// change counts what is under way for a change of the table.
type change struct {
	underWay atomic.Int64
	done     func()
}

func (c *change) keep() { c.underWay.Add(1) }

func (c *change) release() {
	if c.underWay.Add(-1) == 0 {
		c.done()
	}
}

// changeKey is the key of the change that the feed is being given in a context.
type changeKey struct{}

// keepChange keeps the change that the feed is being given from being done until
// the function that it returns is called.
func keepChange(ctx context.Context) (release func()) {
	c, ok := ctx.Value(changeKey{}).(*change)
	if !ok {
		return func() {}
	}
	c.keep()
	return c.release
}
