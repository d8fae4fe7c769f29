package parley

import (
	"context"
	"errors"
	"time"

	"parley/shared/socket"
	"parley/shared/table"
)

// Line is where what happens in a session goes, for a client that cannot read it again:
// such a client appends whatever arrives. A session has one connection at a time to
// which everything goes, the current one. Where that has left, what is new waits for
// the next.
type Line struct {
	// Connection is the current one, or the last that was; its ID is "" where there
	// has been none. Connected is when it was made.
	Connection socket.Ref
	Connected  time.Time
	// Left is when it ended, zero while it has not, as far as is known. Meant says that
	// its client said so before.
	Left  time.Time
	Meant bool
	// Silent is the connection before this one, or an earlier one, that its client did
	// not say it ends: what it was given last its client may never have got.
	Silent socket.Ref
	// Ended is when Silent had left, as far as that was known, or else was replaced.
	Ended time.Time
	// Heard is up to when what Silent was given has arrived, zero where NoteHeard has
	// not said.
	Heard time.Time
	// Again is when what may be lost was given again.
	Again time.Time

	nonce string
	about lineAbout
}

// lineAbout is what a line knows of its connection besides.
type lineAbout struct {
	Ref       socket.Ref `json:"ref"`
	Connected time.Time  `json:"connected"`
	Expires   time.Time  `json:"expires"`
	Channel   Channel    `json:"channel,omitempty"`
	Visitor   VisitorID  `json:"visitor,omitempty"`
	Token     string     `json:"token,omitempty"`
	Silent    socket.Ref `json:"silent,omitzero"`
	Ended     time.Time  `json:"ended,omitzero"`
}

// Current returns the connection to which everything goes; ok is false where nobody
// is there.
func (l Line) Current() (to socket.Ref, ok bool) {
	return l.Connection, l.Connection.ID != "" && l.Left.IsZero()
}

// Doubtful reports whether a client may have lost what it was given before, and has not
// been given it again.
func (l Line) Doubtful() bool { return l.Silent.ID != "" && l.Again.IsZero() }

// lineFrom returns a line as it is at a time; a zero one for nil. A connection that
// has expired has left by then.
func lineFrom(item table.Item, now time.Time) (Line, error) {
	var l Line
	if item == nil {
		return l, nil
	}
	if err := decode(item, "line", &l.about); err != nil {
		return l, err
	}
	l.Connection, l.Connected, l.nonce = l.about.Ref, l.about.Connected, item.String("nonce")
	l.Silent, l.Ended = l.about.Silent, l.about.Ended
	l.Left, l.Heard, l.Again = timeAt(item, "left"), timeAt(item, "heard"), timeAt(item, "again")
	l.Meant = item.Bool("meant")
	if l.Left.IsZero() && !now.Before(l.about.Expires) {
		l.Left = l.about.Expires
	}
	return l, nil
}

// item is the line with a connection that has just come.
func (l Line) item(c Connection, nonce string, now time.Time) (table.Item, error) {
	about := lineAbout{c.Ref, c.Connected, c.Expires, c.Channel, c.Caller.Visitor, c.Token, l.Silent, l.Ended}
	// What was given again on a connection that broke off is in doubt once more, and
	// with it what was before, until NoteHeard knows better.
	switch heir := l.Silent.ID != "" && (l.Doubtful() || !l.Meant); {
	case heir:
	case l.Connection.ID != "" && !l.Meant:
		about.Silent, about.Ended, l.Heard = l.Connection, l.Left, time.Time{}
		if l.Left.IsZero() {
			about.Ended = now.UTC()
		}
	default:
		about.Silent, about.Ended, l.Heard = socket.Ref{}, time.Time{}, time.Time{}
	}
	item, err := record(lineKey(c.Project, c.Session), "line", about, table.Item{"nonce": nonce, "connection": refName(c.Ref),
		table.ExpiresAt: now.Add(ConnectionLife).Unix()})
	if err != nil {
		return nil, err
	}
	setTime(item, "heard", l.Heard)
	return item, nil
}

// refName is a connection as a line's conditions compare it.
func refName(r socket.Ref) string { return path(r.API, r.ID) }

