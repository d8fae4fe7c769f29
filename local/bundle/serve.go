package bundle

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	// grace is how long replies that are being generated may take to end when
	// Parley is stopped. What is not done then, the next start finds and ends.
	grace = 5 * time.Second
	// sweepEvery is the interval of the sweep, as in the template.
	sweepEvery = time.Minute
	// followAgain is the pause before a change that failed comes again.
	followAgain = time.Second
)

// Serve answers requests until ctx ends, then lets replies end for some
// seconds, and closes everything. An error is why it stopped by itself, or what
// could not be closed.
func (b *Bundle) Serve(ctx context.Context) error {
	requests, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	page, files := newServer(bounded(b.handler, b.limits), b.log), newServer(bounded(b.folder.files, b.limits), b.log)
	page.BaseContext = func(net.Listener) context.Context { return requests }

	failed := make(chan error, 2)
	go func() { failed <- b.page.serve(page) }()
	go func() { failed <- b.files.serve(files) }()
	var chores sync.WaitGroup
	chores.Go(b.sweepAlways)
	chores.Go(b.followAlways)

	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	case err = <-b.folder.damaged:
		err = b.folder.explain(err)
	}
	b.stop()
	chores.Wait()
	b.drain(page)
	b.stopSockets()
	cut()
	return errors.Join(err, page.Close(), files.Close(), b.close())
}

// drain waits for the replies under way, while no new request or frame comes in.
func (b *Bundle) drain(page *http.Server) {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	if page.Shutdown(ctx) != nil {
		return
	}
	b.drainSockets(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		b.responses.Wait()
	}()
	select {
	case <-ctx.Done():
	case <-ended:
	}
}

// sweepAlways sweeps at once, for what an earlier process has left, and then
// regularly.
func (b *Bundle) sweepAlways() {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		if err := b.sweep(b.stopping); err != nil && b.stopping.Err() == nil {
			b.log.Error("sweep", "error", err)
		}
		select {
		case <-b.stopping.Done():
			return
		case <-tick.C:
		}
	}
}

// followAlways hands every change of the table to the feed, as the stream does:
// what failed comes again.
func (b *Bundle) followAlways() {
	for b.stopping.Err() == nil {
		err := b.folder.table.Follow(b.stopping, b.hand)
		if b.stopping.Err() != nil {
			return
		}
		b.log.Error("follow", "error", err)
		select {
		case <-b.stopping.Done():
		case <-time.After(followAgain):
		}
	}
}

// untilStop ends requests when Parley stops that would else wait for news.
func (b *Bundle) untilStop(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		defer context.AfterFunc(b.stopping, cancel)()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}
