package parley

import (
	"context"
	"time"

	"parley/shared/table"
)

// Typing is that an operator writes to a visitor just now. It is no entry: what is
// kept of it is one small item of the session, with an end of its own, which pages
// without a socket read beside the session's item.
type Typing struct {
	// By is who types, as visitors see them.
	By Author
	// At is when that was last said, in milliseconds.
	At int64
}

// Times of typing. Our choices.
const (
	// TypingLife is how long somebody is shown as typing after it was said; whoever
	// goes on typing says so again within it.
	TypingLife = 6 * time.Second
	// typingEvery is how often it is noted that the same operator types on: whoever
	// says it more often costs a read and no write.
	typingEvery = time.Second
)

// Until is when it is over unless it is said again.
func (t Typing) Until() time.Time { return time.UnixMilli(t.At).Add(TypingLife) }

// SetTyping notes that an operator types in a session that people have or that waits
// for them, or that they have stopped. It returns the session, and whether there is
// anything new to tell the visitor. By is shown to the visitor. A session that the AI
// has, or that is not open, takes no note of it: nobody looks there.
func (s *Store) SetTyping(ctx context.Context, c Caller, id SessionID, by Author, typing bool) (session *Session, news bool, err error) {
	if !c.staff() {
		return nil, false, errOperatorsOnly()
	}
	key := typingKey(c.Project, id)
	session, items, err := s.openBeside(ctx, c, id, false, key)
	if err != nil {
		return nil, false, err
	}
	stood, err := typingFrom(items[0])
	if err != nil {
		return nil, false, err
	}
	now := s.clock()
	same := stood != nil && stood.By == by
	switch {
	case session.State != StateOpen || session.Holder == HolderAI,
		typing && same && now.Sub(time.UnixMilli(stood.At)) < typingEvery,
		!typing && !same:
		return session, false, nil
	case !typing:
		return session, true, s.write(ctx, table.Delete(key))
	}
	t := Typing{by, now.UnixMilli()}
	item, err := record(key, "typing", t.By, table.Item{"at": t.At, table.ExpiresAt: t.Until().Unix() + 1})
	if err != nil {
		return nil, false, err
	}
	// Without a condition on the session, which would double its price: what comes
	// after an erasure holds nothing of the visitor's, and is gone with its time.
	return session, true, s.write(ctx, table.Put(item))
}

func typingFrom(item table.Item) (*Typing, error) {
	if item == nil {
		return nil, nil
	}
	t := &Typing{At: item.Int("at")}
	err := decode(item, "typing", &t.By)
	return t, err
}

// SinceWithTyping is Since that also reads who types, in the same wave, for half a
// read unit more.
func (s *Store) SinceWithTyping(ctx context.Context, c Caller, id SessionID, after Seq) (Changes, error) {
	return s.withTyping(ctx, c, id, after, !c.staff())
}

// PeekWithTyping is to Peek what SinceWithTyping is to Since.
func (s *Store) PeekWithTyping(ctx context.Context, c Caller, id SessionID, after Seq) (Changes, error) {
	return s.withTyping(ctx, c, id, after, false)
}

func (s *Store) withTyping(ctx context.Context, c Caller, id SessionID, after Seq, wake bool) (Changes, error) {
	session, items, err := s.openBeside(ctx, c, id, false, typingKey(c.Project, id))
	if err == nil && wake {
		session, err = s.wake(ctx, session)
	}
	if err != nil {
		return Changes{}, err
	}
	typing, err := typingFrom(items[0])
	if err != nil {
		return Changes{}, err
	}
	out, err := s.since(ctx, c, session, after, false)
	if typing != nil && typing.stands(session, s.clock()) {
		out.Typing = typing
	}
	return out, err
}

// stands reports whether it still holds that somebody types: not after a while, not
// after a person's message, with which it need not be taken back, and not where the
// AI answers again.
func (t Typing) stands(session *Session, now time.Time) bool {
	said := session.Last != nil && session.Last.Kind == AuthorHuman && session.Last.At >= t.At
	return !said && session.Holder != HolderAI && now.Before(t.Until())
}
