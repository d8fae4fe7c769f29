// Package run generates replies. A run is the generation of one reply. It is a
// log that anybody may append to, each entry under the condition that nobody
// else wrote it first; so the first to append decides what happened. This
// package is what a runner, a reader, a responder, and whoever finds a run dead
// do with that log. All of it is safe for concurrent use, in one process or
// many.
package run

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"time"

	"parley/shared/agent"
	"parley/shared/parley"
)

// Config is what an Engine needs, or the Dispatcher alone.
type Config struct {
	// Store is required.
	Store *parley.Store
	// Agent returns the agent to ask for given settings. An Engine requires it; a
	// Dispatcher never calls it.
	Agent func(p *parley.Project, a parley.AgentSettings) (agent.Agent, error)
	// Respond asks another process to generate a run, and does not wait for it. A
	// Dispatcher requires it. An Engine without it generates in a goroutine of its
	// own process, which suits a server but not a function, which is frozen when
	// it has answered.
	Respond func(ctx context.Context, ref parley.RunRef) error
	// Act carries out a call of an action; its only error is that of ctx,
	// everything else is in the result. With nil, agents are offered no actions.
	Act func(ctx context.Context, r parley.ActionRequest) (parley.ActionResult, error)
	// Live returns who says a run that Respond generates to the page that shows its
	// session, nil where nobody does. Nil means never.
	Live func(ref parley.RunRef, session *parley.Session) Live
	// Flush returns how long text is collected before it becomes a log entry;
	// since is the time from the first text on. Nil means 200 ms in the first
	// second, then 400 ms. Our choice: about 18 entries for a reply of 6 s, and a
	// mean delay of 140 ms until text is durable; readers get it paced (pace.go).
	Flush func(since time.Duration) time.Duration
	// Beat is how often a runner without text logs that it is alive; zero means 2
	// s.
	Beat time.Duration
	// Lease is how long a log may be silent before its runner counts as dead; zero
	// means parley.Lease. It must be several beats, since one may be delayed.
	Lease time.Duration
	// PollMin and PollMax bound the interval at which readers poll the log:
	// shortest after new text, longer in silence. Zero means 100 ms and 500 ms.
	PollMin, PollMax time.Duration
	// MaxRun is the longest that an agent may take for a reply; zero means 100 s,
	// which is below the timeout of the function chat.
	MaxRun time.Duration
	// Now is the clock. Epoch names a runner, differently each time. Nil means the
	// real clock and random text; tests replace them.
	Now   func() time.Time
	Epoch func() string
	// Log takes errors that no caller is told of; nil means slog.Default.
	Log *slog.Logger
}

// Dispatcher does what needs no agent: it delivers runs to readers, asks for
// their generation elsewhere, cancels them, and ends those whose runner died.
type Dispatcher struct {
	Config
	store *parley.Store
}

// Engine is a Dispatcher that also generates runs itself.
type Engine struct{ *Dispatcher }

// New returns an Engine.
func New(c Config) (*Engine, error) {
	if c.Store == nil || c.Agent == nil {
		return nil, errors.New("run: Store and Agent are required")
	}
	e := &Engine{newDispatcher(c)}
	if e.Config.Respond == nil {
		e.Config.Respond = e.respondHere
	}
	return e, nil
}

// NewDispatcher returns a Dispatcher.
func NewDispatcher(c Config) (*Dispatcher, error) {
	if c.Store == nil || c.Respond == nil {
		return nil, errors.New("run: Store and Respond are required")
	}
	return newDispatcher(c), nil
}

