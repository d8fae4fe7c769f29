package run

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"parley/shared/parley"
)

// condition is the state of a run, as its log shows it.
type condition int

const (
	ended        condition = iota // its last entry is the end
	alive                         // a runner appends to it
	unclaimed                     // no runner has claimed it yet
	dead                          // its runner is silent and left no text and no call: it can start over
	deadWithText                  // its runner is silent after some text or call: nobody may repeat that
)

// conditionOf needs the whole log. Whoever acts on the result must have read it
// consistently: in a stale copy a living runner looks dead.
func (d *Dispatcher) conditionOf(log []parley.LogEntry) condition {
	if len(log) == 0 {
		return ended
	}
	last := log[len(log)-1]
	begun := slices.ContainsFunc(log, func(l parley.LogEntry) bool { return l.Kind == parley.LogText || l.Kind == parley.LogCall })
	silent := parley.SilentFor(d.Now(), last.At) >= d.Lease
	switch {
	case last.Kind == parley.LogEnd:
		return ended
	case claims(log) == 0:
		return unclaimed
	case !silent:
		return alive
	case begun:
		return deadWithText
	}
	return dead
}

// MaxClaims is how often the model is asked for one reply. Most runners die of something
// else, and the next one has an answer; but where the reply is what they die of, or what
// cannot be stored, each would cost as much again, every Lease for as long as somebody
// waits. The runner after them apologizes. Our choice: a visitor waits less than a minute.
const MaxClaims = 5

var errDiesAgain = errors.New("every runner has died")

func claims(log []parley.LogEntry) (n int) {
	for _, l := range log {
		if l.Kind == parley.LogClaim {
			n++
		}
	}
	return n
}

// claimUnread is claimRun for a responder, which has not read the log. First it
// waits as long as the send reserved for a reader to come.
func (e *Engine) claimUnread(ctx context.Context, ref parley.RunRef) (*Claim, error) {
	log, err := e.store.ReadLog(ctx, ref, 0, true)
	if err != nil {
		return nil, err
	}
	if wait := reservedForReader(log[0]) - parley.SilentFor(e.Now(), log[0].At); len(log) == 1 && wait > 0 {
		if err := sleep(ctx, wait); err != nil {
			return nil, err
		}
		if log, err = e.store.ReadLog(ctx, ref, 0, true); err != nil {
			return nil, err
		}
	}
	return e.claimRun(ctx, ref, log)
}

// claimRun claims a run that nobody generates, as its log says, which was read
// consistently. It returns nil without an error where there is nothing to
// generate: the run is over, alive or waits for its turn, or somebody else claimed
// it first. What the reply is written from is read before the claim and beside it,
// so that the model is asked two waves of table calls later.
func (e *Engine) claimRun(ctx context.Context, ref parley.RunRef, log []parley.LogEntry) (*Claim, error) {
	switch e.conditionOf(log) {
	case ended, alive:
		return nil, nil
	case deadWithText:
		return nil, e.endDead(ctx, ref, log)
	}
	claim := &Claim{Claim: parley.Claim{Ref: ref, Epoch: e.Epoch(), First: log[0]}}
	if claims(log) >= MaxClaims {
		claim.denied = errDiesAgain
	}
	var err error
	claim.Context, err = e.store.ReadRun(ctx, ref, claim.First.Seq)
	if errors.Is(err, parley.ErrNotFound) || errors.Is(err, parley.ErrConflict) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	ctx, cancel := detach(ctx) // once the claim may stand, a reader who leaves changes nothing
	defer cancel()
	completed := make(chan struct{})
	go func() {
		defer close(completed)
		claim.complete(ctx, e)
	}()
	w := logWriter{engine: e, ref: ref, epoch: claim.Epoch, next: len(log)}
	err = w.append(ctx, parley.LogEntry{Kind: parley.LogClaim})
	<-completed
	if err != nil { // somebody else has claimed it or ended it, or nobody knows
		claim.reservation.Release(0)
		return nil, nil
	}
	claim.Next = w.next
	return claim, nil
}

// complete adds what neither the sender of the message has read nor ReadRun: the
// tokens that are set aside, what came along with the message, and the contact whom
// somebody vouched for. All that is read at once. It may be called again, and then
// reads what it could not read before; a budget that is spent stays denied.
func (c *Claim) complete(ctx context.Context, e *Engine) error {
	if c.project != nil {
		return nil
	}
	p, err := e.store.Project(ctx, c.Ref.Project)
	if err != nil {
		return err
	}
	settings, err := p.Answering(c.Session)
	if err != nil {
		return err
	}
	var extras, contact error
	var reads sync.WaitGroup
	if c.reservation == nil && c.denied == nil {
		reads.Go(func() { c.reservation, c.denied = e.store.Reserve(ctx, p, c.First.Address, settings) })
	}
	if retry := c.First.Of != parley.EntryID(c.Ref.Run); c.First.Extras && c.Extras.Empty() || retry {
		reads.Go(func() { c.Extras, extras = e.store.Extras(ctx, c.Ref, c.First.Of) })
	}
	if c.Contact == nil {
		reads.Go(func() {
			var vouched parley.Contact
			if vouched, contact = e.store.Vouched(ctx, c.Session); contact == nil {
				c.Contact = &vouched
			}
		})
	}
	reads.Wait()
	if err := errors.Join(extras, contact); err != nil {
		return err
	}
	c.project, c.settings = p, settings
	return nil
}

// reservedForReader is how long after the send only a reader may claim the run.
func reservedForReader(first parley.LogEntry) time.Duration {
	return time.Duration(first.Leave) * time.Millisecond
}

// endDead ends a run whose runner died after some text, as incomplete. If
// somebody else ended it meanwhile, that is fine too.
func (d *Dispatcher) endDead(ctx context.Context, ref parley.RunRef, log []parley.LogEntry) error {
	ended, err := d.store.EndRun(ctx, ref, nil, parley.End{Next: len(log), Of: log[0].Of,
		Status: parley.StatusIncomplete, Reason: "the runner died", Text: parley.Joined(log), Calls: parley.CallsOf(log)})
	if errors.As(err, new(*parley.Standing)) || errors.Is(err, parley.ErrConflict) || errors.Is(err, parley.ErrNotFound) {
		return nil
	}
	d.Ask(ctx, ended.Next)
	return err
}
