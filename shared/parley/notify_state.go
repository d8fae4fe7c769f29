package parley

import (
	"context"
	"slices"
	"time"

	"parley/shared/table"
)

// Wait is a session that waits for a person, as people are told of it.
type Wait struct {
	Session *Session
	// Person is who waits: what is known, or was said, of their name and e-mail.
	Person Contact
	// Question is the visitor's newest message, "" where they have written none.
	Question string
	// Reason says why a person was asked for, where the agent or a rule did and
	// said so; "" otherwise.
	Reason string
}

// waitEntries is how far back the visitor's newest message is looked for. Our
// choice: a few notes and events may follow it.
const waitEntries = 30

// ReadWait returns what there is to tell of a session that waits. ErrNotFound if
// it does not, or is gone.
func (s *Store) ReadWait(ctx context.Context, p ProjectID, id SessionID) (Wait, error) {
	session, err := s.head(ctx, p, id)
	if err != nil {
		return Wait{}, err
	}
	if !session.Waits() {
		return Wait{}, notFound("wait")
	}
	w := Wait{Session: session}
	if w.Person, err = s.personOf(ctx, session); err != nil {
		return Wait{}, err
	}
	newest, err := s.downFrom(ctx, p, id, session.Seq, waitEntries, func(Entry) bool { return true })
	if err != nil {
		return Wait{}, err
	}
	for _, e := range newest { // the newest first
		switch {
		case w.Question == "" && e.IsMessage() && !e.Internal && e.Author.Kind == AuthorUser:
			w.Question = e.Text
		case w.Reason == "" && e.Event == EventHandedOver && e.At >= session.WaitingSince:
			w.Reason = e.Reason
		}
	}
	return w, nil
}

// personOf reads what is known, or was said, of whose session it is.
func (s *Store) personOf(ctx context.Context, session *Session) (Contact, error) {
	keys := ownerKeys(session.Project, session.Owner)
	found, err := s.getAll(ctx, false, keys)
	if err != nil {
		return Contact{}, err
	}
	return personFrom(session.Owner, keys, found)
}

// Told is what people have been told, in one way, of a wait.
type Told struct {
	// Wait is when it began: Session.WaitingSince, by which one wait of a session is told
	// from another.
	Wait int64 `json:"wait"`
	// Times is how often it was told, or given up, and At when last, in milliseconds.
	Times int   `json:"times,omitempty"`
	At    int64 `json:"at,omitempty"`
	// Failed counts the attempts since then that failed.
	Failed int `json:"failed,omitempty"`
}

// Told returns what people have been told of a wait; a zero one but for Wait if
// nothing.
func (s *Store) Told(ctx context.Context, p ProjectID, id SessionID, w Way, wait int64) (Told, error) {
	return read(ctx, s, true, toldKey(p, id, w), func(item table.Item) (t Told, err error) {
		if err = decode(item, "what was told", &t); t.Wait != wait {
			t = Told{Wait: wait}
		}
		return t, err
	})
}

// PutTold stores what people have been told. A session that is gone is nothing to
// tell of.
func (s *Store) PutTold(ctx context.Context, p ProjectID, id SessionID, w Way, t Told) error {
	item, err := record(toldKey(p, id, w), "what was told", t, nil)
	if err != nil {
		return err
	}
	return unrefused(s.write(ctx, table.Put(item), checkThere(p, id)))
}

// Awaiting is a wait that is still to be told.
type Awaiting struct {
	Session SessionID `json:"session"`
	// Told is what people know of it so far.
	Told Told `json:"told"`
}

// maxAwaiting is how many sessions are told of in one message. Our choice: the
// item stays below 16 KB; who comes later has the next one.
const maxAwaiting = 100

// noticeLife is how long the item of a project's last message stands.
const noticeLife = 24 * time.Hour

// notices is the item of a project's messages in one way.
type notices struct {
	at      int64 // when the last one was sent, in milliseconds
	nonce   string
	waiting []Awaiting // those to be told with the next one
}

// NoticeTurn has a message sent of a session that waits, unless another one was
// within the last NotifyGap. Then it is told with the next one, by whoever sends
// that, and later says when there can be one. Else others are the waits to be
// told in this message besides; whoever asks for them again before they are
// PutTold has a turn of their own.
func (s *Store) NoticeTurn(ctx context.Context, p ProjectID, w Way, mine Awaiting) (others []Awaiting, later time.Time, err error) {
	err = again(func() error {
		n, err := s.notices(ctx, p, w)
		if err != nil {
			return err
		}
		is := func(a Awaiting) bool { return a.Session == mine.Session }
		now, next := s.clock(), time.UnixMilli(n.at).Add(NotifyGap)
		mustWait := n.at > 0 && next.After(now)
		queued := slices.ContainsFunc(n.waiting, is)
		others, later = nil, next
		if mustWait && (queued || len(n.waiting) >= maxAwaiting) {
			return nil
		}
		changed := notices{at: n.at, waiting: append(slices.Clone(n.waiting), mine)}
		if !mustWait {
			changed = notices{at: now.UnixMilli()}
			others, later = slices.DeleteFunc(n.waiting, is), time.Time{}
		}
		return s.putNotices(ctx, p, w, n.nonce, changed)
	})
	return others, later, err
}

func (s *Store) notices(ctx context.Context, p ProjectID, w Way) (notices, error) {
	return read(ctx, s, true, noticeKey(p, w), func(item table.Item) (n notices, err error) {
		n.at, n.nonce = item.Int("at"), item.String("nonce")
		err = decode(item, "who is to be told of", &n.waiting)
		return n, err
	})
}

// putNotices replaces the item of this nonce, "" where there is none.
func (s *Store) putNotices(ctx context.Context, p ProjectID, w Way, nonce string, n notices) error {
	item, err := record(noticeKey(p, w), "who is to be told of", n.waiting, table.Item{"at": n.at, "nonce": s.newID(),
		table.ExpiresAt: s.clock().Add(noticeLife).Unix()})
	if err != nil {
		return err
	}
	condition := table.Equal("nonce", nonce)
	if nonce == "" {
		condition = table.Absent()
	}
	return s.write(ctx, table.Put(item, condition))
}
