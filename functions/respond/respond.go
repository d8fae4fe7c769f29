// Package respond generates runs that no request can stay open for: those of
// buffered answers, queued ones whose turn has come, and those whose runner
// died.
package respond

import (
	"context"
	"errors"
	"sync"
	"time"

	"parley/shared/parley"
	"parley/shared/run"
)

// Event names the run to generate.
type Event struct {
	Project parley.ProjectID `json:"project"`
	Session parley.SessionID `json:"session"`
	Run     parley.RunID     `json:"run"`
}

// EventOf returns the event that requests the generation of a run.
func EventOf(ref parley.RunRef) Event { return Event{ref.Project, ref.Session, ref.Run} }

// Turns collects the queued runs whose turn comes while this function generates.
// The function generates them too, instead of invoking itself. Pass its Ask to
// the engine.
type Turns struct {
	mu   sync.Mutex
	runs []parley.RunRef
}

// Ask is the engine's run.Config.Respond.
func (t *Turns) Ask(_ context.Context, ref parley.RunRef) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.runs = append(t.runs, ref)
	return nil
}

func (t *Turns) next() (parley.RunRef, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.runs) == 0 {
		return parley.RunRef{}, false
	}
	ref := t.runs[0]
	t.runs = t.runs[1:]
	return ref, true
}

// Config is what the function needs. Engine, and the Turns whose Ask it uses,
// are required.
type Config struct {
	Engine *run.Engine
	Turns  *Turns
	// Reserve is the time that must be left to begin another run; zero means 110
	// s: the longest time of a run, and a margin. The sweep finds runs that are
	// left.
	Reserve time.Duration
}

// Handler generates a run and then the queued ones whose turn comes, and returns
// when they have ended. The log of a run alone says whether it must be
// generated, so an event may arrive twice.
type Handler func(ctx context.Context, e Event) error

// New returns the function's handler.
func New(c Config) Handler {
	if c.Engine == nil || c.Turns == nil {
		panic("respond: Engine and Turns are required")
	}
	if c.Reserve == 0 {
		c.Reserve = 110 * time.Second
	}
	return c.handle
}

func (c Config) handle(ctx context.Context, e Event) error {
	if e.Project == "" || e.Session == "" || e.Run == "" {
		return errors.New("respond: the event names no run")
	}
	err := c.generate(ctx, parley.RunRef{Project: e.Project, Session: e.Session, Run: e.Run})
	for err == nil && c.hasTime(ctx) {
		ref, ok := c.Turns.next()
		if !ok {
			break
		}
		err = c.generate(ctx, ref)
	}
	return err
}

func (c Config) generate(ctx context.Context, ref parley.RunRef) error {
	err := c.Engine.Respond(ctx, ref)
	if errors.Is(err, parley.ErrNotFound) {
		return nil // the session was erased before its turn came
	}
	return err
}

func (c Config) hasTime(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return !ok || time.Until(deadline) > c.Reserve
}
