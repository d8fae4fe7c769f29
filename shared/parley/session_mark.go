package parley

import (
	"context"

	"parley/shared/table"
)

// Mark is how far somebody has seen or received a session. It moves forward only.
type Mark struct {
	Kind MarkKind
	// By is whose it is; only Kind and ID are set.
	By Author
	// Upto is the newest entry seen or received, At when that was told, in milliseconds.
	Upto Seq
	At   int64
}

// MarkKind is the kind of a Mark.
type MarkKind string

// The kinds of Mark.
const (
	MarkSeen     MarkKind = "seen"
	MarkReceived MarkKind = "received"
)

// MoveMark moves the caller's mark forward to an entry, at most to the newest
// one. It returns the mark that stands then. What does not move it is not
// written. It is no sign of the page.
func (s *Store) MoveMark(ctx context.Context, c Caller, id SessionID, kind MarkKind, upto Seq) (Mark, error) {
	if kind != MarkSeen && kind != MarkReceived {
		return Mark{}, invalid("kind", "a mark is seen or received")
	}
	session, err := s.open(ctx, c, id, false)
	if err != nil {
		return Mark{}, err
	}
	m := Mark{Kind: kind, By: c.Author(), Upto: min(upto, session.Seq), At: s.clock().UnixMilli()}
	key := m.key(c.Project, id)
	stood, err := s.get(ctx, false, key)
	if err != nil {
		return Mark{}, err
	}
	if m.Upto <= Seq(stood.Int("seq")) {
		return markFrom(m, stood)
	}
	up := table.Set(key, table.Item{"seq": int64(m.Upto), "at": m.At, "data": string(encodePlain(m.By))}, table.AtMost("seq", int64(m.Upto)-1))
	return s.moveMark(ctx, c, id, m, up, stood != nil)
}

// moveMark writes a mark.
func (s *Store) moveMark(ctx context.Context, c Caller, id SessionID, m Mark, up table.Action, stands bool) (Mark, error) {
	actions := inSession(up, stands, c.Project, id)
	if !c.staff() {
		actions = append(actions, checkVisitor(c))
	}
	err := s.write(ctx, actions...)
	if !refused(err) {
		return m, err
	}
	if stood, ok := standing(err, len(actions)-1); ok && !c.staff() {
		if err := standingOf(stood, c); err != nil {
			return Mark{}, err
		}
	}
	stood, ok := standing(err, 0)
	if !ok || stood == nil {
		return Mark{}, errGone()
	}
	return markFrom(m, stood) // it has been moved as far, or further
}

// inSession are the actions that update an item of a session. One that stands goes when
// the session is erased, so that a late write meets nothing; a new one has to check that
// the session is there.
func inSession(up table.Action, stands bool, p ProjectID, id SessionID) []table.Action {
	if !stands {
		return []table.Action{up, checkThere(p, id)}
	}
	up.If = append(up.If, table.Exists())
	return []table.Action{up}
}

// checkThere makes a transaction fail for a session that is not there or erased.
func checkThere(p ProjectID, id SessionID) table.Action {
	return table.Check(headKey(p, id), table.Exists(), table.Missing("erased"))
}

func (m Mark) key(p ProjectID, id SessionID) table.Key {
	return markKey(p, id, string(m.Kind), string(m.By.Kind)+"/"+m.By.ID)
}

// markFrom returns what stands of a mark of this kind; nothing has been seen yet
// where no item does.
func markFrom(m Mark, item table.Item) (Mark, error) {
	m.Upto, m.At = Seq(item.Int("seq")), item.Int("at")
	err := decode(item, "mark", &m.By)
	return m, err
}

// Marks returns how far everybody has seen and received a session that the
// caller may use, at most MaxMarks.
func (s *Store) Marks(ctx context.Context, c Caller, id SessionID) ([]Mark, error) {
	if _, err := s.open(ctx, c, id, false); err != nil {
		return nil, err
	}
	var marks []Mark
	for _, kind := range []MarkKind{MarkReceived, MarkSeen} {
		from := markKey(c.Project, id, string(kind), "")
		page, err := s.table.Query(ctx, table.Query{Partition: from.PK, From: from.SK, To: from.SK + "~", Limit: MaxMarks / 2})
		if err != nil {
			return nil, unavailable(err)
		}
		some, err := decodeAll(page.Items, func(item table.Item) (Mark, error) { return markFrom(Mark{Kind: kind}, item) })
		if err != nil {
			return nil, err
		}
		marks = append(marks, some...)
	}
	return marks, nil
}

// MaxMarks is how many marks of one session are listed. Our choice: a visitor
// and as many operators as take part in a conversation.
const MaxMarks = 100