func newDispatcher(c Config) *Dispatcher {
	d := &Dispatcher{Config: c, store: c.Store}
	d.Beat, d.Lease, d.MaxRun = cmp.Or(d.Beat, 2*time.Second), cmp.Or(d.Lease, parley.Lease), cmp.Or(d.MaxRun, 100*time.Second)
	d.PollMin, d.PollMax = cmp.Or(d.PollMin, 100*time.Millisecond), cmp.Or(d.PollMax, 500*time.Millisecond)
	d.Log = cmp.Or(d.Log, slog.Default())
	if d.Flush == nil {
		d.Flush = flushInterval
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Epoch == nil {
		d.Epoch = rand.Text
	}
	return d
}

func flushInterval(since time.Duration) time.Duration {
	if since < time.Second {
		return 200 * time.Millisecond
	}
	return 400 * time.Millisecond
}

// respondHere generates in a goroutine that outlives the request.
func (e *Engine) respondHere(ctx context.Context, ref parley.RunRef) error {
	go func() {
		if err := e.Respond(context.WithoutCancel(ctx), ref); err != nil {
			e.Log.Error("respond", "project", ref.Project, "error", err)
		}
	}()
	return nil
}

// Event is a piece of text, or the end, as it is delivered to a reader.
type Event struct {
	// Text continues the reply. Upto is the length of the reply up to its end, in
	// bytes.
	Text string
	Upto int
	// With is how the run ended, where this text was stored together with the end:
	// a reader may want to treat the last text differently, such as an apology. It
	// is "" for all other text; the end itself follows in the next event.
	With parley.RunStatus
	// End is set in the last event, which has no text.
	End *End
	// pieces are those in which a Reader gets Text; nil is all of it at once.
	pieces []piece
}

// End says how a run ended.
type End struct {
	Status parley.RunStatus
	// Entry is the reply as stored, or the event stored in its place if there is
	// no reply; nil if the session was erased.
	Entry *parley.Entry
	// Session is the session after it; nil if it was erased.
	Session *parley.Session
}

// Ask asks the responder to generate a run. If it cannot be reached that is only
// logged, since the sweep finds the run within two minutes. Without a run in ref
// it does nothing.
func (d *Dispatcher) Ask(ctx context.Context, ref parley.RunRef) {
	if ref.Run == "" {
		return
	}
	if err := d.Config.Respond(ctx, ref); err != nil {
		d.Log.Warn("responder not reached", "project", ref.Project, "error", err)
	}
}

// Send is parley.Store.Send, and reserves tokens from the budgets that visitors
// share at the same time, to save a round trip. If it returns a claim the caller
// must call Stream with it; if the run is pending, Ask.
func (e *Engine) Send(ctx context.Context, c parley.Caller, r parley.SendRequest) (parley.Sent, *Claim, error) {
	p, err := e.store.Project(ctx, c.Project)
	if err != nil {
		return parley.Sent{}, nil, err
	}
	type reserved struct {
		reservation *parley.Reservation
		err         error
	}
	early := make(chan reserved, 1)
	if r.Claim {
		go func() {
			settings, err := p.Agent(r.Agent)
			if err != nil {
				early <- reserved{err: err}
				return
			}
			// The message may be stored by the time its sender leaves, and then its
			// run needs the tokens.
			detached, cancel := detach(ctx)
			defer cancel()
			got, err := e.store.Reserve(detached, p, e.store.AddressHash(c), settings)
			early <- reserved{got, err}
		}()
	} else {
		early <- reserved{}
	}
	sent, err := e.store.Send(ctx, c, r)
	got := <-early
	if err != nil || sent.Claim == nil {
		got.reservation.Release(0)
		return sent, nil, err
	}
	return sent, &Claim{Claim: *sent.Claim, reservation: got.reservation, denied: got.err}, nil
}

// Claim is the right, and the duty, to generate a run.
type Claim struct {
	parley.Claim
	reservation *parley.Reservation
	denied      error
	project     *parley.Project      // nil until it is complete
	settings    parley.AgentSettings // of the agent that is to answer
}

// Cancel is parley.Store.Cancel, and asks for the queued run whose turn it now
// is.
func (d *Dispatcher) Cancel(ctx context.Context, c parley.Caller, id parley.SessionID, only parley.RunID) (parley.Stopped, error) {
	stopped, err := d.store.Cancel(ctx, c, id, only)
	d.Ask(ctx, stopped.Next)
	return stopped, err
}

// CancelActive is parley.Store.CancelActive, and asks as Cancel does.
func (d *Dispatcher) CancelActive(ctx context.Context, c parley.Caller, id parley.SessionID) (parley.Stopped, error) {
	stopped, err := d.store.CancelActive(ctx, c, id)
	d.Ask(ctx, stopped.Next)
	return stopped, err
}

// Respond generates a run that nobody generates, and returns when it has ended.
// It does nothing for a run that is over or alive, so it may be called twice.
func (e *Engine) Respond(ctx context.Context, ref parley.RunRef) error {
	claim, err := e.claimUnread(ctx, ref)
	if err != nil || claim == nil {
		return err
	}
	if e.Live != nil {
		if live := e.Live(ref, claim.Session); live != nil {
			return e.generateLive(ctx, claim, live)
		}
	}
	return e.Stream(ctx, ref, 0, claim, func(Event) error { return nil })
}

// ReviveIn is Revive of a session's active run, for clients that read sessions
// only. revived says that the run was silent for the lease, so the session may be
// another now. A session whose run began just now, or that has none, costs nothing.
func (d *Dispatcher) ReviveIn(ctx context.Context, session *parley.Session) (revived bool, err error) {
	ref, err := d.store.SilentRun(ctx, session)
	if err != nil || ref.Run == "" {
		return false, err
	}
	return true, d.Revive(ctx, ref)
}

// Revive deals with a run that may be dead: with text in its log the run is
// ended as incomplete, without text the responder is asked to start over. It
// does nothing for a run that is over or alive.
func (d *Dispatcher) Revive(ctx context.Context, ref parley.RunRef) error {
	log, err := d.store.ReadLog(ctx, ref, 0, true)
	if err != nil {
		return err
	}
	switch d.conditionOf(log) {
	case deadWithText:
		return d.endDead(ctx, ref, log)
	case unclaimed, dead:
		d.Ask(ctx, ref)
	}
	return nil
}
