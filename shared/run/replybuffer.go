package run

import (
	"context"
	"errors"
	"sync"
	"time"
	"unicode/utf8"

	"parley/shared/agent"
	"parley/shared/parley"
)

// replyBuffer stands between an agent and the runner that logs its reply: the
// agent adds text at its own speed, the runner takes it out for the next log
// entry. The agent never waits for the table, except where it asks for an entry
// of its own.
type replyBuffer struct {
	limit int // bytes of the whole reply
	// json bounds it as parley.EncodedBytes counts, 0 is no bound; encoded is what it
	// has of that.
	json, encoded int
	news          chan struct{}
	done          chan struct{} // closed when the agent has said everything

	mu      sync.Mutex
	buf     []byte
	came    []piece        // when the text in buf was added
	total   int            // bytes added, those taken included
	stopped bool           // nothing more is accepted
	ended   bool           // Reply has returned; result and err are set
	pending []pendingEntry // in the order they were asked for
	result  agent.Result
	err     error
}

func newReplyBuffer(c parley.Channel) *replyBuffer {
	return &replyBuffer{limit: c.MaxReplyBytes(), json: c.MaxJSONBytes(), news: make(chan struct{}, 1), done: make(chan struct{})}
}

var (
	errStopped = errors.New("the run is over")
	errFull    = errors.New("the reply has reached its limit")
)

// collect calls the agent's Reply and keeps what it returns. Reaching the limit
// is not a failure: the reply is stored as far as it goes and marked as
// truncated.
func (b *replyBuffer) collect(reply func() (agent.Result, error)) {
	result, err := reply()
	if errors.Is(err, errFull) {
		result.Truncated, err = true, nil
	}
	b.mu.Lock()
	b.ended, b.result, b.err = true, result, err
	b.mu.Unlock()
	close(b.done)
	b.wake()
}

// pendingEntry is a log entry that the agent asked for; done receives the result
// of appending it.
type pendingEntry struct {
	entry parley.LogEntry
	done  chan error
}

// record asks the runner to append an entry, and returns once it is durable.
// After an error nobody knows whether it is: this runner has lost the run, or
// ctx has ended.
func (b *replyBuffer) record(ctx context.Context, l parley.LogEntry) error {
	k := pendingEntry{l, make(chan error, 1)}
	b.mu.Lock()
	if b.stopped {
		b.mu.Unlock()
		return errStopped
	}
	b.pending = append(b.pending, k)
	b.mu.Unlock()
	b.wake()
	select {
	case err := <-k.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// takePending removes and returns the entries that are still to be appended.
func (b *replyBuffer) takePending() []pendingEntry {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := b.pending
	b.pending = nil
	return all
}

// wake never blocks: news holds one signal, and one is enough for any number of
// changes.
func (b *replyBuffer) wake() {
	select {
	case b.news <- struct{}{}:
	default:
	}
}

// add is the emit function that the agent calls with each delta. Text beyond the
// limit is cut off, and the error makes the agent stop.
func (b *replyBuffer) add(delta string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stopped {
		return errStopped
	}
	fits := b.fits(delta)
	full := fits < len(delta)
	delta = delta[:fits]
	b.buf = append(b.buf, delta...)
	b.total += len(delta)
	b.note(time.Now())
	b.wake()
	if full {
		return errFull
	}
	return nil
}

// fits returns how much of a delta there is room for, cut at a code point.
func (b *replyBuffer) fits(delta string) int {
	n := cutAt(delta, b.limit-b.total)
	if b.json == 0 {
		return n
	}
	for at, r := range delta[:n] {
		size := parley.EncodedBytes(string(r))
		if b.encoded+size > b.json {
			return at
		}
		b.encoded += size
	}
	return n
}

// note notes when the newest delta was added: as a piece of its own, unless it
// came with the one before.
func (b *replyBuffer) note(at time.Time) {
	if last := len(b.came) - 1; last >= 0 && at.Sub(b.came[last].at) < pieceGap {
		b.came[last].upto = b.total
		return
	}
	b.came = append(b.came, piece{b.total, at})
}

// stop makes every later call of the agent fail, so that it ends soon.
func (b *replyBuffer) stop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stopped = true
}

// completeBytes returns how much of the buffer can be stored as UTF-8. A
// provider may split a code point between two deltas; its first bytes wait for
// the rest.
func (b *replyBuffer) completeBytes() int {
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

func (b *replyBuffer) hasText() bool { text, _ := b.peek(); return text }

// peek reports whether there is text to flush, and whether the agent is done.
func (b *replyBuffer) peek() (text, done bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.completeBytes() > 0, b.ended
}

// takeText removes and returns at most n bytes, cut between code points, and when
// their parts were added. There must be some, see hasText.
func (b *replyBuffer) takeText(n int) (text string, came []piece) {
	b.mu.Lock()
	defer b.mu.Unlock()
	text = string(b.buf[:b.completeBytes()])
	text = text[:cutAt(text, n)]
	b.buf = b.buf[len(text):]
	taken := b.total - len(b.buf)
	for b.came[0].upto < taken {
		came, b.came = append(came, b.came[0]), b.came[1:]
	}
	came = append(came, piece{taken, b.came[0].at})
	if b.came[0].upto == taken {
		b.came = b.came[1:]
	}
	return text, came
}

// rest is everything that has not been taken, an incomplete code point at the end
// included.
func (b *replyBuffer) rest() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return string(b.buf)
}

// returned is what the agent's Reply returned; call it once the agent is done.
func (b *replyBuffer) returned() (agent.Result, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.result, b.err
}
