package live

import (
	"context"
	"errors"
	"time"
	"unicode/utf8"

	"parley/shared/api"
	"parley/shared/parley"
	"parley/shared/socket"
)

const (
	// MaxPiece is the longest piece of a message that one frame has, in bytes of
	// UTF-8. As JSON it is never longer than the whole message may be; see
	// parley.Channel.MaxReplyBytes.
	MaxPiece = 8 << 10
	// FinalGap is how long after the last piece was taken the last frame of a message
	// follows. Pages of React empty the bubble where both come at once, up to 5 ms
	// apart on a slow machine. Our choice: the rest is for networks that bunch frames.
	FinalGap = 200 * time.Millisecond
)

// tries is how often what must arrive is sent, each time with send's own pauses, and
// pause how long it waits in between. Our choice: after that the sweep comes back.
const (
	tries = 4
	pause = 500 * time.Millisecond
)

// teller tells the page of one session what happens there, while it has the lease
// of the session's follower push. It is for one goroutine.
type teller struct {
	*Live
	speaker Speaker // of the session's dialect
	parley.Following
	// Between two workers they are the note at the follower's mark.
	given given
	told  told
	// begun is the reply of which the page was told that it is being written.
	begun string
	// taken is when the last piece of text was.
	taken time.Time
	// mute says that the visitor may not be told of anything, see heard.
	mute bool
}

func (l *Live) teller(p parley.ProjectID, id parley.SessionID, s Speaker) teller {
	return teller{Live: l, speaker: s, given: given{}, told: told{},
		Following: parley.Following{Project: p, Session: id, Follower: parley.FollowerPush}}
}

// replyName is how pages know the reply of a run. It has a name before it has an entry.
func replyName(r parley.RunID) string { return "r." + string(r) }

// nameOf is how pages know a message, "" where an entry is none that they are told.
func nameOf(e parley.Entry) string {
	switch {
	case !e.IsMessage() || e.Internal || e.Author.Kind == parley.AuthorUser:
		return ""
	case e.Run != "":
		return replyName(e.Run)
	}
	return string(e.ID)
}

// says reports whether a page is told anything of an entry.
func says(e parley.Entry) bool {
	if e.Internal || e.Erased {
		return false
	}
	switch e.Event {
	case parley.EventNoReply, parley.EventClosed, parley.EventResolved:
		return true
	}
	return nameOf(e) != ""
}

// Push tells a session's page what it has not been told, if somebody is there. ended
// names the run whose end it is called for, "" if there was none: whoever relays that
// run looks himself at what there is after its end. due says that the sweep asks, which
// stops where nobody is there.
func (l *Live) Push(ctx context.Context, p parley.ProjectID, id parley.SessionID, ended parley.RunID, due bool) error {
	_, err := l.current(ctx, p, id, l.Store.LineOf)
	if errors.Is(err, parley.ErrUnattended) {
		if !due {
			return nil
		}
		err = nil // what a worker that died has left is taken off the sweep's list
	}
	if err != nil {
		return err
	}
	t := l.teller(p, id, nil)
	if ended != "" {
		relayed, err := l.Store.HeldFor(ctx, t.Following, func(note string) bool {
			given, _ := readNote(note)
			return given[replyName(ended)] == inDoubt
		})
		if relayed || err != nil {
			return err
		}
	}
	return t.follow(ctx)
}

