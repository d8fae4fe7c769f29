package hooks

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"time"

	"parley/shared/parley"
)

// teller tells a project's people, in one way, who waits for one of them in a
// session: that the wait began, or that it goes on.
type teller struct {
	Config
	parley.Following
	way     parley.Way
	reminds bool
	counts  counts
}

func (t *teller) done() tally { return tally{notices: t.counts} }

// Why a message has to come later.
var (
	errNotYet = errors.New("it is not yet time to be reminded")
	errQuiet  = errors.New("these are the project's quiet hours")
	errGap    = errors.New("another message was sent within the minute")
)

// stretch tells of the session as it is now: what happened before is in the past,
// and a wait that ended is nobody's business any more.
func (t *teller) stretch(ctx context.Context, s parley.Stretch) (parley.Seq, error) {
	p, err := t.Store.Project(ctx, t.Project)
	if err != nil {
		return s.After, err
	}
	if err := t.tell(ctx, p, s.Session); err != nil {
		return s.After, err
	}
	return s.Entries[len(s.Entries)-1].Seq, nil
}

// tell sends a message if one is due. Nil means that there is nothing more to
// tell of this wait.
func (t *teller) tell(ctx context.Context, p *parley.Project, session *parley.Session) error {
	if !session.Waits() || !t.wanted(p) {
		return nil
	}
	told, err := t.Store.Told(ctx, t.Project, t.Session, t.way, session.WaitingSince)
	if err != nil {
		return err
	}
	due, more := t.due(p, told)
	if !more {
		return nil
	}
	now := t.Now()
	if due.After(now) {
		return &parley.Later{At: due, Err: errNotYet}
	}
	if end, quiet := p.Notify.QuietUntil(now); quiet {
		return &parley.Later{At: end, Err: errQuiet}
	}
	if err := t.inTurn(ctx, p, parley.Awaiting{Session: t.Session, Told: told}); err != nil {
		return err
	}
	if told.Times++; t.reminds && told.Times <= parley.MaxReminders {
		return &parley.Later{At: t.Now().Add(remindAfter(p)), Err: errNotYet}
	}
	return nil
}

// wanted reports whether the project still wants to be told so.
func (t *teller) wanted(p *parley.Project) bool {
	for _, f := range p.Notify.Followers() {
		if f == t.Follower {
			return true
		}
	}
	return false
}

// due is when to tell, and whether there is anything left to tell.
func (t *teller) due(p *parley.Project, told parley.Told) (at time.Time, more bool) {
	switch {
	case !t.reminds:
		return time.Time{}, told.Times == 0
	case told.Times > parley.MaxReminders:
		return time.Time{}, false
	case told.Times == 0: // that it began is still being told
		return t.Now().Add(remindAfter(p)), true
	}
	return time.UnixMilli(told.At).Add(remindAfter(p)), true
}

func remindAfter(p *parley.Project) time.Duration {
	return time.Duration(p.Notify.RemindMinutes) * time.Minute
}

// inTurn sends a message that tells of this session and of all that are to be
// told with it. Of these, whichever fails to be noted is told again.
func (t *teller) inTurn(ctx context.Context, p *parley.Project, mine parley.Awaiting) error {
	wait, err := t.Store.ReadWait(ctx, t.Project, t.Session)
	if errors.Is(err, parley.ErrNotFound) || err == nil && wait.Session.WaitingSince != mine.Told.Wait {
		return nil // what began since rings for itself
	}
	if err != nil {
		return err
	}
	others, later, err := t.Store.NoticeTurn(ctx, t.Project, t.way, mine)
	if err != nil {
		return err
	}
	if !later.IsZero() {
		return &parley.Later{At: later, Err: errGap}
	}
	n := notice{id: t.noticeID(mine.Told), thread: t.noticeID(parley.Told{Wait: mine.Told.Wait}), again: mine.Told.Times > 0, waits: []parley.Wait{wait}}
	awaiting := []parley.Awaiting{mine}
	for _, o := range others {
		wait, still, err := t.stillUntold(ctx, o)
		if err != nil {
			return err
		}
		if still {
			n.waits, awaiting = append(n.waits, wait), append(awaiting, o)
		}
	}
	return t.send(ctx, p, n, awaiting)
}

// stillUntold reads another session's wait. It is none of this message's where it
// has ended, or was told since it was left to this one.
func (t *teller) stillUntold(ctx context.Context, o parley.Awaiting) (parley.Wait, bool, error) {
	wait, err := t.Store.ReadWait(ctx, t.Project, o.Session)
	if errors.Is(err, parley.ErrNotFound) {
		return wait, false, nil
	}
	if err != nil {
		return wait, false, err
	}
	told, err := t.Store.Told(ctx, t.Project, o.Session, t.way, wait.Session.WaitingSince)
	return wait, told.Wait == o.Told.Wait && told.Times == o.Told.Times, err
}

// noticeID names a message that tells of this session as the first: it is the
// same whenever that is sent, and says nothing of the session.
func (t *teller) noticeID(told parley.Told) string {
	names, _ := json.Marshal([]any{t.Project, t.way, t.Session, told.Wait, told.Times}) // strings and numbers always encode
	sum := sha256.Sum256(names)
	return "ntc_" + base64.RawURLEncoding.EncodeToString(sum[:18])
}

// send makes one attempt, and notes what came of it: of all sessions where the
// message was taken, else of this one.
func (t *teller) send(ctx context.Context, p *parley.Project, n notice, awaiting []parley.Awaiting) error {
	began := t.Now()
	final, err := t.deliver(ctx, p, n)
	if ctx.Err() != nil && err != nil {
		return ctx.Err() // this function's time is over, which is nobody's fault
	}
	mine := awaiting[0].Told
	retry := err != nil && !final && mine.Failed < len(pauses)
	t.log(ctx, n, mine.Failed+1, began, retry, err)
	switch {
	case retry:
		t.counts.retried++
		pause := pauses[mine.Failed]
		mine.Failed++
		if err := t.Store.PutTold(ctx, t.Project, t.Session, t.way, mine); err != nil {
			return err
		}
		return &parley.Later{At: t.Now().Add(pause), Err: err}
	case err != nil:
		t.counts.failed++
		awaiting = awaiting[:1]
	default:
		t.counts.delivered++
	}
	for _, a := range awaiting {
		now := parley.Told{Wait: a.Told.Wait, Times: a.Told.Times + 1, At: t.Now().UnixMilli()}
		if err := t.Store.PutTold(ctx, t.Project, a.Session, t.way, now); err != nil {
			return err
		}
	}
	return nil
}

// deliver sends a message in the teller's way. final says that another attempt
// is useless.
func (t *teller) deliver(ctx context.Context, p *parley.Project, n notice) (final bool, err error) {
	if t.way == parley.WayEmail {
		return t.mail(ctx, p, n)
	}
	return t.slack(ctx, p, n)
}

// log writes a line an attempt, without anything of the sessions.
func (t *teller) log(ctx context.Context, n notice, attempt int, began time.Time, retry bool, err error) {
	attrs := []slog.Attr{slog.String("project", string(t.Project)), slog.String("way", string(t.way)), slog.String("notice", n.id),
		slog.Bool("reminder", n.again), slog.Int("sessions", len(n.waits)), slog.Int("attempt", attempt),
		slog.Int64("ms", t.Now().Sub(began).Milliseconds())}
	if err != nil {
		attrs = append(attrs, slog.String("refused", err.Error()), slog.Bool("again", retry))
	}
	t.Log.LogAttrs(ctx, slog.LevelInfo, "notice", attrs...)
}
