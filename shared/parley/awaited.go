package parley

import (
	"context"
	"time"

	"parley/shared/table"
)

// This file and mail.go keep what is known of what a page has received, for
// dialects whose pages never tell: Hissuno's. A write to a page that left
// succeeds; what a page holds is seen from what it asks next. One item of the
// session, its page mark, has the newest reply whose end was written to a page,
// how far it was told of the rest, and how many pages have come and gone: what
// was written to one is nothing to the next.

const markPage = "page"

// replayLife is how long a reply that no page has received is given to one that
// comes. Our choice: past it, the visitor has asked again.
const replayLife = 15 * time.Minute

// unshown is how long a reply that was written to a page may not have met a
// reader. A page shows at once that it has received it, by asking for its news; one
// that has not shown it for so long is taken to have. Our choice: where it is wrong
// a reply is shown twice.
const unshown = time.Minute

// pageMark is the mark as it is stored; the zero value is that of a session
// whose page has received nothing.
type pageMark struct {
	there bool
	// loads rises by 1 when a page is loaded and by 2 when one leaves: a page may ask
	// for its news before it says that it is there, and then has two numbers.
	loads int64
	// reply is the newest outcome whose end was written, at replyAt; sure says that
	// a later request has shown that it arrived.
	reply   Seq
	replyAt int64
	sure    bool
	// first is the event with which an answer began, if it did, and sent the newest
	// entry that it held besides replies, written last at sentAt, to the page of sentLoads; got is how
	// far a page is known to have come.
	first, sent, got  Seq
	sentAt, sentLoads int64
}

func pageMarkFrom(i table.Item) pageMark {
	return pageMark{there: i != nil, loads: i.Int("loads"), reply: Seq(i.Int("reply")), replyAt: i.Int("reply_at"),
		sure: i.Bool("sure"), first: Seq(i.Int("first")), sent: Seq(i.Int("sent")), got: Seq(i.Int("got")), sentAt: i.Int("sent_at"), sentLoads: i.Int("sent_loads")}
}

func pageMarkKey(p ProjectID, id SessionID) table.Key { return markKey(p, id, markPage, "") }

// openPage returns a session with its page mark, in one wave of reads.
func (s *Store) openPage(ctx context.Context, c Caller, id SessionID, consistent bool) (*Session, pageMark, error) {
	if CheckID("session", string(id)) != nil {
		return nil, pageMark{}, notFound("session")
	}
	items, err := s.table.Get(ctx, consistent, visitorKey(c.Project, c.Visitor), headKey(c.Project, id), pageMarkKey(c.Project, id))
	if err != nil {
		return nil, pageMark{}, unavailable(err)
	}
	if err := standingOf(items[0], c); err != nil {
		return nil, pageMark{}, err
	}
	session, err := present(c.Project, id, items[1])
	if err != nil {
		return nil, pageMark{}, err
	}
	return session, pageMarkFrom(items[2]), s.owns(ctx, c, session)
}

// movePage changes the page mark. Its first write checks that the session is
// there; later ones meet nothing once that is erased. What is refused because
// the mark has moved meanwhile is left as it is.
func (s *Store) movePage(ctx context.Context, p ProjectID, id SessionID, m pageMark, up table.Action) error {
	actions := []table.Action{up}
	if m.there {
		actions[0].If = append(actions[0].If, table.Exists())
	} else {
		actions = append(actions, checkThere(p, id))
	}
	err := s.write(ctx, actions)
	if refused(err) {
		return nil
	}
	return err
}

// Awaited is a reply that a page waits for or has missed.
type Awaited struct {
	// Session is the session as it is now.
	Session *Session
	// Run is the active run, or the one that Entry came of; "" if there is neither.
	Run RunID
	// Entry is the reply that no page has received; its Seq is 0 while Run is
	// active, and where nothing is missed. Run is "" where it is an acknowledgement.
	Entry Entry
	mark  pageMark
}

// Missed reports whether there is a reply that no page has received.
func (a Awaited) Missed() bool { return a.Entry.Seq > 0 }

// Awaited returns what a page that asks for a reply waits for. Asking is a sign
// of the page. ErrNotFound for a session that is not there.
func (s *Store) Awaited(ctx context.Context, c Caller, id SessionID) (Awaited, error) {
	session, mark, err := s.openPage(ctx, c, id, true)
	if err == nil {
		session, err = s.wake(ctx, session)
	}
	if err != nil {
		return Awaited{}, err
	}
	a := Awaited{Session: session, mark: mark}
	if session.Run != nil {
		a.Run = session.Run.ID
		return a, nil
	}
	a.Entry, err = s.missed(ctx, session, mark)
	a.Run = a.Entry.Run
	return a, err
}

