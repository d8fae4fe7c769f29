package parley

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"parley/shared/table"
)

// This file lets followers do something for what happens in sessions, in its
// order: review what closed, call webhooks, push. Each follower has a mark in
// each session: everything up to it has been done. Whoever works on what comes
// next takes a lease on the mark, and with it leaves a due entry for the time at
// which the lease ends: a worker that dies at any point is followed by another.

// Follower names somebody who does something for what happens in sessions, in
// its order, exactly as far as its mark says: FollowerReview, "hook/" and the id
// of an endpoint, or a Way's. At most MaxIDBytes.
type Follower string

// The followers that are no endpoint's and no Way's. FollowerReview reviews
// sessions that closed. FollowerPush says what happens to pages that cannot read it
// again, over their sockets.
const (
	FollowerReview Follower = "review"
	FollowerPush   Follower = "push"
)

// Following is a follower's way through one session.
type Following struct {
	Project  ProjectID `json:"project"`
	Session  SessionID `json:"session"`
	Follower Follower  `json:"follower"`
}

// markFollow is the kind of the marks of followers.
const markFollow = "follow"

func (f Following) key() table.Key {
	return markKey(f.Project, f.Session, markFollow, string(f.Follower))
}

// followerOf returns whose mark is under a key; ok is false for other keys.
func followerOf(k table.Key) (Follower, bool) {
	segments := strings.Split(k.SK, "/")
	if len(segments) != 3 || segments[0] != "mark" || segments[1] != markFollow {
		return "", false
	}
	raw, ok := unescape(segments[2])
	return Follower(raw), ok
}

// FollowLease is how long a worker may be silent before another takes its
// place, FollowTime how long one stretch of its work may take, writing the mark
// left out. Our choices: a webhook's or a model's answer fits in.
const (
	FollowLease = time.Minute
	FollowTime  = 50 * time.Second
)

// pushLease is FollowerPush's lease: whoever relays a reply holds it from the
// first text to the end, for as long as a run may take (run.Config.MaxRun). It is
// this short because what a relay that died has left is due within three minutes,
// one of which the sweep takes.
const pushLease = 115 * time.Second

// lease is how long a worker of the follower may be silent. It has leaseMargin less
// for its work.
func (f Follower) lease() time.Duration {
	if f == FollowerPush {
		return pushLease
	}
	return FollowLease
}

// leaseMargin is what is kept of a lease to write the mark.
const leaseMargin = FollowLease - FollowTime

// Stretch is what a follower has to do next.
type Stretch struct {
	// Session is the session as it is now, with the last of the Entries or after it.
	Session *Session
	// After is the mark; Entries are what follows it, internal ones too, in order
	// and without a gap: 1 to MaxPage.
	After   Seq
	Entries []Entry
	// Tries is how often a worker has failed, or died, since the mark last moved.
	Tries int
	// Note is what the follower has noted for itself of what follows the mark; what it
	// is when the work returns is kept. At most a few hundred bytes. Another note is
	// progress too, though the mark stays.
	Note *string
	// Died says that the worker before was not heard of again: it may have done some
	// of what follows the mark, of which it noted nothing. It is told once.
	Died bool
	// Held says that the lease is still the one of Hold.Take, under the note of which
	// nothing else may be done: if this worker dies, nobody is told that it Died. Work
	// that has come to something else returns After without an error, and gets the rest
	// under a lease of Follow's.
	Held bool
}

// ErrUnattended is of work for which nobody is there. It is no failure, and the
// sweep does not come back to it: whoever comes wakes the follower.
var ErrUnattended = errors.New("nobody is there")

// Later is an error of a follower's work that says when to try again.
type Later struct {
	At  time.Time
	Err error
}

func (l *Later) Error() string { return l.Err.Error() }

// Unwrap returns Err.
func (l *Later) Unwrap() error { return l.Err }

// maxPause is the longest pause after a failure that is not a Later. Our choice.
const maxPause = time.Hour

// errNoProgress is of a worker that neither failed nor did anything.
var errNoProgress = errors.New("the follower has done nothing")