// lineConnection is the current connection of a line; a zero one where there is none.
func lineConnection(p ProjectID, id SessionID, item table.Item, now time.Time) (Connection, error) {
	l, err := lineFrom(item, now)
	to, ok := l.Current()
	if err != nil || !ok {
		return Connection{}, err
	}
	return Connection{Ref: to, Project: p, Channel: l.about.Channel, Caller: Caller{Project: p, Visitor: l.about.Visitor},
		Session: id, Ready: true, Connected: l.Connected, Expires: l.about.Expires}, nil
}

func errSessionConnected() error {
	return conflict("session_connected", "another connection has this session")
}

// Attach makes a connection the current one of its session, once its client can take
// frames: with the first that it sends, after whatever its protocol begins with. From
// then it is Ready, and what it goes on from is no target any more. It returns the
// line as it was before, or, called again, as it is; what is new is to be sent.
// The caller must be allowed to use the session, which need not have begun.
//
// session_connected, of kind ErrConflict: another connection has the session, which
// was made later, or which the client, which did not name its session, may not take
// it from. Then the client may be given another session by the same call. ErrNotFound:
// the connection has ended, or the session is another's or erased; ErrDenied: the
// caller's token does not stand. 3 write units.
func (s *Store) Attach(ctx context.Context, c Connection) (was Line, err error) {
	if err := errors.Join(c.check(), CheckID("session", string(c.Session))); err != nil {
		return Line{}, err
	}
	return againFor(func() (Line, error) {
		line, session, err := s.readAttached(ctx, c)
		if err == nil {
			err = s.takeLine(ctx, c, line)
		}
		if err == nil {
			err = s.makeReady(ctx, c, session)
		}
		return line, err
	})
}

// readAttached is what Attach finds: the line, and the session that the connection was
// for so far.
func (s *Store) readAttached(ctx context.Context, c Connection) (Line, SessionID, error) {
	items, err := s.table.Get(ctx, true, lineKey(c.Project, c.Session), connectionKey(c.Ref),
		headKey(c.Project, c.Session), visitorKey(c.Project, c.Caller.Visitor))
	if err != nil {
		return Line{}, "", unavailable(err)
	}
	known, err := s.liveFrom(items[1])
	if err == nil {
		err = standingOf(items[3], c.Caller)
	}
	if err == nil && items[2] != nil {
		_, err = s.admitted(ctx, c.Caller, c.Session, items[3], items[2])
	}
	if err != nil {
		return Line{}, "", err
	}
	line, err := lineFrom(items[0], s.clock())
	return line, known.Session, err
}

// takeLine puts the connection in the line. errAgain if somebody else was faster.
func (s *Store) takeLine(ctx context.Context, c Connection, l Line) error {
	current, there := l.Current()
	switch {
	case l.Connection == c.Ref:
		return nil
	case c.After.ID != "" && l.Connection.ID != "" && l.Connection != c.After:
		return errSessionConnected()
	case there && current != c.After && l.Connected.After(c.Connected):
		return errSessionConnected()
	}
	item, err := l.item(c, s.newID(), s.clock())
	if err != nil {
		return err
	}
	condition := table.Equal("nonce", l.nonce)
	if l.nonce == "" {
		condition = table.Missing("nonce")
	}
	return refusedAs(s.write(ctx, table.Put(item, condition)), errAgain)
}

// makeReady notes the session as the newest of its token and says that the connection
// is there, in this order: whoever dies before is called again.
func (s *Store) makeReady(ctx context.Context, c Connection, was SessionID) error {
	now := s.clock()
	if c.Token != "" {
		pointer := resumeKey(c.Project, c.Token).With(table.Item{"session": string(c.Session),
			table.ExpiresAt: now.Add(ConnectionLife).Unix()})
		if err := s.write(ctx, table.Put(pointer)); err != nil {
			return err
		}
	}
	if in := c.partition(); in != "" && was != c.Session {
		row, err := c.row(in, now)
		if err != nil {
			return err
		}
		if err := unrefused(s.write(ctx, table.Put(row, table.Exists()))); err != nil {
			return err
		}
	}
	up := table.Set(connectionKey(c.Ref), table.Item{"ready": true, "session": string(c.Session)}, table.Exists(), table.Missing("left"))
	if was != c.Session {
		up.Remove = []string{"begun"} // of the session before
	}
	err := s.write(ctx, up)
	if refused(err) { // it has ended meanwhile
		return errors.Join(errNoConnection(), s.leaveLine(ctx, c, false))
	}
	return err
}