// stretch tells what follows the mark, up to one message: what a worker that dies had
// begun is then known, for it can only be the first message after the mark. Before that
// it ends what was begun, such as a reply during which a person wrote.
func (t *teller) stretch(ctx context.Context, s parley.Stretch) (parley.Seq, error) {
	if t.speaker = t.Speakers[s.Session.Channel]; t.speaker == nil {
		return s.Entries[len(s.Entries)-1].Seq, nil
	}
	t.recall(*s.Note, s.Died)
	defer func() { *s.Note = noteOf(t.given, t.told) }()
	doubted := s.Died && t.doubt(s.Entries)
	if err := t.heard(ctx, s.Session); err != nil {
		t.mute = errors.Is(err, parley.ErrUnattended)
		return s.After, t.retried(err)
	}
	if err := t.endBegun(ctx, s); err != nil {
		return s.After, t.retried(err)
	}
	done, told := s.After, s.Held || doubted // by endBegun
	for _, e := range s.Entries {
		name := nameOf(e)
		if t.given[name] != whole && says(e) {
			if told {
				break
			}
			told = true
			if err := t.tell(ctx, s.Session, e, name); err != nil {
				return done, t.retried(err)
			}
		}
		done = e.Seq
		delete(t.given, name)
		delete(t.given, replyName(e.Run)) // it may have ended without a message
	}
	return done, nil
}

// heard returns ErrUnattended of package parley where the session's visitor may be told
// nothing: for one who was blocked while connected it is as if nobody were there.
func (l *Live) heard(ctx context.Context, session *parley.Session) error {
	hears, err := l.Store.Hears(ctx, session)
	if err == nil && !hears {
		err = parley.ErrUnattended
	}
	return err
}

// doubt notes what a worker that died may have begun without a note: the first that is
// not begun. It is noted before anything is told, for that can fail. It reports whether
// there is one.
func (t *teller) doubt(entries []parley.Entry) bool {
	for _, e := range entries {
		if !says(e) {
			continue
		}
		name := nameOf(e)
		if _, begun := t.given[name]; !begun {
			if name != "" {
				t.given[name] = inDoubt
			}
			return name != ""
		}
	}
	return false
}

// endBegun tells the rest of what was begun.
func (t *teller) endBegun(ctx context.Context, s parley.Stretch) error {
	for _, e := range s.Entries {
		name := nameOf(e)
		if given, begun := t.given[name]; !begun || given == whole {
			continue
		}
		if err := t.tell(ctx, s.Session, e, name); err != nil {
			return err
		}
		t.given[name] = whole
	}
	return nil
}

// again is how soon the sweep wakes the follower after a frame was refused.
const again = 10 * time.Second

// retried has what was refused tried again with the next sweep, however often it was.
func (t *teller) retried(err error) error {
	if errors.Is(err, parley.ErrUnattended) || errors.Is(err, parley.ErrNotFound) {
		return err
	}
	return &parley.Later{At: t.Now().Add(again), Err: err}
}

// tell tells of one entry. name is nameOf's.
func (t *teller) tell(ctx context.Context, session *parley.Session, e parley.Entry, name string) error {
	switch {
	case !says(e):
		return nil
	case e.Event == parley.EventNoReply:
		return t.last(ctx, Final{Reply: true, Failed: e.Status == parley.StatusFailed})
	case e.Event != "":
		return t.end(ctx, session, e)
	case e.Run == "":
		return t.message(ctx, e.Seq, Final{Message: name, Text: t.written(session.Channel, t.Project, e), At: e.Time()})
	}
	if t.given[name] == 0 {
		if err := t.begin(ctx, name); err != nil {
			return err
		}
	}
	f := Final{Message: name, Text: e.Text, At: e.Time(), Reply: true,
		Failed: e.Status == parley.StatusFailed || e.Status == parley.StatusIncomplete}
	if given := t.given[name]; given >= 0 && (e.Status == parley.StatusCancelled || e.Status == parley.StatusTakenOver) {
		f.Text = f.Text[:min(given, len(f.Text))] // it grows no further
	}
	return t.message(ctx, e.Seq, f)
}

// written is a message as clients are told it that show nothing but text: with its files'
// addresses. Where that is more than a frame takes, the text is cut.
func (l *Live) written(channel parley.Channel, p parley.ProjectID, e parley.Entry) string {
	address := func(a parley.Attachment) string { return api.FileURLAt(l.Files, l.Store, p, a.ID, a.Name) }
	all := e.Written(address)
	for most := channel.MaxJSONBytes(); most > 0 && e.Text != "" && parley.EncodedBytes(all) > most; {
		e.Text = e.Text[:cutAt(e.Text, len(e.Text)*7/8)]
		short := e
		short.Text += "…"
		all = short.Written(address)
	}
	return all
}

