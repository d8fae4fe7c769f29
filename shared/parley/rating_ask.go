package parley

// The other policies of asking for a rating. Without any, a visitor rates
// whenever they like, and is asked only where the dialect's client cannot rate
// without being asked: when they have ended the session themself. Such a client may
// offer nothing else once it asks, which would leave a visitor stuck who had more
// to say.
const (
	CSATOnClose      CSATPolicy = "on_close"       // at every close
	CSATNotAfterIdle CSATPolicy = "not_after_idle" // but not at one for silence
	CSATSkipIfRated  CSATPolicy = "skip_if_rated"  // but not where a rating stands
)

// ratesWhenAsked reports whether clients of the channel let a visitor rate a
// session only after its order asks them to.
func (c Channel) ratesWhenAsked() bool { return c == ChannelOpenCX }

// asks reports whether a close of the session asks for a rating: one for silence,
// or one by whoever it is.
func (p *Project) asks(s *Session, by Author, idle bool) bool {
	switch p.CSAT {
	case CSATOnClose:
		return true
	case CSATNotAfterIdle:
		return !idle
	case CSATSkipIfRated:
		return s.Score == 0
	case "":
		return s.Channel.ratesWhenAsked() && by.Kind == AuthorUser
	}
	return false
}

// askRating asks for a rating in the very transaction that closes the session,
// so that nobody sees it closed and not asked.
func (c *change) askRating(by Author, idle bool) error {
	if !c.project.asks(c.session, by, idle) {
		return nil
	}
	return c.event(EventRatingAsked, Author{Kind: AuthorSystem})
}
