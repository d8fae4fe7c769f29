package parley

import (
	"context"
	"errors"
	"time"

	"parley/shared/table"
)

// Mailbox reads what a page is to be told besides replies: messages of
// operators and of Parley itself, and that a human has the session or that it
// has closed. It is for one goroutine.
type Mailbox struct {
	store  *Store
	caller Caller
	id     SessionID
	// Session is as last read, nil while there is none.
	Session *Session
	// From is the entry up to which the page had everything when it asked, Upto
	// the one up to which everything has been considered.
	From, Upto Seq
	mark       pageMark
	// told is the entry up to which this page was told of events already, first the
	// first entry that this mailbox has given out, event whether that is an event.
	told, first Seq
	event       bool
}

// ReopenedSoon is how soon a page that received something asks anew. Our choice:
// less than the 3 s after which a browser repeats a request of which nothing had
// arrived.
const ReopenedSoon = 2500 * time.Millisecond

// gotEvery bounds how many entries a page mark lags behind, so that opening a
// mailbox reads little.
const gotEvery = 20

// OpenMail opens a mailbox and returns what is in it: after an entry, if resumed
// says that the page has everything up to that one, else what no page is known
// to have. A page opens its mailbox anew as soon as it has received something, but
// also for other reasons, while something is still on its way to it. So it is
// given messages again, under the ids by which it knows them, until it resumes
// after them. Events it cannot tell apart: one is given out only where nothing was
// before, and not again to who asks anew soon. A session that is not there has an empty
// mailbox. Opening is a sign of the page.
func (s *Store) OpenMail(ctx context.Context, c Caller, id SessionID, after Seq, resumed bool) (*Mailbox, []Entry, error) {
	m := &Mailbox{store: s, caller: c, id: id, Upto: max(after, 0)}
	if resumed {
		if quiet, err := m.quiet(ctx); quiet || err != nil {
			return m, nil, err
		}
	}
	err := m.read(ctx)
	if errors.Is(err, ErrNotFound) {
		return m, nil, nil
	}
	if err == nil {
		m.Session, err = s.wake(ctx, m.Session)
	}
	if err != nil {
		return nil, nil, err
	}
	got := min(m.Upto, m.Session.Seq)
	if !resumed {
		got = m.mark.got
		switch k := m.mark; {
		case k.sent <= k.got:
		case k.loads-k.sentLoads <= 1 && s.clock().UnixMilli()-k.sentAt <= ReopenedSoon.Milliseconds(): // the same page
			got = max(k.got, k.first)
		case k.sentLoads == k.loads:
			m.told = k.sent
		}
	}
	m.From, m.Upto = got, got
	letters, err := m.take(ctx)
	if err != nil {
		return nil, nil, err
	}
	if len(letters) == 0 {
		got = max(got, m.Upto)
	}
	return m, letters, m.note(ctx, got, len(letters) > 0, !resumed)
}

