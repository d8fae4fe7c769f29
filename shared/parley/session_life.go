package parley

import (
	"cmp"
	"context"
	"time"
)

// This file is a session's life: who begins and ends its states, who answers in
// it, and what undoes what.
//
//	from       to         by                                     undone by
//	open       closing    the page left, the agent's goodbye     a sign of the page, a message, a person
//	closing    closed     the grace period, a person             a message
//	open       closed     silence, nobody answered, a person     a message (not ChatHub)
//	open       closed     the visitor who ends it                a message (not ChatHub)
//	any        resolved   the visitor's button, a person         a message (native, Hissuno), a person
//	any        spam       a person                               a person
//	any        archived   a person; beside the state             a message, a person
//
// Closing is a close that can still be undone: StateClosed with a time at which it
// settles; see Session.Closing. A close that has settled, like a resolve, has a
// number and a place in the session's order.
//
// Who answers is the agent, until a person is asked for or takes over, and again
// from when the session is handed back. While a person is waited for or has the
// session, nothing ends it but people: that the page has left is only noted.

// CloseReason says why a session closed. It is the Reason of the entry with
// EventClosed.
type CloseReason string

// The reasons.
const (
	CloseByPage       CloseReason = "page"       // the page said that it is gone
	CloseByGoodbye    CloseReason = "goodbye"    // the agent said goodbye
	CloseByIdle       CloseReason = "idle"       // nobody has said anything for long
	CloseByUnanswered CloseReason = "unanswered" // a person was asked for, and none came
	CloseByStaff      CloseReason = "staff"      // an operator or the project's server closed it
	CloseByVisitor    CloseReason = "visitor"    // the visitor ended it, not only their page
)

// Closing reports whether a close is pending, which a sign of the page undoes.
func (s *Session) Closing() bool { return s.State == StateClosed && s.Settles > 0 }

// Over reports whether the session has ended for good, as far as it ever does: it
// is resolved, or a close of it has settled.
func (s *Session) Over() bool {
	return s.State == StateResolved || s.State == StateClosed && !s.Closing()
}

// Waits reports whether a person is waited for who has not come.
func (s *Session) Waits() bool {
	return s.State == StateOpen && s.Holder == HolderWaiting && s.WaitingSince > 0
}

// withAgent reports whether the session is open and its agent answers. Only
// then does a visitor's silence mean anything: one who waits for a person has said
// what they want and is the one being kept waiting, and one who talks with a
// person is that person's to ask or to leave.
func (s *Session) withAgent() bool {
	return s.State == StateOpen && s.Holder == HolderAI && !s.Erased
}

// state moves the session to a state and drops a pending close.
func (c *change) state(to State) {
	c.moved = c.moved || c.session.State != to
	c.session.State, c.session.Settles, c.session.ClosingFor, c.session.Prompted = to, 0, "", false
}

// holder gives the session to somebody. A person is waited for from when one is
// asked for until one writes or the agent has the session again. A close that is
// pending ends with the agent's turn: people decide now.
func (c *change) holder(to Holder, by OperatorID) {
	if to != HolderAI && c.session.Closing() {
		c.state(StateOpen)
	}
	c.moved = c.moved || c.session.Holder != to
	c.session.Holder, c.session.Operator, c.session.Prompted = to, by, false
	switch {
	case to == HolderAI:
		c.session.WaitingSince = 0
	case to == HolderWaiting && c.session.WaitingSince == 0:
		c.session.WaitingSince = c.now.UnixMilli()
	}
}

// Close is the page's hint that it is gone. It never stops a run. Closing
// again, or what is not open, changes nothing. A session that a person has, or in
// which one is waited for, stays open. It counts against the bounds of the day, for
// the next sign of the page undoes it. budget_spent, of kind ErrLimit.
func (s *Store) Close(ctx context.Context, c Caller, id SessionID) error {
	p, session, err := s.openToChange(ctx, c, id)
	if err != nil {
		return err
	}
	spent := &spending{store: s, project: p, caller: c}
	_, err = s.change(ctx, p, session, func(ch *change) error {
		gone := ch.session.Left > 0 && ch.session.Holder != HolderAI
		if ch.session.State != StateOpen || gone {
			return errNothing
		}
		ch.session.Left = ch.now.UnixMilli()
		if ch.session.Holder == HolderAI {
			ch.closing(CloseByPage)
		}
		return spent.guard(ch)
	})
	spent.count(ctx, err)
	return err
}

