package live

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"parley/shared/parley"
	"parley/shared/run"
	"parley/shared/socket"
)

// KeyedSpeaker is how a dialect says what happens to clients that know everything by
// its id, and sort it: all of it may be said twice, and in any order, as long as the
// newest entry of a session is said last. So no mark is kept and nobody takes a lease.
// What a page may have lost it is told when it connects again, and so a page that cannot
// be told something is cut off.
//
// Each frame has at most socket.MaxFrame bytes and is for the pages of one visitor, who
// may be another than the session's; nil is nothing to say.
type KeyedSpeaker interface {
	// API is the name of the socket API that the dialect's pages connect to.
	API() string
	// Welcome is the first frame of a connection, Refusal the only one that says
	// something of a connection that was let in to be told why it is refused.
	Welcome(c parley.Connection, now time.Time) []byte
	Refusal(code, text string) []byte
	// Shown reports whether visitors are told of an entry. Entries has a frame or more
	// for each that is.
	Shown(e parley.Entry) bool
	Entries(to parley.VisitorID, s *parley.Session, entries []parley.Entry) [][]byte
	// Begun says that there is a session, with its newest public message; State where
	// it stands.
	Begun(to parley.VisitorID, s *parley.Session, last *parley.Entry) []byte
	State(to parley.VisitorID, s *parley.Session) []byte
	// Typing says that somebody types or has stopped, Seen when somebody saw the session
	// last, in milliseconds.
	Typing(to parley.VisitorID, s *parley.Session, by parley.Author, on bool) []byte
	Seen(to parley.VisitorID, s *parley.Session, by parley.Author, at int64) []byte
	// Over says that a run has ended; status is "" where nothing came of it.
	Over(to parley.VisitorID, s *parley.Session, id parley.RunID, status parley.RunStatus) []byte
}

// What a page is told when it connects. Our choices: a gap in a network is shorter, and
// a page that is loaded asks for its sessions anyway.
const (
	// CatchUpFor is how long ago something happened last in the sessions that a page is
	// told of when it connects, CatchUpSessions how many of them, the newest, and
	// CatchUpEntries how many entries of each.
	CatchUpFor      = 15 * time.Minute
	CatchUpSessions = 3
	CatchUpEntries  = 20
)

// Pages tells the pages of a session's visitors what is new in it, and then what came
// while they were told: that others may have told before, and clients take what they are
// told last for the newest. It writes nothing. An error says that it has to be done again.
func (l *Live) Pages(ctx context.Context, w Window) error {
	for after, moved := w.After, w.Moved; ; moved = false {
		news, err := l.Store.News(ctx, server(w.Project), w.Session, after, w.Upto, moved)
		if err != nil {
			return ignoreMissing(err) // it was erased meanwhile
		}
		if news.Upto <= after && !moved {
			return nil
		}
		speaker := l.Keyed[news.Session.Channel]
		if speaker == nil {
			return nil
		}
		to, err := l.Store.PageConnections(ctx, news.Session, speaker.API())
		if err != nil || len(to) == 0 {
			return err
		}
		if err := l.surelyAll(ctx, to, func(c parley.Connection) [][]byte {
			return newsFrames(speaker, c.Caller.Visitor, news, after, moved)
		}); err != nil {
			return err
		}
		after = news.Upto
	}
}

func server(p parley.ProjectID) parley.Caller { return parley.Caller{Project: p, Server: true} }

// newsFrames says what is new in a session after a number.
func newsFrames(speaker KeyedSpeaker, to parley.VisitorID, news parley.Changes, after parley.Seq, moved bool) (frames [][]byte) {
	s := news.Session
	if after == 0 && len(news.Entries) > 0 {
		frames = append(frames, speaker.Begun(to, s, lastMessage(speaker, news.Entries)))
	}
	if moved {
		frames = append(frames, speaker.State(to, s))
	}
	frames = append(frames, speaker.Entries(to, s, news.Entries)...)
	var seen []parley.Author
	for _, e := range slices.Backward(news.Entries) {
		if speaker.Shown(e) && e.IsMessage() && e.Author.Kind == parley.AuthorHuman && !slices.Contains(seen, e.Author) {
			seen = append(seen, e.Author)
			frames = append(frames, speaker.Seen(to, s, e.Author, e.At)) // who writes has read
		}
	}
	return frames
}