// Next returns what has come since.
func (m *Mailbox) Next(ctx context.Context) ([]Entry, error) {
	was := m.mark
	err := m.read(ctx)
	if errors.Is(err, ErrNotFound) {
		m.Session = nil
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	m.mark.loads = was.loads // of the page that opened this one
	letters, err := m.take(ctx)
	if err != nil || len(letters) == 0 {
		return nil, err
	}
	return letters, m.note(ctx, m.mark.got, true, false)
}

func (m *Mailbox) read(ctx context.Context) (err error) {
	m.Session, m.mark, err = m.store.openPage(ctx, m.caller, m.id, true)
	return err
}

// quiet reports whether a page that has everything up to Upto has nothing to be
// told, and nothing is to be noted of it. A page that stays open asks so over and
// over, and reads that may be a moment old cost half: what they miss it is told
// the next time.
func (m *Mailbox) quiet(ctx context.Context) (bool, error) {
	session, mark, err := m.store.openPage(ctx, m.caller, m.id, false)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	if err != nil || session.Seq != m.Upto || session.State == StateClosed || mark.sent > mark.got || m.Upto-mark.got >= gotEvery {
		return false, err
	}
	m.Session, m.mark, m.From = session, mark, m.Upto
	return true, nil
}

// take reads up to the newest entry of the session.
func (m *Mailbox) take(ctx context.Context) ([]Entry, error) {
	var letters []Entry
	for m.Upto < m.Session.Seq {
		entries, err := m.store.prefix(ctx, m.caller.Project, m.id, m.Upto, true)
		if err != nil {
			return nil, err
		}
		if len(entries) == 0 {
			break // erased meanwhile
		}
		for _, e := range entries {
			if e.Seq > m.Session.Seq {
				break
			}
			m.Upto = e.Seq
			is, err := m.letter(ctx, e)
			if err != nil {
				return nil, err
			}
			if is {
				letters = append(letters, e)
			}
		}
	}
	return m.deal(newestEvents(letters)), nil
}

// deal keeps of the letters what can be given out with what was: up to an event
// that would not be the first.
func (m *Mailbox) deal(letters []Entry) []Entry {
	for i, e := range letters {
		if m.first > 0 && !e.IsMessage() {
			m.Upto = e.Seq - 1
			return letters[:i]
		}
		if m.first == 0 {
			m.first, m.event = e.Seq, !e.IsMessage()
		}
	}
	return letters
}

// Gave reports whether the mailbox has given out anything: a page that has
// received that opens another one.
func (m *Mailbox) Gave() bool { return m.first > 0 }

// letter reports whether an entry is for the page. An event is, as long as it
// still says how the session stands.
func (m *Mailbox) letter(ctx context.Context, e Entry) (bool, error) {
	switch {
	case e.Erased, e.Internal:
		return false, nil
	case e.IsMessage():
		return e.Author.Kind == AuthorHuman || e.Author.Kind == AuthorSystem && e.Run == "" && !e.acknowledges(), nil
	case e.Seq <= m.told:
		return false, nil
	case e.Event == EventHandedOver || e.Event == EventTakenOver:
		if m.Session.Holder == HolderAI {
			return false, nil
		}
		return m.firstHuman(ctx, e.Seq)
	case e.Event == EventClosed:
		return m.Session.State != StateOpen && e.Reason != string(CloseByPage), nil
	}
	return e.Event == EventResolved && m.Session.State != StateOpen, nil
}

// newestEvents drops an event that a later one of its kind repeats.
func newestEvents(letters []Entry) []Entry {
	last := map[bool]Seq{}
	for _, e := range letters {
		if !e.IsMessage() {
			last[e.closes()] = e.Seq
		}
	}
	kept := letters[:0]
	for _, e := range letters {
		if e.IsMessage() || last[e.closes()] == e.Seq {
			kept = append(kept, e)
		}
	}
	return kept
}

func (e Entry) closes() bool { return e.Event == EventClosed || e.Event == EventResolved }

// lookBack is how many entries are searched for how a human came to have a session.
const lookBack = 200

// firstHuman reports whether the agent had the session before an event by which
// a human did: operators relieve each other, and come after they were asked for.
func (m *Mailbox) firstHuman(ctx context.Context, at Seq) (bool, error) {
	if at == 1 {
		return true, nil
	}
	before, err := m.store.downFrom(ctx, m.caller.Project, m.id, at-1, lookBack, func(Entry) bool { return true })
	if err != nil {
		return false, err
	}
	for _, e := range before {
		switch e.Event {
		case EventHandedBack:
			return true, nil
		case EventHandedOver, EventTakenOver:
			return false, nil
		}
	}
	return true, nil
}

// note keeps how far the page is known to have come, and before anything is
// written what is about to be. fresh says that the page asks anew: it has then
// also received the reply that was written to it.
func (m *Mailbox) note(ctx context.Context, got Seq, sends, fresh bool) error {
	k := m.mark
	sure := fresh && !sends && k.reply > 0 && !k.sure
	if !sends && !sure && k.sent <= k.got && got-k.got < gotEvery {
		return nil
	}
	if !sends && !sure && got <= k.got {
		return nil
	}
	up := table.Update(pageMarkKey(m.caller.Project, m.id))
	up.Set = table.Item{"got": int64(max(got, k.got))}
	if sure {
		up.If = append(up.If, table.Equal("reply", int64(k.reply)))
		up.Set["sure"] = true
	}
	if sends {
		up.Set["first"], up.Set["sent"] = int64(0), int64(m.Upto)
		if m.event {
			up.Set["first"] = int64(m.first)
		}
		up.Set["sent_at"], up.Set["sent_loads"] = m.store.clock().UnixMilli(), k.loads
	}
	err := m.store.movePage(ctx, m.caller.Project, m.id, k, up)
	if err == nil {
		m.mark.there = true
	}
	return err
}