// closing closes the session in a way that a sign of the page can undo until
// the project's grace period has passed.
func (c *change) closing(why CloseReason) {
	at := c.now.Add(c.project.Settle())
	c.state(StateClosed)
	c.session.Settles, c.session.ClosingFor = at.UnixMilli(), why
	c.lookAt(at)
}

// away reports whether the page said that it is gone, or the agent said goodbye, and
// the session is not over for it.
func (s *Session) away() bool { return s.Closing() || s.State == StateOpen && s.Left > 0 }

// AwaitsSign reports whether a sign of the page would change the session.
func (s *Session) AwaitsSign() bool { return s.away() || s.Unmet > 0 }

// wake is a sign of the page: it undoes a pending close, the page has not left, and
// it has met what a person answered. Where there is nothing to undo it costs nothing.
func (s *Store) wake(ctx context.Context, session *Session) (*Session, error) {
	if !session.AwaitsSign() {
		return session, nil
	}
	p, err := s.Project(ctx, session.Project)
	if err != nil {
		return nil, err
	}
	return s.change(ctx, p, session, func(c *change) error {
		if !c.session.AwaitsSign() {
			return errNothing
		}
		if c.session.away() {
			c.state(StateOpen)
			c.session.Left = 0
		}
		c.session.Unmet = 0
		return nil
	})
}

// settle makes a close stick whose time has come.
func (s *Store) settle(ctx context.Context, p *Project, session *Session) (*Session, error) {
	return s.change(ctx, p, session, func(c *change) error {
		if !c.session.Closing() || c.now.UnixMilli() < c.session.Settles {
			return errNothing
		}
		return c.end(StateClosed, Author{Kind: AuthorSystem}, c.session.ClosingFor)
	})
}

// end closes or resolves the session until it is reopened: the close gets its
// number and its place in the order, is reviewed, and may ask for a rating.
func (c *change) end(to State, by Author, why CloseReason) error {
	c.state(to)
	c.session.Closes++
	if !c.project.Reviews.Disabled {
		c.followUp(FollowerReview, c.now.Add(reviewDue))
	}
	kind := EventClosed
	if to == StateResolved {
		kind = EventResolved
	}
	if err := c.add(&Entry{Event: kind, Author: by, Reason: string(why), Close: c.session.Closes}); err != nil {
		return err
	}
	return c.askRating(by, why == CloseByIdle || why == CloseByUnanswered)
}

// End closes a session at once because its visitor has ended it, whoever answers in
// it. What the agent writes and what waits is ended in the same transaction. Of what
// is over already, or spam, it changes nothing. It returns the session as it is then.
//
// Its EventClosed is the visitor's and has the reason CloseByVisitor: by these a
// dialect tells who ended a session.
func (s *Store) End(ctx context.Context, c Caller, id SessionID) (*Session, error) {
	if c.staff() {
		return nil, denied("visitors_only", "this call is for visitors")
	}
	p, session, err := s.openToChange(ctx, c, id)
	if err != nil {
		return nil, err
	}
	stopped, err := s.stop(ctx, p, session, "", StatusCancelled, func(ch *change) error {
		if ch.session.Over() || ch.session.State == StateSpam {
			return errNothing
		}
		if err := ch.end(StateClosed, c.Author(), CloseByVisitor); err != nil {
			return err
		}
		return s.guard(ch, c)
	})
	return stopped.Session, err
}

// Resolve settles the matter at once, for a person who asked for it.
func (s *Store) Resolve(ctx context.Context, c Caller, id SessionID, by Author) error {
	p, session, err := s.openToChange(ctx, c, id)
	if err != nil {
		return err
	}
	_, err = s.change(ctx, p, session, func(ch *change) error {
		if ch.session.State == StateResolved {
			return errNothing
		}
		if err := ch.end(StateResolved, by, ""); err != nil {
			return err
		}
		return s.guard(ch, c)
	})
	return err
}

