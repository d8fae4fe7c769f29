package live_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"parley/shared/live"
	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/socket"
)

// slowPoster takes a second for each frame.
type slowPoster struct {
	mu     sync.Mutex
	busy   int // posts under way
	most   int
	got    map[string][]string
	closed []string
	refuse map[string]error
}

func (p *slowPoster) Post(_ context.Context, to socket.Ref, frame []byte) error {
	p.mu.Lock()
	p.busy++
	p.most = max(p.most, p.busy)
	p.mu.Unlock()
	time.Sleep(time.Second)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.busy--
	if err := p.refuse[to.ID]; err != nil {
		return err
	}
	p.got[to.ID] = append(p.got[to.ID], string(frame))
	return nil
}

func (p *slowPoster) Close(_ context.Context, to socket.Ref) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = append(p.closed, to.ID)
	return nil
}

func (p *slowPoster) Active(context.Context, socket.Ref) (time.Time, error) {
	return time.Time{}, nil
}

// TestDeliver: frames go to eight connections at a time and to each in order; one that
// is gone is forgotten and one that fails harms no other.
func TestDeliver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := parleytest.Store(t, parley.Config{})
		parleytest.Put(t, store, parleytest.Settings())
		p := &slowPoster{got: map[string][]string{}, refuse: map[string]error{"c3": socket.ErrGone, "c4": errors.New("500"), "c5": socket.ErrBusy}}
		l, err := live.New(live.Config{Store: store, Poster: p, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		var all []parley.Connection
		for n := range 20 {
			c := parley.Connection{Ref: socket.Ref{API: "console", ID: fmt.Sprint("c", n)}, Project: "demo", Caller: parleytest.Operator(), Ready: n != 6}
			if err := store.Connect(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			all = append(all, c)
		}
		l.Deliver(t.Context(), all, func(c parley.Connection) [][]byte { return [][]byte{[]byte("1 " + c.ID), []byte("2 " + c.ID)} })
		for _, c := range all {
			want := []string{"1 " + c.ID, "2 " + c.ID}
			if p.refuse[c.ID] != nil || !c.Ready {
				want = nil
			}
			if !slices.Equal(p.got[c.ID], want) {
				t.Errorf("%s got %q", c.ID, p.got[c.ID])
			}
			_, err := store.ConnectionOf(t.Context(), c.Ref)
			if gone := errors.Is(err, parley.ErrNotFound); gone != (c.ID == "c3") {
				t.Errorf("%s: %v", c.ID, err)
			}
		}
		if p.most != 8 || !slices.Equal(p.closed, []string{"c3"}) {
			t.Errorf("%d posts at a time, closed %q", p.most, p.closed)
		}
	})
}

func TestNew(t *testing.T) {
	if _, err := live.New(live.Config{}); err == nil {
		t.Error("New without what it needs succeeded")
	}
}
