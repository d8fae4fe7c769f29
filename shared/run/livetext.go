package run

import "sync"

// liveText hands what the runner has logged to the reader in the same process,
// which so need not poll the table. The runner never waits for the reader:
// unread text stays here, and a reply has a limit.
type liveText struct {
	mu     sync.Mutex
	said   []byte
	pieces []piece // of what was added last
	closed bool    // the runner appends nothing more
	end    *End
	news   chan struct{} // closed and replaced whenever something changes
}

func newLiveText() *liveText { return &liveText{news: make(chan struct{})} }

func (l *liveText) change(do func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	do()
	close(l.news)
	l.news = make(chan struct{})
}

// add adds text that is durable, and the pieces in which readers get it, or nil.
func (l *liveText) add(s string, pieces []piece) {
	l.change(func() {
		// A reader who has not got yet what is said already gets it at once.
		l.pieces = append([]piece{{upto: len(l.said)}}, pieces...)
		l.said = append(l.said, s...)
	})
}

// finish adds the text that was stored together with the run's end, and that
// end.
func (l *liveText) finish(s string, end *End) {
	l.change(func() { l.said, l.end = append(l.said, s...), end })
}

func (l *liveText) close() { l.change(func() { l.closed = true }) }

// after returns the text from byte n on and its pieces, the end if it is known,
// whether more can follow, and a channel that closes at the next change.
func (l *liveText) after(n int) (text string, pieces []piece, end *End, closed bool, news <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.said[n:]), l.pieces, l.end, l.closed, l.news
}
