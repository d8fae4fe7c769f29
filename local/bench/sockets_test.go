package bench

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"parley/functions/feed"
	"parley/functions/push"
	"parley/shared/socket"
	"parley/shared/table/bolt"
)

// What AWS charges for WebSocket APIs, in dollars, published as the other prices.
const (
	priceSocketMessage = 1.00e-6 // in or out, of up to 32 KB
	priceSocketMinute  = 0.25e-6 // of a connection
)

// pings is how often clients say that they are there: SignalR's and Cossistant's.
const pings = 15 * time.Second

// socketBill is a bill with what a WebSocket API costs.
type socketBill struct {
	bill
	messages int
	minutes  float64
}

func (b socketBill) times(n float64) string {
	sockets := float64(b.messages)*priceSocketMessage + b.minutes*priceSocketMinute
	return fmt.Sprintf("%.3f: functions %.3f, table %.3f, sockets %.3f, rest %.3f",
		n*(b.total()+sockets), n*b.functions(), n*b.table(), n*sockets, n*b.rest())
}

// sockets is what worlds with clients over WebSockets have in common: clients who are
// all there, and the feed, which has them told what the table changed.
type sockets struct {
	t     *testing.T
	table *bolt.Table
	push  push.Handler
	// bell is the feed's that calls push for clients of this kind.
	bell func(call func(context.Context, push.Event) error) feed.Bell
	seen uint64 // of the table's changes

	mu    sync.Mutex
	posts int
}

var _ socket.Poster = (*sockets)(nil)

// Post implements socket.Poster.
func (s *sockets) Post(context.Context, socket.Ref, []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.posts++
	return nil
}

// Close implements socket.Poster.
func (*sockets) Close(context.Context, socket.Ref) error { return nil }

// Active implements socket.Poster.
func (*sockets) Active(context.Context, socket.Ref) (time.Time, error) { return time.Now(), nil }

// bells gives the table's changes to the feed, one by one, and does what it asks of
// push. It returns how many changes of sessions and calls of push these were.
func (s *sockets) bells() (changes, pushes int) {
	ring := feed.New(feed.Config{Log: slog.New(slog.DiscardHandler), Bells: []feed.Bell{
		func(context.Context, feed.Change) error { changes++; return nil },
		s.bell(func(ctx context.Context, e push.Event) error { pushes++; return s.push(ctx, e) })}})
	for {
		records, err := s.table.Changes(s.t.Context(), s.seen, 1000)
		fatal(s.t, err)
		if len(records) == 0 {
			return changes, pushes
		}
		for _, r := range records {
			s.seen = r.Seq
			if failed := ring(s.t.Context(), []feed.Record{{ID: "1", Change: r.Change}}); failed != "" {
				s.t.Fatal("a bell failed")
			}
		}
	}
}