// leaveLine says in its session's line that a connection has ended, where it is the
// newest there.
func (s *Store) leaveLine(ctx context.Context, c Connection, meant bool) error {
	up := table.Update(lineKey(c.Project, c.Session), table.Equal("connection", refName(c.Ref)))
	up.Set = table.Item{"left": s.clock().UnixMilli(), "nonce": s.newID()}
	if meant {
		up.Set["meant"] = true
	}
	return unrefused(s.write(ctx, up))
}

// LineOf returns a session's line, a zero one where no client needs one. What was
// stored just now may be missing in it. Half a read unit.
func (s *Store) LineOf(ctx context.Context, p ProjectID, id SessionID) (Line, error) {
	return s.line(ctx, p, id, false)
}

// LineNow is LineOf for whoever concludes from it that nobody is there: nothing is
// missing. A whole read unit.
func (s *Store) LineNow(ctx context.Context, p ProjectID, id SessionID) (Line, error) {
	return s.line(ctx, p, id, true)
}

func (s *Store) line(ctx context.Context, p ProjectID, id SessionID, consistent bool) (Line, error) {
	return read(ctx, s, consistent, lineKey(p, id), func(item table.Item) (Line, error) { return lineFrom(item, s.clock()) })
}

// Hears reports whether a session's visitor may be told what happens in it: whoever is
// blocked may not. Half a read unit.
func (s *Store) Hears(ctx context.Context, session *Session) (bool, error) {
	item, err := s.get(ctx, false, visitorKey(session.Project, session.Owner.Visitor))
	return err == nil && !isBlocked(item), err
}

// NoteHeard says up to when the client got what it was given on the connection that a
// line had when c was attached: it was heard after that. It is written where it says
// more than is known: not of a client that has said that it ends the connection, nor
// while an earlier one is in doubt. 1 write unit, or none.
func (s *Store) NoteHeard(ctx context.Context, c Connection, was Line, heard time.Time) error {
	if was.Connection.ID == "" || was.Meant || was.Doubtful() || !was.Again.IsZero() && heard.Before(was.Again) {
		return nil
	}
	return unrefused(s.write(ctx, table.Set(lineKey(c.Project, c.Session), // unless another has come
		table.Item{"heard": heard.UnixMilli(), "nonce": s.newID()}, table.Equal("connection", refName(c.Ref)))))
}

// SaidAgain notes that a line's client has been given again what it may have lost. It
// does nothing where the line is another by now. 1 write unit.
func (s *Store) SaidAgain(ctx context.Context, p ProjectID, id SessionID, l Line) error {
	return unrefused(s.write(ctx, table.Set(lineKey(p, id),
		table.Item{"again": s.clock().UnixMilli(), "nonce": s.newID()}, table.Equal("nonce", l.nonce))))
}

// Newest returns the newest session that a connection of a token was for, by
// TokenHash, with its line. The session need not have begun, and may be over.
// ErrNotFound if there is none, or the last one connected long ago.
func (s *Store) Newest(ctx context.Context, p ProjectID, tokenHash string) (SessionID, Line, error) {
	item, err := s.get(ctx, true, resumeKey(p, tokenHash))
	id := SessionID(item.String("session"))
	if err == nil && id == "" {
		err = notFound("session")
	}
	if err != nil {
		return "", Line{}, err
	}
	l, err := s.line(ctx, p, id, true)
	return id, l, err
}

// erasePointers removes what a session's line names: the pointer by which the session
// is found again, and the connections of the visitor who came last.
func (s *Store) erasePointers(ctx context.Context, p ProjectID, id SessionID, line table.Item) error {
	l, err := lineFrom(line, s.clock())
	if err != nil {
		return err
	}
	if l.about.Token != "" {
		gone := table.Delete(resumeKey(p, l.about.Token), table.Equal("session", string(id)))
		if err := unrefused(s.write(ctx, gone)); err != nil {
			return err
		}
	}
	return s.eraseConnections(ctx, p, id, l.about.Visitor)
}