// lastMessage is the newest message that visitors are shown.
func lastMessage(speaker KeyedSpeaker, entries []parley.Entry) *parley.Entry {
	for _, e := range slices.Backward(entries) {
		if e.IsMessage() && speaker.Shown(e) {
			return &e
		}
	}
	return nil
}

// surelyAll sends connections what frames makes for each, in order; one that is not ready
// is told when it is met. One that does not take a frame is cut off, so that its client
// comes back and is told what it has missed. The error is that of a context that ended,
// or of the table.
func (l *Live) surelyAll(ctx context.Context, to []parley.Connection, frames func(parley.Connection) [][]byte) error {
	errs := make([]error, len(to))
	each(to, func(i int, c parley.Connection) {
		if err := l.surelyOne(ctx, c.Ref, frames(c)); !errors.Is(err, socket.ErrGone) {
			errs[i] = err
		}
	})
	return errors.Join(errs...)
}

// surelyOne sends one connection frames; ErrGone if it is cut off, or was gone.
func (l *Live) surelyOne(ctx context.Context, to socket.Ref, frames [][]byte) error {
	for _, frame := range frames {
		if len(frame) == 0 {
			continue
		}
		err := l.send(ctx, to, frame)
		if err != nil && !errors.Is(err, socket.ErrGone) && !errors.Is(err, socket.ErrBusy) {
			err = l.send(ctx, to, frame) // it may have arrived, and then comes twice
		}
		if err == nil {
			continue
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if !errors.Is(err, socket.ErrGone) {
			l.Log.WarnContext(ctx, "a page is cut off that takes no frame", "api", to.API, "error", err)
		}
		if err := l.gone(ctx, to); err != nil {
			return err
		}
		return socket.ErrGone
	}
	return nil
}

// meets are the pauses before the first frame to a connection: nothing can be sent
// while the function is still letting it in. Our choice: together longer than that
// takes; after that the client's first ping has it met.
var meets = []time.Duration{50 * time.Millisecond, 100 * time.Millisecond, 200 * time.Millisecond, 400 * time.Millisecond, 800 * time.Millisecond}

// whenLetIn sends a connection that has just been made its first frame; ErrGone if it
// has ended, or is still not there.
func (l *Live) whenLetIn(ctx context.Context, to socket.Ref, frame []byte) error {
	err := socket.ErrGone
	for _, pause := range meets {
		if sleep(ctx, pause) != nil {
			return ctx.Err()
		}
		if err = l.send(ctx, to, frame); !errors.Is(err, socket.ErrGone) {
			break
		}
	}
	return err
}

// Meet welcomes a connection that has just been made and tells it what its client may
// have missed. From then on it is told what happens. It may be called again for the
// same one. An error says that it has to be done again.
func (l *Live) Meet(ctx context.Context, ref socket.Ref) error {
	c, err := l.Store.ConnectionOf(ctx, ref)
	if err != nil {
		return ignoreMissing(err) // its client has left
	}
	speaker := l.Keyed[c.Channel]
	if speaker == nil {
		return nil
	}
	caller, err := l.Store.BareCaller(ctx, parley.Caller{Project: c.Project, Channel: c.Channel}, c.Caller.Visitor)
	if parley.Code(err) == "blocked" {
		return l.Refuse(ctx, ref, c.Channel, "blocked", "this visitor is blocked")
	}
	if err != nil {
		return ignoreMissing(err)
	}
	err = l.whenLetIn(ctx, ref, speaker.Welcome(c, l.Now()))
	if err == nil {
		err = l.Store.Listen(ctx, c) // before what there is is read: what comes after that is told
	}
	if err == nil {
		err = l.catchUp(ctx, speaker, caller, ref)
	}
	if err == nil {
		err = l.Store.NoteMet(ctx, ref)
	}
	if errors.Is(err, socket.ErrGone) {
		return nil
	}
	return ignoreMissing(err)
}

// catchUp tells a connection what its visitor's newest sessions have in them, the one
// that changed last at the end. What has come meanwhile is told again after it.
func (l *Live) catchUp(ctx context.Context, speaker KeyedSpeaker, c parley.Caller, to socket.Ref) error {
	sessions, err := l.Store.Recent(ctx, c)
	if err != nil {
		return err
	}
	since := l.Now().Add(-CatchUpFor).UnixMilli()
	sessions = slices.DeleteFunc(sessions, func(s *parley.Session) bool { return s.Updated() < since })
	slices.SortStableFunc(sessions, func(a, b *parley.Session) int { return int(b.Updated() - a.Updated()) })
	for _, s := range slices.Backward(sessions[:min(len(sessions), CatchUpSessions)]) {
		now, entries, err := l.Store.NewestEntries(ctx, server(c.Project), s.ID, CatchUpEntries, speaker.Shown)
		if errors.Is(err, parley.ErrNotFound) {
			continue // erased meanwhile
		}
		if err != nil {
			return err
		}
		frames := [][]byte{speaker.State(c.Visitor, now)}
		if last := lastMessage(speaker, entries); last != nil && now.Created >= since && !now.Archived {
			frames[0] = speaker.Begun(c.Visitor, now, last) // its client may not know of it
		}
		if err := l.surelyOne(ctx, to, append(frames, speaker.Entries(c.Visitor, now, entries)...)); err != nil {
			return err
		}
		if err := l.Pages(ctx, Window{Project: c.Project, Session: s.ID, After: now.Seq}); err != nil {
			return err
		}
	}
	return nil
}

// Refuse tells the client of a connection why it is told nothing else, and ends the
// connection for good where the host can say so. Elsewhere it stays: a client that is
// only cut off comes back at once, for ever.
func (l *Live) Refuse(ctx context.Context, to socket.Ref, ch parley.Channel, code, text string) error {
	speaker := l.Keyed[ch]
	if speaker == nil {
		return nil
	}
	err := l.whenLetIn(ctx, to, speaker.Refusal(code, text))
	if errors.Is(err, socket.ErrGone) {
		err = nil // it has left
	}
	if host, can := l.Poster.(socket.Refuser); can && err == nil {
		err = host.Refuse(ctx, to)
	}
	return errors.Join(err, l.Store.Disconnect(ctx, to, false))
}

// Seen tells the pages of a session's visitors that somebody of the team has seen it.
// It is told once, as far as it arrives.
func (l *Live) Seen(ctx context.Context, c parley.Caller, id parley.SessionID, m parley.Mark) {
	s, err := l.Store.Session(ctx, server(c.Project), id)
	if err == nil {
		at := m.At
		if m.Upto >= s.Seq {
			at = max(at, s.At) // of two things in one millisecond the second has a later time than the clock
		}
		_, err = l.signal(ctx, s, func(k KeyedSpeaker, to parley.VisitorID) [][]byte { return [][]byte{k.Seen(to, s, m.By, at)} })
	}
	if err != nil && !errors.Is(err, parley.ErrNotFound) {
		l.Log.WarnContext(ctx, "what was seen was not told", "error", err)
	}
}

// signal tells the pages of a session's visitors what is not stored, and returns how many
// connections they have.
func (l *Live) signal(ctx context.Context, s *parley.Session, frames func(KeyedSpeaker, parley.VisitorID) [][]byte) (int, error) {
	speaker := l.Keyed[s.Channel]
	if speaker == nil {
		return 0, nil
	}
	to, err := l.Store.PageConnections(ctx, s, speaker.API())
	l.Deliver(ctx, to, func(c parley.Connection) [][]byte { return frames(speaker, c.Caller.Visitor) })
	return len(to), err
}

// How long after it was said that a reply is being written that is said again, first and
// then always. Our choices: clients show it for 6 seconds, and no more once they are told
// of a message, as they are of the one that is being answered, a moment later.
const (
	typesAgain = time.Second
	typesEvery = 4 * time.Second
)

// keyedRelay says of a reply that it is being written, and what came of it. The
// function push says the latter too, so that nothing is lost with the process.
type keyedRelay struct {
	*Live
	speaker KeyedSpeaker
	session *parley.Session
	ref     parley.RunRef
	stop    context.CancelFunc
	beats   sync.WaitGroup
}

func (r *keyedRelay) agent() parley.Author {
	return parley.Author{Kind: parley.AuthorAI, ID: string(r.session.Agent)}
}

// Begin implements run.Live.
func (r *keyedRelay) Begin(ctx context.Context) {
	now := r.Now().UnixMilli()
	to := r.tell(ctx, func(v parley.VisitorID) [][]byte {
		return [][]byte{r.speaker.Seen(v, r.session, r.agent(), max(now, r.session.At)), r.speaker.Typing(v, r.session, r.agent(), true)}
	})
	if to == 0 {
		return // who comes meanwhile is told of the reply
	}
	ctx, r.stop = context.WithCancel(ctx)
	r.beats.Go(func() {
		for pause := typesAgain; sleep(ctx, pause) == nil && r.writes(ctx); pause = typesEvery {
			r.tell(ctx, func(v parley.VisitorID) [][]byte { return [][]byte{r.speaker.Typing(v, r.session, r.agent(), true)} })
		}
	})
}

// writes reports whether the run is still being written. Where its runner has broken,
// nobody calls End.
func (r *keyedRelay) writes(ctx context.Context) bool {
	s, err := r.Store.Session(ctx, server(r.ref.Project), r.ref.Session)
	return err == nil && s.Run != nil && s.Run.ID == r.ref.Run
}

// tell sends what is not stored to whoever is there, and returns how many that are.
func (r *keyedRelay) tell(ctx context.Context, frames func(parley.VisitorID) [][]byte) int {
	there, err := r.signal(ctx, r.session, func(_ KeyedSpeaker, to parley.VisitorID) [][]byte { return frames(to) })
	if err != nil {
		r.Log.WarnContext(ctx, "relay", "project", r.ref.Project, "error", err)
	}
	return there
}

// Text implements run.Live. Clients are told of a message when it is whole.
func (r *keyedRelay) Text(context.Context, string) {}

// End implements run.Live.
func (r *keyedRelay) End(ctx context.Context) {
	if r.stop != nil {
		r.stop()
		r.beats.Wait()
	}
	news, err := r.Store.News(ctx, server(r.ref.Project), r.ref.Session, r.session.Seq, 0, true)
	if err != nil {
		if !errors.Is(err, parley.ErrNotFound) {
			r.Log.WarnContext(ctx, "relay", "project", r.ref.Project, "error", err)
		}
		return
	}
	var status parley.RunStatus
	var reply []parley.Entry
	for _, e := range news.Entries {
		if e.Run == r.ref.Run {
			reply, status = append(reply, e), e.Status
		}
	}
	r.tell(ctx, func(v parley.VisitorID) [][]byte {
		return append(r.speaker.Entries(v, news.Session, reply),
			r.speaker.Typing(v, news.Session, r.agent(), false), r.speaker.Over(v, news.Session, r.ref.Run, status))
	})
	if len(reply) == 0 {
		return
	}
	// What came after the reply may have been told before it.
	if err := r.Pages(ctx, Window{Project: r.ref.Project, Session: r.ref.Session, After: reply[len(reply)-1].Seq}); err != nil {
		r.Log.WarnContext(ctx, "relay", "project", r.ref.Project, "error", err)
	}
}

var _ run.Live = (*keyedRelay)(nil)
