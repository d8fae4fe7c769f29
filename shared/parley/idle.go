package parley

import (
	"context"
	"time"
)

// withAgent reports whether the session is open and its agent answers. Only
// then does a visitor's silence mean anything: one who waits for a human has said
// what they want and is the one being kept waiting, and one who talks with a
// human is that human's to ask or to leave.
func (s *Session) withAgent() bool {
	return s.State == StateOpen && s.Holder == HolderAI && !s.Erased
}

// idleAt says when silence calls for something if it goes on, and whether for
// the prompt or for the close; zero if for nothing. Whatever happens in the
// session is a sign of life. A visitor who never said anything is not asked:
// their session is closed when the prompt would have gone unanswered.
func (s *Session) idleAt(p *Project) (at time.Time, prompt bool) {
	if !s.withAgent() || s.Run != nil {
		return time.Time{}, false
	}
	silent := time.UnixMilli(s.At).UTC()
	ask := time.Duration(p.IdlePromptSeconds) * time.Second
	close := time.Duration(p.IdleCloseSeconds) * time.Second
	switch {
	case ask > 0 && s.Spoke && !s.Prompted:
		return silent.Add(ask), true
	case close > 0 && !s.Prompted:
		return silent.Add(ask + close), false
	case close > 0:
		return silent.Add(close), false
	}
	return time.Time{}, false
}

// watch leaves a due entry when the change makes silence count that did not
// before. Where a run begins its own due entry does, and a turn costs no more.
func (c *change) watch() {
	if c.was != nil && c.was.withAgent() {
		return
	}
	at, _ := c.session.idleAt(c.project)
	if at.IsZero() {
		return
	}
	if at.Before(c.now) {
		at = c.now // what is due before was looked at already
	}
	c.due(jobKey(c.project.ID, c.session.ID, "look"), at, "")
}

// idle asks after a visitor who has been silent for long, and closes the session
// of one who is silent still. It returns the session as it is then.
func (s *Store) idle(ctx context.Context, p *Project, session *Session) (*Session, error) {
	at, prompt := session.idleAt(p)
	if at.IsZero() || at.After(s.clock()) {
		return session, nil
	}
	seen := session.Seq
	return s.change(ctx, p, session, func(c *change) error {
		if at, _ := c.session.idleAt(p); at.IsZero() || c.session.Seq != seen {
			return errNothing
		}
		if prompt {
			return c.ask()
		}
		c.state(StateClosed)
		return c.stick(EventClosed, Author{Kind: AuthorSystem}, CloseByIdle)
	})
}

// ask asks the visitor whether they are still there.
func (c *change) ask() error {
	text := c.project.Say(TextIdlePrompt, c.session.Language)
	if err := c.add(&Entry{Author: Author{Kind: AuthorSystem}, Text: text}); err != nil {
		return err
	}
	c.session.Prompted = true
	return nil
}