// begin says once that a reply is being written. It is no harm where that is lost.
func (t *teller) begin(ctx context.Context, reply string) error {
	if t.begun == reply {
		return nil
	}
	_, err := t.post(ctx, t.Project, t.Session, t.speaker.Typing(true))
	if err == nil || errors.As(err, new(*unknownError)) || errors.Is(err, socket.ErrBusy) {
		t.begun, err = reply, nil
	}
	return err
}

// message gives what is left of the text of the message that is an entry, and then its
// last frame.
func (t *teller) message(ctx context.Context, seq parley.Seq, f Final) error {
	if f.Text == "" {
		return t.last(ctx, f)
	}
	err := patiently(ctx, func() error { return t.pieces(ctx, f.Message, f.Text, f.At) })
	if err == nil {
		err = sleep(ctx, FinalGap-time.Since(t.taken))
	}
	if err != nil {
		return err
	}
	to, err := t.surely(ctx, t.speaker.Final(f))
	if err == nil {
		t.told.add(to, seq, t.Now())
	}
	return err
}

// pieces gives the page what it has not been given yet of a message that has this
// text so far. A piece of which nobody knows whether it arrived counts as given: the
// last frame has it too, and a page would show it twice.
func (t *teller) pieces(ctx context.Context, name, text string, at time.Time) error {
	for given := t.given[name]; given >= 0 && given < len(text); given = t.given[name] {
		n := cutAt(text[given:], MaxPiece)
		to, err := t.post(ctx, t.Project, t.Session, t.speaker.Piece(name, text[given:given+n], at))
		var unknown *unknownError
		if errors.As(err, &unknown) {
			t.Log.WarnContext(ctx, "a piece may be lost", "project", t.Project, "api", to.API, "error", err)
		} else if err != nil {
			return err
		}
		t.given[name], t.taken = given+n, time.Now()
	}
	return nil
}

// last sends the last frame of what has no message.
func (t *teller) last(ctx context.Context, f Final) error {
	_, err := t.surely(ctx, t.speaker.Final(f))
	return err
}

// surely sends a frame that must arrive, though it may then come twice.
func (t *teller) surely(ctx context.Context, frame []byte) (to socket.Ref, err error) {
	if len(frame) == 0 {
		return to, nil
	}
	err = patiently(ctx, func() error {
		to, err = t.post(ctx, t.Project, t.Session, frame)
		return err
	})
	return to, err
}

// patiently does again what was refused for too many frames, or may not have arrived.
func patiently(ctx context.Context, do func() error) error {
	for try := 1; ; try++ {
		err := do()
		if err == nil || try == tries || !errors.As(err, new(*unknownError)) && !errors.Is(err, socket.ErrBusy) {
			return err
		}
		if sleep(ctx, pause) != nil {
			return err
		}
	}
}

// end tells that the session has ended, unless it goes on by now, and ends the
// connection after it: a client that is only cut off comes back.
func (t *teller) end(ctx context.Context, session *parley.Session, e parley.Entry) error {
	frame := t.speaker.Ended(t.Session, e)
	if len(frame) == 0 || !session.Over() {
		return nil
	}
	to, err := t.surely(ctx, frame)
	if err != nil {
		return err
	}
	if err := t.Poster.Close(ctx, to); err != nil {
		t.Log.WarnContext(ctx, "a connection was not closed", "project", t.Project, "api", to.API, "error", err)
	}
	return nil
}

// cutAt returns the longest prefix length of at most n bytes that ends at a code point.
func cutAt(s string, n int) int {
	if len(s) <= n {
		return len(s)
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return n
}
