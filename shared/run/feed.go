package run

import "sync"

// feed hands the runner's durable text to the reader in its own process. The
// runner never waits for it: what is not read yet is kept, and a reply is bounded.
type feed struct {
	mu     sync.Mutex
	said   []byte
	closed bool
	end    *End
	news   chan struct{} // closed and replaced whenever something changes
}

func newFeed() *feed { return &feed{news: make(chan struct{})} }

func (f *feed) change(do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	do()
	close(f.news)
	f.news = make(chan struct{})
}

func (f *feed) text(s string) { f.change(func() { f.said = append(f.said, s...) }) }

// finish adds the last text and the end.
func (f *feed) finish(s string, end *End) {
	f.change(func() { f.said, f.end = append(f.said, s...), end })
}

func (f *feed) close() { f.change(func() { f.closed = true }) }

// after returns the text after a byte, the end if it is known, whether there
// will be no more, and what to wait on for news.
func (f *feed) after(n int) (text string, end *End, closed bool, news <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if n < len(f.said) {
		text = string(f.said[n:])
	}
	return text, f.end, f.closed, f.news
}