// CloseNow closes a session at once, for a person who asked for it: no sign of
// the page undoes it, only a message does.
func (s *Store) CloseNow(ctx context.Context, c Caller, id SessionID, by Author) error {
	return s.operate(ctx, c, id, func(ch *change) error {
		if ch.session.State == StateClosed && !ch.session.Closing() {
			return errNothing
		}
		return ch.end(StateClosed, by, CloseByStaff)
	})
}

// Reopen makes a session open, whatever it was.
func (s *Store) Reopen(ctx context.Context, c Caller, id SessionID, by Author) error {
	return s.operate(ctx, c, id, func(ch *change) error {
		if ch.session.State == StateOpen {
			return errNothing
		}
		return ch.reopen(by)
	})
}

// reopen makes the session open; a close that is only pending just goes away.
// Who was waited for when it ended is waited for anew.
func (c *change) reopen(by Author) error {
	was, pending := c.session.State, c.session.Closing()
	if was == StateOpen {
		return nil
	}
	c.state(StateOpen)
	if pending {
		return nil
	}
	if c.session.Holder == HolderWaiting {
		c.session.WaitingSince = c.now.UnixMilli()
	}
	return c.add(&Entry{Event: EventReopened, Author: by, Internal: was == StateSpam})
}

// writtenTo makes the session open for a visitor's message, or refuses that:
// session_closed, of kind ErrConflict.
func (c *change) writtenTo(by Author) error {
	session := c.session
	if session.State == StateSpam || session.State == StateResolved && !session.Channel.reopens() ||
		session.Archived && !session.Channel.unarchives() ||
		session.Over() && session.Channel.endsForGood() {
		return conflict("session_closed", "this session is closed")
	}
	c.archive(false)
	session.Left, session.Unmet = 0, 0
	return c.reopen(by)
}

// MarkSpam refuses what the visitor sends to the session until it is reopened.
// What the agent writes and what waits is ended. It is no close: it has no
// number, and the visitor is not told.
func (s *Store) MarkSpam(ctx context.Context, c Caller, id SessionID, by Author) error {
	p, session, err := s.openToOperate(ctx, c, id)
	if err != nil {
		return err
	}
	_, err = s.stop(ctx, p, session, "", StatusCancelled, func(ch *change) error {
		if ch.session.State == StateSpam {
			return errNothing
		}
		ch.state(StateSpam)
		return ch.add(&Entry{Event: EventSpam, Author: by, Internal: true})
	})
	return err
}

// Archive puts a session out of the way of the other lists, or back. The
// visitor's next message brings it back too.
func (s *Store) Archive(ctx context.Context, c Caller, id SessionID, archived bool) error {
	return s.operate(ctx, c, id, func(ch *change) error {
		if ch.session.Archived == archived {
			return errNothing
		}
		ch.archive(archived)
		return nil
	})
}

func (c *change) archive(archived bool) {
	c.moved = c.moved || c.session.Archived != archived
	c.session.Archived = archived
}

// TakeOver gives the session to the calling operator. After it returns no text
// of an agent is added: what ran and what waited is ended in the same transaction.
func (s *Store) TakeOver(ctx context.Context, c Caller, id SessionID, by Author) error {
	if !c.staff() {
		return errOperatorsOnly()
	}
	p, err := s.Project(ctx, c.Project)
	if err != nil {
		return err
	}
	return s.whileJoining(ctx, c, id, func(session *Session, part participation) error {
		_, err := s.stop(ctx, p, session, "", StatusTakenOver, func(ch *change) error {
			if ch.session.Holder == HolderHuman && ch.session.Operator == c.Operator {
				return errNothing
			}
			return ch.takeOver(part, by)
		})
		return err
	})
}

func (c *change) takeOver(part participation, by Author) error {
	c.holder(HolderHuman, part.operator)
	return c.add(&Entry{Event: EventTakenOver, Author: by, Joins: c.join(part)})
}

// handOver has a person waited for, because the agent asked for one; why is for
// operators. A visitor whose page left while the agent was still writing waits
// too: a close by the page, even one that has settled, is undone.
func (c *change) handOver(why string) error {
	if c.session.State == StateClosed && c.session.Left > 0 {
		if err := c.reopen(Author{Kind: AuthorSystem}); err != nil {
			return err
		}
	}
	c.holder(HolderWaiting, "")
	return c.add(&Entry{Event: EventHandedOver, Author: Author{Kind: AuthorSystem}, Reason: cut(why, MaxReasonBytes)})
}

