package run

import (
	"context"
	"errors"
	"sync"
	"unicode/utf8"

	"parley/shared/agent"
	"parley/shared/parley"
)

// inbox collects what an agent says until the runner makes it durable.
type inbox struct {
	limit int // bytes of the whole reply
	news  chan struct{}
	done  chan struct{} // closed when the agent has said everything

	mu      sync.Mutex
	buf     []byte
	total   int
	stopped bool
	over    bool
	keeping []kept // in order, for the log
	result  agent.Result
	err     error
}

func newInbox(limit int) *inbox {
	return &inbox{limit: limit, news: make(chan struct{}, 1), done: make(chan struct{})}
}

var (
	errStopped = errors.New("the run is over")
	errFull    = errors.New("the reply has reached its limit")
)

// collect lets the agent speak.
func (b *inbox) collect(reply func() (agent.Result, error)) {
	result, err := reply()
	if errors.Is(err, errFull) {
		result.Truncated, err = true, nil
	}
	b.mu.Lock()
	b.over, b.result, b.err = true, result, err
	b.mu.Unlock()
	close(b.done)
	b.wake()
}

// kept is an entry that the agent wants in the log, and whom to tell.
type kept struct {
	entry parley.LogEntry
	done  chan error
}

// keep returns when an entry is durable in the log. An error means that it is
// not known to be; then the run is no longer this runner's, or ctx has ended.
func (b *inbox) keep(ctx context.Context, l parley.LogEntry) error {
	k := kept{l, make(chan error, 1)}
	b.mu.Lock()
	if b.stopped {
		b.mu.Unlock()
		return errStopped
	}
	b.keeping = append(b.keeping, k)
	b.mu.Unlock()
	b.wake()
	select {
	case err := <-k.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// wanted removes and returns what is to be kept.
func (b *inbox) wanted() []kept {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := b.keeping
	b.keeping = nil
	return all
}

func (b *inbox) wake() {
	select {
	case b.news <- struct{}{}:
	default:
	}
}

// add takes a delta; it is the agent's emit. Past the limit the text is cut
// and the agent told to stop.
func (b *inbox) add(delta string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stopped {
		return errStopped
	}
	full := b.total+len(delta) > b.limit
	if full {
		delta = delta[:cutAt(delta, b.limit-b.total)]
	}
	b.buf = append(b.buf, delta...)
	b.total += len(delta)
	b.wake()
	if full {
		return errFull
	}
	return nil
}

func (b *inbox) stop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stopped = true
}

// whole is how much of the buffer ends at a code point: a delta may split one.
func (b *inbox) whole() int {
	n := len(b.buf)
	for back := 1; back <= min(3, n); back++ {
		c := b.buf[n-back]
		if c < utf8.RuneSelf {
			return n
		}
		if utf8.RuneStart(c) {
			if utf8.FullRune(b.buf[n-back:]) {
				return n
			}
			return n - back
		}
	}
	return n
}

func (b *inbox) waiting() bool { text, _ := b.peek(); return text }

// peek reports whether there is text to flush, and whether the agent is done.
func (b *inbox) peek() (text, done bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.whole() > 0, b.over
}

// take removes at most n bytes of whole code points.
func (b *inbox) take(n int) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	text := string(b.buf[:b.whole()])
	text = text[:cutAt(text, n)]
	b.buf = b.buf[len(text):]
	return text
}

// rest removes everything.
func (b *inbox) rest() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	text := string(b.buf)
	b.buf = nil
	return text
}

func (b *inbox) outcome() (agent.Result, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.result, b.err
}