// PageArrived is Awaited for a page that has just been loaded: what was being
// written to the one before is nothing to it.
func (s *Store) PageArrived(ctx context.Context, c Caller, id SessionID) (Awaited, error) {
	a, err := s.Awaited(ctx, c, id)
	if err != nil {
		return a, err
	}
	if s.unsure(a.mark) { // the beacon of the page before may still be under way
		if err := s.unwritten(ctx, c.Project, id, a.mark.reply); err != nil {
			return a, err
		}
		if a, err = s.Awaited(ctx, c, id); err != nil {
			return a, err
		}
	}
	return a, s.turnPage(ctx, c.Project, id, a.mark, 1)
}

// unsure reports whether a page that is gone may not have what was written to it.
func (s *Store) unsure(m pageMark) bool {
	return m.reply > 0 && !m.sure && s.clock().UnixMilli()-m.replyAt <= unshown.Milliseconds()
}

// turnPage makes what is written to a page from now on nothing to the next.
func (s *Store) turnPage(ctx context.Context, p ProjectID, id SessionID, m pageMark, by int64) error {
	up := table.Update(pageMarkKey(p, id))
	up.Add = map[string]int64{"loads": by}
	return s.movePage(ctx, p, id, m, up)
}

// PageLeft is Close for a page that is being unloaded: what was written to it
// just now may not have arrived.
func (s *Store) PageLeft(ctx context.Context, c Caller, id SessionID) error {
	_, m, err := s.openPage(ctx, c, id, true)
	if err != nil {
		return err
	}
	if err = s.turnPage(ctx, c.Project, id, m, 2); err != nil {
		return err
	}
	// What was written before the page was turned is seen now; nothing follows.
	if _, m, err = s.openPage(ctx, c, id, true); err != nil {
		return err
	}
	if s.unsure(m) {
		if err = s.unwritten(ctx, c.Project, id, m.reply); err != nil {
			return err
		}
	}
	return s.Close(ctx, c, id)
}

// Written notes that the end of a reply is about to be written to the page that
// Awaited, or PageArrived, answered. It changes nothing for a page that has been
// replaced meanwhile.
func (s *Store) Written(ctx context.Context, c Caller, a Awaited, reply Seq) error {
	up := table.Update(pageMarkKey(c.Project, a.Session.ID),
		table.EqualOrMissing("loads", a.mark.loads), table.AtMost("reply", int64(reply)-1))
	up.Set = table.Item{"reply": int64(reply), "reply_at": s.clock().UnixMilli()}
	up.Remove = []string{"sure"}
	return s.movePage(ctx, c.Project, a.Session.ID, a.mark, up)
}

// Unwritten takes Written back: the reader had left.
func (s *Store) Unwritten(ctx context.Context, c Caller, a Awaited, reply Seq) error {
	return s.unwritten(ctx, c.Project, a.Session.ID, reply)
}

func (s *Store) unwritten(ctx context.Context, p ProjectID, id SessionID, reply Seq) error {
	up := table.Update(pageMarkKey(p, id), table.Equal("reply", int64(reply)))
	up.Set = table.Item{"reply": int64(reply) - 1}
	return s.movePage(ctx, p, id, pageMark{there: true}, up)
}

// missedTail is how many of the newest entries are searched for a missed reply:
// it stands behind what came of the visitor's newest message.
const missedTail = 20

// missed returns the newest reply if no page has received it, a zero Entry if
// there is none.
func (s *Store) missed(ctx context.Context, session *Session, m pageMark) (Entry, error) {
	if session.Seq <= m.reply {
		return Entry{}, nil
	}
	tail, err := s.downFrom(ctx, session.Project, session.ID, session.Seq, missedTail, func(Entry) bool { return true })
	if err != nil {
		return Entry{}, err
	}
	for _, e := range tail {
		switch {
		case e.Seq <= m.reply, e.IsMessage() && e.Author.Kind == AuthorUser:
			return Entry{}, nil
		case e.Run == "" && !e.acknowledges():
			continue
		case e.Status == StatusCancelled, e.Erased, s.clock().Sub(e.Time()) > replayLife:
			return Entry{}, nil
		}
		return e, nil
	}
	return Entry{}, nil
}

// acknowledges reports whether an entry is the sentence that SendRequest.Acknowledge asks for.
func (e Entry) acknowledges() bool {
	return e.IsMessage() && e.Author.Kind == AuthorSystem && e.Run == "" && e.Of != ""
}