// Follow has do carry on after the follower's mark, stretch by stretch, until
// nothing is left. do returns the entry up to which everything is done, whether
// or not it fails then; its context ends after FollowTime, or for FollowerPush
// after 105 s. When do fails, Follow has the sweep wake the follower again, at the
// time of a *Later or after a pause that grows from a minute to an hour, and returns
// do's error. With ErrUnattended it stops without one. Every entry is handed over at
// least once.
//
// While somebody else works on the mark, Follow leaves word to look again and
// does nothing. Before a pause is over it does nothing either, whatever happens in
// the session meanwhile. It does nothing for a session that is unknown or erased. An
// ErrUnavailable leaves the rest to the sweep.
//
// Units: nothing where nothing is to be done; 4 for one stretch, 7 for the first
// one of a session.
func (s *Store) Follow(ctx context.Context, f Following, do func(context.Context, Stretch) (Seq, error)) error {
	if CheckID("session", string(f.Session)) != nil || CheckID("follower", string(f.Follower)) != nil {
		return notFound("session")
	}
	w := &follow{store: s, Following: f}
	more, err := w.take(ctx)
	for err == nil && more {
		more, err = w.stretch(ctx, do)
	}
	return ignoreGone(err)
}

// follow is one worker's turn on a mark.
type follow struct {
	Following
	store   *Store
	session *Session
	mark    progress
	died    bool // the worker before did
}

// progress is a follower's mark as it is stored. Each write is a put that
// replaces the one with the nonce before.
type progress struct {
	nonce string // "" before the first lease
	seq   Seq
	until time.Time // the lease's end; zero when nobody has it
	wait  time.Time // when a worker that failed wants another try; zero if none did
	tries int64     // leases since the mark last moved
	again bool      // somebody came while the lease was held
	due   bool      // the sweep has it in its list
	note  string    // the follower's own
	begun bool      // the lease is a Hold's, whose note says what it was taken for
}

func progressFrom(item table.Item) progress {
	return progress{nonce: item.String("nonce"), seq: Seq(item.Int("seq")), tries: item.Int("tries"),
		until: timeAt(item, "until"), wait: timeAt(item, "wait"),
		again: item.Bool("again"), due: item.String("ws") != "", note: item.String("note"), begun: item.Bool("begun")}
}

// item is the mark as it is to be stored, with when the sweep is to look at it;
// zero: not before something happens.
func (m progress) item(f Following, due time.Time) table.Item {
	item := f.key().With(table.Item{"nonce": m.nonce, "seq": int64(m.seq)})
	if !due.IsZero() {
		setDue(item, due, f.Project, string(f.Session))
	}
	if m.tries > 0 {
		item["tries"] = m.tries
	}
	if m.note != "" {
		item["note"] = m.note
	}
	if m.begun {
		item["begun"] = true
	}
	setTime(item, "until", m.until)
	setTime(item, "wait", m.wait)
	return item
}

// held reports whether somebody has a lease of at most this length. One that ends
// later than any can was taken before a clock was set back.
func (m progress) held(now time.Time, lease time.Duration) bool {
	return m.until.After(now) && !m.until.After(now.Add(lease+maxAhead))
}

// take takes the lease. False means that there is nothing to do, or somebody
// else does it.
func (w *follow) take(ctx context.Context) (bool, error) {
	for range changeTries {
		if err := w.read(ctx, true); err != nil {
			return false, err
		}
		now, err := w.store.clock(), error(nil)
		switch done := w.mark.seq >= w.session.Seq; {
		case w.mark.held(now, w.Follower.lease()):
			err = w.leaveWord(ctx)
		case w.mark.wait.After(now): // the sweep wakes the follower then
		case done && !w.mark.due:
		case done:
			err = w.put(ctx, progress{seq: w.mark.seq, note: w.mark.note}, time.Time{})
		default:
			died, until := !w.mark.until.IsZero() && !w.mark.begun, now.Add(w.Follower.lease())
			err = w.put(ctx, progress{seq: w.mark.seq, until: until, tries: w.mark.tries + 1, note: w.mark.note}, until)
			if err == nil {
				w.died = died
				return true, nil
			}
		}
		if !errors.Is(err, errAgain) {
			return false, err
		}
	}
	return false, unavailable(table.ErrNotDone)
}

// read reads the session and the mark.
func (w *follow) read(ctx context.Context, consistent bool) error {
	items, err := w.store.table.Get(ctx, consistent, headKey(w.Project, w.Session), w.key())
	if err != nil {
		return unavailable(err)
	}
	w.mark = progressFrom(items[1])
	w.session, err = present(w.Project, w.Session, items[0])
	return err
}

// leaveWord has whoever holds the lease look again before giving it up.
func (w *follow) leaveWord(ctx context.Context) error {
	if w.mark.again {
		return nil
	}
	word := table.Set(w.key(), table.Item{"again": true}, table.Equal("nonce", w.mark.nonce))
	return refusedAs(w.store.write(ctx, word), errAgain)
}