// HandBack lets the agent answer the session again. If the page has left
// meanwhile, the session closes as it would have then.
func (s *Store) HandBack(ctx context.Context, c Caller, id SessionID, by Author) error {
	return s.operate(ctx, c, id, func(ch *change) error {
		if ch.session.Holder == HolderAI {
			return errNothing
		}
		if err := ch.handBack(by); err != nil {
			return err
		}
		if ch.session.State == StateOpen && ch.session.Left > 0 {
			ch.closing(CloseByPage)
		}
		return nil
	})
}

func (c *change) handBack(by Author) error {
	c.holder(HolderAI, "")
	return c.event(EventHandedBack, by)
}

// operate changes a session for an operator or the project's server.
func (s *Store) operate(ctx context.Context, c Caller, id SessionID, build func(*change) error) error {
	p, session, err := s.openToOperate(ctx, c, id)
	if err != nil {
		return err
	}
	_, err = s.change(ctx, p, session, build)
	return err
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
	close := cmp.Or(time.Duration(p.IdleCloseSeconds)*time.Second, s.Channel.idleClose())
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

// idleClose is how long a session of the channel may be silent where the project says
// nothing; 0 means for ever. Hissuno's widget leaves a session without a word for the
// next one, under an id that it then forgets. Our choice: twice as long as the widget
// itself waits by default before it closes one that it still shows.
func (c Channel) idleClose() time.Duration {
	if c == ChannelHissuno {
		return time.Hour
	}
	return 0
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
		if !prompt {
			return c.end(StateClosed, Author{Kind: AuthorSystem}, CloseByIdle)
		}
		err := c.say(TextIdlePrompt)
		c.session.Prompted = true
		return err
	})
}

// unansweredAt is when the session ends because a person was asked for and none
// has written; zero if it does not.
func (s *Session) unansweredAt(p *Project) time.Time {
	if p.UnansweredCloseSeconds == 0 || s.State != StateOpen || s.WaitingSince == 0 || s.Erased {
		return time.Time{}
	}
	return time.UnixMilli(s.WaitingSince).UTC().Add(time.Duration(p.UnansweredCloseSeconds) * time.Second)
}

// unanswered ends a session in which nobody has answered for as long as the
// project allows. The visitor is told, and the agent answers if they come back:
// they may ask for a person again.
func (s *Store) unanswered(ctx context.Context, p *Project, session *Session) (*Session, error) {
	late := func(s *Session, now time.Time) bool {
		at := s.unansweredAt(p)
		return !at.IsZero() && !at.After(now)
	}
	if !late(session, s.clock()) {
		return session, nil
	}
	return s.change(ctx, p, session, func(c *change) error {
		if !late(c.session, c.now) {
			return errNothing
		}
		if err := c.say(TextUnanswered); err != nil {
			return err
		}
		if err := c.handBack(Author{Kind: AuthorSystem}); err != nil {
			return err
		}
		return c.end(StateClosed, Author{Kind: AuthorSystem}, CloseByUnanswered)
	})
}

// say adds a sentence of Parley's own.
func (c *change) say(key string) error {
	return c.add(&Entry{Author: Author{Kind: AuthorSystem}, Text: c.project.Say(key, c.session.Language)})
}

// watch leaves a due entry when the change makes silence count that did not
// before. Where a run begins its own due entry does, and a turn costs no more.
func (c *change) watch() {
	var at time.Time
	switch {
	case c.session.WaitingSince > 0:
		if c.was == nil || c.was.unansweredAt(c.project).IsZero() {
			at = c.session.unansweredAt(c.project)
		}
	case c.was == nil || !c.was.withAgent():
		at, _ = c.session.idleAt(c.project)
	}
	if at.IsZero() {
		return
	}
	if at.Before(c.now) {
		at = c.now // what is due before was looked at already
	}
	c.lookAt(at)
}

// lookAt has the sweep look at the session at a time.
func (c *change) lookAt(at time.Time) { c.due(jobKey(c.project.ID, c.session.ID, "look"), at, "") }
