package push

import (
	"context"

	"parley/functions/feed"
	"parley/shared/live"
	"parley/shared/parley"
)

// Bell returns a bell of the feed's that calls this function for sessions whose page
// is told over a socket. Other sessions cost nothing.
func Bell(call func(context.Context, Event) error) feed.Bell {
	return func(ctx context.Context, c feed.Change) error {
		if !rings(c) {
			return nil
		}
		return call(ctx, Event{Project: c.Project, Session: c.Session, Ended: c.Ended})
	}
}

// rings decides whether a change is this function's business. While a reply is being
// written, its relay is the one who tells; at its end it looks at what has come
// meanwhile, and if it is dead, the end that the sweep writes rings here.
func rings(c feed.Change) bool {
	switch {
	case c.Kind == feed.Erased, c.After == c.Upto:
		return false
	case c.Channel == parley.ChannelChatHub:
		return c.Run == ""
	}
	return false
}

// ConsoleBell returns a bell that calls this function for the consoles of people, where
// somebody of the project is at one: half a read unit for each change.
func ConsoleBell(store *parley.Store, call func(context.Context, Event) error) feed.Bell {
	return func(ctx context.Context, c feed.Change) error {
		if c.Kind == feed.Erased || c.After == c.Upto && !c.Moved {
			return nil
		}
		if team, err := store.TeamConnections(ctx, c.Project); err != nil || len(team) == 0 {
			return err
		}
		w := live.Window{Project: c.Project, Session: c.Session, After: c.After, Upto: c.Upto, Moved: c.Moved}
		return call(ctx, Event{Project: c.Project, Session: c.Session, Consoles: &w})
	}
}