// put replaces the mark, under conditions of its own if there are any. errAgain
// if another mark stands, errGone if none does any more.
func (w *follow) put(ctx context.Context, m progress, due time.Time, conditions ...table.Condition) error {
	m.nonce, m.due = w.store.newID(), !due.IsZero()
	item := m.item(w.Following, due)
	actions := []table.Action{table.Put(item, append(conditions, table.Equal("nonce", w.mark.nonce))...)}
	if w.mark.nonce == "" {
		actions = []table.Action{table.Put(item, table.Missing("nonce")), checkThere(w.Project, w.Session)}
	}
	err := w.store.write(ctx, actions...)
	if refused(err) {
		stood, ok := standing(err, 0)
		switch {
		case !ok || stood == nil:
			return errGone()
		case stood.String("nonce") != m.nonce: // else an earlier try of this very write had been done
			return errAgain
		}
		err = nil
	}
	if err == nil {
		w.mark = m
	}
	return err
}

// stretch has one stretch done. It reports whether there may be more.
func (w *follow) stretch(ctx context.Context, do func(context.Context, Stretch) (Seq, error)) (bool, error) {
	entries, err := w.store.prefix(ctx, w.Project, w.Session, w.mark.seq, true)
	if err == nil && len(entries) == 0 && w.mark.seq < w.session.Seq {
		err = fmt.Errorf("%w: entry %d is missing", ErrUnavailable, w.mark.seq+1)
	}
	if err != nil {
		return false, err
	}
	// What has come since the session was read is for later, with the session as it is
	// then: this one would go on where an entry says that it has ended.
	for len(entries) > 0 && entries[len(entries)-1].Seq > w.session.Seq {
		entries = entries[:len(entries)-1]
	}
	upto, note := w.mark.seq, w.mark.note
	if len(entries) > 0 {
		upto, note, err = w.do(ctx, do, entries)
	}
	moved := progress{seq: upto, note: note}
	if upto == w.mark.seq {
		moved.tries = w.mark.tries
	}
	switch {
	case errors.Is(err, ErrUnattended):
		moved.tries = 0
		err = w.put(ctx, moved, time.Time{}, table.Missing("again"))
	case err != nil:
		moved.tries = max(moved.tries, 1)
		moved.wait = w.retryAt(err, moved.tries)
		return false, errors.Join(err, lost(w.put(ctx, moved, moved.wait)))
	case upto >= w.session.Seq:
		moved.tries = 0
		err = w.put(ctx, moved, time.Time{}, table.Missing("again"))
	default:
		err = errAgain
	}
	if !errors.Is(err, errAgain) {
		return false, err
	}
	return true, w.goOn(ctx, upto, note)
}

// left is how long the lease still has for work.
func (w *follow) left() time.Duration { return w.mark.until.Sub(w.store.clock()) - leaseMargin }

// do calls the worker and keeps it to what it was given.
func (w *follow) do(ctx context.Context, do func(context.Context, Stretch) (Seq, error), entries []Entry) (Seq, string, error) {
	bounded, cancel := context.WithTimeout(ctx, w.left())
	defer cancel()
	note := w.mark.note
	upto, err := do(bounded, Stretch{Session: w.session, After: w.mark.seq, Entries: entries, Tries: int(max(w.mark.tries, 1)) - 1,
		Note: &note, Died: w.died, Held: w.mark.begun})
	w.died = false
	upto = max(w.mark.seq, min(upto, entries[len(entries)-1].Seq))
	if err == nil && upto == w.mark.seq && note == w.mark.note && !w.mark.begun {
		err = errNoProgress
	}
	return upto, note, err
}

// retryAt is when a worker that has failed is woken again.
func (w *follow) retryAt(err error, tries int64) time.Time {
	if later, ok := errors.AsType[*Later](err); ok {
		return later.At
	}
	return w.store.clock().Add(min(maxPause, time.Minute<<min(tries-1, 10)))
}

// goOn moves the mark with a new lease, and reads what there is to do now: what
// somebody who came meanwhile has left word of is in it.
func (w *follow) goOn(ctx context.Context, upto Seq, note string) error {
	until := w.store.clock().Add(w.Follower.lease())
	if err := w.put(ctx, progress{seq: upto, until: until, tries: 1, note: note}, until); err != nil {
		return lost(err)
	}
	session, err := w.store.head(ctx, w.Project, w.Session)
	w.session = session
	return err
}

// lost says of a mark that another worker has taken what became of this one.
func lost(err error) error {
	if errors.Is(err, errAgain) {
		return fmt.Errorf("%w: the lease had ended", ErrUnavailable)
	}
	return err
}
