package live

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"parley/shared/parley"
	"parley/shared/run"
)

// takes is how often a relay tries to get the lease for a text, and takePause how long
// it waits in between. Our choice: whoever tells what came before is mostly done in a
// few hundred milliseconds, and the next text, with which it would be tried again, may be
// long in coming.
const (
	takes     = 10
	takePause = 100 * time.Millisecond
)

// relay says a reply to the page of its session while it is being written; it is a
// run.Live. It takes the lease with the first text, when somebody is there, and gives
// it back when the reply has been said. What it cannot say, or leaves behind when it
// dies, the function push says: it is woken by the end of the run, by the lease's due
// entry, or by the client that comes back.
type relay struct {
	teller
	session *parley.Session // as it was when the run began
	run     parley.RunID
	name    string // of its reply
	text    strings.Builder
	// hold is nil where it has to be read anew, held whether the lease is taken.
	hold *parley.Hold
	held bool
}

// Run returns who says a run to the page of its session, nil where the session is held
// in a dialect that needs nobody for that. It is a run.Config.Live.
func (l *Live) Run(ref parley.RunRef, session *parley.Session) run.Live {
	if keyed := l.Keyed[session.Channel]; keyed != nil {
		return &keyedRelay{Live: l, speaker: keyed, session: session, ref: ref}
	}
	speaker := l.Speakers[session.Channel]
	if speaker == nil {
		return nil
	}
	return &relay{teller: l.teller(ref.Project, ref.Session, speaker), session: session, run: ref.Run, name: replyName(ref.Run)}
}

// Begin implements run.Live.
func (r *relay) Begin(ctx context.Context) {
	err := r.heard(ctx, r.session)
	r.log(ctx, err)
	if r.mute = errors.Is(err, parley.ErrUnattended); r.mute {
		return
	}
	if r.reach(ctx) && r.hold.Free() {
		r.log(ctx, r.begin(ctx, r.name))
	}
}

// Text implements run.Live.
func (r *relay) Text(ctx context.Context, text string) {
	r.text.WriteString(text)
	if !r.take(ctx) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, r.hold.Left())
	defer cancel()
	r.log(ctx, r.pieces(ctx, r.name, r.text.String(), time.Now()))
}

// End implements run.Live. What came while the lease was held may have found it held,
// so that everything is looked at again afterwards.
func (r *relay) End(ctx context.Context) {
	if r.take(ctx) {
		r.log(ctx, r.hold.Follow(ctx, r.stretch))
	}
	if r.attended(ctx) {
		r.log(ctx, r.follow(ctx))
	}
}

// reach reads how far the session's page has been told.
func (r *relay) reach(ctx context.Context) bool {
	if r.hold == nil {
		var err error
		r.hold, err = r.Store.Reach(ctx, r.Following)
		r.log(ctx, err)
	}
	return r.hold != nil
}

// take takes the lease, where somebody is there, after everything was said that comes
// before the reply. It reports whether this relay has it. A reply that somebody else has
// ended may have been told meanwhile, and then is not begun.
func (r *relay) take(ctx context.Context) bool {
	if r.mute || r.held || !r.attended(ctx) {
		return r.held
	}
	for try := 1; !r.held && r.reach(ctx); try++ {
		writes := r.hold.Writes(r.run)
		if writes && !slices.ContainsFunc(r.hold.Entries(), says) {
			var err error
			_, told := readNote(r.hold.Note())
			r.recallTold(told)
			r.given[r.name] = max(r.given[r.name], 0) // this relay knows
			// Not after the lease: of who dies between it and the first piece nobody knows
			// whether that was given.
			r.log(ctx, r.begin(ctx, r.name))
			r.held, err = r.hold.Take(ctx, r.claim(r.name))
			r.log(ctx, err)
		}
		if r.held {
			break
		}
		r.hold = nil
		delete(r.given, r.name) // that nothing was given only who has the lease knows
		r.log(ctx, r.Store.Follow(ctx, r.Following, r.stretch))
		if r.mute || try > 1 && (!writes || try == takes || sleep(ctx, takePause) != nil) {
			break
		}
	}
	return r.held
}

// attended reports whether somebody is there.
func (r *relay) attended(ctx context.Context) bool {
	_, err := r.current(ctx, r.Project, r.Session, r.Store.LineOf)
	r.log(ctx, err)
	return err == nil
}

// log notes what stops the relay. That nobody is there is nobody's fault.
func (r *relay) log(ctx context.Context, err error) {
	if err == nil || errors.Is(err, parley.ErrUnattended) || errors.Is(err, parley.ErrNotFound) {
		return
	}
	r.Log.WarnContext(ctx, "relay", "project", r.Project, "error", err)
}
