// Package push tells pages over their WebSockets what happens in sessions: what people
// and Parley itself say, that a session has ended, and of a reply what nobody has told
// while it was written. The feed wakes it, the sweep, and a client that comes back.
package push

import (
	"context"
	"errors"

	"parley/shared/live"
	"parley/shared/parley"
	"parley/shared/socket"
)

// Event asks for a session's page to be told what it has not been told.
type Event struct {
	Project parley.ProjectID `json:"project"`
	Session parley.SessionID `json:"session"`
	// Ended is the run whose end this is for, if it is for one: a relay that is alive
	// sees to what there is then.
	Ended parley.RunID `json:"ended,omitempty"`
	// Due says that the sweep has found something left undone.
	Due bool `json:"due,omitempty"`
	// Consoles is what the team's consoles are told, nil for nothing. An event is for
	// them or for the session's page.
	Consoles *live.Window `json:"consoles,omitempty"`
	// Pages is what the session's pages are told that know everything by its id;
	// Connection is one to be welcomed or, with Refusal, told why it is refused. See
	// PageBell, MeetEvent and RefuseEvent.
	Pages      *live.Window `json:"pages,omitempty"`
	Connection *socket.Ref  `json:"connection,omitempty"`
	Refusal    *Refusal     `json:"refusal,omitempty"`
}

// EventOf returns the event that wakes the follower parley.FollowerPush.
func EventOf(f parley.Following) Event {
	return Event{Project: f.Project, Session: f.Session, Due: true}
}

// Config is what the function needs: Live is required.
type Config struct {
	Live *live.Live
}

// Handler tells a session's page. A mark in the table says what it has been told, so an
// event may come twice. An error means that an event has to come again: what could not
// be sent is none, the sweep brings that back.
type Handler func(ctx context.Context, e Event) error

// New returns the function's handler.
func New(c Config) Handler {
	if c.Live == nil {
		panic("push: Live is required")
	}
	return c.handle
}

func (c Config) handle(ctx context.Context, e Event) error {
	if e.Connection != nil {
		return c.connection(ctx, e)
	}
	if e.Project == "" || e.Session == "" {
		return errors.New("push: the event names no session")
	}
	if e.Consoles != nil {
		return c.Live.Consoles(ctx, *e.Consoles)
	}
	if e.Pages != nil {
		return c.Live.Pages(ctx, *e.Pages)
	}
	err := c.Live.Push(ctx, e.Project, e.Session, e.Ended, e.Due)
	var later *parley.Later
	if errors.As(err, &later) && !errors.Is(err, parley.ErrUnavailable) {
		return nil
	}
	return err
}
